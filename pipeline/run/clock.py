"""Clock: what time it is for a recording. The system's, or one that starts at a given moment and runs at a given rate."""

import time

import anyio

from pipeline.errors import ConfigError
from pipeline.units import NANO, iso_from_ns


class SystemClock:
    """The machine's clock."""

    rate = 1.0

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        return time.time_ns()

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when `now_ns()` has reached this time, whatever was done to the machine's clock meanwhile."""
        while (left_ns := ts_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - a clock rings no bell
            await anyio.sleep(min(left_ns / NANO, 1.0))

    def told(self) -> str:
        """As the session's settings keep it."""
        return "system"


class ScaledClock:
    """A clock for served days: `starts_ns` when it is made, `rate` seconds of its own a second, never set back."""

    def __init__(self, starts_ns: int, rate: float) -> None:
        """Raises ConfigError for a rate that is not between a thousandth and a million."""
        if not 0.001 <= rate <= 1e6:
            raise ConfigError(f"clock rate {rate}: accepted is 0.001 to 1,000,000")
        self.rate = rate
        self._starts_ns = starts_ns
        self._began_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """UTC nanoseconds as this clock counts them."""
        return self._starts_ns + int((time.monotonic_ns() - self._began_ns) * self.rate)

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when `now_ns()` has reached this time."""
        while (left_ns := ts_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - a clock rings no bell
            await anyio.sleep(left_ns / NANO / self.rate)

    def told(self) -> str:
        """As the session's settings keep it."""
        return f"{iso_from_ns(self._starts_ns)}@{self.rate:g}"
