"""Salvage: what is left of a damaged log, copied into a new session.

The old one is not touched. Every row that can still be proved is taken: whole row groups of sealed files whose footer
is sound, whole frames of journals, also behind the damage. Inputs are numbered anew, densely; where some are missing,
two `feed` events GAP_OPENED and GAP_CLOSED stand in for them and tell the old numbers. References to other events
follow; one to an event that is lost becomes 0. Rows derived from a lost input go with it. A run keeps its numbers, as
they are its parents'.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pipeline.block import Blocks
from pipeline.errors import LogError, NotFoundError, SchemaError
from pipeline.log import codec, manifest
from pipeline.log.check import Damage, check_log
from pipeline.log.disk import Disk
from pipeline.log.frames import FRAME_MAGIC, HEADER_BYTES, FrameHeader, FrameKind, crc_of, parse_frame_header
from pipeline.log.journal import Journal
from pipeline.log.manifest import Manifest, SealedPart
from pipeline.log.merge import ENDLESS, Chunk, windows
from pipeline.log.parquet import PartFile, bytes_hash, is_intact, pieces_with_starts
from pipeline.log.reader import JOURNAL
from pipeline.log.recovery import segment_path
from pipeline.log.renumber import Renumbering
from pipeline.log.segments import numbers
from pipeline.log.store import CODE, Store
from pipeline.provenance import Mode

_WINDOW_ROWS: Final = 4_096


class Salvaged(msgspec.Struct, frozen=True):
    """What a salvage brought home."""

    id: str
    inputs: int
    """Inputs kept, without the gap events."""
    derived: int
    lost_inputs: int
    """Inputs known to be missing; what stood behind the last row that is left can't be counted."""
    dropped_derived: int
    """Derived rows whose input is lost."""
    damage: list[Damage]


def salvage(store: Store, id_: str, *, created_ns: int) -> Salvaged:
    """Copy what can be proved of a session or run into a new one, `recovered`, with the old one as its parent.

    Raises NotFoundError when there is no such folder; the id must be exact, for a damaged log has no readable name.
    """
    folder = store.folder(id_)
    if not folder.is_dir():
        raise NotFoundError(f"no session or run {id_!r} in {store.home}")
    report = check_log(folder, store.disk)
    old = _readable_manifest(folder)
    is_run = folder.parent == store.folder("r-x").parent
    made = _new(store, id_, old, is_run=is_run, created_ns=created_ns)
    target = store.folder(made.id)
    renumbering = Renumbering(id_, is_run=is_run)
    with Journal.create(
        target / JOURNAL, log_id=bytes.fromhex(made.log_id), is_derived_only=is_run, disk=store.disk
    ) as journal:
        for window in windows(_sources(store.disk, folder, old), 0, ENDLESS - 1, _WINDOW_ROWS):
            for kind, blocks in renumbering.renumbered(window.blocks):
                if blocks:
                    journal.append(kind, blocks)
    manifest.update(target, store.disk, state="recovered")
    return Salvaged(
        made.id, renumbering.inputs, renumbering.derived, renumbering.lost, renumbering.dropped, report.damage
    )


def _readable_manifest(folder: Path) -> Manifest | None:
    for name in (manifest.MANIFEST, manifest.COPY):
        try:
            return manifest.load(folder, name)
        except LogError:
            continue
    return None


def _new(store: Store, id_: str, old: Manifest | None, *, is_run: bool, created_ns: int) -> Manifest:
    kept = ("settings", "strategies", "packages", "platform", "seed", "checkpoint_every", "refused")
    facts = {name: getattr(old, name) for name in kept} if old else {}
    mode = old.mode if old else Mode.IMPORT
    if is_run:
        parents = old.parents if old else ()
        made = store.create_run(
            f"{id_.removeprefix('r-')}-salvaged", mode=mode, created_ns=created_ns, parents=parents, **facts
        )
    else:
        made = store.create_session(f"{id_}-salvaged", mode=mode, created_ns=created_ns, parents=(id_,), **facts)
    code = _intact_code(store.folder(id_) / CODE, old) if old else {}
    return store.keep_code(made.id, code) if code else made


def _intact_code(folder: Path, old: Manifest) -> dict[str, str]:
    sources = {name: folder / name for name in old.code if (folder / name).is_file()}
    return {name: path.read_text() for name, path in sources.items() if bytes_hash(path.read_bytes()) == old.code[name]}


def _sources(disk: Disk, folder: Path, old: Manifest | None) -> list[Iterator[Chunk]]:
    """All rows that can be proved: a source per part and one per kind of frame, each in its order."""
    sealed = old.sealed.segment if old else 0
    parts = old.parts if old else ()
    return [
        *(_part_chunks(folder / part.file, part) for part in parts),
        _frame_chunks(disk, folder / JOURNAL, FrameKind.INPUTS, sealed),
        _frame_chunks(disk, folder / JOURNAL, FrameKind.DERIVED, sealed),
    ]


def _part_chunks(path: Path, part: SealedPart) -> Iterator[Chunk]:
    """The sound row groups of a part, if its footer is sound: nothing else may be given to a Parquet library."""
    pieces = pieces_with_starts(part)
    if not path.is_file() or not is_intact(path, *pieces[-1]):
        return
    groups = [index for index, piece in enumerate(pieces[:-1]) if is_intact(path, *piece)]
    file = PartFile(path)
    for group in groups:
        for block in file.blocks(groups=[group], rows=_WINDOW_ROWS):
            yield Chunk([block], int(block.number("seq")[-1]) - (part.stretch != "inputs"))


def _frame_chunks(disk: Disk, folder: Path, kind: FrameKind, sealed_segment: int) -> Iterator[Chunk]:
    reached = 0
    for number in numbers(disk, folder):
        if number <= sealed_segment:
            continue
        for header, payload in intact_frames(segment_path(folder, number).read_bytes()):
            # A stale frame, of a file that was there before, would go back in seq.
            if header.kind is kind and header.first_seq > reached - (kind is FrameKind.DERIVED):
                reached = header.last_seq
                yield Chunk(_decoded(payload), reached - (kind is FrameKind.DERIVED))


def intact_frames(content: bytes) -> Iterator[tuple[FrameHeader, memoryview]]:
    """Every frame of a segment that is whole in itself and stands where it says, whatever lies between them."""
    view, at, segment_crc = memoryview(content), content.find(FRAME_MAGIC), None
    while at >= 0:
        header = _header_at(content, at)
        end = at + 1
        if header and header.end <= len(content) and segment_crc in (None, header.segment_crc):
            payload = view[at + HEADER_BYTES : header.end]
            if crc_of(payload) == header.payload_crc:
                yield header, payload
                segment_crc, end = header.segment_crc, header.end
        at = content.find(FRAME_MAGIC, end)


def _header_at(content: bytes, at: int) -> FrameHeader | None:
    head = content[at : at + HEADER_BYTES]
    try:
        header = parse_frame_header(head) if len(head) == HEADER_BYTES else None
    except SchemaError:
        return None
    return header if header and header.offset == at else None


def _decoded(payload: memoryview) -> Blocks:
    try:
        return codec.decode(payload)
    except SchemaError:
        return []
