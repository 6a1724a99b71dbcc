"""Manifest: what a session or run is, in one JSON file that proves itself.

The file carries the blake3 of its own text and is refused when a single byte of it is not as it was written. It is
replaced whole (tmp, sync, rename, sync of the folder), so a crash leaves the old one or the new one, and it alone says
which sealed parts count: a file it does not name is a leftover. A copy beside it is for salvage: without the hashes in
it, one flipped bit here would take the proof from everything that was sealed.
"""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
from blake3 import blake3

from pipeline.codes import Kind
from pipeline.errors import ConfigError, CorruptError, NotFoundError, SchemaError
from pipeline.events import LAYOUTS
from pipeline.log.disk import Disk, RealDisk, publish
from pipeline.log.durable import Cursor
from pipeline.provenance import Mode

MANIFEST: Final = "manifest.json"
COPY: Final = "manifest.copy.json"
SCHEMA_VERSION: Final = 1
WRITER: Final = "tapeworks 0.1.0"

NOTHING_SEALED: Final = Cursor(0, 0, 0, 0, b"")
"""`sealed` of a log that has no sealed part."""

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH_OR_NONE: Final = re.compile(r"(?:[0-9a-f]{64})?", re.ASCII)
_LOG_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PART: Final = re.compile(r"events/kind=([a-z0-9_]+)/(?:part|inputs|derived)-[0-9]{5,12}\.parquet", re.ASCII)
_CODE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)

What = Literal["session", "run"]
State = Literal["open", "ended", "recovered", "sealed"]
Stretch = Literal["inputs", "derived", "all"]


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row group of a sealed file, or its footer (then no rows), from where the piece before ends."""

    end: int
    """Byte, exclusive."""
    blake3: str
    rows: int
    first_seq: int
    last_seq: int


class SealedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Parquet file of one kind. `stretch` says which rows: those sealed while recording keep inputs and derived apart."""

    file: str
    """Path within the folder, with forward slashes."""
    kind: str
    stretch: Stretch
    size: int
    """Bytes."""
    blake3: str
    """Of the whole file."""
    rows: int
    first_seq: int
    last_seq: int
    chain_in: str
    """Hash of the journal at which the rows begin; with `chain_out` it says which frames they were."""
    chain_out: str
    layout_version: int
    pieces: tuple[Piece, ...]
    writer: str = WRITER


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The codes a strategy has words for, so that a log can be read without running what it keeps."""

    phases: dict[str, int] = {}
    gates: dict[str, int] = {}
    reasons: dict[str, int] = {}
    outputs: dict[str, int] = {}
    messages: dict[str, int] = {}
    templates: dict[str, str] = {}
    """The messages' texts by their words, with {a}, {b} and {c} where the numbers go."""


NO_WORDS: Final = Words()


class StrategyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A strategy that ran; its place in the list, from 1, is the `strategy_id` of the rows."""

    name: str
    params: dict[str, bool | int | float | str]
    code_hash: str
    words: Words = NO_WORDS


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a folder of the store holds."""

    schema_version: int = SCHEMA_VERSION
    id: str
    what: What
    mode: Mode
    state: State = "open"
    log_id: str
    """32 hexadecimal digits that no other log has."""
    created_ns: int
    """UTC nanoseconds by the clock of who made it."""
    kinds: dict[str, int] = {}
    """Rows of each kind."""
    inputs: int = 0
    derived: int = 0
    first_seq: int = 0
    last_seq: int = 0
    first_ts_ns: int = 0
    """Smallest and largest session time (`ts_recv_ns`) of an input, or of a derived row in a run; 0: no rows."""
    last_ts_ns: int = 0
    refused: int = 0
    """Messages or rows that could not become events."""
    settings: dict[str, object] = {}
    strategies: tuple[StrategyEntry, ...] = ()
    code_hash: str = ""
    code: dict[str, str] = {}
    """blake3 of each file under `code/`."""
    packages: dict[str, str] = {}
    platform: str = ""
    seed: int = 0
    parents: tuple[str, ...] = ()
    instruments: tuple[dict[str, int | str], ...] = ()
    """Of a run: its session's last row of each instrument, columns with their default left out. So a run can be read
    when its session is gone."""
    chain_head: str = ""
    """Hash of the journal's last frame."""
    epoch: int = 0
    sealed: Cursor = NOTHING_SEALED
    """Up to where the journal is in sealed parts: segments up to this one may be dropped."""
    parts: tuple[SealedPart, ...] = ()
    decisions_hash: str = ""
    state_hash: str = ""
    checkpoint_every: int = 0
    """Inputs between two state hashes; 0: none were taken."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will be appended."""
        return self.state != "open"

    def parts_of(self, kind: Kind) -> list[SealedPart]:
        """The sealed files of one kind, in their order."""
        return [part for part in self.parts if part.kind == kind.name.lower()]


class _Envelope(msgspec.Struct, frozen=True):
    manifest: msgspec.Raw


class _Version(msgspec.Struct, frozen=True):
    schema_version: int


_MANIFEST_TEXT: Final = msgspec.json.Encoder(order="deterministic")
_one_writer: Final = threading.Lock()
"""The recorder's core and its background sealing both change the manifest, in one process."""


def encode(manifest: Manifest) -> bytes:
    """The file's bytes: the manifest and the blake3 of its text."""
    return _sealed(msgspec.json.format(_MANIFEST_TEXT.encode(manifest), indent=2))


def _sealed(text: bytes) -> bytes:
    """The one spelling of a file with this text: with its hash in front, so not a byte more or less is possible."""
    return b'{\n"blake3": "' + blake3(text).hexdigest().encode() + b'",\n"manifest": ' + text + b"\n}\n"


def decode(text: bytes, path: Path) -> Manifest:
    """The manifest in a file's bytes.

    Raises SchemaError for another version or an unknown key, CorruptError when a byte is not as it was written.
    """
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
        version = msgspec.json.decode(envelope.manifest, type=_Version).schema_version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptError(path, 0, f"no manifest: {error}") from None
    if _sealed(bytes(envelope.manifest)) != text:
        raise CorruptError(path, 0, "the manifest's text is not the one whose hash is written in front of it")
    if version != SCHEMA_VERSION:
        raise SchemaError(f"{path}: manifest version {version} is unknown; this version knows {SCHEMA_VERSION}")
    try:
        manifest = msgspec.json.decode(envelope.manifest, type=Manifest)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"{path}: {error}") from None
    _check(manifest, path)
    return manifest


def load(folder: Path, name: str = MANIFEST) -> Manifest:
    """The manifest of a session's or run's folder. Raises NotFoundError, SchemaError, CorruptError."""
    path = folder / name
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{folder}: no {name}, so this is no session and no run") from None
    return decode(text, path)


def save(folder: Path, manifest: Manifest, disk: Disk | None = None) -> None:
    """Write the manifest; durable when this returns. Raises OSError."""
    _check(manifest, folder / MANIFEST)
    disk, text = disk or RealDisk(), encode(manifest)
    publish(disk, folder / MANIFEST, text)
    publish(disk, folder / COPY, text)


def update(folder: Path, disk: Disk | None = None, **changes: object) -> Manifest:
    """Write the manifest with these fields changed, and return it. Threads of one process take turns."""
    with _one_writer:
        manifest = replaced(load(folder), **changes)
        save(folder, manifest, disk)
    return manifest


def replaced(manifest: Manifest, **changes: object) -> Manifest:
    """A copy with these fields changed."""
    return msgspec.structs.replace(manifest, **changes)


def code_hash(files: dict[str, str]) -> str:
    """One hash for a set of source files, given each one's; the order they come in changes nothing."""
    return blake3("".join(f"{name}\0{files[name]}\n" for name in sorted(files)).encode()).hexdigest()


def checked_code_name(name: str) -> str:
    """The same name of a source file. Raises ConfigError when it could leave its folder."""
    if not _CODE_NAME.fullmatch(name) or len(name) > 200:
        raise ConfigError(
            f"{name[:80]!r} is no name of a source file: words with / between them, none beginning with a dot"
        )
    return name


def _check(manifest: Manifest, path: Path) -> None:
    """Refuse a kind or layout this code does not know, and a text that may become a path and is not spelled like it.

    Manifests come from far away, too, and their hash says only that nobody changed them since. Raises SchemaError.
    """
    known = {kind.name.lower(): layout.version for kind, layout in LAYOUTS.items()}
    for name in manifest.kinds:
        if name not in known:
            raise SchemaError(f"{path}: event kind {name!r} is unknown to this version")
    for part in manifest.parts:
        if known.get(part.kind) != part.layout_version:
            raise SchemaError(f"{path}: {part.kind} version {part.layout_version} is unknown to this version")
        match = _PART.fullmatch(part.file)
        if match is None or match[1] != part.kind:
            raise SchemaError(f"{path}: {part.file[:80]!r} is no part: events/kind={part.kind}/part-00001.parquet")
    for where, text, spelling in _spelled(manifest):
        if not spelling.fullmatch(text):
            digits = 32 if spelling is _LOG_ID else 64
            raise SchemaError(f"{path}: {where} is {text[:80]!r}, which is not {digits} hexadecimal digits")
    try:
        for name in manifest.code:
            checked_code_name(name)
    except ConfigError as error:
        raise SchemaError(f"{path}: {error}") from None


def _spelled(manifest: Manifest) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    """Where each hash stands, itself, and how it is spelled."""
    yield "log_id", manifest.log_id, _LOG_ID
    yield "code_hash", manifest.code_hash, _HASH_OR_NONE
    yield "chain_head", manifest.chain_head, _HASH_OR_NONE
    for name, text in manifest.code.items():
        yield f"code of {name[:80]!r}", text, _HASH
    for part in manifest.parts:
        yield f"blake3 of {part.file}", part.blake3, _HASH
        yield f"chain_in of {part.file}", part.chain_in, _HASH_OR_NONE
        yield f"chain_out of {part.file}", part.chain_out, _HASH_OR_NONE
        for piece in part.pieces:
            yield f"blake3 of a piece of {part.file}", piece.blake3, _HASH
