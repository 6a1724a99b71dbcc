"""Pushing: a sealed session or run into a far store, its manifest last.

    1  look at what is there: another log of this name is refused, this very one is done
    2  the parts and the sources, each read once and compared with its hash before its upload is completed
    3  a claim: an object of this push's own that says which log is about to come
    4  look again: every object is there in its size, and no other log of this name, nor the claim of one
    5  the manifest                                               <- from here on it is seen
    6  the claim is taken back

Whatever ends a push before 5 leaves objects that nobody sees, and that the next push finds, reads, and leaves out when
they are whole: nobody proved them yet, and from 5 on nobody writes them anew unless he is told to.

All that push one log write the same bytes under the same names. Of two logs of one name one at most comes to 5, however many
push and however their steps fall: whoever claims later looks later, and finds the other's claim or manifest. So nothing that is
seen is ever taken back; both may be refused. One machine that sleeps for an hour inside of 5 is beyond it: of two that are there
the older one counts then. It needs a store that lists what was put before, as those that speak S3 do: that a
store refuses to write a name twice can't be asked for through pyarrow. A claim that a killed push left means nothing after an hour.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError, FarError, LogError
from pipeline.log import manifest
from pipeline.log.arriving import part_path, prove_kept
from pipeline.log.far import (
    CHUNK_BYTES,
    Far,
    Object,
    claim_name,
    claimed_by,
    code_name,
    folder_of,
    log_id_in,
    manifest_name,
    part_name,
    several,
    unless,
)
from pipeline.log.manifest import Manifest, checked_code_name
from pipeline.log.store import CODE, Store
from pipeline.units import NANO

CLAIMED_NS: Final = 3_600 * NANO
"""Age of a claim behind which nobody lives who may still act on it: it stands for the moment between a look and a write."""
_ACTED_ON_S: Final = 1_800
"""Age at which a push itself gives its claim up: the write behind it, with all its tries, takes minutes at most."""
_TAKEN_BACK: Final = b"done"


class Pushed(NamedTuple):
    """What a push did."""

    id: str
    is_new: bool
    """Whether it was not there before."""
    objects: int
    """Written now."""
    bytes: int
    skipped: int
    """Objects that were there."""


class _Item(NamedTuple):
    name: str
    size: int
    blake3: str
    put: Callable[[Event], None]
    """Upload it, until nobody waits for it any more."""


def push(
    store: Store, id_: str, far: Far, *, again: bool = False, arrived: Callable[[int], None] = lambda _: None
) -> Pushed:
    """Put a sealed session or run of this id into a far store.

    `again` writes what is there, too. `arrived` is told how many bytes more are there, from several threads.
    Raises LogError when it is not sealed, ConfigError when another log has its name there, CorruptError when it is
    damaged here, FarError.
    """
    folder, of = store.folder(id_), store.manifest(id_)
    if of.state != "sealed":
        raise LogError(f"{id_}: only what is sealed can be pushed; `tape sessions seal {id_}`")
    there = far.listed(folder_of(of))
    _refuse_other(far, of, there)
    has_manifest = any(log_id_in(name) == of.log_id for name in there)
    if has_manifest and not again:
        return Pushed(id_, is_new=False, objects=0, bytes=0, skipped=len(there))
    content = manifest.encode(of)
    items = [*_parts(far, folder, of), *_code(far, folder, of)]
    wanted = items if again else _missing(far, items, there)
    _put_all(wanted, arrived)
    name, claim = manifest_name(of, content), claim_name(of, secrets.token_hex(8))
    begun_s = _elapsed_s()
    far.put(claim, [of.log_id.encode()])
    try:
        found = _looked_again(far, of, items, claim, begun_s)
    except BaseException:
        _take_back(far, claim)
        raise
    if again or name not in found:
        far.put(name, [content])  # one that fails may still come: then the claim stays
    _take_back(far, claim)
    return Pushed(
        id_,
        not has_manifest,
        len(wanted) + 1,
        sum(item.size for item in wanted) + len(content),
        len(items) - len(wanted),
    )


def _looked_again(far: Far, of: Manifest, items: list[_Item], claim: str, begun_s: float) -> dict[str, Object]:
    """What is there behind our claim. Raises ConfigError, FarError where the manifest may not come."""
    found = far.listed(folder_of(of))
    _refuse_other(far, of, found)
    _refuse_claimed(far, of, found, claim)
    _check_arrived(far, items, found)
    if _elapsed_s() - begun_s > _ACTED_ON_S:
        raise FarError(f"{far.place}/{claim}: this took so long that others may not believe it any more; push it again")
    return found


def _elapsed_s() -> float:
    """Seconds by a clock that goes on while the machine sleeps, and that nobody sets where the system has such a one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if clock is None else time.clock_gettime(clock)


def _refuse_other(far: Far, of: Manifest, there: dict[str, Object]) -> None:
    """Raises ConfigError when another log has this name."""
    others = {name for name in there if log_id_in(name) not in ("", of.log_id)}
    if others:
        raise ConfigError(
            f"{far.place}/{folder_of(of)}: another log has this name there, {min(map(log_id_in, others))}; this one is "
            f"{of.log_id}. Nothing there was changed: push it to another path (--to)"
        )


def _refuse_claimed(far: Far, of: Manifest, there: dict[str, Object], claim: str) -> None:
    """Raises ConfigError when another log is about to have this name, FarError where a store does not list what was put.

    Ages are told by the store's clock alone; a claim without a time stands: one that just came may be listed so.
    """
    if claim not in there:
        raise FarError(
            f"{far.place}/{claim}: what was just put is not listed there: two that push could not see each other"
        )
    for name, about in there.items():
        is_old = about.written_ns > 0 and there[claim].written_ns - about.written_ns >= CLAIMED_NS
        stands = about.size != len(_TAKEN_BACK) and not is_old
        if stands and claimed_by(name) not in ("", of.log_id):
            raise ConfigError(
                f"{far.place}/{folder_of(of)}: another log of this name is being pushed in this moment, {claimed_by(name)}; this "
                f"one is {of.log_id}, and was left out. If that one does not come, push it again in an hour"
            )


def _check_arrived(far: Far, items: list[_Item], found: dict[str, Object]) -> None:
    """Raises FarError when an object is not there in its size."""
    for item in items:
        size = found.get(item.name, Object(-1, 0)).size
        if size != item.size:
            said = f"{size} bytes of {item.size}" if size >= 0 else "nothing"
            raise FarError(f"{far.place}/{item.name}: {said} arrived; push it again")


def _take_back(far: Far, claim: str) -> None:
    """Written over, not deleted: who pushes needs no right to delete, and a listing tells the two apart by their sizes."""
    with contextlib.suppress(FarError):  # it means nothing before long
        far.put(claim, [_TAKEN_BACK])


def _missing(far: Far, items: list[_Item], there: dict[str, Object]) -> list[_Item]:
    """Those that are not there, with other bytes, or can't be read."""
    whole = set()

    def look(item: _Item, is_over: Event) -> None:
        if there.get(item.name, Object(-1, 0)).size != item.size:
            return
        digest = blake3()
        # Another push may write it in this moment, and not every server does that at a stroke.
        with contextlib.suppress(FarError):
            for chunk in unless(is_over, far.chunks(item.name)):
                digest.update(chunk)
            if digest.hexdigest() == item.blake3:
                whole.add(item.name)

    several("proving", look, items)
    return [item for item in items if item.name not in whole]


def _put_all(items: list[_Item], arrived: Callable[[int], None]) -> None:
    def put(item: _Item, is_over: Event) -> None:
        item.put(is_over)
        arrived(item.size)

    several("pushing", put, sorted(items, key=lambda item: -item.size))


def _parts(far: Far, folder: Path, of: Manifest) -> Iterator[_Item]:
    for part in of.parts:
        path, name = part_path(folder, part), part_name(of, part)
        if not path.is_relative_to(folder):
            prove_kept(folder, path, part)
        yield _Item(name, part.size, part.blake3, _file_put(far, name, path, part.blake3))


def _file_put(far: Far, name: str, path: Path, expected: str) -> Callable[[Event], None]:
    """Upload a file, if it has the hash that it should."""

    def put(is_over: Event) -> None:
        digest = blake3()

        def check() -> None:
            if digest.hexdigest() != expected:
                raise CorruptError(path, 0, "other bytes than were sealed; nothing was pushed")

        def chunks() -> Iterator[bytes]:
            with path.open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    yield chunk

        far.put(name, unless(is_over, chunks()), check)

    return put


def _code(far: Far, folder: Path, of: Manifest) -> Iterator[_Item]:
    """The sources in one object; none when there are none."""
    if of.code:
        content = packed_code(folder, of)
        name = code_name(of)
        yield _Item(name, len(content), blake3(content).hexdigest(), lambda _: far.put(name, [content]))


def packed_code(folder: Path, of: Manifest) -> bytes:
    """The sources of a log as one JSON object, texts by names. Raises CorruptError when one is not what was kept."""
    texts = {}
    for name, digest in of.code.items():
        path = folder / CODE / checked_code_name(name)
        content = path.read_bytes() if path.is_file() else b""
        if blake3(content).hexdigest() != digest:
            raise CorruptError(path, 0, "the source is not the one that was kept; nothing was pushed")
        texts[name] = content.decode()
    return msgspec.json.encode(texts, order="deterministic")
