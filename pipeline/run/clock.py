"""Clock: what time it is for a recording. The system's, one that starts at a given moment and runs at a given rate, or that of a served day."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import anyio
import msgspec

from pipeline.errors import ConfigError
from pipeline.simulator.pacing import CLOCK_PATH
from pipeline.units import NANO, iso_from_ns

_ANSWER_S: Final = 5.0
_ASKED_EVERY_S: Final = 2.0
_SOON_S: Final = 0.05
"""How soon it is known that the day has begun: a day waits for its first client, who is just connecting."""

_SOON: Final = 20
"""So often it is asked as soon again once it has begun: of all answers the one with the shortest way counts."""

_LOOKED_EVERY_S: Final = 0.1

STEP_S: Final = 1.0
"""A clock that is further away from where time would have brought it was set."""

_LOOKS: Final = 10
_ONE_LOOK_NS: Final = NANO // 10


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


class ServedClock:
    """The clock of a day that somebody serves: asked when this is made, and again and again while it is `kept`.

    It stands until the day begins, then runs as fast as the day does. An answer is as old as its way here, so this clock is
    never ahead of the day; it is never set back either, and when nobody answers any more, it runs on.
    """

    def __init__(self, url: str) -> None:
        """`url` is that of the server, without a path. Raises ConfigError when no day is served there, or one without a pace."""
        import httpx  # noqa: PLC0415  # only where a served day is recorded

        self._url = url.rstrip("/") + CLOCK_PATH
        self._get: Callable[..., httpx.Response] = partial(httpx.get, trust_env=False)
        told = self._ask()
        if told.speed is None:
            raise ConfigError(f"--clock served: the day at {url} is served without a pace; leave --clock out")
        self.rate = told.speed
        self._mark = told, time.monotonic_ns()
        """What was told last, and when; replaced as a whole, for other threads ask."""

    @property
    def has_begun(self) -> bool:
        """Whether the day runs."""
        return self._mark[0].has_begun

    def now_ns(self) -> int:
        """UTC nanoseconds, as far as the day is."""
        told, at_ns = self._mark
        elapsed_ns = time.monotonic_ns() - at_ns if told.has_begun else 0
        return told.session_ns + int(elapsed_ns * self.rate)

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when `now_ns()` has reached this time."""
        while (left_ns := ts_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - a clock rings no bell
            await anyio.sleep(min(left_ns / NANO / self.rate, _LOOKED_EVERY_S))

    def told(self) -> str:
        """As the session's settings keep it."""
        return "served"

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep to the day while the block runs."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._keep, args=(is_over,), name="served clock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _keep(self, is_over: threading.Event) -> None:
        import httpx  # noqa: PLC0415  # as above

        with httpx.Client(trust_env=False) as client:
            self._get = client.get  # a connection that stays answers sooner
            self._keep_to_the_day(is_over)

    def _keep_to_the_day(self, is_over: threading.Event) -> None:
        answers = 0
        while not is_over.wait(_ASKED_EVERY_S if answers > _SOON else _SOON_S):
            answers += self._mark[0].has_begun
            try:
                told = self._ask()
            except ConfigError:
                continue  # the day may be over and its server gone
            if told.session_ns > self.now_ns():
                self._mark = told, time.monotonic_ns()

    def _ask(self) -> "_Told":
        import httpx  # noqa: PLC0415  # only where a served day is recorded

        try:
            answer = self._get(self._url, timeout=_ANSWER_S)
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=_Told)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(f"--clock served: no served day tells its time at {self._url}: {error}") from None


class _Told(msgspec.Struct, frozen=True):
    """What a served day says of itself; `speed` None: as fast as it can."""

    session_ns: int
    speed: float | None
    has_begun: bool


class Steps:
    """What a clock gained or lost beside one that nobody sets, from one look at it to the next.

    The clock of a served day is put right all the time, so it makes no steps. A machine that slept wakes with a step ahead: nobody
    set its clock, but to who records it is the same.
    """

    def __init__(self, clock: "Ticking", monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._last = self._look()

    def step_s(self) -> float:
        """By how many seconds it was set since the last look, below 0: back; 0.0 for a second or less, which may be how the two were read."""
        (last_ns, last_monotonic_ns), self._last = self._last, self._look()
        now_ns, monotonic_ns = self._last
        step_s = ((now_ns - last_ns) / self._clock.rate - (monotonic_ns - last_monotonic_ns)) / NANO
        return step_s if abs(step_s) > STEP_S and not isinstance(self._clock, ServedClock) else 0.0

    def _look(self) -> tuple[int, int]:
        """Both clocks at one moment: anew where somebody else had the processor in between."""
        for _ in range(_LOOKS):
            before_ns = self._monotonic_ns()
            now_ns = self._clock.now_ns()
            if self._monotonic_ns() - before_ns < _ONE_LOOK_NS:
                break
        return now_ns, before_ns


def stepped(way: str, seconds: str) -> str:
    """What a row CLOCK_STEPPED says, for people: a clock that was set ahead may be that of a machine that slept."""
    return f"this machine's clock was set {way} by {seconds} s{', or it slept' if way == 'ahead' else ''}"


Ticking = SystemClock | ScaledClock | ServedClock
"""What a recording may go by."""
