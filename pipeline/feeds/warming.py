"""Warming: history of symbols that strategies wait for, asked for as soon as what is live of them flows.

So between the end of history and the first live event lies nothing: history is asked for up to a moment behind the
acknowledgement. Whatever goes wrong, a wish is answered within `LIMIT_S`: with what came, or with why nothing did.
"""

from collections import deque
from contextlib import aclosing
from typing import Final

import anyio
import msgspec

from pipeline.errors import TheirsError
from pipeline.feeds.bell import Bell
from pipeline.feeds.history import PAGES_MAX, Fetch, HistoryError, pages
from pipeline.feeds.holes import Holes
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.vendor import Vendor
from pipeline.ports import Answer, Clock, Topic, Warmed, Wish

AT_ONCE: Final = 4
"""Wishes whose history is asked for at a time."""

LIMIT_S: Final = 60.0
"""After so long a wish is given up: strategies begin without history."""

FLOWS_S: Final = 10.0
"""So long the vendor has to acknowledge what is live of the symbol; then history is asked for all the same."""

BYTES_MAX: Final = 32 * 2**20
"""Of one wish."""

_LOOK_S: Final = 0.05


class Warming:
    """The wishes of one feed; `serve` runs as long as the feed does."""

    def __init__(
        self,
        vendor: Vendor,
        number: int,
        holes: Holes,
        inbox: Inbox,
        clock: Clock,
        fetch: Fetch,
        *,
        settle_s: float,
        limit_s: float = LIMIT_S,
    ) -> None:
        """`settle_s` is how far, in seconds, the vendor's history is behind its stream."""
        self._vendor = vendor
        self._number = number
        self._holes = holes
        self._inbox = inbox
        self._clock = clock
        self._fetch = fetch
        self._settle_s = settle_s
        self._limit_s = limit_s
        self._wishes: deque[Wish] = deque()
        self._bell = Bell()

    def wish(self, wish: Wish) -> None:
        """Fetch this. Any thread."""
        self._wishes.append(wish)
        self._bell.ring()

    async def serve(self) -> None:
        """Fulfil wishes until cancelled."""
        places = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            while True:
                while self._wishes:
                    tasks.start_soon(self._fulfil, self._wishes.popleft(), places)
                await self._bell.wait()

    async def _fulfil(self, wish: Wish, places: anyio.CapacityLimiter) -> None:
        to_ns, why = self._clock.now_ns(), f"not answered within {self._limit_s:g} s"
        answers: tuple[Answer, ...] = ()
        try:
            with anyio.move_on_after(self._limit_s):
                await self._until_it_flows(wish)
                async with places:
                    to_ns = self._clock.now_ns()
                    answers = await self._answers(wish, to_ns)
                    why = ""
        except (TheirsError, msgspec.MsgspecError, ValueError) as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001  # our own fault costs a warm-up and is told as such, never the feed
            why = f"a fault of this program: {type(error).__name__}: {error}"
        self._inbox.put(
            [(self._number, Warmed(self._clock.now_ns(), wish, to_ns, answers, why))],
            sum(len(answer.payload) for answer in answers),
        )

    async def _until_it_flows(self, wish: Wish) -> None:
        """Return once all that is subscribed of the symbol was acknowledged, and history reaches that far."""
        topics = self._vendor.topics({wish.symbol})
        with anyio.move_on_after(FLOWS_S):
            while not all(map(self._holes.flows, topics)):  # noqa: ASYNC110  # nobody rings for each topic
                await anyio.sleep(_LOOK_S)
        await anyio.sleep(self._settle_s)

    async def _answers(self, wish: Wish, to_ns: int) -> tuple[Answer, ...]:
        """Every page of every channel. Raises as `pages` does."""
        assert self._vendor.history is not None
        answers: list[Answer] = []
        room = BYTES_MAX
        for channel in sorted(wish.channels):
            topic = Topic(channel, wish.symbol)
            questions = self._vendor.history(topic, wish.from_ns, to_ns)
            async with aclosing(pages(questions, self._fetch)) as found:
                async for body in found:
                    room -= len(body)
                    if room < 0 or len(answers) >= PAGES_MAX:
                        raise HistoryError(f"more than {BYTES_MAX // 2**20} MiB of it")
                    answers.append(Answer(topic, self._clock.now_ns(), body))
        return tuple(answers)
