"""Pacing: which rows are due. Session time runs `speed` times as fast as the clock on the wall, or as fast as it can."""

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.errors import ConfigError
from pipeline.units import NANO

SPEED_MAX: Final = 1_000.0

CLOCK_PATH: Final = "/tape/clock"
"""Where a served day tells how late it is, to whom GETs it at one of its ports."""


@dataclass(frozen=True, slots=True)
class Pace:
    """From when on, and how fast: `starts_ns` in session time, `speed` 1 to 1,000, or infinite: no waiting."""

    starts_ns: int
    speed: float

    @property
    def is_unbound(self) -> bool:
        """Whether nothing ever waits."""
        return math.isinf(self.speed)

    def session_ns(self, elapsed_ns: int) -> int:
        """Session time so long after the start, by the clock on the wall."""
        assert not self.is_unbound
        return self.starts_ns + int(elapsed_ns * self.speed)

    def due(self, due_ns: Numbers, elapsed_ns: int) -> int:
        """How many of the rows at these times, rising, are due."""
        if self.is_unbound:
            return len(due_ns)
        return int(np.searchsorted(due_ns, self.session_ns(elapsed_ns), "right"))

    def wait_s(self, ts_ns: int, elapsed_ns: int) -> float:
        """How long until this session time, by the clock on the wall; 0 when it has come."""
        if self.is_unbound:
            return 0.0
        return max(0.0, (ts_ns - self.session_ns(elapsed_ns)) / self.speed / NANO)


def speed_of(text: str) -> float:
    """The speed that a person writes: `1`, `10x`, `max`. Raises ConfigError.

    >>> speed_of("10x")
    10.0
    """
    if text == "max":
        return math.inf
    speed = float(text.removesuffix("x")) if re.fullmatch(r"\d{1,4}(\.\d{1,3})?x?", text) else 0.0
    if not 1.0 <= speed <= SPEED_MAX:
        raise ConfigError(f"speed {text!r}: write a number from 1 to {SPEED_MAX:.0f} or max")
    return speed
