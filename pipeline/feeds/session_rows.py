"""Session rows: what a merge adds to the rows of its sources. Instrument numbers, source numbers, timers, marks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind, Mark, Origin
from pipeline.errors import FeedError, UnitError
from pipeline.feeds.stretches import Stretch, feed_rows, part
from pipeline.instruments import Instrument, completed
from pipeline.normalize.grid import pieces, timers
from pipeline.normalize.marks import with_mark
from pipeline.normalize.rows import block_of_columns
from pipeline.units import ABSENT

_TIMERS_MAX: Final = 262_144
"""Timers made at once, and those of one gap: what bounds the memory of a fine grid over sparse rows."""

_INSTRUMENT_FIELDS = tuple(Instrument.__dataclass_fields__)


class Repeats(Protocol):
    """Remembers rows, so that a second showing is known: `feeds.repeats` has one for imports, one for live sessions."""

    def meet(self, batch: Sequence[Block]) -> None:
        """The rows that come next are those of this batch, in which connections may begin."""
        ...

    def repeated(self, block: Block) -> Numbers | None:
        """(n,) bool: which rows were there before; None when none can have been. These are remembered."""
        ...


class SessionRows:
    """The state of a session being merged: instruments met, rows seen, session time.

    Fetched rows (origin BACKFILL) that were there before are left out; any others are kept and marked.
    """

    def __init__(
        self,
        names: Sequence[str],
        repeats: Repeats,
        *,
        timer_interval_ns: int | None,
        quiet_ns: int,
        lateness_ns: int,
    ) -> None:
        self.session_ns = ABSENT
        """Session time behind the rows given so far; ABSENT before the first."""
        self._names = names
        self._repeats = repeats
        self._timer_interval_ns = timer_interval_ns
        self._quiet_ns = quiet_ns
        self._lateness_ns = lateness_ns
        self._ids: dict[tuple[str, str], int] = {}
        self._known: dict[int, Instrument] = {}
        self._was_interrupted = False
        """Whether nobody ticked since the last row: the grid goes on with the step that is due now, behind what is told first."""
        self._highest = 0
        """The highest number given: a session that begins with what is held knows some of another one's, and not all."""
        self._ids_by_source: list[Numbers] = [np.zeros(1, np.int32) for _ in range(len(names) + 1)]

    def taken(self, stretch: Stretch) -> Iterator[Blocks]:
        """A stretch with all that is added to it, ranked from 1; in front of the first one the declarations.

        Raises FeedError when two sources count the sizes of one instrument in different steps.
        """
        yield from self._declared(stretch)
        if self._was_interrupted:
            self.session_ns = max(self.session_ns, int(stretch.session_ns[0]))
            self._was_interrupted = False
        for piece in self._pieces(self._completed(stretch)):
            yield self._with_timers(piece)
            self.session_ns = int(piece.session_ns[-1])
        self.session_ns = int(stretch.session_ns[-1])

    def _declared(self, stretch: Stretch) -> Iterator[Blocks]:
        """What the feeds are, in front of the first row of a session, with which its time begins."""
        if self.session_ns == ABSENT:
            self.session_ns = int(stretch.session_ns[0])
            yield [feed_rows(FeedAction.DECLARED, self._names, self.session_ns)]

    def number_of(self, told: Instrument) -> int:
        """The session's number of an instrument; 0 for one that is unknown, or counts its sizes in other steps."""
        session_id = self._ids.get((told.venue, told.symbol), 0)
        known = self._known.get(session_id)
        return session_id if known is not None and known.size_step_nano == told.size_step_nano else 0

    def placed(self, stretch: Stretch) -> Iterator[Blocks]:
        """Rows that have all their numbers, with the timers due among them; in front of the first ones the declarations."""
        yield from self._declared(stretch)
        for piece in self._pieces(stretch):
            yield self._with_timers(piece)
            self.session_ns = int(piece.session_ns[-1])

    def ticked(self, now_ns: int) -> Blocks:
        """The timers due by now while nothing came.

        They are those of `quiet_ns` at most. When more has passed since the last one, the machine slept or its clock was set:
        nobody ticked meanwhile, and the grid goes on with the one that is due now.
        """
        assert self._timer_interval_ns is not None
        last = now_ns // self._timer_interval_ns
        first = self.session_ns // self._timer_interval_ns + 1
        if last < first:
            return []
        if now_ns - self.session_ns > self._quiet_ns or self._was_interrupted:
            first = last
        self._was_interrupted = False
        times = np.arange(first, last + 1) * self._timer_interval_ns
        self.session_ns = int(times[-1])
        return [self._timers(np.arange(1, len(times) + 1), times)]

    def recall(self, batch: Blocks) -> None:
        """Take in rows of this session that were written before: what a session that is resumed goes on from."""
        self._repeats.meet(batch)
        self._was_interrupted = True
        for block in batch:
            self.session_ns = max(self.session_ns, int(block.number("ts_recv_ns").max()))
            if block.kind is Kind.INSTRUMENT:
                self.know(block)
            self._repeats.repeated(block)

    def know(self, block: Block) -> None:
        """These definitions stand in the session already, by its numbers."""
        for row in block.rows():
            known = Instrument(**{name: row[name] for name in _INSTRUMENT_FIELDS})
            self._ids[known.venue, known.symbol] = row["instrument_id"]
            self._known[row["instrument_id"]] = known
            self._highest = max(self._highest, row["instrument_id"])

    def _completed(self, stretch: Stretch) -> Stretch:
        stretch = self._numbered(stretch)
        self._repeats.meet(stretch.blocks)
        gone: list[Numbers] = []
        blocks = [self._marked(block, stretch, gone) for block in stretch.blocks]
        whole = Stretch(blocks, stretch.session_ns, stretch.sources)
        return _without(whole, np.concatenate(gone)) if gone else whole

    def _numbered(self, stretch: Stretch) -> Stretch:
        """Rows with the session's numbers for source and instrument, without definitions that tell nothing new."""
        blocks = [block for block in stretch.blocks if len(block)]
        if any(block.kind is Kind.INSTRUMENT for block in blocks):
            return self._with_instruments(Stretch(blocks, stretch.session_ns, stretch.sources))
        return Stretch([self._sourced(block, stretch) for block in blocks], stretch.session_ns, stretch.sources)

    def _with_instruments(self, stretch: Stretch) -> Stretch:
        """The same where definitions are among them, which come first: they say what the numbers of the others are."""
        definitions = next(block for block in stretch.blocks if block.kind is Kind.INSTRUMENT)
        known, is_kept = self._instruments(definitions.with_columns(source=_sources(definitions, stretch)))
        blocks = [known if block is definitions else self._sourced(block, stretch) for block in stretch.blocks]
        whole = Stretch(blocks, stretch.session_ns, stretch.sources)
        return whole if is_kept.all() else _without(whole, known.number("seq")[~is_kept])

    def _sourced(self, block: Block, stretch: Stretch) -> Block:
        sources = _sources(block, stretch)
        return block.with_columns(
            source=sources, instrument_id=self._session_ids(block.number("instrument_id"), sources)
        )

    def _instruments(self, block: Block) -> tuple[Block, Numbers]:
        """Definitions completed and numbered, and which of them tell something new."""
        rows = list(block.rows())
        is_kept = np.ones(len(rows), np.bool_)
        for index, row in enumerate(rows):
            stated = Instrument(**{name: row[name] for name in _INSTRUMENT_FIELDS})
            session_id = self._ids.setdefault((stated.venue, stated.symbol), self._highest + 1)
            self._highest = max(self._highest, session_id)
            self._set_id(row["source"], row["instrument_id"], session_id)
            try:
                known = self._known.get(session_id)
                new = completed(known, stated) if known is not None else stated
            except UnitError as error:
                raise FeedError(self._names[row["source"] - 1], "instrument", str(error)) from None
            is_kept[index] = new != known
            self._known[session_id] = new
            row |= {"instrument_id": session_id, **new.row()}
        return Block.from_rows(Kind.INSTRUMENT, rows), is_kept

    def _set_id(self, source: int, source_id: int, session_id: int) -> None:
        ids = self._ids_by_source[source]
        if source_id >= len(ids):
            grown = np.zeros(2 * source_id + 1, np.int32)
            grown[: len(ids)] = ids
            self._ids_by_source[source] = ids = grown
        ids[source_id] = session_id

    def _session_ids(self, ids: Numbers, sources: Numbers) -> Numbers:
        if len(self._ids_by_source) == 2:
            return self._ids_by_source[1][ids]
        starts = np.cumsum([0, *map(len, self._ids_by_source)])[:-1]
        table: Numbers = np.concatenate(self._ids_by_source)
        return table[starts[sources] + ids]  # type: ignore[no-any-return]  # numpy hands out Any

    def _marked(self, block: Block, stretch: Stretch, gone: list[Numbers]) -> Block:
        """The block with its marks; fetched rows that were there before are added to `gone`, by rank."""
        if block.kind is Kind.PRINT:
            due_ns = stretch.session_ns[block.number("seq") - 1] - self._lateness_ns
            marks = with_mark(block.number("marks"), block.number("ts_event_ns") < due_ns, Mark.LATE)
            block = block.with_columns(marks=marks)
        repeated = self._repeats.repeated(block)
        if repeated is None:
            return block
        is_gone = repeated & (block.number("origin") == int(Origin.BACKFILL))
        if is_gone.any():
            gone.append(block.number("seq")[is_gone])
        return block.with_columns(marks=with_mark(block.number("marks"), repeated, Mark.DUPLICATE))

    def _pieces(self, stretch: Stretch) -> Iterator[Stretch]:
        """The stretch in pieces whose timers fit into memory, however long the gaps between its rows are."""
        if not len(stretch):
            return
        if not self._has_timers(stretch):
            yield stretch
            return
        interval_ns = self._timer_interval_ns
        assert interval_ns is not None
        ends = pieces(
            stretch.session_ns,
            self.session_ns,
            interval_ns=interval_ns,
            quiet_ns=self._quiet_ns,
            timers_max=_TIMERS_MAX,
        )
        if len(ends) == 2:
            yield stretch
            return
        for start, stop in pairwise(ends):
            yield part(stretch, start, stop)

    def _has_timers(self, stretch: Stretch) -> bool:
        """Whether a step of the grid lies between the rows given so far and the last of these."""
        interval_ns = self._timer_interval_ns
        return interval_ns is not None and int(stretch.session_ns[-1]) // interval_ns > self.session_ns // interval_ns

    def _with_timers(self, stretch: Stretch) -> Blocks:
        """The stretch's blocks with the timers due among them."""
        if not self._has_timers(stretch):
            return stretch.blocks
        assert self._timer_interval_ns is not None
        rows, times = timers(
            stretch.session_ns, self.session_ns, interval_ns=self._timer_interval_ns, quiet_ns=self._quiet_ns
        )
        if not len(rows):
            return stretch.blocks
        moved = np.searchsorted(rows, np.arange(len(stretch)), "right")
        blocks = [
            block.with_columns(seq=block.number("seq") + moved[block.number("seq") - 1]) for block in stretch.blocks
        ]
        return [*blocks, self._timers(rows + np.arange(1, len(rows) + 1), times)]

    def _timers(self, seq: Numbers, times: Numbers) -> Block:
        interval_ns = self._timer_interval_ns
        assert interval_ns is not None
        columns: dict[str, Numbers | int] = {
            "seq": seq,
            "ts_event_ns": times,
            "ts_recv_ns": times,
            "interval_ns": interval_ns,
        }
        return block_of_columns(Kind.TIMER, len(seq), columns)


def _sources(block: Block, stretch: Stretch) -> Numbers:
    """The source of each row."""
    if len(block) == len(stretch):  # there is no other block
        return stretch.sources
    return stretch.sources[block.number("seq") - 1]  # type: ignore[no-any-return]  # numpy hands out Any


def _without(stretch: Stretch, ranks: Numbers) -> Stretch:
    """The stretch without the rows of these ranks."""
    is_kept = np.ones(len(stretch), np.bool_)
    is_kept[ranks - 1] = False
    new_ranks = np.cumsum(is_kept)
    blocks = []
    for block in stretch.blocks:
        seq = block.number("seq")
        rows = is_kept[seq - 1]
        kept = block if rows.all() else block.take(rows)
        if len(kept):
            blocks.append(kept.with_columns(seq=new_ranks[kept.number("seq") - 1]))
    return Stretch(blocks, stretch.session_ns[is_kept], stretch.sources[is_kept])
