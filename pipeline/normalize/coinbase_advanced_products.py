"""Coinbase's products as instruments, numbered in the order in which they were met."""

from dataclasses import replace

from pipeline.codes import AssetClass, Kind
from pipeline.instruments import COIN_STEP_NANO, Instrument, completed
from pipeline.normalize.coinbase_advanced_words import VENUE, Product, symbol_of
from pipeline.normalize.decimals import nano_of
from pipeline.normalize.gathering import Gathering
from pipeline.units import ABSENT


class Products:
    """The instruments met so far; a product keeps its number over all connections."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        """By the product's id as the venue writes it."""
        self._known: dict[int, Instrument] = {}

    def id_of(self, product_id: str, rows: Gathering) -> int:
        """The number of a product; its definition goes in front of its first row. Raises UnitError."""
        found = self.ids.get(product_id)
        if found is None:
            symbol = symbol_of(product_id)
            found = next((id_ for id_, known in self._known.items() if known.symbol == symbol), len(self._known) + 1)
            self.ids[product_id] = found
            if found not in self._known:
                self._define(found, _instrument(symbol), rows)
        return found

    def symbol(self, instrument_id: int) -> str:
        """Its name."""
        return self._known[instrument_id].symbol

    def describe(self, product: Product, rows: Gathering) -> int:
        """The number of a product, told again when what is said of it is new. Raises UnitError."""
        tick_nano = (product.quote_increment and nano_of(product.quote_increment)) or ABSENT
        found = self.id_of(product.id, rows)
        stated = replace(_instrument(self.symbol(found)), tick_nano=tick_nano)
        if (new := completed(self._known[found], stated)) != self._known[found]:
            self._define(found, new, rows)
        return found

    def _define(self, instrument_id: int, instrument: Instrument, rows: Gathering) -> None:
        self._known[instrument_id] = instrument
        rows.add(Kind.INSTRUMENT, instrument_id=instrument_id, **instrument.row())


def _instrument(symbol: str) -> Instrument:
    currency = symbol.rpartition("-")[2] if "-" in symbol else ""
    return Instrument(symbol, VENUE, COIN_STEP_NANO, AssetClass.CRYPTO, currency, calendar="24/7")
