"""Store: the folder that holds all sessions and runs, and the names by which people call them.

    sessions/<id>/      what was recorded or imported
    runs/<id>/          a strategy over one or more of them
    notes/              remarks on finished sessions: a journal of its own
    reference/          what providers said of instruments: a journal of its own
    scans/              which symbols people picked on which days: a journal of its own
    accounts/<id>/      opening positions, cash, halts of an account: a journal of its own
    montecarlo/         simulations: what was asked and what came of it, a file each

An id is a name and never a path: what is not spelled like one is refused before a file system sees it.
"""

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pipeline.block import Blocks
from pipeline.errors import ConfigError, LockedError, LogError, NotFoundError
from pipeline.log import familiar, lock, manifest
from pipeline.log.arriving import refuse_far, told_of
from pipeline.log.disk import Disk, Held, RealDisk, write_many
from pipeline.log.half_made import RUN_PREFIX, is_half_made
from pipeline.log.manifest import Manifest, What, checked_code_name, code_hash
from pipeline.log.parquet import bytes_hash
from pipeline.log.reader import JOURNAL, read_journal
from pipeline.names import did_you_mean
from pipeline.provenance import Mode
from pipeline.units import NANO

SESSIONS: Final = "sessions"
RUNS: Final = "runs"
SIMULATIONS: Final = "montecarlo"
CODE: Final = "code"
DELETED_PREFIX: Final = ".deleted-"

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_LAST: Final = re.compile(r"last(?:[ -]?(\d{1,6}))?")
_DAYS: Final = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")
_WILD: Final = re.compile(r"[*?\[]")
_WORDS: Final = frozenset(("all", "last", "yesterday", "last-run"))
_HINT_CHARS_MAX: Final = 48


@dataclass(frozen=True, slots=True)
class Removed:
    """What `delete` and `prune` did."""

    deleted: tuple[str, ...]
    held: tuple[str, ...]
    """Left alone: a living process writes them."""
    orphans: tuple[str, ...]
    """Runs that are still there and whose parent is not: they can be read, but not verified any more."""


class Store:
    """All sessions and runs under one folder. Opening a store makes nothing; creating a session does."""

    def __init__(self, home: Path, disk: Disk | None = None) -> None:
        self.home = home
        self.disk = disk or RealDisk()

    @property
    def notes_folder(self) -> Path:
        """The journal of remarks on finished sessions."""
        return self.home / "notes"

    @property
    def reference_folder(self) -> Path:
        """The journal of reference data."""
        return self.home / "reference"

    @property
    def scans_folder(self) -> Path:
        """The journal of people's own lists."""
        return self.home / "scans"

    def account_folder(self, account: str) -> Path:
        """The journal of one account. Raises ConfigError when the name is none."""
        return self.home / "accounts" / checked_id(account)

    def notes(self) -> Iterator[Blocks]:
        """All remarks, oldest first."""
        return read_journal(self.notes_folder, self.disk)

    def account(self, account: str) -> Iterator[Blocks]:
        """All that was stated about an account, oldest first."""
        return read_journal(self.account_folder(account), self.disk)

    def sessions(self) -> list[Manifest]:
        """The sessions whose manifest can be read, oldest first; `unreadable` has the others."""
        return self._listed(SESSIONS)[0]

    def runs(self) -> list[Manifest]:
        """The runs whose manifest can be read, oldest first."""
        return self._listed(RUNS)[0]

    def unreadable(self) -> dict[str, LogError | NotFoundError]:
        """Folders of sessions and runs whose manifest can't be read, and why; not those that a crash left half made."""
        return {**self._listed(SESSIONS)[1], **self._listed(RUNS)[1]}

    def folder(self, id_: str) -> Path:
        """Where a session or run lies, whether or not it is there. Raises ConfigError for what is no id."""
        checked_id(id_)
        return self.home / (RUNS if id_.startswith(RUN_PREFIX) else SESSIONS) / id_

    def manifest(self, id_: str) -> Manifest:
        """The manifest of exactly this id. Raises NotFoundError, CorruptError, SchemaError."""
        return manifest.load(self.folder(id_))

    def lock(self, id_: str) -> Held:
        """Become the one writer of a session or run. Raises LockedError naming the process that is."""
        return self._lock(self.folder(id_))

    def create_session(self, hint: str, *, mode: Mode, created_ns: int, **facts: object) -> Manifest:
        """A new, open session named after the hint (`2024-08-08-btcusdt`, `-2` when taken). `facts` are manifest fields."""
        name = slug(hint) or "session"
        is_taken_word = name in _WORDS or _LAST.fullmatch(name) or name.startswith(RUN_PREFIX)
        return self._create("session", f"s-{name}" if is_taken_word else name, mode, created_ns, facts)

    def create_run(
        self, hint: str, *, mode: Mode, created_ns: int, parents: Sequence[str], **facts: object
    ) -> Manifest:
        """A new, open run over these sessions; its id begins with `r-`."""
        name = RUN_PREFIX + (slug(hint) or "run")
        return self._create("run", name, mode, created_ns, {**facts, "parents": tuple(parents)})

    def claim_run(self, hint: str, *, mode: Mode, created_ns: int, parents: Sequence[str], **facts: object) -> Manifest:
        """The manifest of a run to be made in a folder that is claimed now; see `log.whole`."""
        folder = self.claim(RUN_PREFIX + (slug(hint) or "run"))
        return _first("run", folder.name, mode, created_ns, {**facts, "parents": tuple(parents)})

    def find(self, text: str, *, now_ns: int | None = None, zone: tzinfo = UTC) -> list[Manifest]:
        """What a person means: an id, the beginning of one, `last`, `last 3`, `last-run`, `yesterday`, `all`, `day-2026-1*`.

        Several are sessions, `last-run` is a run, an id may be either.
        `now_ns` and `zone` say which day `yesterday` is. Raises NotFoundError listing what there is; the folder's
        own CorruptError or SchemaError when the one named can't be read; LogError when one that words like `last` may
        mean can't be: it has no place in time.
        """
        text = text.strip()
        (sessions, lost_sessions), (runs, lost_runs) = self._listed(SESSIONS), self._listed(RUNS)
        if text == "last-run":
            _refuse_lost(text, lost_runs)
            return self._found(text, runs[-1:], runs)
        last = _LAST.fullmatch(text)
        if _WILD.search(text):
            _refuse_lost(text, lost_sessions)
            return self._found(text, [each for each in sessions if fnmatchcase(each.id, text)], sessions)
        if last or text == "all" or (text == "yesterday" and now_ns is not None):
            _refuse_lost(text, lost_sessions)
            if text == "all":
                return sessions
            count = int(last[1] or 1) if last else 0
            chosen = sessions[-count:] if count else []
            if now_ns is not None and not last:
                chosen = _of_day(sessions, now_ns, zone)
            return self._found(text, chosen, sessions)
        return [_named(text, [*sessions, *runs], {**lost_sessions, **lost_runs})]

    def select(self, texts: Iterable[str], *, now_ns: int | None = None) -> list[Manifest]:
        """The sessions that these words mean, by the time of their first event, each once.

        As `find`, where a beginning may be that of several, and two days with `..` between mean all that began on a day
        from the first to the last (UTC). Raises as `find` does.
        """
        chosen: dict[str, Manifest] = {}
        for text in texts:
            days = _DAYS.fullmatch(text.strip())
            sessions = self.sessions()
            if days:
                _refuse_lost(text, self._listed(SESSIONS)[1])
                found = self._found(text, [each for each in sessions if days[1] <= day_of(each) <= days[2]], sessions)
            else:
                begun = [each for each in sessions if text and each.id.startswith(text)]
                is_word = text in _WORDS or _LAST.fullmatch(text) or any(each.id == text for each in begun)
                found = self.find(text, now_ns=now_ns) if is_word or len(begun) < 2 else begun
            for each in found:
                if each.what != "session":
                    raise NotFoundError(f"{each.id} is a run: name its session {', '.join(each.parents)}")
                chosen[each.id] = each
        return sorted(chosen.values(), key=lambda each: (each.first_ts_ns or each.created_ns, each.id))

    def find_one(self, text: str, *, now_ns: int | None = None, zone: tzinfo = UTC) -> Manifest:
        """As `find`, where one is meant. Raises NotFoundError when the words mean several."""
        found = self.find(text, now_ns=now_ns, zone=zone)
        if len(found) != 1:
            raise NotFoundError(f"{text!r} means {len(found)} sessions, one is wanted: {_names(found)}")
        return found[0]

    def session_of(self, log: Manifest) -> Manifest:
        """The session whose inputs a run went over; of a session itself. Raises NotFoundError naming both when it is gone."""
        if log.what == "session":
            return log
        (parent,) = log.parents
        if not self.folder(parent).is_dir():
            raise NotFoundError(
                f"{log.id} is a run over {parent}, which was deleted: a run keeps decisions, and its inputs are gone; "
                "`tape sql` still reads them"
            )
        return self.manifest(parent)

    def keep_code(self, id_: str, files: Mapping[str, str]) -> Manifest:
        """Write the sources that reduce into `code/` and their hashes into the manifest.

        `files` maps a name like `pipeline/core/engine.py` to its text. Raises ConfigError for a name that is a path elsewhere.
        """
        texts = {f"{CODE}/{checked_code_name(name)}": text.encode() for name, text in sorted(files.items())}
        write_many(self.disk, self.folder(id_), texts)
        hashes = {name.removeprefix(f"{CODE}/"): bytes_hash(text) for name, text in texts.items()}
        return manifest.update(self.folder(id_), self.disk, code=hashes, code_hash=code_hash(hashes))

    def delete(self, id_: str) -> Removed:
        """Delete the session or run of exactly this id, readable or not, half made too.

        Raises NotFoundError, LockedError when a living process writes it.
        """
        folder = self.folder(id_)
        if not folder.is_dir():
            known = [*self.sessions(), *self.runs()]
            hint = did_you_mean(id_, [each.id for each in known])
            raise NotFoundError(f"no session or run {id_!r}; there is {_names(known)}{hint}")
        self._delete(folder)
        return Removed((id_,), (), self._orphans())

    def prune(self, *, keep: int | None = None, created_before_ns: int | None = None) -> Removed:
        """Delete sessions: all but the newest `keep`, or those created before a time, or those that are both.

        Raises ConfigError when neither is said. A session that a living process writes is left alone and told.
        """
        if keep is None and created_before_ns is None:
            raise ConfigError("prune: say how many to keep or how old is too old; nothing was deleted")
        chosen = self.sessions()
        if keep is not None:
            chosen = chosen[: max(len(chosen) - keep, 0)]
        if created_before_ns is not None:
            chosen = [session for session in chosen if session.created_ns < created_before_ns]
        deleted, held = [], []
        for session in chosen:
            try:
                self._delete(self.folder(session.id))
                deleted.append(session.id)
            except LockedError:
                held.append(session.id)
        return Removed(tuple(deleted), tuple(held), self._orphans())

    def finish_deleting(self) -> list[str]:
        """Remove what a crash left of deleted sessions; the names removed."""
        left = [path for part in (SESSIONS, RUNS) for path in (self.home / part).glob(f"{DELETED_PREFIX}*")]
        for path in left:
            shutil.rmtree(path)
        return [path.name for path in left]

    def claim(self, name: str) -> Path:
        """A new, empty folder of this id, or of the first free one like it; making a folder is what claims it."""
        root = self.folder(name).parent
        if not name.startswith(RUN_PREFIX):
            refuse_far(self.home, "no session is made in it")
        self.disk.make_folder(root)
        number = 1
        while True:
            folder = root / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder

    def _create(self, what: What, name: str, mode: Mode, created_ns: int, facts: Mapping[str, object]) -> Manifest:
        folder = self.claim(name)
        self.disk.make_folder(folder / JOURNAL)
        # The folder itself must outlive a crash before anything in it can.
        for parent in (folder, folder.parent, self.home):
            self.disk.sync_folder(parent)
        created = _first(what, folder.name, mode, created_ns, facts)
        manifest.save(folder, created, self.disk)
        return created

    def half_made_runs(self) -> set[str]:
        """Runs that are being made in this moment, or were when a crash struck."""
        names = self.disk.names(self.home / RUNS)
        return {name for name in names if _ID.fullmatch(name) and is_half_made(self.home / RUNS / name, self.disk)}

    def drop_half_made_runs(self, known: AbstractSet[str]) -> None:
        """Delete the runs whose makers were killed, but for those known before."""
        for id_ in self.half_made_runs() - known:
            if (self.folder(id_) / JOURNAL / lock.FILE_NAME).is_file():  # else it is being claimed in this moment
                with contextlib.suppress(LockedError):
                    self._delete(self.folder(id_), if_half_made=True)

    def _listed(self, part: str) -> tuple[list[Manifest], dict[str, LogError | NotFoundError]]:
        found: list[Manifest] = []
        problems: dict[str, LogError | NotFoundError] = {}
        root = self.home / part
        for name in filter(_ID.fullmatch, self.disk.names(root)):
            if (known := familiar.known(f"{root}/{name}")) is not None:
                found.append(known)
                continue
            if is_half_made(root / name, self.disk):
                continue
            try:
                found.append(familiar.load(root / name))
            except (LogError, NotFoundError) as error:
                problems[name] = error
        return sorted(found, key=lambda entry: (entry.created_ns, entry.id)), problems

    def _found(self, text: str, found: list[Manifest], among: list[Manifest]) -> list[Manifest]:
        if not found:
            raise NotFoundError(f"{text!r} names nothing in {told_of(self.home)}; there is {_names(among)}")
        return found

    def _delete(self, folder: Path, *, if_half_made: bool = False) -> None:
        """Take it out of sight in one step, then take it apart: a crash in between leaves no half of a session."""
        refuse_far(folder, f"{folder.name} is not deleted")
        held = self._lock(folder)
        try:
            if if_half_made and not is_half_made(folder, self.disk):  # it was finished before the lock was had
                return
            hidden = folder.with_name(f"{DELETED_PREFIX}{secrets.token_hex(4)}-{folder.name}")
            self.disk.rename(folder, hidden)
            self.disk.sync_folder(folder.parent)
            shutil.rmtree(hidden)
        finally:
            held.release()

    def _lock(self, folder: Path) -> Held:
        """The lock of the journal within, the same that its writer takes."""
        self.disk.make_folder(folder / JOURNAL)
        return self.disk.lock(folder / JOURNAL / lock.FILE_NAME)

    def _orphans(self) -> tuple[str, ...]:
        sessions = {session.id for session in self.sessions()}
        return tuple(run.id for run in self.runs() if not sessions.issuperset(run.parents))


def _first(what: What, id_: str, mode: Mode, created_ns: int, facts: Mapping[str, object]) -> Manifest:
    """The manifest of a log in which nothing is yet."""
    made = Manifest(id=id_, what=what, mode=mode, log_id=secrets.token_hex(16), created_ns=created_ns)
    return manifest.replaced(made, **facts)


def checked_id(text: str) -> str:
    """The same id. Raises ConfigError for what is not spelled like one."""
    if not _ID.fullmatch(text):
        raise ConfigError(f"{text[:80]!r} is no id: lower-case letters, digits, _ and -, at most 64 of them")
    return text


def slug(hint: str) -> str:
    """The hint as an id would spell it; may be empty.

    >>> slug("2024-08-08 BTC/USDT")
    '2024-08-08-btc-usdt'
    """
    return re.sub(r"[^a-z0-9_]+", "-", hint.lower(), flags=re.ASCII).strip("-_")[:_HINT_CHARS_MAX].strip("-_")


def _refuse_lost(text: str, lost: Mapping[str, LogError | NotFoundError]) -> None:
    """Raises LogError when a folder that these words may mean can't be read."""
    for id_, error in lost.items():
        raise LogError(f"{text!r} may mean {id_}, which can't be read: {error}; `tape check` says more")


def _named(text: str, among: list[Manifest], lost: Mapping[str, LogError | NotFoundError]) -> Manifest:
    exact = [entry for entry in among if entry.id == text]
    hidden = [id_ for id_ in lost if id_ == text or (text and not exact and id_.startswith(text))]
    if hidden:
        raise lost[hidden[0] if text not in hidden else text]
    found = exact or [entry for entry in among if text and entry.id.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundError(f"{text!r} begins several names: {_names(found)}")
    hint = did_you_mean(text[:80], [*(entry.id for entry in among), *sorted(_WORDS)])
    raise NotFoundError(f"{text[:80]!r} names nothing; there is {_names(among)}{hint}")


def day_of(session: Manifest) -> str:
    """The UTC day of a session's first event, `2026-11-05`; of its making when it has none."""
    return f"{datetime.fromtimestamp((session.first_ts_ns or session.created_ns) // NANO, UTC):%Y-%m-%d}"


def _of_day(sessions: list[Manifest], now_ns: int, zone: tzinfo) -> list[Manifest]:
    """Sessions that were recorded, or whose events happened, on the day before this moment."""
    wanted = datetime.fromtimestamp(now_ns // NANO, zone).date() - timedelta(days=1)
    return [
        session
        for session in sessions
        if wanted
        in {datetime.fromtimestamp(ts // NANO, zone).date() for ts in (session.created_ns, session.first_ts_ns)}
    ]


def _names(entries: Sequence[Manifest]) -> str:
    shown = ", ".join(entry.id for entry in entries[-10:])
    return f"{shown} and {len(entries) - 10} older" if len(entries) > 10 else shown or "nothing"
