"""Warm-up: how much history a strategy wants in an instrument before it hears what happens there, in words.

"30 bars"      so many of the bars it asks for
"slow bars"    as many as its parameter `slow` says
"45m"          all that there is of so long a time: prints and quotes if it handles them, and its bars
"""

import re
from typing import Any, Final, NamedTuple

from pipeline.codes import BarUnit
from pipeline.errors import StrategyError, UnitError
from pipeline.timeframes import timeframe_of
from pipeline.units import DAY_NS

BARS_MAX: Final = 10_000
SPAN_NS_MAX: Final = 10 * DAY_NS
ACCEPTED: Final = (
    'a number or a whole parameter and "bars", like "30 bars" or "slow bars", or a time up to 10d, like "45m"'
)
_BARS: Final = re.compile(r"(\w+) bars", re.ASCII)


class WarmUp(NamedTuple):
    """So many bars, or all of so long a time (nanoseconds); the other is 0."""

    bars: int
    span_ns: int


NONE: Final = WarmUp(0, 0)


def warm_up_of(words: str, params: Any) -> WarmUp:
    """What the words ask for with these parameters. Raises StrategyError with what is accepted."""
    if not words:
        return NONE
    match = _BARS.fullmatch(words.strip())
    if match is None:
        return WarmUp(0, _span_ns(words))
    count = int(match[1]) if match[1].isdigit() else getattr(params, match[1], None)
    if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= BARS_MAX:
        raise StrategyError(f"warm_up={words!r}: {match[1]} is {count!r}; accepted are 1 to {BARS_MAX:,} bars")
    return WarmUp(count, 0)


def _span_ns(words: str) -> int:
    try:
        timeframe = timeframe_of(words)
    except UnitError:
        raise StrategyError(f"warm_up={words!r}: accepted is {ACCEPTED}") from None
    if timeframe.unit != BarUnit.TIME or timeframe.parts or timeframe.length > SPAN_NS_MAX:
        raise StrategyError(f"warm_up={words!r}: accepted is {ACCEPTED}")
    return timeframe.length
