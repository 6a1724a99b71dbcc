"""Bands: what the limit up-limit down plan and the listing exchange make of a path.

The plan (SEC release 34-67091, as later amended): in regular hours no trade outside of bands around a reference price,
the mean of the last five minutes. It moves when that mean is a hundredth away, looked at every 30 seconds here, and not
in a limit state. Bands are 5 % for the large names (tier 1), 10 % for others, 20 % for those at or under three dollars.
Where the quote stands at a band for fifteen seconds (the limit state), a pause of five minutes follows; the auction
after it may open higher or lower than where trading stood. The end of the day is treated as any other time.

Halts for news come from the listing exchange, at any hour, and end in an auction too.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from pipeline.block import Numbers

LIMIT_STATE_S: Final = 15
PAUSE_S: Final = 300
QUOTING_S: Final = 30
"""How long before it trades again a name is quoted."""

_REFERENCE_S: Final = 300
_LOOK_EVERY_S: Final = 30
_MOVE: Final = 0.01


class Standing(IntEnum):
    """How a name stands in one second."""

    TRADING = 0
    LIMIT_UP = 1
    LIMIT_DOWN = 2
    PAUSED = 3
    HALTED = 4
    QUOTING = 5


_TRADING, _LIMIT_UP, _LIMIT_DOWN = int(Standing.TRADING), int(Standing.LIMIT_UP), int(Standing.LIMIT_DOWN)
_NONE: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Held:
    """A path as the rules let it be, second by second; prices in dollars.

    price       (n,) float64, where it trades, or last traded
    low, high   (n,) float64, the bands; NaN outside of regular hours
    standing    (n,) int8, Standing
    """

    price: Numbers
    low: Numbers
    high: Numbers
    standing: Numbers


def held(
    wanted: Numbers,
    is_regular: Numbers,
    random: np.random.Generator,
    *,
    is_tier_1: bool = False,
    news: tuple[int, int] | None = None,
) -> Held:
    """What becomes of a path.

    wanted       (n,) float64, dollars, where it would trade if nothing held it
    is_regular   (n,) bool, seconds in regular hours, one stretch at most
    news         first second and length of a halt
    """
    rules = _Rules(wanted, is_regular, random, is_tier_1=is_tier_1)
    for second in range(len(wanted)):
        if news is not None and second == news[0]:
            rules.stop(second, news[1], Standing.HALTED)
        rules.step(second)
    return Held(
        np.array(rules.price), np.array(rules.low), np.array(rules.high), np.array(rules.standing, dtype=np.int8)
    )


class _Rules:
    """The state of one name on its way through the day."""

    def __init__(self, wanted: Numbers, is_regular: Numbers, random: np.random.Generator, *, is_tier_1: bool) -> None:
        count = len(wanted)
        self.price = [0.0] * count  # lists: their items are read and written one by one
        self.low, self.high = [_NONE] * count, [_NONE] * count
        self.standing = [_TRADING] * count
        self._wanted: list[float] = wanted.tolist()
        self._is_regular: list[bool] = is_regular.tolist()
        self._random = random
        self._is_tier_1 = is_tier_1
        self._shift = 1.0
        self._reference = 0.0
        self._bands = (_NONE, _NONE)
        self._limit_s = 0
        self._until = -1
        self._why = Standing.TRADING

    def stop(self, second: int, length_s: int, why: Standing) -> None:
        """No trading from here on for so long."""
        self._until, self._why, self._limit_s = second + length_s, why, 0

    def step(self, second: int) -> None:
        """The next second."""
        if second == self._until:
            self._reopen(second)
        if second < self._until:
            self._stand_still(second)
            return
        wanted = self._wanted[second] * self._shift
        if not self._is_regular[second]:
            self.price[second] = wanted
            return
        if not self._reference or (second % _LOOK_EVERY_S == 0 and not self._limit_s):
            self._look(second, wanted)
        low, high = self._bands
        self.low[second], self.high[second] = low, high
        self.price[second] = min(max(wanted, low), high)
        standing = _LIMIT_UP if wanted >= high else _LIMIT_DOWN if wanted <= low else _TRADING
        is_same = second > 0 and standing == self.standing[second - 1]
        self.standing[second] = standing
        self._limit_s = 0 if standing == _TRADING else self._limit_s + 1 if is_same else 1
        if self._limit_s >= LIMIT_STATE_S:
            self.stop(second + 1, PAUSE_S, Standing.PAUSED)

    def _stand_still(self, second: int) -> None:
        self.price[second] = self.price[second - 1] if second else self._wanted[0]
        is_quoting = self._until - second <= QUOTING_S
        self.standing[second] = Standing.QUOTING if is_quoting else self._why
        if self._is_regular[second]:
            self.low[second], self.high[second] = self._bands

    def _reopen(self, second: int) -> None:
        """The auction: a gap from where it stood, towards where it wanted to go or away from there."""
        gap = float(np.exp(self._random.normal(0.0, 0.035)))
        last, wanted = self.price[second - 1], self._wanted[second] * self._shift
        opened = (last * wanted) ** 0.5 * gap
        self._shift *= opened / wanted
        self._until = -1
        if self._is_regular[second]:
            self._refer_to(opened)

    def _look(self, second: int, wanted: float) -> None:
        if not self._reference:
            self._refer_to(wanted)  # the first of the day is the opening price
            return
        window = self.price[max(0, second - _REFERENCE_S) : second]
        mean = sum(window) / len(window)
        if abs(mean / self._reference - 1) >= _MOVE:
            self._refer_to(mean)

    def _refer_to(self, price: float) -> None:
        self._reference = price
        part = 0.20 if price <= 3.0 else 0.05 if self._is_tier_1 else 0.10
        self._bands = (round(price * (1 - part), 2), round(price * (1 + part), 2))
