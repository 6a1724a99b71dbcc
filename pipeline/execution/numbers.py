"""Numbers: brokers' texts as exact integers, and the few that brokers round themselves."""

from decimal import Decimal, InvalidOperation

from pipeline.errors import UnitError
from pipeline.normalize.moments import ns_of_text
from pipeline.units import ABSENT, NANO, nano_from_text

Number = str | int | float | None


def nano_of(number: Number, *, is_rounded: bool = False) -> int:
    """Nanos of a number; 0 of none. Raises UnitError for what is finer, unless it may be rounded to the nearest."""
    if number is None or number == "":
        return 0
    if is_rounded:
        return round(_decimal(number) * NANO)
    return nano_from_text(str(number))


def atto_of(average: Number, quantity_nano: int) -> int:
    """An average price times a quantity, in 1e-18, rounded to the nearest. Raises UnitError."""
    if average is None:
        raise UnitError("something was filled, and the broker names no price")
    return round(_decimal(average) * NANO * quantity_nano)


def moment_of(text: str | None) -> int:
    """Nanoseconds of RFC 3339 in UTC; ABSENT where there is none: no order depends on it."""
    try:
        return ns_of_text(text) if text else ABSENT
    except UnitError:
        return ABSENT


def _decimal(number: str | float) -> Decimal:
    try:
        found = Decimal(str(number))
    except InvalidOperation:
        raise UnitError(f"{str(number)[:40]!r} is not a decimal number") from None
    if not found.is_finite() or (abs(found.adjusted()) > 18 and found):
        raise UnitError(f"{str(number)[:40]!r} is not a finite number between 1e-18 and 1e18")
    return found
