"""Databento's instruments: definition records, and what a symbol alone tells.

A vendor's number names an instrument in one dataset on one day; the symbol names it for longer. So an instrument here is
(dataset, raw symbol), and the number is kept beside it.
"""

import re
from typing import Any, Final

from pipeline.block import Numbers
from pipeline.codes import AssetClass
from pipeline.instruments import WHOLE_STEP_NANO, Instrument, checked_symbol
from pipeline.normalize.databento import UNDEF_PRICE
from pipeline.units import ABSENT, NANO, TS_MAX_NS

_ASSET_BY_CLASS: Final = {
    b"K": AssetClass.EQUITY,
    b"F": AssetClass.FUTURE,
    b"C": AssetClass.OPTION,
    b"P": AssetClass.OPTION,
    b"I": AssetClass.INDEX,
    b"X": AssetClass.FX,
    b"B": AssetClass.OTHER,
    b"M": AssetClass.OTHER,
    b"S": AssetClass.OTHER,
    b"T": AssetClass.OTHER,
    b"Y": AssetClass.OTHER,
}
"""Bonds, spreads and spot commodities have no class of their own here."""

_EQUITY_DATASETS: Final = re.compile(
    r"(XNAS|XNYS|XASE|ARCX|BATS|BATY|EDGA|EDGX|XBOS|XPSX|XCHI|XCIS|IEXG|MEMX|EPRL|DBEQ|EQUS)\."
)
_FUTURE_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,4}[FGHJKMNQUVXZ]\d{1,2}")
_INT32_UNDEFINED: Final = 2**31 - 1

EQUITY_TICK_NANO: Final = NANO // 100
EQUITY_TICK_BELOW_ONE_NANO: Final = NANO // 10_000
"""Rule 612 of Regulation NMS: quotes in cents, below a dollar in hundredths of a cent."""


def instrument_of_symbol(symbol: str, dataset: str, vendor_id: int) -> Instrument:
    """What the symbol and the dataset tell, before any definition. Raises UnitError for a symbol that is none."""
    symbol = checked_symbol(symbol, upper=False)
    if _EQUITY_DATASETS.match(dataset):
        return Instrument(
            symbol,
            dataset,
            WHOLE_STEP_NANO,
            AssetClass.EQUITY,
            currency="USD",
            tick_nano=EQUITY_TICK_NANO,
            tick_below_one_nano=EQUITY_TICK_BELOW_ONE_NANO,
            vendor_id=vendor_id,
            calendar="XNYS",
        )
    if dataset == "GLBX.MDP3":
        asset_class = AssetClass.FUTURE if _FUTURE_SYMBOL.fullmatch(symbol) else AssetClass.OTHER
        return Instrument(symbol, dataset, WHOLE_STEP_NANO, asset_class, vendor_id=vendor_id, calendar="CMES")
    asset_class = AssetClass.OPTION if dataset.startswith("OPRA.") else AssetClass.OTHER
    return Instrument(symbol, dataset, WHOLE_STEP_NANO, asset_class, vendor_id=vendor_id)


def instrument_of_definition(record: Any, dataset: str) -> Instrument:
    """What one definition record (of any DBN version) states. Raises UnitError for a symbol that is none."""
    guess = instrument_of_symbol(_text(record["raw_symbol"]), dataset, int(record["instrument_id"]))
    expires_ns, lot = int(record["expiration"]), int(record["min_lot_size_round_lot"])
    tick_nano = _price(record["min_price_increment"])
    return Instrument(
        guess.symbol,
        dataset,
        WHOLE_STEP_NANO,
        _ASSET_BY_CLASS.get(bytes(record["instrument_class"]), guess.asset_class),
        currency=_text(record["currency"]) or guess.currency,
        # an equity definition states no step: Rule 612 has it
        tick_nano=tick_nano if tick_nano > 0 else guess.tick_nano,
        tick_below_one_nano=guess.tick_below_one_nano,
        lot_steps=lot if 0 < lot < _INT32_UNDEFINED else ABSENT,
        multiplier_nano=_multiplier_nano(record, tick_nano),
        expires_ns=expires_ns if 0 < expires_ns < TS_MAX_NS else ABSENT,
        vendor_id=guess.vendor_id,
        calendar=guess.calendar,
    )


def _multiplier_nano(record: Any, tick_nano: int) -> int:
    """Value of one tick over the tick, else the contract's size in units; 1 for things that have neither.

    The value of a tick is stated with the display factor applied
    (databento.com/docs/examples/instrument-definitions/contract-notional).
    """
    tick_value, display_factor = _price(record["min_price_increment_amount"]), _price(record["display_factor"])
    if min(tick_nano, tick_value, display_factor) > 0:
        multiplier_nano, rest = divmod(tick_value * NANO * NANO, display_factor * tick_nano)
        if not rest and 0 < multiplier_nano < UNDEF_PRICE:
            return multiplier_nano
    unit_nano = _price(record["unit_of_measure_qty"])
    return unit_nano if unit_nano > 0 else NANO


def _price(value: Any) -> int:
    return ABSENT if value == UNDEF_PRICE else int(value)


def _text(value: Any) -> str:
    return bytes(value).decode("ascii", "replace")


def mapped_symbols(records: Numbers) -> list[tuple[int, str]]:
    """(vendor's number, symbol) of each symbol mapping record; the symbols are not checked yet."""
    return [
        (int(number), _text(symbol))
        for number, symbol in zip(records["instrument_id"], records["stype_out_symbol"], strict=True)
    ]
