"""Ports: the few verbs through which the shell reaches the world. Live, paper, backtest and replay differ only here."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from pipeline.block import Block, Blocks
from pipeline.intents import CancelRequest, OrderRequest


class Channel(StrEnum):
    """What can be subscribed to, in our words; each vendor has its own for them, or none."""

    QUOTES = "quotes"
    PRINTS = "prints"
    BARS_1S = "bars_1s"
    BARS_1M = "bars_1m"
    BARS_5M = "bars_5m"
    BARS_1D = "bars_1d"
    STATUSES = "statuses"
    """Halts, resumptions, price bands, short-sale rule."""
    HEARTBEATS = "heartbeats"
    """The vendor's sign of life."""
    SNAPSHOTS = "snapshots"
    """All of a market at once, asked for again and again by REST; nothing that a socket sends."""


class Topic(NamedTuple):
    """One channel of one symbol; the symbol is the vendor's own spelling, '' where the channel has none."""

    channel: Channel
    symbol: str


class Message(NamedTuple):
    """A message as it came from a socket: when, by the recording's clock, and its bytes."""

    ts_recv_ns: int
    payload: bytes


class Answer(NamedTuple):
    """A page of history fetched after a hole: what was asked, when it came, the body of the vendor's answer."""

    topic: Topic
    ts_recv_ns: int
    payload: bytes


class Wish(NamedTuple):
    """History of a symbol that strategies wait for, from a moment on (UTC nanoseconds) until it flows; `number` tells wishes apart."""

    number: int
    symbol: str
    channels: frozenset[Channel]
    from_ns: int


class Warmed(NamedTuple):
    """What came of a wish: the pages of history up to `to_ns`, or `why` there are none."""

    ts_recv_ns: int
    wish: Wish
    to_ns: int
    answers: tuple[Answer, ...]
    why: str = ""


class Reported(NamedTuple):
    """What became of orders at a broker: rows of the session's own numbers, `seq` from 1."""

    ts_recv_ns: int
    blocks: Blocks


class Normalizer(Protocol):
    """A vendor's live messages as events. Pure; one for each feed, told of every new connection.

    Instrument ids are the feed's own, from 1, each defined by an `instrument` row in front of its first use.
    """

    trouble: str
    """Why the connection can't be believed any more (a sequence broke); '' while it can. `connected` clears it."""

    def connected(self) -> None:
        """What follows comes from a new connection: books and sequences begin anew, instruments keep their ids."""
        ...

    def read(self, messages: Sequence[Message]) -> Blocks:
        """The events of these messages in their order, `seq` from 1; [] when they tell nothing.

        Never raises: a message, or one event of it, that can't be read is a `feed` row REJECTED that says why.
        """
        ...

    def read_history(self, answers: Sequence[Answer]) -> Blocks:
        """The events of fetched pages, oldest first, of origin BACKFILL; as `read` otherwise."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """A normaliser that can define instruments before anything is heard of them.

    What is defined one by one, in the middle of a busy market, costs a live session some milliseconds each.
    """

    def expect(self, symbols: Sequence[str], ts_recv_ns: int) -> Blocks:
        """The definitions of those symbols that are new, `seq` from 1; what is no symbol is left out."""
        ...


@runtime_checkable
class Polled(Protocol):
    """A normaliser whose vendor can be asked for a snapshot of the market."""

    def read_snapshots(self, answers: Sequence[Answer]) -> Blocks:
        """Rows of kind `snapshot` of what is another than in the snapshot before; as `read` otherwise."""
        ...


class Served(NamedTuple):
    """One event as a vendor's server would send it, outside of any frame: what it belongs to, its `seq`, its bytes."""

    topic: Topic
    seq: int
    payload: bytes


class Encoder(Protocol):
    """Our events as a vendor's messages: a normaliser backwards, for the simulator. Pure."""

    def served(self, batch: Blocks, symbols: Mapping[int, str]) -> Iterator[Served]:
        """The events of a batch that the protocol can carry, in order; `symbols` by instrument id."""
        ...

    def frame(self, payloads: Sequence[bytes]) -> bytes:
        """Events of one connection as one frame on the wire."""
        ...


class Feed(Protocol):
    """Market data, or any other inputs, as they come in."""

    name: str

    def events(self) -> AsyncIterator[Blocks]:
        """Blocks whose `seq` counts from 1 within the batch; the sequencer gives them their final place."""
        ...


class FileFeed(Protocol):
    """Inputs from a file: the same as Feed, but nobody waits."""

    name: str

    def events(self) -> Iterator[Blocks]:
        """Blocks whose `seq` counts from 1 within the batch. Raises FeedError with file and position."""
        ...


class Scanner(Protocol):
    """Decides what is worth trading."""

    def update(self, blocks: Blocks) -> Blocks:
        """Fold inputs; candidates and universe changes come out."""
        ...

    def get_active_stock_list(self) -> list[str]:
        """Symbols picked at this moment, best first."""
        ...


class Broker(Protocol):
    """Takes orders, answers with events: rows of origin INPUT, `seq` from 1 in each batch, in the order in which they happened.

    ORDER, one for each state an order enters and for each change of what it filled, with what the request said (side, type, time in
    force, flags, quantity, prices, `expires_ns`) and:

        order_id         ours, from the request
        state            ACCEPTED, PARTIALLY_FILLED, FILLED, CANCEL_PENDING, CANCELLED, REJECTED, EXPIRED, REPLACED or UNKNOWN
        reason           VENUE; INTENT for a cancel that was asked for; TIME_IN_FORCE for EXPIRED; UNSUPPORTED for what it does not have
        filled_steps     the sum of this order's FILL rows in front
        venue_order_id   the broker's number, '' while it is not known
        text             the broker's words, or ours: `not sent: ...` where it is proved that the order never came to be

    FILL, in front of the ORDER row that shows it: order_id, side, price_nano, quantity_steps, fee_nano (0 where the broker tells none),
    liquidity (UNKNOWN where it tells none) and venue_fill_id (its number of the execution, or `NUMBER:FROM-TO`, the stretch of the
    order that its sums grew by). `fill_id`, strategy, tag and the rest are the reducer's.

    What follows what: SUBMITTED is followed by ACCEPTED, REJECTED, CANCELLED, CANCEL_PENDING or UNKNOWN, never by a fill: whatever only a taken
    order can have stands behind ACCEPTED. UNKNOWN is followed by anything, a fill behind ACCEPTED too. An order whose cancel was asked for stays
    CANCEL_PENDING while it fills; a broker that refuses to cancel it puts it back to ACCEPTED or PARTIALLY_FILLED. An end is
    told once. A FILL behind it is told nevertheless, with no ORDER row, for the position is there.

    ACCOUNT DIFFERENCE, for a person: what the broker says and what was told are not the same; `instrument_id` and
    `quantity_steps`, the broker's less ours, where it is a fill too much. ACCOUNT POSITION_DIFFERENCE, for the reducer too: the
    broker's position in `instrument_id` less that of the log is `quantity_steps` from here on, 0: they agree again. FEED on channel `orders`: CONNECTED when the stream
    tells of orders, LOST, ENDED for good.
    """

    async def submit(self, request: OrderRequest) -> None:
        """Ask for an order; the outcome comes as an event. The intent is durable before this is called, once for each order id."""
        ...

    async def cancel(self, request: CancelRequest) -> None:
        """Ask for a cancel; the outcome comes as an event. An order that was not sent yet is not sent."""
        ...

    def events(self) -> AsyncIterator[Blocks]:
        """What became of orders; never ends by itself."""
        ...

    async def snapshot(self) -> Blocks:
        """Account, positions and open orders as the broker sees them now: ACCOUNT rows CASH and POSITION, ORDER rows.

        Raises VenueError when it does not answer.
        """
        ...


class EventLog(Protocol):
    """The tape."""

    def append(self, blocks: Sequence[Block]) -> None:
        """One commit. Raises PoisonedError after any earlier failure."""
        ...

    def read(self, from_seq: int = 1) -> Iterator[Blocks]:
        """All that is there from that `seq`, in order."""
        ...


class Clock(Protocol):
    """What time it is for a recording; `rate` of its seconds pass in one second."""

    rate: float

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        ...

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when `now_ns()` has reached this time."""
        ...


class Notify(Protocol):
    """Tells a person."""

    def send(self, text: str) -> None:
        """Say it; never raises."""
        ...
