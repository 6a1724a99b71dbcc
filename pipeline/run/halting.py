"""Halting: the kill switch. A file in the store that every recording heeds when it begins, and a request to all that run."""

from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import NotFoundError
from pipeline.log.disk import put
from pipeline.log.store import Store
from pipeline.run.control import Request, ask

HALT_FILE: Final = "HALTED"


class Told(NamedTuple):
    """What a session that is open said to a request: `seq` of the input it became, or why not."""

    session: str
    seq: int
    error: str


def halt(store: Store, reason: str) -> list[Told]:
    """Leave the file, durably, then ask every session that is being recorded; what each of them said."""
    store.home.mkdir(parents=True, exist_ok=True)
    put(store.disk, _file(store), f"{reason}\n".encode())
    store.disk.sync_folder(store.home)
    return tell_all(store, Request("HALT", text=reason))


def reset(store: Store) -> list[Told]:
    """Take the file away, then let every session trade again that is being recorded."""
    _file(store).unlink(missing_ok=True)
    if store.home.is_dir():
        store.disk.sync_folder(store.home)
    return tell_all(store, Request("RESET"))


def halted(store: Store) -> str | None:
    """Why nothing may be traded; None when it may."""
    try:
        return _file(store).read_text().strip() or "halted"
    except FileNotFoundError:
        return None


def tell_all(store: Store, request: Request) -> list[Told]:
    """Ask every session that is being recorded."""
    told = []
    for manifest in store.sessions():
        if manifest.state != "open":
            continue
        try:
            answer = ask(store.folder(manifest.id), request)
        except NotFoundError:
            continue  # open, but its writer is gone: the file waits for whoever goes on
        told.append(Told(manifest.id, answer.seq, "" if answer.ok else answer.error))
    return told


def _file(store: Store) -> Path:
    return store.home / HALT_FILE
