"""Served: the day that is served, a recorded session or a generated one, in portions with the moment each row is due."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple, Protocol

from pipeline.block import Block, Blocks, Numbers, between, concat, session_times
from pipeline.codes import Kind, Origin
from pipeline.errors import ConfigError
from pipeline.instruments import EXCHANGE_ZONES
from pipeline.log.reader import LogReader
from pipeline.ports import FileFeed

SERVED_KINDS: Final = (Kind.INSTRUMENT, Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS)
"""What a vendor tells of the market; the rest of a session is its own."""

_PORTION_ROWS: Final = 8_192


class Portion(NamedTuple):
    """The next rows, in order.

    blocks    rows of the served kinds, their `seq` as on the tape
    seq       (n,) int64, the same rows' `seq`, rising
    due_ns    (n,) int64, session time of each: the running maximum of `ts_recv_ns`
    """

    blocks: Blocks
    seq: Numbers
    due_ns: Numbers

    def live(self) -> Blocks:
        """The rows without those that were fetched after a hole: they are history, and were never sent by a socket."""
        return [block for each in self.blocks if len(block := _live(each))]


class Tape(Protocol):
    """A day to be served: the same rows however often it is read."""

    name: str
    starts_ns: int
    zone: str
    """Whose clocks its hours go by: the IANA name."""

    definitions: Blocks
    """What its instruments are."""

    @property
    def symbols(self) -> Mapping[int, str]:
        """By instrument id."""
        ...

    def portions(self) -> Iterator[Portion]:
        """All rows from the beginning."""
        ...

    def again(self, kind: Kind, first_seq: int, last_seq: int) -> Iterator[Block]:
        """Rows of one kind between two places, both included."""
        ...


class RecordedTape:
    """A recorded session, those of its rows that a vendor sent."""

    def __init__(self, log: LogReader) -> None:
        """Raises ConfigError when the session holds nothing of a market."""
        self.name = log.manifest.id
        self._log = log
        self.definitions = concat(block for batch in log.batches(kinds=[Kind.INSTRUMENT]) for block in batch)
        self.symbols, self.zone = _names(self.definitions)
        self.starts_ns = _start(self)

    def portions(self) -> Iterator[Portion]:
        """All rows from the beginning. Raises CorruptError."""
        last_ns = 0
        for batch in self._log.batches(kinds=SERVED_KINDS, rows=_PORTION_ROWS):
            if batch:
                yield (portion := _portion(batch, last_ns))
                last_ns = int(portion.due_ns[-1])

    def again(self, kind: Kind, first_seq: int, last_seq: int) -> Iterator[Block]:
        """Rows of one kind between two places, those fetched after a hole too. Raises CorruptError."""
        for batch in self._log.batches(first_seq, last_seq, kinds=[kind]):
            yield from batch


class GeneratedTape:
    """A day that never happened, kept in memory."""

    def __init__(self, feed: FileFeed) -> None:
        """Raises ConfigError when the feed gives nothing."""
        self.name = feed.name
        self._batches = list(_numbered(feed.events()))
        self.definitions = concat(block for batch in self._batches for block in batch if block.kind is Kind.INSTRUMENT)
        self.symbols, self.zone = _names(self.definitions)
        self.starts_ns = _start(self)

    def portions(self) -> Iterator[Portion]:
        """All rows from the beginning."""
        last_ns = 0
        for batch in self._batches:
            if blocks := [block for block in batch if block.kind in SERVED_KINDS]:
                yield (portion := _portion(blocks, last_ns))
                last_ns = int(portion.due_ns[-1])

    def again(self, kind: Kind, first_seq: int, last_seq: int) -> Iterator[Block]:
        """Rows of one kind between two places, both included."""
        blocks = chain.from_iterable(between(batch, first_seq, last_seq + 1) for batch in self._batches)
        return (block for block in blocks if block.kind is kind)


def _live(block: Block) -> Block:
    is_live = block.number("origin") == Origin.INPUT
    return block if is_live.all() else block.take(is_live)


def _portion(blocks: Blocks, last_ns: int) -> Portion:
    """The rows of these blocks, none due before `last_ns`."""
    return Portion(blocks, *session_times(blocks, last_ns))


def _numbered(batches: Iterator[Blocks]) -> Iterator[Blocks]:
    """The batches of a feed with one `seq` that counts through."""
    start = 0
    for batch in batches:
        yield [block.with_columns(seq=block.number("seq") + start) for block in batch]
        start += sum(map(len, batch))


def _names(definitions: Blocks) -> tuple[dict[int, str], str]:
    symbols: dict[int, str] = {}
    calendars: set[str] = set()
    for block in definitions:
        symbols |= zip(block.number("instrument_id").tolist(), block.text("symbol"), strict=True)
        calendars |= set(block.text("calendar"))
    zones = sorted({EXCHANGE_ZONES[calendar] for calendar in calendars if calendar in EXCHANGE_ZONES})
    return symbols, zones[-1] if zones else "UTC"


def _start(tape: Tape) -> int:
    first = next(tape.portions(), None)
    if first is None:
        raise ConfigError(f"{tape.name} holds no quotes, prints, bars or statuses: there is nothing to serve")
    return int(first.due_ns[0])
