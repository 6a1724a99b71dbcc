"""Instruments: what a thing that trades is, which names it may have, and how its prices and sizes are counted."""

from dataclasses import MISSING, dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pipeline.codes import AssetClass
from pipeline.errors import UnitError
from pipeline.units import ABSENT, INT64_MAX, NANO, text_from_nano

SYMBOL_LENGTH_MAX: Final = 71
"""Longest symbol a vendor sends: DBN keeps 71 bytes for it."""

WHOLE_STEP_NANO: Final = NANO
"""Size step of shares and contracts: one."""

COIN_STEP_NANO: Final = 10
"""Size step of coins: 1e-8, the finest that Binance and Coinbase trade."""

EXCHANGE_ZONES: Final = {"XNYS": "America/New_York", "CMES": "America/Chicago"}
"""Whose clocks a trading calendar goes by; UTC for every other."""

_EXPONENT_MAX: Final = 30
"""Sizes with decimal exponents outside +-30 fit no int64 of any step; refusing them early bounds the work."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that trades, named by (`venue`, `symbol`); the fields are those of the `instrument` event.

    Fields after `size_step_nano` are what a feed may or may not know; their defaults say "not stated".
    """

    symbol: str
    venue: str
    size_step_nano: int
    asset_class: AssetClass = AssetClass.OTHER
    currency: str = ""
    tick_nano: int = ABSENT
    tick_below_one_nano: int = ABSENT
    lot_steps: int = ABSENT
    multiplier_nano: int = NANO
    expires_ns: int = ABSENT
    vendor_id: int = ABSENT
    calendar: str = ""

    def row(self) -> dict[str, Any]:
        """The payload of its `instrument` event."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_UNSTATED: Final = {field.name: field.default for field in fields(Instrument) if field.default is not MISSING}


def completed(known: Instrument, stated: Instrument) -> Instrument:
    """What is known after a feed stated something: what it leaves out keeps its old value.

    Raises UnitError when the two count sizes in different steps: their rows could not stand in one log.
    """
    if known.size_step_nano != stated.size_step_nano:
        raise UnitError(
            f"{stated.venue} {stated.symbol}: size step {stated.size_step_nano} nano, "
            f"but an earlier feed counts it in {known.size_step_nano} nano"
        )
    old, new = known.row(), stated.row()
    return Instrument(**{name: old[name] if _UNSTATED.get(name) == new[name] else new[name] for name in new})


def checked_symbol(text: str, *, upper: bool = True) -> str:
    """The symbol as the log keeps it: printable ASCII, outer spaces cut, upper case unless the venue knows both.

    Raises UnitError when it is empty, longer than 71 characters, or holds anything else.

    >>> checked_symbol(" btcusdt ")
    'BTCUSDT'
    """
    symbol = text.strip(" ")
    if not symbol:
        raise UnitError("a symbol is empty")
    if len(symbol) > SYMBOL_LENGTH_MAX:
        raise UnitError(f"symbol {symbol[:20]!r}... has {len(symbol)} characters, accepted are {SYMBOL_LENGTH_MAX}")
    if not (symbol.isascii() and symbol.isprintable()):
        raise UnitError(f"symbol {symbol!r} holds something other than printable ASCII")
    return symbol.upper() if upper else symbol


def meant_symbol(text: str) -> str:
    """The symbol a person means: small letters alone stand for capitals, both together are the vendor's own spelling.

    Massive's preferred shares have a small p. Raises UnitError, as `checked_symbol` does.

    >>> meant_symbol("aapl"), meant_symbol("BACpB")
    ('AAPL', 'BACpB')
    """
    return spelling_meant(checked_symbol(text, upper=False))


def spelling_meant(symbol: str) -> str:
    """The same without looking whether it is a symbol."""
    return symbol.upper() if symbol == symbol.lower() else symbol


def steps_from_text(text: str, size_step_nano: int) -> int:
    """The exact steps a decimal size names.

    Raises UnitError when it is no finite number, negative, finer than a step, or does not fit an int64.

    >>> steps_from_text("3.78826000", COIN_STEP_NANO)
    378826000
    """
    try:
        size = Decimal(text)
    except InvalidOperation:
        raise UnitError(f"size {text[:40]!r} is not a decimal number") from None
    if not size.is_finite() or (size and abs(size.adjusted()) > _EXPONENT_MAX):
        raise UnitError(f"size {text[:40]!r} is not a finite number that fits")
    numerator, denominator = size.as_integer_ratio()
    steps, rest = divmod(numerator * NANO, denominator * size_step_nano)
    if rest:
        raise UnitError(f"size {text[:40]!r} is finer than {text_from_nano(size_step_nano)}, its step")
    if not 0 <= steps <= INT64_MAX:
        raise UnitError(f"size {text[:40]!r} is negative or does not fit")
    return steps


def is_on_tick(price_nano: int, instrument: Instrument) -> bool:
    """Whether a price is a whole number of the instrument's ticks; true when its tick is not known."""
    tick_nano = tick_at(price_nano, instrument)
    return tick_nano == ABSENT or price_nano % tick_nano == 0


def tick_at(price_nano: int, instrument: Instrument) -> int:
    """The smallest price step at this price, ABSENT when not known: below 1 some venues use a finer one."""
    below_one = instrument.tick_below_one_nano
    return below_one if abs(price_nano) < NANO and below_one != ABSENT else instrument.tick_nano
