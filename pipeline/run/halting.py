"""Halting: the kill switch. A file in the store that every recording heeds when it begins, and a request to all that run.

The file says why: `news I don't understand` halts, `REDUCING: daily loss` only keeps entries back. One that somebody made by
hand, whatever it says, halts.
"""

from pathlib import Path
from typing import Final, NamedTuple

from pipeline.codes import RequestAction
from pipeline.errors import NotFoundError
from pipeline.log.disk import put
from pipeline.log.store import Store
from pipeline.run.control import Request, ask

HALT_FILE: Final = "HALTED"
_REDUCING: Final = "REDUCING: "


class Halt(NamedTuple):
    """Why nothing may be entered, and whether that is all: what is held is closed too unless it `is_reducing`."""

    reason: str
    is_reducing: bool = False

    @property
    def request(self) -> Request:
        """As it is asked of a session."""
        return Request((RequestAction.REDUCE if self.is_reducing else RequestAction.HALT).name, text=self.reason)


class Told(NamedTuple):
    """What a session that is open said to a request: `seq` of the input it became, or why not."""

    session: str
    seq: int
    error: str


def halt(store: Store, why: Halt) -> list[Told]:
    """Leave the file, durably, then ask every session that is being recorded; what each of them said."""
    persist(store, why)
    return tell_all(store, why.request)


def persist(store: Store, why: Halt) -> None:
    """Leave the file, durably. A halt stays one, though somebody asks for less."""
    before = halted(store)
    if before is not None and why.is_reducing and not before.is_reducing:
        return
    store.home.mkdir(parents=True, exist_ok=True)
    put(store.disk, _file(store), f"{_REDUCING if why.is_reducing else ''}{why.reason}\n".encode())
    store.disk.sync_folder(store.home)


def reset(store: Store, reason: str) -> list[Told]:
    """Take the file away, then let every session trade again that is being recorded; each keeps the reason."""
    _file(store).unlink(missing_ok=True)
    if store.home.is_dir():
        store.disk.sync_folder(store.home)
    return tell_all(store, Request(RequestAction.RESET.name, text=reason))


def halted(store: Store) -> Halt | None:
    """Why nothing may be entered; None when it may."""
    try:
        told = _file(store).read_text().strip()
    except FileNotFoundError:
        return None
    return Halt(told.removeprefix(_REDUCING) or "halted", told.startswith(_REDUCING))


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
