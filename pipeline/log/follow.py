"""Follower: a log's rows from any `seq` on, and then whatever another process appends, each once and in order.

First everything that is there, through a reader; then frame by frame behind its end: into the next segment when the
writer has gone on to it, into sealed parts when the segment was sealed meanwhile, to the end when the log is closed.
A frame that is not wholly there yet is left for the next poll.

A follower holds no file and no lock between polls. What it has shown beyond the durable end may be gone after a power
cut; whoever writes down how far he has come asks for durable rows only, or keeps `durable` instead.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.block import Block, Blocks
from pipeline.errors import CorruptError
from pipeline.log import codec
from pipeline.log.disk import Disk, RealDisk
from pipeline.log.durable import Cursor, read_durable
from pipeline.log.frames import FrameKind
from pipeline.log.reader import JOURNAL, LogReader, What
from pipeline.log.recovery import segment_path
from pipeline.log.scan import FrameView, Place, Scan, Verdict, is_beyond_a_crash, start_of

_WANTED = {
    "inputs": (FrameKind.INPUTS,),
    "derived": (FrameKind.DERIVED,),
    "all": (FrameKind.INPUTS, FrameKind.DERIVED),
}


class Follower:
    """Follows one log. Raises NotFoundError when there is none, CorruptError for damage."""

    def __init__(
        self,
        folder: Path,
        from_seq: int = 1,
        *,
        what: What = "all",
        durable_only: bool = False,
        disk: Disk | None = None,
    ) -> None:
        self.folder = folder
        self.is_ended = False
        """The writer closed the log, and all of it was given."""
        self._what: What = what
        self._durable_only = durable_only
        self._disk = disk or RealDisk()
        self._next_input = from_seq
        self._last_derived = from_seq - 1
        self._segment = 0
        """The segment to look at next; 0 before the first poll."""
        self._place: Place | None = None
        """How far it was read; None: not begun."""
        self._chain = b""
        """Hash at which the segment before ended."""
        self._log_id = bytes.fromhex(LogReader(folder, disk).manifest.log_id)

    @property
    def durable(self) -> Cursor | None:
        """How far the log is durable; nothing that outlives this process may claim more."""
        return read_durable(self._disk, self.folder / JOURNAL, self._log_id)

    def poll(self) -> Iterator[Blocks]:
        """Everything that came since the last poll. Take all of it: what is not taken now is not given later."""
        limit = self.durable if self._durable_only else None
        if self._durable_only and limit is None:
            return
        if not self._segment:
            yield from self._catch_up(limit)
        while not self.is_ended:
            segment = self._segment
            try:
                for frame in self._frames(limit):
                    yield from self._rows(frame)
            except FileNotFoundError:
                if LogReader(self.folder, self._disk, until=limit).manifest.sealed.segment < self._segment:
                    return  # not made yet
                yield from self._catch_up(limit)
            if self._segment == segment:
                return

    def _catch_up(self, limit: Cursor | None) -> Iterator[Blocks]:
        """All rows that a reader finds and were not given yet; afterwards the journal goes on behind them."""
        reader = LogReader(self.folder, self._disk, until=limit)
        start = {"inputs": self._next_input, "derived": self._last_derived + 1}.get(
            self._what, min(self._next_input, self._last_derived + 1)
        )
        for window in reader.windows(start, what=self._what):
            fresh = self._fresh(window.blocks)
            if fresh:
                yield fresh
        end = reader.end
        self._segment, self._place, self._chain = end.segment, reader.place, end.chain
        if reader.manifest.is_closed:
            self.is_ended = True
        elif self._place is None:
            self._segment += 1

    def _frames(self, limit: Cursor | None) -> Iterator[FrameView]:
        """New frames of the current segment; steps into the next one when this one is read to its end."""
        path = segment_path(self.folder / JOURNAL, self._segment)
        # Asked before this one is read: a segment that has a successor grows no more.
        has_next = segment_path(path.parent, self._segment + 1).name in self._disk.names(path.parent)
        view = self._disk.view(path)
        if limit:
            if self._segment > limit.segment:
                return
            if self._segment == limit.segment:
                view, has_next = view[: limit.end], False
        scan = self._scan(view, path)
        yield from scan
        self._place = scan.place if scan.header else None
        self.is_ended = scan.place.is_sealed and not has_next
        if scan.verdict is not Verdict.CLEAN and (has_next or is_beyond_a_crash(bytes(view), scan)):
            raise CorruptError(path, scan.place.offset, scan.reason)
        if has_next:
            self._segment, self._place, self._chain = self._segment + 1, None, scan.place.chain

    def _scan(self, view: memoryview, path: Path) -> Scan:
        if self._place is not None and len(view) < self._place.offset:
            raise CorruptError(
                path, len(view), f"rows up to seq {self._place.last_seq} were shown, never synced, and lost in a crash"
            )
        scan = Scan(view, self._place)
        if self._place is None and scan.header is not None:
            if self._chain and scan.header.chain != self._chain:
                raise CorruptError(path, 0, "the segment does not follow what was shown: the chain is broken")
            self._place = start_of(scan.header)
        return scan

    def _rows(self, frame: FrameView) -> Iterator[Blocks]:
        if frame.header.kind in _WANTED[self._what]:
            fresh = self._fresh(codec.decode(frame.payload))
            if fresh:
                yield fresh

    def _fresh(self, blocks: Blocks) -> Blocks:
        """The rows that were not given yet; they count as given from here on."""
        fresh = [rows for block in blocks if len(rows := self._unseen(block))]
        for block in fresh:
            is_input = block.number("ord") == 0
            seq = block.number("seq")
            if is_input.any():
                self._next_input = max(self._next_input, int(seq[is_input][-1]) + 1)
            if not is_input.all():
                self._last_derived = max(self._last_derived, int(seq[~is_input][-1]))
        return fresh

    def _unseen(self, block: Block) -> Block:
        seq, is_input = block.number("seq"), block.number("ord") == 0
        unseen = (is_input & (seq >= self._next_input)) | (~is_input & (seq > self._last_derived))
        return block if unseen.all() else block.take(unseen)
