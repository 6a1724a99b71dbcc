"""Intake: what came over sockets, as inputs of a session, in the order it came. No socket, no clock: the same items make the same rows."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks, chained, row_count, without_warm_up
from pipeline.codes import FeedAction, Kind
from pipeline.feeds.facts import Fact, feed_block
from pipeline.feeds.inbox import Item
from pipeline.feeds.merge import LATENESS_NS
from pipeline.feeds.progress import Progress
from pipeline.feeds.repeats import Heard
from pipeline.feeds.session_rows import SessionRows
from pipeline.feeds.stretches import Stretch, joined, times_of
from pipeline.instruments import Instrument
from pipeline.normalize.grid import INTERVAL_NS, QUIET_NS
from pipeline.normalize.rows import constant, ranked
from pipeline.ports import Answer, Channel, Expecting, Message, Normalizer, Polled
from pipeline.run import rawness

LIVE_TIMER_NS: Final = INTERVAL_NS
_GULP_BYTES: Final = 256 * 2**10
"""Some 2,500 quotes."""


class Intake:
    """The feeds of one session, numbered from 1 in the order of their names.

    With `keeps_raw` all that came stands on the tape as it came, behind the events it made (`run.rawness`).
    """

    def __init__(
        self,
        names: Sequence[str],
        normalizers: Sequence[Normalizer],
        *,
        start_ns: int,
        keeps_raw: bool = False,
        fresh: Sequence[Callable[[], Normalizer]] = (),
    ) -> None:
        """`fresh` makes a normaliser of each feed that remembers nothing."""
        self.progress = [Progress() for _ in names]
        """What was made of each feed's messages; a connection that listens has its own put here."""
        self.recalled = [Progress() for _ in names]
        """What this session had of each feed before it was interrupted."""
        self._names = names
        self._normalizers = normalizers
        self._keeps_raw = keeps_raw
        self._fresh = fresh
        self._start_ns = start_ns
        self._rows = SessionRows(
            names, Heard(), timer_interval_ns=LIVE_TIMER_NS, quiet_ns=QUIET_NS, lateness_ns=LATENESS_NS
        )

    @property
    def session_ns(self) -> int:
        """Session time behind what was taken so far."""
        return max(self._rows.session_ns, self._start_ns)

    def know(self, definitions: Block) -> None:
        """These instruments were defined in front of anything that comes from a feed, for the session goes on from another."""
        self._rows.know(definitions)

    def recall(self, batch: Blocks) -> None:
        """Take in inputs that this session wrote before it was interrupted; what was put there to warm up came from no stream."""
        batch = [own for block in batch if len(own := without_warm_up(block))]
        self._rows.recall(batch)
        for number, recalled in enumerate(self.recalled, 1):
            recalled.add(0, [own for block in batch if len(own := block.take(block.number("source") == number))])

    def introduced(
        self,
        number: int,
        symbols: Sequence[str],
        now_ns: int,
        known_of: Callable[[Sequence[Instrument]], Block | None] = lambda _: None,
    ) -> Iterator[Blocks]:
        """The definitions of a feed's symbols, ahead of anything that is heard of them, where its normaliser can make them.

        `known_of` gives facts about instruments, by their place in the list from 1; they stand behind the definitions.
        """
        normalizer = self._normalizers[number - 1]
        if not isinstance(normalizer, Expecting) or not (batch := normalizer.expect(symbols, now_ns)):
            return
        self.progress[number - 1].meet(batch)
        (defined,) = batch
        names = Instrument.__dataclass_fields__
        facts = known_of([Instrument(**{name: row[name] for name in names}) for row in defined.rows()])
        if facts is not None:
            ids = defined.number("instrument_id")[facts.number("instrument_id") - 1]
            places = np.arange(len(defined) + 1, len(defined) + len(facts) + 1)
            batch = [defined, facts.with_columns(seq=places, instrument_id=ids)]
        count = row_count(batch)
        times = np.full(count, max(now_ns, self.session_ns))
        yield from self._rows.taken(Stretch(batch, times, np.full(count, number, np.int16)))

    def taken(self, items: Sequence[Item]) -> Iterator[Blocks]:
        """The inputs that these items are, `seq` of each batch from 1; timers due in front of them are among them."""
        by_feed: dict[int, list[Item]] = {}
        for item in items:
            by_feed.setdefault(item[0], []).append(item)
        stretches = [self._stretch(number, by_feed[number]) for number in sorted(by_feed)]
        told = [stretch for stretch in stretches if len(stretch)]
        if told:
            yield from self._rows.taken(joined(told))

    def history(self, number: int, answers: Sequence[Answer]) -> Blocks:
        """The rows of pages that strategies wait for, by the session's numbers; they are no inputs yet.

        A normaliser of their own reads them: that of the stream would hold what is live behind them for known.
        """
        if not answers:
            return []
        batch = self._fresh[number - 1]().read_history(answers)
        numbers = np.zeros(1, np.int32)
        for block in (block for block in batch if block.kind is Kind.INSTRUMENT):
            ids = block.number("instrument_id")
            numbers = np.zeros(int(ids.max()) + 1, np.int32)
            for row in block.rows():
                told = Instrument(**{name: row[name] for name in Instrument.__dataclass_fields__})
                numbers[row["instrument_id"]] = self._rows.number_of(told)
        return [
            block.with_columns(
                instrument_id=numbers[block.number("instrument_id")], source=np.full(len(block), number, np.int16)
            )
            for block in batch
            if block.kind is not Kind.INSTRUMENT
        ]

    def placed(self, batch: Blocks, number: int, now_ns: int) -> Iterator[Blocks]:
        """Rows that come from inside, as inputs of this moment."""
        count = row_count(batch)
        times = np.full(count, max(now_ns, self.session_ns))
        blocks = [block.with_columns(ts_recv_ns=times[: len(block)]) for block in batch]
        yield from self._rows.placed(Stretch(blocks, times, np.full(count, number, np.int16)))

    def ticked(self, now_ns: int) -> Blocks:
        """The timers due by now; before the first row of a feed there is no grid."""
        return self._rows.ticked(now_ns) if self._rows.session_ns > 0 else []

    def troubles(self) -> Iterator[tuple[int, int, str]]:
        """The feeds whose connection can't be believed any more, the number of that connection, and why."""
        for number, normalizer in enumerate(self._normalizers, 1):
            if normalizer.trouble:
                yield number, self.progress[number - 1].connection, normalizer.trouble

    def _stretch(self, number: int, items: Sequence[Item]) -> Stretch:
        """What one feed brought. Its session time never falls, even where the clock was set back."""
        batches = [batch for batch in self._batches(number, items) if batch]
        whole = chained(batches) if batches else []
        recv_ns = times_of(whole)
        session_ns = np.maximum(np.maximum.accumulate(recv_ns), self.session_ns) if len(recv_ns) else recv_ns
        return Stretch(whole, session_ns, constant("i2", number, len(recv_ns)))

    def _batches(self, number: int, items: Sequence[Item]) -> Iterator[Blocks]:
        for kind, run in groupby([item for _, item in items], key=type):
            same: list[Any] = list(run)
            for sort, piece in _pieces(kind, same):
                yield self._events(number - 1, sort, piece)
            if self._keeps_raw:
                yield [rawness.block_of(self._names[number - 1], same)]

    def _events(self, index: int, kind: object, items: Sequence[Any]) -> Blocks:
        normalizer, progress = self._normalizers[index], self.progress[index]
        if kind is Message:
            batch = _definitions_first(normalizer.read(items))
            progress.add(len(items), batch)
            return batch
        if kind is Channel.SNAPSHOTS:
            assert isinstance(normalizer, Polled)
            batch = normalizer.read_snapshots(items)
            progress.meet(batch)
            return batch
        if kind is Answer:
            batch = normalizer.read_history(items)
            progress.meet(batch)
            return batch
        assert kind is Fact
        for fact in items:
            if fact.action is FeedAction.CONNECTED:
                normalizer.connected()
                progress.connection = fact.count
        return [feed_block(items)]


def _pieces(kind: type, items: Sequence[Any]) -> Iterator[tuple[object, Sequence[Any]]]:
    """Items of one type as they are read: messages in gulps, answers by whether they are snapshots."""
    if kind is Message:
        yield from ((kind, gulp) for gulp in gulps(items))
    elif kind is Answer:
        yield from ((sort, list(same)) for sort, same in groupby(items, key=_sort_of))
    else:
        yield kind, items


def _sort_of(answer: Answer) -> object:
    return Channel.SNAPSHOTS if answer.topic.channel is Channel.SNAPSHOTS else Answer


def gulps(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Messages in pieces that are read at once.

    What is decoded of one lies in the processor's cache until its columns are made; what a whole bite holds does not.
    """
    start, count_bytes = 0, 0
    for place, message in enumerate(messages, 1):
        count_bytes += len(message.payload)
        if count_bytes >= _GULP_BYTES:
            yield messages[start:place]
            start, count_bytes = place, 0
    if start < len(messages):
        yield messages[start:]


def _definitions_first(batch: Blocks) -> Blocks:
    """The rows with the definitions in front: a whole market that is met for the first time is then defined at once.

    Between its rows each definition would cost the reducer milliseconds.
    """
    met = next((block for block in batch if block.kind is Kind.INSTRUMENT), None)
    if met is None or int(met.number("seq")[-1]) == len(met):
        return batch
    first_ns = min(int(block.number("ts_recv_ns").min()) for block in batch)
    times = np.full(len(met), first_ns)
    places = np.arange(-len(met), 0)
    front = met.with_columns(seq=places, ts_recv_ns=times, ts_event_ns=times)
    return ranked([front, *(block for block in batch if block is not met)])
