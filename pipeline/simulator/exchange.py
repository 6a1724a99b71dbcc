"""Exchange: a day served over the vendors' protocols to any client that comes.

One loop, one pointer into the day: rows are delivered, to all protocols at once, when they are due. At the greatest
speed the day waits for its slowest client, for `patience_s` at most. Besides what vendors answer, GET /tape/clock tells
where the day stands.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
import anyio.lowlevel
import msgspec

from pipeline.block import Blocks, between
from pipeline.errors import ConfigError
from pipeline.simulator.client import Client, Manners
from pipeline.simulator.doors import Address, Door, Host, opened
from pipeline.simulator.faults import SERVER_FAULTS, Fault, FaultKind
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.ledger import Ledger, NoLedger
from pipeline.simulator.pacing import CLOCK_PATH, Pace
from pipeline.simulator.plan import Plan
from pipeline.simulator.served import Portion, Tape
from pipeline.simulator.venue import HttpAnswer
from pipeline.simulator.wires import Wire

_STEP_S: Final = 0.002
"""Rows that are due within this go together."""

_STEP_ROWS: Final = 1_024
"""Rows delivered at once at the greatest speed, so that no buffer grows by more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the day is served.

    It begins when `clients_first` clients are subscribed to something. `patience_s`: how long the day waits for a client
    that does not read when nothing else paces it, and at its end for all to be sent. `seed` is what garbage is made of.
    """

    speed: float
    clients_first: int = 1
    patience_s: float = 10.0
    manners: Manners = field(default_factory=Manners)
    seed: int = 0


class Exchange:
    """A day, the doors it is served at, and what goes wrong with it."""

    def __init__(
        self,
        tape: Tape,
        doors: Sequence[Door],
        rules: Rules,
        faults: Sequence[Fault] = (),
        ledger: Ledger | None = None,
        history: ServedHistory | None = None,
        served: Callable[[Blocks], None] = lambda _: None,
    ) -> None:
        """`history`: that of the tape, where a venue at one of the doors needs it too; `served` is told of all rows when they are due.

        Raises ConfigError for a fault that no door can have.
        """
        self.session_ns = tape.starts_ns
        """Where the day stands."""
        self.is_over = False
        """Whether the whole day was served."""
        self._tape = tape
        self._doors = doors
        self._rules = rules
        self._ledger: Ledger = NoLedger() if ledger is None else ledger
        self._history = ServedHistory(tape) if history is None else history
        self._served = served
        self._pace = Pace(tape.starts_ns, rules.speed)
        self._begun_ns = 0
        self._chance = random.Random(rules.seed)  # noqa: S311 - it makes garbage, not secrets
        self._plan = Plan(faults, [door.protocol for door in doors], tape.starts_ns)
        self._clients: dict[int, Client] = {}
        self._count_clients = 0
        self._subscribed = asyncio.Event()
        for fault in faults:
            _check_refusable(fault, doors)
        for door in doors:  # an encoder may learn from them how sizes are counted, whoever comes and when
            list(door.venue.encoder.served(tape.definitions, tape.symbols))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[list[Address]]:
        """All doors open: who comes is spoken to, and hears the day while `serve` runs. Raises ConfigError for a taken port."""
        host = Host(self._talk, self._answer, lambda door: self._plan.lasts(FaultKind.OUTAGE, door.protocol))
        async with AsyncExitStack() as stack:
            timeout_s = self._rules.manners.grace_s
            addresses = [await opened(door, host, stack, close_timeout_s=timeout_s) for door in self._doors]
            yield addresses

    async def serve(self) -> None:
        """The day from its beginning to its end. Returns when all of it was sent, or slow clients were let go."""
        while sum(client.is_subscribed for client in self._here()) < self._rules.clients_first:
            self._subscribed.clear()
            await self._subscribed.wait()
        self._begun_ns = time.monotonic_ns()
        for portion in self._tape.portions():
            self._history.reached(portion)
            await self._serve_portion(portion)
        await self._finish()
        self.is_over = True

    async def _serve_portion(self, portion: Portion) -> None:
        live, done, count = portion.live(), 0, len(portion.seq)
        while done < count:
            elapsed_ns = time.monotonic_ns() - self._begun_ns
            next_ns = int(portion.due_ns[done])
            self.session_ns = next_ns if self._pace.is_unbound else self._pace.session_ns(elapsed_ns)
            due = self._pace.due(portion.due_ns, elapsed_ns)
            upto = min(due, done + _STEP_ROWS, self._plan.stop(portion))
            if upto > done:
                await self._deliver(portion, live, done, upto)
                done = upto
            self._strike(portion, done)
            if done < due:
                await anyio.lowlevel.checkpoint()
            elif done < count:
                next_ns = self._plan.next_ns(int(portion.due_ns[done]))
                await anyio.sleep(max(_STEP_S, self._pace.wait_s(next_ns, elapsed_ns)))

    async def _deliver(self, portion: Portion, live: Blocks, start: int, stop: int) -> None:
        """Give rows start to stop of a portion to all who want them."""
        if self._pace.is_unbound:
            await self._make_room()
        last_seq = int(portion.seq[stop - 1])
        rows = between(live, int(portion.seq[start]), last_seq + 1)
        self._history.last_seq = last_seq
        self._served(rows)
        for door in self._doors:
            clients = [client for client in self._here(door.protocol) if client.is_subscribed]
            if clients and rows:
                events = list(door.venue.encoder.served(rows, self._tape.symbols))
                for client in clients:
                    client.deliver(events, self._happened)

    async def _make_room(self) -> None:
        for client in self._here():
            if not await client.room(self._rules.patience_s):
                client.cut()

    async def _finish(self) -> None:
        """Wait until all was sent."""
        for client in self._here():
            client.release()
        with anyio.move_on_after(self._rules.patience_s):
            for client in list(self._clients.values()):
                await client.idle()

    def _strike(self, portion: Portion, done: int) -> None:
        """Let happen what is due; without a pace it is due when the row behind it is."""
        if self._pace.is_unbound:
            self.session_ns = int(portion.due_ns[min(done, len(portion.due_ns) - 1)])
        for fault in self._plan.take_due(portion, done, self.session_ns):
            if fault.kind in SERVER_FAULTS:
                self._plan.begin(fault)
            if fault.kind is FaultKind.OUTAGE:
                self._lose_all(fault)
            elif fault.kind not in SERVER_FAULTS:
                for client in filter(lambda each: fault.concerns(each.protocol), self._here()):
                    client.suffer(fault)

    def _lose_all(self, outage: Fault) -> None:
        for client in filter(lambda each: outage.concerns(each.protocol), self._here()):
            client.suffer(replace(outage, kind=FaultKind.CLOSE_1006))

    def _happened(self, fault: Fault) -> None:
        """One connection had so many events: what waited for that waits no more."""
        self._plan.counted.remove(fault)
        for client in self._clients.values():
            client.spare(fault)

    def _here(self, protocol: str = "") -> list[Client]:
        return [each for each in self._clients.values() if not each.is_over and protocol in ("", each.protocol)]

    async def _talk(self, door: Door, wire: Wire, headers: Mapping[str, str]) -> None:
        """One connection, from its handshake to its end."""
        is_refused = self._plan.lasts(FaultKind.REFUSE_AUTH, door.protocol)
        venue = door.refusing if door.refusing and is_refused else door.venue
        self._count_clients += 1
        client = Client(
            self._count_clients,
            door.protocol,
            wire,
            venue.conversation(headers),
            door.venue.encoder,
            manners=self._rules.manners,
            ledger=self._ledger,
            now_ns=lambda: self.session_ns,
            heard=self._subscribed.set,
            ack_delay_s=lambda: self._plan.ack_delay_s(door.protocol),
            chance=self._chance,
        )
        for fault in filter(lambda each: each.concerns(door.protocol), self._plan.counted):
            client.threaten(fault)
        self._clients[client.number] = client
        try:
            await client.talk()
        finally:
            del self._clients[client.number]

    def _answer(self, door: Door, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> HttpAnswer:
        if path == CLOCK_PATH:
            return HttpAnswer(200, msgspec.json.encode(self._clock()), {"Content-Type": "application/json"})
        return door.venue.get(path, query, headers, self._history)

    def _clock(self) -> dict[str, object]:
        speed = None if self._pace.is_unbound else self._rules.speed
        is_running = self._begun_ns > 0 and not (self.is_over or self._pace.is_unbound)
        elapsed_ns = time.monotonic_ns() - self._begun_ns
        return {
            "session_ns": self._pace.session_ns(elapsed_ns) if is_running else self.session_ns,
            "speed": speed,
            "has_begun": self._begun_ns > 0,
            "is_over": self.is_over,
            "last_seq": self._history.last_seq,
        }


def _check_refusable(fault: Fault, doors: Sequence[Door]) -> None:
    """Raises ConfigError when nobody can refuse."""
    if fault.kind is FaultKind.REFUSE_AUTH and not any(
        door.refusing for door in doors if fault.concerns(door.protocol)
    ):
        raise ConfigError(f"fault {fault.kind}: no protocol served here asks who comes")
