"""Polling: asks a vendor for a snapshot of the market every so often, beside the stream, and puts the answers into the inbox.

One question at a time, on the socket thread: whoever reduces never waits for it. A poll that is not answered in time is given up; what
it brought until then counts. That polls fail, that they take longer than they may, and that they are answered again are facts of the
channel `snapshots`: MUTE since the last good one and why, SLOW with the milliseconds one took, HEARD. A slot that passed
while a poll was under way is left out, nothing piles up.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

import anyio

from pipeline.codes import FeedAction
from pipeline.errors import TheirsError
from pipeline.feeds.facts import Fact
from pipeline.feeds.history import Fetch, discreet
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.vendor import Vendor
from pipeline.ports import Answer, Channel, Clock, Topic
from pipeline.units import ABSENT, NANO

EVERY_S: Final = 5.0
POLL_S_MAX: Final = 30.0
"""A poll that takes longer is given up; seconds of the real clock."""

ROW_BYTES: Final = 33
JOURNAL_ROW_BYTES: Final = 170
"""A row of kind `snapshot` in a sealed part, and in the journal until that is sealed (`tests/run/test_snapshots_live.py`)."""

ANSWER_BYTES: Final = 500
"""A share in a vendor's answer, which `--raw` keeps as it came."""

CHANGED: Final = 0.3
"""The share of a market that is another after five seconds of regular hours, assumed."""

DAY_S: Final = 16 * 3_600
"""From 4:00 to 20:00."""

_TOPIC: Final = Topic(Channel.SNAPSHOTS, "")


def bytes_a_day(shares: int, every_s: float, *, keeps_raw: bool) -> tuple[int, int]:
    """What snapshots of so many shares add to a session from 4:00 to 20:00: as a rule, and if all of them changed each time."""
    polled = int(DAY_S / every_s) * shares
    raw = polled * ANSWER_BYTES * keeps_raw
    return int(polled * CHANGED * ROW_BYTES) + raw, polled * ROW_BYTES + raw


class Polling:
    """Snapshots of one feed; `symbols` gives what is wanted now, `*` for all that the vendor has."""

    def __init__(
        self,
        vendor: Vendor,
        number: int,
        inbox: Inbox,
        clock: Clock,
        fetch: Fetch,
        symbols: Callable[[], AbstractSet[str]],
        *,
        every_s: float = EVERY_S,
        poll_s_max: float = POLL_S_MAX,
    ) -> None:
        self._vendor = vendor
        self._number = number
        self._inbox = inbox
        self._clock = clock
        self._fetch = discreet(fetch, vendor.secrets)
        self._symbols = symbols
        self._every_ns = int(every_s * NANO)
        self._poll_s_max = poll_s_max
        self._good_ns = ABSENT
        self._is_failing = False
        self._is_slow = False

    async def run(self) -> None:
        """Poll at once and then at every whole step of the clock, until cancelled."""
        while True:
            begun_ns = self._clock.now_ns()
            await self.poll()
            ended_ns = self._clock.now_ns()
            self._tell_slow(ended_ns - begun_ns)
            await self._clock.sleep_until(ended_ns - ended_ns % self._every_ns + self._every_ns)

    async def poll(self) -> bool:
        """Ask once and put what is answered; whether all of it was."""
        symbols = self._symbols()
        if self._vendor.snapshots is None or not symbols:
            return False
        try:
            with anyio.fail_after(self._poll_s_max):
                for question in self._vendor.snapshots(symbols):
                    body = await self._fetch(question)
                    await self._inbox.room()
                    self._inbox.put([(self._number, Answer(_TOPIC, self._clock.now_ns(), body))], len(body))
        except (TheirsError, TimeoutError) as error:
            self._failed(str(error) or f"no answer within {self._poll_s_max:g} s")
            return False
        except Exception as error:  # noqa: BLE001 - our own fault, which costs a poll and is told, never the recording
            self._failed(f"a fault of this program: {type(error).__name__}: {error}")
            return False
        now_ns = self._clock.now_ns()
        if self._is_failing:
            self._tell(FeedAction.HEARD, from_ns=self._good_ns)
        self._is_failing, self._good_ns = False, now_ns
        return True

    def _failed(self, why: str) -> None:
        if not self._is_failing:
            self._tell(FeedAction.MUTE, from_ns=self._good_ns, text=why)
        self._is_failing = True

    def _tell_slow(self, took_ns: int) -> None:
        is_slow = took_ns > self._every_ns
        if is_slow and not self._is_slow:
            text = f"a poll took {took_ns / NANO:,.1f} s, every {self._every_ns / NANO:g} s was asked for"
            self._tell(FeedAction.SLOW, count=took_ns // 1_000_000, text=text)
        self._is_slow = is_slow

    def _tell(self, action: FeedAction, **values: int | str) -> None:
        fact = Fact(self._clock.now_ns(), action, channel=Channel.SNAPSHOTS.value, **values)  # type: ignore[arg-type]  # by name
        self._inbox.put([(self._number, fact)], 0)
