"""Connection: keeps one feed connected, whatever happens, and puts all that comes into the inbox.

    connect -> be accepted -> ask for what is desired -> read
      every end of reading is an incident, whatever the close code: LOST, GAP_OPENED from the last message on
    wait (the back-off) -> connect ... -> all acknowledged: GAP_CLOSED -> history of the hole: answers, BACKFILLED

It ends for good, with a fact ENDED, when no new connection would help (a wrong key), when it is told to, or cancelled.
`facts` lists what is told on the way. Of what other threads may call, everything returns at once.
"""

import traceback
from collections.abc import Callable, Iterable

import anyio

from pipeline.codes import FeedAction
from pipeline.feeds.history import Fetch
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.line import Line, Times
from pipeline.feeds.progress import Progress
from pipeline.feeds.sockets import Opener, Socket, SocketError, without_query
from pipeline.feeds.talk import End, Talk
from pipeline.feeds.vendor import Vendor
from pipeline.ports import Clock, Wish


class Connection:
    """One feed, connected. `number` is the feed's in the inbox; `draw` gives random numbers from 0 to below 1.

    `missing_since_ns` is up to when a session that goes on had recorded this feed, by our clock: what came since then is a
    hole. `had` is what it had recorded: a topic is missing from its last event on, by the vendor's clock. `unfilled_since_ns`
    is where the first hole before that begins which history has not filled yet; None: there is none.
    """

    def __init__(
        self,
        vendor: Vendor,
        number: int,
        inbox: Inbox,
        clock: Clock,
        *,
        open_socket: Opener,
        fetch: Fetch,
        draw: Callable[[], float],
        times: Times | None = None,
        missing_since_ns: int | None = None,
        had: Progress | None = None,
        unfilled_since_ns: int | None = None,
    ) -> None:
        self.number = number
        self._line = Line(vendor, number, inbox, clock, fetch=fetch, draw=draw, times=times or Times())
        self._open_socket = open_socket
        self._connection = 0
        self._missing_since_ns = missing_since_ns
        if had is not None:
            self._line.had = had
        self._unfilled_since_ns = missing_since_ns if unfilled_since_ns is None else unfilled_since_ns

    @property
    def progress(self) -> Progress:
        """Where the core tells what it made of the messages. Core thread."""
        return self._line.progress

    def desire(self, symbols: Iterable[str]) -> None:
        """Record these symbols from now on, and no others. Any thread."""
        self._line.desire(symbols)

    def reconnect(self, connection: int, why: str) -> None:
        """Make the connection of that number (its CONNECTED fact's `count`) anew; another is left alone. Any thread."""
        self._line.reconnect(connection, why)

    def warm(self, wish: Wish) -> None:
        """Fetch history that strategies wait for; what comes of it is put into the inbox. Any thread."""
        self._line.warming.wish(wish)

    def end(self, why: str) -> None:
        """End the feed. Any thread."""
        self._line.end(why)

    async def run(self) -> None:
        """Stay connected until it is over."""
        why = "stopped"
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._line.warming.serve)
                why = await self._live()
                tasks.cancel_scope.cancel()
        finally:
            self._line.tell(FeedAction.ENDED, text=why)

    async def _live(self) -> str:
        """Connect again and again; why no more."""
        line = self._line
        self._go_on()
        while not line.ending:
            end = await self._connect()
            if end.is_fatal:
                return f"for good: {end.text}"
            await self._pause(line.backoff.failed(anyio.current_time(), end.floor_s))
        return line.ending

    def _go_on(self) -> None:
        """A session goes on: since its last event of this feed there is a hole."""
        line, since_ns = self._line, self._missing_since_ns
        if since_ns is not None:
            line.gap_from_ns = since_ns
            line.tell(FeedAction.GAP_OPENED, from_ns=since_ns)
            began_ns, unfilled_ns = line.holes.began_ns(since_ns), self._unfilled_since_ns or since_ns
            line.whole_until_ns = unfilled_ns = line.holes.began_ns(unfilled_ns)
            last_ns = line.had.last_event_ns
            line.holes.open({topic: min(last_ns(topic) or began_ns, unfilled_ns) for topic in line.topics()})

    async def _connect(self) -> End:
        """One connection, from its beginning to its end."""
        line = self._line
        self._connection += 1
        line.backoff.connecting(anyio.current_time())
        try:
            with anyio.fail_after(line.times.connect_s):
                socket = await self._open_socket(line.vendor)
        except SocketError as error:
            return self._lost(End(str(error), error.code, error.is_fatal, error.floor_s))
        except TimeoutError:
            return self._lost(End(f"no connection within {line.times.connect_s:g} s"))
        except OSError as error:
            return self._lost(End(f"no connection: {error}"))
        except Exception as error:  # noqa: BLE001 - see `_fault`
            return self._lost(_fault(error))
        line.tell(FeedAction.CONNECTED, count=self._connection, text=without_query(line.vendor.url))
        return await self._talk(socket)

    async def _talk(self, socket: Socket) -> End:
        talk = None
        try:
            talk = Talk(self._line, socket, self._connection)
            end = await talk.run()
        except Exception as error:  # noqa: BLE001 - see `_fault`
            end = _fault(error)
        finally:
            with anyio.CancelScope(shield=True):
                await socket.close()
        return self._lost(end, talk)

    def _lost(self, end: End, talk: Talk | None = None) -> End:
        """Tell that a connection ended, and where the hole begins."""
        line = self._line
        if line.ending:
            return end
        line.tell(FeedAction.LOST, count=self._connection, code=end.code, text=end.text)
        if talk is not None and (topics := talk.flowing()):
            line.holes.open({topic: line.progress.last_event_ns(topic) for topic in topics}, talk.opened_ns)
            if line.gap_from_ns is None:
                assert line.last_ns is not None  # an acknowledgement or an event is a message
                line.gap_from_ns = line.last_ns
                line.tell(FeedAction.GAP_OPENED, from_ns=line.gap_from_ns)
        return end

    async def _pause(self, wait_s: float) -> None:
        """Wait, or less when the feed is to end."""
        with anyio.move_on_after(wait_s):
            while not self._line.ending:
                await self._line.bell.wait()


def _fault(error: Exception) -> End:
    """What no socket and no vendor raises is our own fault. It costs a connection and is told as such, never the recording."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return End(f"a fault of this program: {type(error).__name__} at {where}: {error}")
