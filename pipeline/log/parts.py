"""Parts: the Parquet files of a log while they are written, and what the manifest says about the rows that went by."""

from pathlib import Path
from typing import Final

import numpy as np

from pipeline.block import Block
from pipeline.errors import LogError
from pipeline.events import LAYOUTS
from pipeline.log import manifest
from pipeline.log.disk import Disk
from pipeline.log.durable import Cursor
from pipeline.log.manifest import Manifest, SealedPart, Stretch
from pipeline.log.parquet import ROW_GROUP_ROWS, PartFile, PartWriter, Written, file_hash

EVENTS: Final = "events"
SUFFIX: Final = ".parquet"
MERGED: Final = "part-00001"


class Parts:
    """The files of one sealing, `suffix` behind their names until they are proved."""

    def __init__(self, folder: Path, disk: Disk, *, suffix: str = "", first_rows: int = ROW_GROUP_ROWS) -> None:
        """`first_rows`: of a file's first row group, see `PartWriter`."""
        self._folder = folder
        self._disk = disk
        self._suffix = suffix
        self._first_rows = first_rows
        self._writers: dict[str, PartWriter] = {}
        self._written: dict[str, Written] = {}
        self._stretches: dict[str, set[Stretch]] = {}

    def write(self, block: Block, stem: str) -> None:
        """Add rows to the kind's part of that name."""
        if not len(block):
            return
        file = f"{EVENTS}/kind={block.kind.name.lower()}/{stem}{SUFFIX}"
        if file not in self._writers:
            self._disk.make_folder((self._folder / file).parent)
            self._writers[file] = PartWriter(self._path(file), block.kind, self._disk, first_rows=self._first_rows)
            self._stretches[file] = set()
        self._writers[file].write(block)
        ord_ = block.number("ord")
        if ord_.min() == 0:
            self._stretches[file].add("inputs")
        if ord_.max() > 0:
            self._stretches[file].add("derived")

    @property
    def files(self) -> list[str]:
        """Their names within the folder, without the suffix."""
        return list(self._writers)

    def complete(self, file: str) -> None:
        """Write what waits and the footer, make the file durable, and prove that it holds the rows that went in.

        Raises OSError, LogError.
        """
        self._written[file] = written = self._writers[file].close()
        path = self._path(file)
        if file_hash(path) != written.blake3:
            raise LogError(f"{path}: reads back as other bytes than were written; nothing was dropped")
        if PartFile(path).values() != written.values:
            raise LogError(f"{path}: reads back as other rows than were written; nothing was dropped")

    def publish(self, chain_in: str, chain_out: str) -> list[SealedPart]:
        """Complete and rename all of them, durably."""
        for file in self.files:
            self.complete(file)
        for file in self.files:
            self._disk.rename(self._path(file), self._folder / file)
        for folder in self.folders:
            self._disk.sync_folder(folder)
        return self.entries(chain_in, chain_out)

    def abandon(self) -> None:
        """Let go of the files; they stay behind, unfinished."""
        for writer in self._writers.values():
            writer.abandon()

    @property
    def folders(self) -> list[Path]:
        """The folders whose names have changed, inner ones first."""
        if not self._writers:
            return []
        inner = sorted({(self._folder / file).parent for file in self._writers})
        return [*inner, self._folder / EVENTS, self._folder]

    def entries(self, chain_in: str, chain_out: str) -> list[SealedPart]:
        """The complete files as a manifest names them."""
        return [self._entry(file, self._written[file], chain_in, chain_out) for file in self.files]

    def _entry(self, file: str, proof: Written, chain_in: str, chain_out: str) -> SealedPart:
        kind, stretches = self._writers[file].kind, self._stretches[file]
        return SealedPart(
            file=file,
            kind=kind.name.lower(),
            stretch="all" if len(stretches) == 2 else next(iter(stretches)),
            size=proof.size,
            blake3=proof.blake3,
            rows=proof.rows,
            first_seq=proof.pieces[0].first_seq,
            last_seq=proof.pieces[-2].last_seq,
            chain_in=chain_in,
            chain_out=chain_out,
            layout_version=LAYOUTS[kind].version,
            pieces=proof.pieces,
        )

    def _path(self, file: str) -> Path:
        return self._folder / (file + self._suffix)


class Tally:
    """What the manifest says about a log's rows, counted while they pass."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._inputs = self._derived = 0
        self._seqs: list[tuple[int, int]] = []
        self._times: dict[bool, list[tuple[int, int]]] = {True: [], False: []}

    def add(self, block: Block) -> None:
        """Count a block's rows."""
        name, is_input = block.kind.name.lower(), block.number("ord") == 0
        inputs = int(np.count_nonzero(is_input))
        self._kinds[name] = self._kinds.get(name, 0) + len(block)
        self._inputs += inputs
        self._derived += len(block) - inputs
        self._seqs.append((int(block.number("seq")[0]), int(block.number("seq")[-1])))
        for sort, chosen in ((True, is_input), (False, ~is_input)):
            times = block.number("ts_recv_ns")[chosen]
            if len(times):
                self._times[sort].append((int(times.min()), int(times.max())))

    def add_part(self, part: SealedPart, times: tuple[int, int]) -> None:
        """Count the inputs of a part, received in this span of time."""
        self._kinds[part.kind] = self._kinds.get(part.kind, 0) + part.rows
        self._inputs += part.rows
        self._seqs.append((part.first_seq, part.last_seq))
        self._times[True].append(times)

    def applied(self, to: Manifest, *, parts: tuple[SealedPart, ...], sealed: Cursor) -> Manifest:
        """The manifest of the same log, sealed in these parts."""
        return manifest.replaced(
            self.counted(to), state="sealed", parts=parts, sealed=sealed, chain_head=sealed.chain.hex()
        )

    def counted(self, of: Manifest) -> Manifest:
        """The manifest of the same log with what was counted."""
        times = self._times[True] or self._times[False] or [(0, 0)]
        seqs = self._seqs or [(0, 0)]
        return manifest.replaced(
            of,
            kinds=self._kinds,
            inputs=self._inputs,
            derived=self._derived,
            first_seq=min(first for first, _ in seqs),
            last_seq=max(last for _, last in seqs),
            first_ts_ns=min(first for first, _ in times),
            last_ts_ns=max(last for _, last in times),
        )
