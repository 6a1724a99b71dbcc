"""A day served by the exchange in a thread of its own, and what of it was really sent."""

import asyncio
import threading
import time

from pipeline.block import between
from pipeline.codes import Kind, Origin
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange, Rules
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.ledger import ListLedger

MARKET = (Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS)


class Served:
    """Runs the exchange while its block runs; `urls` by protocol."""

    def __init__(self, tape, venues, *, speed, faults=(), refusing=None, clients_first=None):
        self.tape, self.ledger, self.speed = tape, ListLedger(), speed
        self._history = history = ServedHistory(tape)
        refusing = {protocol: venue(history) for protocol, venue in (refusing or {}).items()}
        doors = [
            Door(protocol, venue(history), refusing=refusing.get(protocol), is_tcp=protocol == "databento")
            for protocol, venue in venues.items()
        ]
        rules = Rules(speed, clients_first=len(doors) if clients_first is None else clients_first)
        self._make = lambda: Exchange(tape, doors, rules, faults, self.ledger, self._history)
        self.urls, self.is_served = {}, threading.Event()
        self._opened, self._close = threading.Event(), None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._opened.wait(60)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._close.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    async def _run(self):
        self._loop, self._close = asyncio.get_running_loop(), asyncio.Event()
        self.exchange = self._make()
        async with self.exchange.opened() as addresses:
            self.urls = {address.protocol: address.url for address in addresses}
            serving = asyncio.create_task(self.exchange.serve())
            serving.add_done_callback(lambda _: self.is_served.set())
            self._opened.set()
            await self._close.wait()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    def sent(self, protocol):
        """`seq` of the rows that clients of a protocol were sent, in order."""
        return [row for sent in self.ledger if sent.protocol == protocol for row in sent.rows]


class DayClock:
    """The clock of a day that is served: it stands until the day begins, then runs as it does, behind it by so much."""

    def __init__(self, served, behind_ns=0):
        self.rate, self._served, self._behind_ns = served.speed, served, behind_ns

    def now_ns(self):
        exchange = self._served.exchange
        elapsed_ns = time.monotonic_ns() - exchange._begun_ns if exchange._begun_ns else 0
        return self._served.tape.starts_ns + int(elapsed_ns * self.rate) - self._behind_ns

    async def sleep_until(self, ts_ns):
        while (left_ns := ts_ns - self.now_ns()) > 0:  # noqa: ASYNC110 - a clock rings no bell
            await asyncio.sleep(left_ns / 1e9 / self.rate)

    def told(self):
        return "as it is served"


def facts(batches, symbols, carried, seqs=None, as_said=None, time_steps=None):
    """By (symbol, kind), the rows as tuples of the fields the protocol carries, in order.

    `as_said` gives a row of a kind as the protocol can say it, where it has no word for all of it; `time_steps` by kind
    how finely times are told.
    """
    time_steps = time_steps or {}
    found = {}
    for batch in batches:
        for block in batch:
            if block.kind not in carried:
                continue
            fields = carried[block.kind]
            for row in block.rows():
                if seqs is None or row["seq"] in seqs:
                    row["ts_event_ns"] -= row["ts_event_ns"] % time_steps.get(block.kind, 1)
                    key = symbols[row["instrument_id"]], block.kind
                    said = {**row, **(as_said(block.kind, row) if as_said else {})}
                    found.setdefault(key, []).append(tuple(said[field] for field in fields))
    return found


def live(batches):
    """The batches without what was fetched."""
    for batch in batches:
        yield [block.take(block.number("origin") == Origin.INPUT) for block in batch]


def served_facts(served, protocol, carried, as_said, time_steps):
    """What clients of a protocol were really sent."""
    seqs = set(served.sent(protocol))
    portions = (between(portion.blocks, 0, 2**62) for portion in served.tape.portions())
    return facts(portions, served.tape.symbols, carried, seqs, as_said, time_steps)
