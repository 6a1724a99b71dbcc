"""LogReader: a log's rows in `seq` order, whether they lie in sealed Parquet, in journal segments or in both.

A reader is a snapshot of what was there when it was opened; `follow.py` goes on from there. It never writes, never
blocks a writer, and gives no row that was not checked in this very reading: a sealed file by its whole hash once and
by page checksums while decoding, a journal frame by checksum and chain.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from pipeline.block import Block, Blocks
from pipeline.codes import Kind
from pipeline.errors import CorruptError
from pipeline.log import codec, manifest
from pipeline.log.arriving import part_paths, prove_kept
from pipeline.log.arrow import SCHEMAS
from pipeline.log.disk import Disk
from pipeline.log.durable import Cursor
from pipeline.log.frames import FrameKind
from pipeline.log.manifest import Manifest, SealedPart
from pipeline.log.merge import ENDLESS, Chunk, Window, joined, windows
from pipeline.log.parquet import PartFile
from pipeline.log.scan import Place
from pipeline.log.segments import Segments

JOURNAL: Final = "journal"
What = Literal["inputs", "derived", "all"]

_CHUNK_ROWS_MIN: Final = 12_288
_CHUNK_ROWS_MAX: Final = 98_304
_OPENINGS_MAX: Final = 16
"""How often a reader looks again when files vanish under it: sealing drops what it has just written elsewhere."""


class LogReader:
    """A session's or run's rows, as of when it was opened.

    Raises NotFoundError when the folder holds no log, CorruptError with file and offset, SchemaError.
    """

    def __init__(self, folder: Path, disk: Disk | None = None, *, until: Cursor | None = None) -> None:
        """`until` leaves out unsealed rows behind this place."""
        self.folder = folder
        self.manifest: Manifest
        self._disk = disk
        self._until = until
        self._proved: set[str] = set()
        self._segments: Segments
        self._open()

    @property
    def last_seq(self) -> int:
        """The last `seq`; 0 when the log is empty."""
        return max(
            self._segments.last_seq, self.manifest.sealed.seq, *(part.last_seq for part in self.manifest.parts), 0
        )

    @property
    def end(self) -> Cursor:
        """The last segment, sealed or not, and where its good frames end."""
        segments = self._segments
        return segments.cursor_of(segments.numbers[-1]) if segments.numbers else self.manifest.sealed

    @property
    def place(self) -> Place | None:
        """The same end within its segment, for a scan to go on from; None when all segments are sealed."""
        return self._segments.end if self._segments.numbers else None

    def undecided(self) -> tuple[int, int] | None:
        """The first and last input of the last commit, when nothing stands behind it: a crash may have come before it was decided.

        A recorder appends what it derived of a commit as one frame, before it appends the next. So no other input can be
        undecided, and behind a commit of which nothing was derived nothing stands either. None for a closed log.
        """
        for _ in range(_OPENINGS_MAX):
            try:
                return None if self.manifest.is_closed else _last_inputs(self._segments)
            except FileNotFoundError as error:
                self._reopen(error)
        raise CorruptError(self.folder, 0, f"files kept vanishing while they were read, {_OPENINGS_MAX} times")

    @property
    def torn(self) -> str:
        """Why the journal's last bytes are left out (a crash tore them, or they are being written); empty: there are none."""
        return self._segments.torn

    def batches(
        self,
        from_seq: int = 1,
        to_seq: int | None = None,
        *,
        kinds: Iterable[Kind] | None = None,
        what: What = "inputs",
        rows: int = 65_536,
        columns: Sequence[str] | None = None,
    ) -> Iterator[Blocks]:
        """Batches in `seq` order, each all rows of a stretch at most `rows` wide in `seq`, both ends included.

        `kinds` and `columns` leave the others out; `seq` and `ord` are always there. Raises CorruptError.
        """
        for window in self.windows(from_seq, to_seq, kinds=kinds, what=what, rows=rows, columns=columns):
            yield window.blocks

    def windows(
        self,
        from_seq: int = 1,
        to_seq: int | None = None,
        *,
        kinds: Iterable[Kind] | None = None,
        what: What = "inputs",
        rows: int = 65_536,
        columns: Sequence[str] | None = None,
    ) -> Iterator[Window]:
        """As `batches`, with the stretch each covers."""
        choice = _Choice(frozenset(Kind if kinds is None else kinds), what, rows, columns)
        last = self.last_seq if to_seq is None else to_seq
        start = from_seq
        for _ in range(_OPENINGS_MAX):
            try:
                for window in windows(self._sources(start, choice), start, last, rows):
                    yield window
                    start = window.last_seq + 1
            except FileNotFoundError as error:
                self._reopen(error)
            else:
                return
        raise CorruptError(self.folder, 0, f"files kept vanishing while they were read, {_OPENINGS_MAX} times")

    def relations(self, kind: Kind) -> tuple[list[Path], pa.Table]:
        """This kind's rows for SQL: the files of the sealed ones, proved by their whole hashes, and the unsealed ones."""
        for _ in range(_OPENINGS_MAX):
            try:
                files = self._paths_of(self.manifest.parts_of(kind))
                return files, pa.Table.from_batches(self._record_batches(kind), SCHEMAS[kind])
            except FileNotFoundError as error:
                self._reopen(error)
        raise CorruptError(self.folder, 0, f"files kept vanishing while they were read, {_OPENINGS_MAX} times")

    def path_of(self, part: SealedPart) -> Path:
        """A sealed part's file, proved by its whole hash. Raises CorruptError, FileNotFoundError; of a far store FarError."""
        return self._paths_of([part])[0]

    def _paths_of(self, parts: Sequence[SealedPart]) -> list[Path]:
        paths = part_paths(self.folder, parts)
        for part, path in zip(parts, paths, strict=True):
            if part.file not in self._proved:
                prove_kept(self.folder, path, part)
                self._proved.add(part.file)
        return paths

    def _open(self) -> None:
        for _ in range(_OPENINGS_MAX):
            self.manifest = manifest.load(self.folder)
            try:
                self._segments = Segments(
                    self.folder / JOURNAL,
                    self.manifest.sealed,
                    is_closed=self.manifest.is_closed and self.manifest.state != "sealed",
                    until=self._until,
                    disk=self._disk,
                )
            except FileNotFoundError as error:
                self._reopen_check(error)
            except CorruptError:
                # All segments may be gone because they were sealed in the meantime: damage is what stays.
                if manifest.load(self.folder) == self.manifest:
                    raise
            else:
                return
        raise CorruptError(self.folder, 0, f"files kept vanishing while it was opened, {_OPENINGS_MAX} times")

    def _reopen(self, error: FileNotFoundError) -> None:
        self._reopen_check(error)
        self._open()

    def _reopen_check(self, error: FileNotFoundError) -> None:
        """A file may be gone because it was sealed in the meantime; if the manifest is the same, it is lost."""
        if manifest.load(self.folder) == self.manifest:
            raise CorruptError(error.filename or self.folder, 0, "the file is missing") from None

    def _sources(self, from_seq: int, choice: "_Choice") -> list[Iterator[Chunk]]:
        there = {(part.kind, part.stretch) for part in self.manifest.parts}
        sources = [
            self._part_chunks(kind, stretch, from_seq, choice)
            for kind in sorted(choice.kinds)
            for stretch in ("inputs", "derived", "all")
            if (kind.name.lower(), stretch) in there and (choice.what in ("all", stretch) or stretch == "all")
        ]
        if choice.what != "derived":
            sources.append(_frame_chunks(self._segments, FrameKind.INPUTS, from_seq, choice))
        if choice.what != "inputs":
            sources.append(_frame_chunks(self._segments, FrameKind.DERIVED, from_seq, choice))
        return sources

    def _part_chunks(self, kind: Kind, stretch: str, from_seq: int, choice: "_Choice") -> Iterator[Chunk]:
        for part in self.manifest.parts_of(kind):
            if part.stretch != stretch or part.last_seq < from_seq:
                continue
            file = PartFile(self.path_of(part))
            for block in file.blocks(from_seq, rows=choice.chunk_rows, columns=choice.columns_of(kind)):
                last = int(block.number("seq")[-1])
                # An input has its seq for itself; derived rows of this seq may go on in the next chunk.
                yield Chunk([choice.cut(block, stretch)], last if stretch == "inputs" else last - 1)

    def _record_batches(self, kind: Kind) -> Iterator[pa.RecordBatch]:
        """Views of the mapped frames: the maps live as long as the table that is made of them."""
        for number in self._segments.numbers:
            for frame in self._segments.frames(number):
                if frame.header.kind in (FrameKind.INPUTS, FrameKind.DERIVED):
                    for found, message in codec.messages(frame.payload):
                        if found is kind:
                            yield pa.ipc.read_record_batch(pa.py_buffer(message), SCHEMAS[kind])


def read_journal(folder: Path, disk: Disk | None = None) -> Iterator[Blocks]:
    """All batches of a journal that stands alone, as the notes and the accounts do; none when it is not there."""
    segments = Segments(folder, manifest.NOTHING_SEALED, disk=disk)
    choice = _Choice(frozenset(Kind), "inputs", _CHUNK_ROWS_MAX, None)
    for window in windows(
        [_frame_chunks(segments, FrameKind.INPUTS, 1, choice)], 1, segments.last_seq, _CHUNK_ROWS_MAX
    ):
        yield window.blocks


def _last_inputs(segments: Segments) -> tuple[int, int] | None:
    """The inputs of the last frame with rows, None where that holds decisions or there is none."""
    for number in reversed(segments.numbers):
        for frame in reversed(segments.frames(number)):
            if frame.header.kind is FrameKind.DERIVED:
                return None
            if frame.header.kind is FrameKind.INPUTS:
                return frame.header.first_seq, frame.header.last_seq
    return None


class _Choice:
    """Which rows and columns a caller asked for."""

    def __init__(self, kinds: frozenset[Kind], what: What, rows: int, columns: Sequence[str] | None) -> None:
        assert rows > 0
        self.kinds = kinds
        self.what = what
        # A little less than asked for, so that a chunk's end, not the width asked for, ends most batches: no tiny ones.
        self.chunk_rows = min(max(rows * 3 // 4, _CHUNK_ROWS_MIN), _CHUNK_ROWS_MAX)
        self._names = None if columns is None else {"seq", "ord", *columns}

    def columns_of(self, kind: Kind) -> list[str] | None:
        """Columns to decode, in the layout's order; None: all."""
        return None if self._names is None else [name for name in SCHEMAS[kind].names if name in self._names]

    def narrow(self, block: Block) -> Block:
        """The block with only the columns asked for."""
        if self._names is None:
            return block
        return Block(block.kind, {name: column for name, column in block.columns.items() if name in self._names})

    def cut(self, block: Block, stretch: str) -> Block:
        """The block without the inputs or the derived rows, when a file holds both and one is wanted."""
        if stretch != "all" or self.what == "all":
            return block
        is_input = block.number("ord") == 0
        return block.take(is_input if self.what == "inputs" else ~is_input)


def _frame_chunks(segments: Segments, kind: FrameKind, from_seq: int, choice: _Choice) -> Iterator[Chunk]:
    """The rows of all frames of one kind, many small frames in one chunk."""
    pieces: list[Block] = []
    rows = 0
    for frame in segments.events(kind, from_seq):
        pieces += [choice.narrow(block) for block in codec.decode(frame.payload) if block.kind in choice.kinds]
        rows += frame.header.rows
        if rows >= choice.chunk_rows:
            through = frame.header.last_seq if kind is FrameKind.INPUTS else frame.header.last_seq - 1
            yield Chunk(joined(pieces), through)
            pieces, rows = [], 0
    yield Chunk(joined(pieces), ENDLESS)
