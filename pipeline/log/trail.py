"""Trail: what an engine remembered at waypoints along a session, so that any other moment is near one. Deleting it loses nothing.

    cache/trails/<name>/index.json    what it is of, for people and for whoever asks whether code is the same
    cache/trails/<name>/trail         waypoints, one behind the other

The name is a hash of all that decides a state: the session's sealed parts, the plan, the code. A waypoint is a header with
its own hash, then the state and the moves since the waypoint before it, compressed, with theirs. So what a crash left, or
what damage reached, ends the trail at the last waypoint that is whole; whoever needs more writes on from there.

Waypoints are SPACING inputs apart; each further SIZE_STEP bytes of states double the distance, so their size grows with the
logarithm of the session's length. Counted before they are compressed, so that who leaves one knows where the next belongs while it
is still being written. Trails share a limit; the least recently used goes first.
"""

import contextlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, Self

import msgspec
import pyarrow as pa
from blake3 import blake3

from pipeline.errors import CorruptError, LockedError
from pipeline.log import cache, proved
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.lock import Lock

FOLDER: Final = "cache/trails"
FILE: Final = "trail"
LIMIT_VARIABLE: Final = "TAPE_TRAILS_GIB"
LIMIT_BYTES: Final = 2 << 30

SPACING: Final = 32_768
"""Inputs between waypoints: reduced interpreted in a quarter of a second; leaving them costs a compiled replay a tenth of that for each million."""

SIZE_STEP: Final = 64 << 20
"""Bytes of states, not compressed, after which waypoints are twice as far apart."""

_MAGIC: Final = b"WAY1"
_FIELDS: Final = struct.Struct("<4sqqIIII32s")
"""Magic; seq; session time; bytes of state and moves, each compressed and not; hash of what follows the header."""
_PROOF_BYTES: Final = 8
_HEADER_BYTES: Final = _FIELDS.size + _PROOF_BYTES


class Waypoint(NamedTuple):
    """A place on a trail. `moves` are the transitions behind the waypoint before it, up to this one."""

    seq: int
    now_ns: int
    """Session time there."""
    state: bytes
    moves: bytes


class Place(NamedTuple):
    """Where a waypoint lies in the file."""

    seq: int
    now_ns: int
    offset: int
    sizes: tuple[int, int, int, int]
    blake3: bytes

    @property
    def end(self) -> int:
        """Byte behind it."""
        return self.offset + _HEADER_BYTES + self.sizes[0] + self.sizes[2]


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a trail is of."""

    session: str
    plan: dict[str, Any]
    code: dict[str, str]
    """blake3 of each source file."""


class Trail:
    """The waypoints of one folder; closed by `with`. Written by who gets its lock, read by anybody."""

    def __init__(self, folder: Path, *, is_written: bool = False) -> None:
        """Raises FileNotFoundError when nothing is there, LockedError when another one writes it, OSError."""
        self._lock = Lock(folder / LOCK) if is_written else None
        try:
            self._file: BinaryIO = (folder / FILE).open("r+b" if is_written else "rb")
        except BaseException:
            if self._lock:
                self._lock.release()
            raise
        self.places = _walked(self._file)
        with contextlib.suppress(OSError):  # reading needs no right to write
            os.utime(folder / cache.INDEX)

    @property
    def is_written(self) -> bool:
        """Whether this one may write."""
        return self._lock is not None

    @property
    def end_seq(self) -> int:
        """The last waypoint's `seq`; 0 without any."""
        return self.places[-1].seq if self.places else 0

    @property
    def state_bytes(self) -> int:
        """Bytes of all its states, not compressed."""
        return sum(place.sizes[1] for place in self.places)

    def place_before(self, seq: int) -> Place | None:
        """The last waypoint at or before a `seq`."""
        return next((place for place in reversed(self.places) if place.seq <= seq), None)

    def place_until(self, ts_ns: int) -> Place | None:
        """The last waypoint at which session time was not later."""
        return next((place for place in reversed(self.places) if place.now_ns <= ts_ns), None)

    def read(self, place: Place) -> Waypoint:
        """A waypoint. Raises CorruptError when its bytes are not what was written; the trail then ends before it."""
        self._file.seek(place.offset + _HEADER_BYTES)
        packed, size, packed_moves, size_moves = place.sizes
        content = self._file.read(packed + packed_moves)
        if blake3(content).digest() != place.blake3:
            self.places = self.places[: self.places.index(place)]
            raise CorruptError(self._file.name, place.offset, "a waypoint is not what was written")
        return Waypoint(
            place.seq, place.now_ns, _unpacked(content[:packed], size), _unpacked(content[packed:], size_moves)
        )

    def add(self, waypoint: Waypoint) -> None:
        """One more behind the last; what else lay there is gone."""
        assert self.is_written
        assert waypoint.seq > self.end_seq
        state, moves = (pa.compress(part, "zstd", asbytes=True) for part in (waypoint.state, waypoint.moves))
        sizes = (len(state), len(waypoint.state), len(moves), len(waypoint.moves))
        offset = self.places[-1].end if self.places else 0
        proof = blake3(state + moves).digest()
        fields = _FIELDS.pack(_MAGIC, waypoint.seq, waypoint.now_ns, *sizes, proof)
        self._file.seek(offset)
        self._file.truncate()
        self._file.write(fields + blake3(fields).digest(_PROOF_BYTES) + state + moves)
        self.places.append(Place(waypoint.seq, waypoint.now_ns, offset, sizes, proof))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # the disk is full: the trail ends where it ends
            self._file.close()
        if self._lock:
            self._lock.release()


def next_seq(end_seq: int, state_bytes: int) -> int:
    """Where the next waypoint belongs on a trail that ends there, with so many bytes of states."""
    spacing: int = SPACING << (state_bytes // SIZE_STEP)
    return (end_seq // spacing + 1) * spacing


def name_of(session: str, plan: Mapping[str, Any], code: str) -> str:
    """A trail's name from the session's content, the plan and the code: each of them changes it."""
    text = msgspec.json.encode([_MAGIC.decode(), session, plan], order="deterministic")
    return f"{blake3(text).hexdigest()[:24]}-{code[:24]}"


def found(home: Path, session: str, plan: Mapping[str, Any]) -> list[tuple[Path, About]]:
    """The trails of a session and a plan, whatever their code, last used first."""
    stem = name_of(session, plan, "")
    folders = sorted((home / FOLDER).glob(f"{stem}*/{cache.INDEX}"), key=lambda path: -path.stat().st_mtime_ns)
    trails = []
    for path in folders:
        with contextlib.suppress(OSError, CorruptError):
            trails.append((path.parent, proved.read(path, About)))
    return trails


def opened(home: Path, name: str, about: About) -> Trail | None:
    """The trail of this name, made when there is none, to be written if nobody else does.

    None when there is none and can be none: no room, no right to write.
    """
    folder = home / FOLDER / name
    try:
        if not (folder / cache.INDEX).is_file():
            limit = cache.limit_bytes(home, FOLDER, LIMIT_VARIABLE, LIMIT_BYTES)
            if not limit:
                return None
            folder.mkdir(parents=True, exist_ok=True)
            cache.make_room(folder.parent, limit)
            (folder / FILE).touch()
            cache.write(folder / cache.INDEX, about)
        return Trail(folder, is_written=True)
    except (LockedError, OSError):
        with contextlib.suppress(OSError):
            return Trail(folder)
    return None


def entries(home: Path) -> list[cache.Entry]:
    """The trails of a store, least recently used first."""
    return cache.entries_of(home / FOLDER)


def clear(home: Path) -> int:
    """Drop every trail; how many bytes that gave back."""
    dropped = entries(home)
    for entry in dropped:
        cache.drop(home / FOLDER / entry.key)
    return sum(entry.size for entry in dropped)


def _walked(file: BinaryIO) -> list[Place]:
    """The waypoints whose headers are whole and whose bytes are there."""
    places: list[Place] = []
    file.seek(0, os.SEEK_END)
    length, offset, seq = file.tell(), 0, 0
    while offset + _HEADER_BYTES <= length:
        file.seek(offset)
        header = file.read(_HEADER_BYTES)
        fields = header[: _FIELDS.size]
        if blake3(fields).digest(_PROOF_BYTES) != header[_FIELDS.size :]:
            break
        magic, at, now_ns, *sizes, proof = _FIELDS.unpack(fields)
        place = Place(at, now_ns, offset, tuple(sizes), proof)
        if magic != _MAGIC or at <= seq or place.end > length:
            break
        places.append(place)
        offset, seq = place.end, at
    return places


def _unpacked(content: bytes, size: int) -> bytes:
    raw: bytes = pa.decompress(content, size, "zstd", asbytes=True)
    return raw
