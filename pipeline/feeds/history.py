"""History: fills the holes of a feed with what its vendor answers by REST, while the live stream goes on.

What is put are whole answers; what of them was seen live is known by its identity further on. What can't be had stays
a hole, is told once, and is tried again, less and less often, as long as the connection lasts, and on the next one.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import aclosing
from typing import Final

import anyio
import msgspec

from pipeline.codes import FeedAction
from pipeline.errors import TheirsError
from pipeline.feeds.facts import NO_HISTORY, Fact
from pipeline.feeds.hiding import hidden
from pipeline.feeds.holes import Hole, Holes
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.vendor import Question, Questions, Vendor
from pipeline.ports import Answer, Channel, Clock
from pipeline.units import INT64_MAX

SETTLE_S: Final = 3.0
"""How long after the end of a hole history is asked for: a vendor's history is some seconds behind its stream."""

LAGGING_S_MAX: Final = 60.0
"""How long history waits at most for a stream that is behind."""

STILL_LOOKS: Final = 4
"""One that brings nothing for so many times `SETTLE_S` is not late but quiet."""

AT_ONCE: Final = 4
"""Questions asked at a time."""

TRIES: Final = 3
TRY_AGAIN_S: Final = 1.0
ROUND_AGAIN_S: Final = 60.0
ROUND_AGAIN_MAX_S: Final = 900.0
FAILURES_MAX: Final = 8
"""So many failures, one behind the other, end a round: the server is not there at all."""

PAGES_MAX: Final = 10_000
"""Pages of one answer; a vendor whose next page is always another one is not followed for ever."""


class HistoryError(TheirsError):
    """A question that got no answer. `is_final` when asking again won't help; `wait_s` is the vendor's wish before that."""

    def __init__(self, text: str, *, is_final: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.is_final = is_final
        self.wait_s = wait_s


Fetch = Callable[[Question], Awaitable[bytes]]
"""Asks a question, gives the body of the answer. Raises HistoryError."""


def discreet(fetch: Fetch, secrets: Collection[bytes]) -> Fetch:
    """The same without these secrets, in answers and in errors: there are servers that put the key into the address of the next page."""

    async def told(question: Question) -> bytes:
        try:
            body = await fetch(question)
        except HistoryError as error:
            text = hidden(str(error), secrets)
            raise HistoryError(text, is_final=error.is_final, wait_s=error.wait_s) from None
        for secret in secrets:
            body = body.replace(secret, b"*" * len(secret))
        return body

    return told


async def asked(fetch: Fetch, question: Question) -> bytes:
    """The answer to a question, asked again where that may help. Raises HistoryError."""
    for remaining in reversed(range(TRIES)):
        try:
            return await fetch(question)
        except HistoryError as error:
            if error.is_final or not remaining:
                raise
            await anyio.sleep(max(TRY_AGAIN_S, error.wait_s))
    raise AssertionError  # the last try returned or raised


async def pages(questions: Questions, fetch: Fetch) -> AsyncGenerator[bytes, None]:
    """Every page of an answer, one question leading to the next. Raises HistoryError, and whatever the reader makes of a bad body."""
    question = next(questions, None)
    count = 0
    while question is not None:
        count += 1
        if count > PAGES_MAX:
            raise HistoryError(f"more than {PAGES_MAX} pages")
        body = await asked(fetch, question)
        yield body
        try:
            question = questions.send(body)
        except StopIteration:
            question = None


class History:
    """Fills holes of one feed; `fill` runs as long as a connection."""

    def __init__(
        self,
        vendor: Vendor,
        number: int,
        holes: Holes,
        inbox: Inbox,
        clock: Clock,
        fetch: Fetch,
        *,
        settle_s: float = SETTLE_S,
        reached_ns: Callable[[], int] = lambda: INT64_MAX,
    ) -> None:
        """`reached_ns` tells up to when the live stream has come, by the vendor's clock."""
        self._vendor = vendor
        self._number = number
        self._holes = holes
        self._inbox = inbox
        self._clock = clock
        self._fetch = fetch
        self._settle_s = settle_s
        self._reached_ns = reached_ns
        self._failures = 0
        self._pages: Counter[Channel] = Counter()
        """Pages put in this round."""

    async def fill(self) -> None:
        """Fill all holes there are; returns when none is left."""
        again_s = ROUND_AGAIN_S
        await anyio.sleep(self._settle_s)
        while self._holes.to_fill():
            await self._caught_up()
            await self._round()
            if self._holes.to_fill():
                await anyio.sleep(again_s)
                again_s = min(2 * again_s, ROUND_AGAIN_MAX_S)

    async def _caught_up(self) -> None:
        """Return when the stream has passed the ends of the holes, or stands still.

        What is fetched of behind an end is known by its identity if it came live before: a stream that is late would bring it
        a second time.
        """
        came_ns, looks = 0, 0
        with anyio.move_on_after(LAGGING_S_MAX):
            while looks < STILL_LOOKS and 0 < self._reached_ns() < self._passed_ns():
                looks = looks + 1 if self._reached_ns() == came_ns else 0
                came_ns = self._reached_ns()
                await anyio.sleep(self._settle_s)

    def _passed_ns(self) -> int:
        """Where the stream has passed all holes; one that is delayed by rule never is where our clock is."""
        return max(map(self._holes.end_ns, self._holes.to_fill()), default=0) + min(0, self._holes.lead_ns())

    async def _round(self) -> None:
        """Try each hole once."""
        self._failures = 0
        self._pages.clear()
        holes = self._holes.to_fill()
        waiting = iter(holes)
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(min(AT_ONCE, len(holes))):
                    tasks.start_soon(self._work, waiting)
        finally:
            self._tell_pages(holes)

    def _tell_pages(self, holes: Sequence[Hole]) -> None:
        """What was put, even when the connection was lost in the middle; of channels that have no history nothing."""
        for channel, count in sorted(self._pages.items()):
            begin_ns = min(hole.from_ns for hole in holes if hole.topic.channel is channel)
            end_ns = max(self._holes.end_ns(hole) for hole in holes if hole.topic.channel is channel)
            self._put(FeedAction.BACKFILLED, channel=channel.value, from_ns=begin_ns, to_ns=end_ns, count=count)

    async def _work(self, holes: Iterator[Hole]) -> None:
        for hole in holes:
            try:
                if self._failures >= FAILURES_MAX:
                    raise HistoryError("not asked for, as nothing else was answered")
                await self._fill_one(hole)
            except (TheirsError, msgspec.MsgspecError, ValueError) as error:  # a body that can't be read included
                self._failures += not getattr(error, "is_final", True)
                self._failed(hole, str(error))
            else:
                self._failures = 0
                if self._holes.filled(hole):
                    self._tell(FeedAction.GAP_CLOSED, hole, "")

    async def _fill_one(self, hole: Hole) -> None:
        """Put every page of a hole. Raises as `pages` does."""
        assert self._vendor.history is not None
        questions = self._vendor.history(hole.topic, hole.from_ns, self._holes.end_ns(hole))
        async with aclosing(pages(questions, self._fetch)) as found:
            async for body in found:
                await self._inbox.room()
                self._inbox.put([(self._number, Answer(hole.topic, self._clock.now_ns(), body))], len(body))
                self._pages[hole.topic.channel] += 1

    def _failed(self, hole: Hole, why: str) -> None:
        if self._holes.failed(hole):
            self._tell(FeedAction.GAP_OPENED, hole, f"{NO_HISTORY}{why}")

    def _tell(self, action: FeedAction, hole: Hole, why: str) -> None:
        self._put(
            action,
            channel=hole.topic.channel.value,
            from_ns=hole.from_ns,
            to_ns=self._holes.end_ns(hole),
            text=f"{hole.topic.symbol}{why}",
        )

    def _put(self, action: FeedAction, **values: int | str) -> None:
        fact = Fact(self._clock.now_ns(), action, **values)  # type: ignore[arg-type]  # by name, each its own type
        self._inbox.put([(self._number, fact._replace(text=hidden(fact.text, self._vendor.secrets)))], 0)
