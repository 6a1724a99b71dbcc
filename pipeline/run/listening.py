"""Listening: the thread of the sockets. One supervised connection a feed; what they bring lies in the inbox, stamped."""

import importlib.util
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from pipeline.feeds.connection import Connection
from pipeline.feeds.credentials import held
from pipeline.feeds.fetching import fetching
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.opening import open_socket
from pipeline.feeds.polling import Polling
from pipeline.feeds.progress import Progress
from pipeline.feeds.sockets import is_loopback
from pipeline.feeds.vendor import ALL, WATCHED, Vendor
from pipeline.kernel.build import CACHE_VARIABLE
from pipeline.ports import Wish
from pipeline.run.beginning import Recording
from pipeline.run.brokers import AtBroker
from pipeline.run.missing import Since


class Listening:
    """Connected while its `with` block runs; every method returns at once, and may be called by any thread."""

    def __init__(
        self,
        recording: Recording,
        inbox: Inbox,
        symbols: frozenset[str],
        missing: Sequence[Since],
        recalled: Sequence[Progress],
        known: frozenset[str] = frozenset(),
    ) -> None:
        """`known` are all symbols there are, where a vendor that is polled for all of them wants their names.

        `missing` tells since when each feed of a session that goes on is, empty for a new one, `recalled` what it had of each.
        """
        self._recording = recording
        self._inbox = inbox
        self._symbols = symbols
        self._missing = missing
        self._recalled = recalled
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._connections: list[Connection] = []
        self._running: list[Future[None]] = []
        self._known = known
        self._polling: list[Future[None]] = []

    @property
    def portal(self) -> BlockingPortal:
        """The loop of the sockets, for others who have some; while connected."""
        assert self._portal is not None
        return self._portal

    @property
    def progress(self) -> list[Progress]:
        """Where the core tells what it made of each feed's messages."""
        return [connection.progress for connection in self._connections]

    @property
    def is_over(self) -> bool:
        """Whether no feed is connected any more, or will be."""
        return all(future.done() for future in self._running)

    def desire(self, symbols: frozenset[str]) -> None:
        """Record these symbols from now on, and no others."""
        self._symbols = symbols
        for connection, vendor in zip(self._connections, self._recording.vendors, strict=True):
            connection.desire(symbols_for(vendor.name, symbols))

    def renew(self, troubles: Iterable[tuple[int, int, str]]) -> None:
        """Make connections anew that can't be believed: number of the feed, number of the connection, why."""
        for number, connection, why in troubles:
            self._connections[number - 1].reconnect(connection, why)

    def warm(self, number: int, wish: Wish) -> None:
        """Have a feed fetch history that strategies wait for."""
        self._connections[number - 1].warm(wish)

    def close(self) -> None:
        """End every feed, and wait until each has said so."""
        for future in self._polling:
            future.cancel()
        for connection in self._connections:
            connection.end("the recording ends")
        for future in self._running:
            future.result()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            options = {"use_uvloop": importlib.util.find_spec("uvloop") is not None}
            portal = stack.enter_context(start_blocking_portal("asyncio", options, name="sockets"))
            fetch = portal.wrap_async_context_manager(fetching())
            self._portal = portal
            self._start(portal, stack.enter_context(fetch))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in (*self._running, *self._polling):
            future.cancel()
        self._stack.__exit__(kind, error, trace)

    def _start(self, portal: BlockingPortal, fetch: Any) -> None:
        for number, vendor in enumerate(self._recording.vendors, 1):
            since = self._missing[number - 1] if self._missing else None
            connection = Connection(
                vendor,
                number,
                self._inbox,
                self._recording.clock,
                open_socket=open_socket,
                fetch=fetch,
                draw=random.random,
                times=self._recording.times,
                missing_since_ns=since and since.missing_ns,
                unfilled_since_ns=since and since.unfilled_ns,
                had=self._recalled[number - 1],
            )
            self._connections.append(connection)
        self.desire(self._symbols)
        for connection in self._connections:
            self._running.append(portal.start_task_soon(connection.run))
        every_s = self._recording.snapshot_every_s
        for number, vendor in enumerate(self._recording.vendors, 1):
            if every_s and vendor.snapshots is not None:
                wanted = partial(self._polled, vendor)
                clock = self._recording.clock
                polling = Polling(vendor, number, self._inbox, clock, fetch, wanted, every_s=every_s)
                self._polling.append(portal.start_task_soon(polling.run))

    def _polled(self, vendor: Vendor) -> frozenset[str]:
        """What a vendor is asked snapshots of: all that is recorded or watched, by names where it knows no other way."""
        symbols = frozenset(symbol.removeprefix(WATCHED) for symbol in symbols_for(vendor.name, self._symbols))
        return symbols - {ALL} | self._known if ALL in symbols and not vendor.has_whole_market else symbols


@contextmanager
def sole(vendors: Iterable[Vendor], broker: AtBroker | None = None) -> Iterator[None]:
    """Nobody else of this user connects to these feeds, or trades at this broker, with these keys while it lasts. Raises OperatorError when somebody does.

    A vendor counts connections by key, whatever its host; one without keys, and a simulator, which takes any, by address.
    """
    with ExitStack() as stack:
        for vendor in vendors:
            is_counted = bool(vendor.account) and not is_loopback(vendor.url)
            stack.callback(held(_locks(), vendor.name, vendor.account if is_counted else vendor.url).release)
        if broker is not None:
            key = broker.venue.rest_url if broker.is_practice else broker.venue.key
            stack.callback(held(_locks(), f"{broker.venue.name}-orders", key).release)
        yield


def _locks() -> Path:
    """A folder that all recorders of this user look into, whatever their store."""
    given = os.environ.get(CACHE_VARIABLE) or os.environ.get("XDG_CACHE_HOME")
    return Path(given or Path.home() / ".cache").expanduser() / "tapeworks" / "feeds"


def symbols_for(feed: str, symbols: frozenset[str]) -> frozenset[str]:
    """Those of the symbols that are meant for a feed: `coinbase:BTC-USD` for one, `SPY` for all."""
    plain = {symbol for symbol in symbols if ":" not in symbol}
    own = {symbol.removeprefix(f"{feed}:") for symbol in symbols if symbol.startswith(f"{feed}:")}
    return frozenset(plain | own)
