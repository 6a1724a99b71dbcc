"""Halting: the kill switch. Files in the store that every recording heeds when it begins, and a request to all that run.

`HALTED` in the store is of all sessions; one in an account's folder is of those that trade on it, and written by a loss
(`run.guarding`). The first line says HALTED or REDUCING (enter nothing, close nothing), the rest why. A file that somebody made by
hand, whatever it says or is, halts.
"""

from pathlib import Path
from typing import Final, NamedTuple

from pipeline.codes import RequestAction
from pipeline.core.operator import GUARD
from pipeline.errors import NotFoundError
from pipeline.log.disk import publish
from pipeline.log.store import Store
from pipeline.run.control import Request, ask

HALT_FILE: Final = "HALTED"
_WORDS: Final = {"HALTED": False, "REDUCING": True}
"""What the first line says, and whether that is to reduce only."""


class Halt(NamedTuple):
    """Why nothing may be entered, and whether that is all: what is held is closed too unless it `is_reducing`."""

    reason: str
    is_reducing: bool = False
    source: str = ""
    """Whom it is from; '': a person."""

    @property
    def request(self) -> Request:
        """As it is asked of a session."""
        return Request(
            (RequestAction.REDUCE if self.is_reducing else RequestAction.HALT).name, self.source, self.reason
        )


class Told(NamedTuple):
    """What a session that is open said to a request: `seq` of the input it became, or why not."""

    session: str
    seq: int
    error: str


def halt(store: Store, why: Halt) -> list[Told]:
    """Leave the file, durably, and ask every session that is being recorded; what each of them said.

    They are asked even where the file can't be written; then it raises OSError.
    """
    try:
        persist(store, why)
    finally:
        told = tell_all(store, why.request)
    return told


def persist(store: Store, why: Halt, account: str = "") -> None:
    """Leave the file, of all or of one account, durably. A halt stays one, though somebody asks for less."""
    path = _file(store, account)
    before = _read(path)
    if before is not None and why.is_reducing and not before.is_reducing:
        return
    store.disk.make_folder(path.parent)
    word = next(word for word, is_reducing in _WORDS.items() if is_reducing is why.is_reducing)
    publish(store.disk, path, f"{word}\n{why.reason}\n".encode())


def reset(store: Store, reason: str) -> list[Told]:
    """Take the files away, then let every session trade again that is being recorded; each keeps the reason."""
    for path in (_file(store), *(store.home / "accounts").glob(f"*/{HALT_FILE}")):
        if path.exists():
            path.unlink()
            store.disk.sync_folder(path.parent)
    return tell_all(store, Request(RequestAction.RESET.name, text=reason))


def halted(store: Store, account: str = "") -> Halt | None:
    """Why nothing may be entered, in any session or on this account; None when it may."""
    found = [_read(_file(store))]
    if account and (own := _read(_file(store, account))) is not None:
        found.append(own._replace(source=GUARD))
    return min((why for why in found if why is not None), key=lambda why: why.is_reducing, default=None)


def _read(path: Path) -> Halt | None:
    try:
        told = path.read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError:  # a folder of that name, one that we may not read: somebody meant it
        return Halt("halted")
    word, _, reason = told.partition("\n")
    if word in _WORDS:
        return Halt(reason.strip() or "halted", _WORDS[word])
    return Halt(told or "halted")


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


def _file(store: Store, account: str = "") -> Path:
    return (store.account_folder(account) if account else store.home) / HALT_FILE
