"""Scanned: which sessions of past days are traded by what was picked on them, and which of their symbols when.

A day's picks become a list of symbols with the moments between which they stay, for each session that holds some of them.
It is a scanner like any other, so strategies hear of a pick what they would have heard live, at the first input at or behind
its moment and never before; the list's text is part of what a cell's result depends on.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Final, NamedTuple

from pipeline.errors import ConfigError, CorruptError
from pipeline.log import cache
from pipeline.log.counts import counted
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.following import ScannerPlan
from pipeline.run.picking import Pick, days_of, origins_of, picks
from pipeline.run.replaying import instruments_of
from pipeline.run.trading_days import SHARES, trading_days
from pipeline.scanner.definition import Stay
from pipeline.scanner.list_lines import line_of

_TEXT: Final = 'name = "picks"\nsymbols_file = "picks"\n'
_NAMES_SHOWN: Final = 5

_TRADED_BY: Final = frozenset(("quote", "print", "bar"))
"""What strategies trade by; a scan of now that was kept has none of it."""


class Listed(NamedTuple):
    """A session on a day of picks, with the list that says which of its symbols trade when."""

    session: Manifest
    day: str
    scanner: ScannerPlan


class Chosen(NamedTuple):
    """The days, in their order and that of their sessions, and what a person should know of the others, a line each."""

    days: list[Listed]
    told: list[str]


def listed_days(
    store: Store, days: str, sessions: Sequence[Manifest] | None = None, *, names: Collection[str] = ()
) -> Chosen:
    """The sessions of these days (`2026-10-01..2026-11-20`) that hold what was picked.

    sessions    only these are looked at; None: all of the store that are sealed
    names       only lists and scanners of these names count

    A symbol that several sessions hold at the same time is traded in the one that was made last. Raises ConfigError when
    nothing was picked, or no session holds any of it, saying what to do.
    """
    first, last = days_of(days)
    found = picks(store, first, last, names=names)
    if not found:
        raise ConfigError(
            f"--scanned {days}: nothing was picked then; `tape import FILE --as candidates` brings your lists in, "
            "`tape scan SESSION --config FILE --keep` keeps what a scanner picks"
        )
    told: list[str] = []
    there = _There(store, store.sessions() if sessions is None else sessions, told)
    chosen: list[Listed] = []
    for day in sorted({*found, *trading_days(first, last, SHARES)}):
        if of_day := found.get(day):
            chosen += _on(day, of_day, there, told)
        else:
            told.append(f"{day}: nothing was picked")
    if not chosen:
        symbols = len({pick.symbol for of_day in found.values() for pick in of_day})
        unsealed = (
            f"; {_named(there.unsealed)} would, `tape sessions seal` it once nobody records it"
            if there.unsealed
            else ""
        )
        raise ConfigError(
            f"--scanned {days}: {symbols} symbols were picked on {len(found)} days, and no sealed session holds data of them: "
            f"`tape fetch --from-scan {days} --schema tbbo --budget USD` buys what is missing{unsealed}"
        )
    return Chosen(chosen, told)


class _There:
    """Sessions, the last made first, and the symbols that each of them holds."""

    def __init__(self, store: Store, sessions: Iterable[Manifest], told: list[str]) -> None:
        self.unsealed: list[str] = []
        """Those that hold something of the moments asked for, and are left out since more may come."""
        self._store = store
        self._told = told
        self._symbols: dict[str, frozenset[str]] = {}
        self._origins = origins_of(store.sessions())
        newest = sorted(sessions, key=lambda each: (-each.created_ns, each.id))
        self._sessions = [found for each in newest if (found := self._counted(each)) is not None]

    def at(self, from_ns: int, until_ns: int) -> Iterator[tuple[Manifest, frozenset[str]]]:
        """Those that have something from a moment until another, exclusive."""
        for session in self._sessions:
            if (
                not _TRADED_BY.isdisjoint(session.kinds)
                and session.first_ts_ns < until_ns
                and from_ns <= session.last_ts_ns
            ):
                if session.id not in self._symbols:
                    self._symbols[session.id] = self._read(session)
                yield session, self._symbols[session.id]

    def overlap(self, one: Manifest, other: Manifest) -> bool:
        """Whether both tell of the same time. One that goes on from another begins where that ended, and tells of none of its time."""
        if self._goes_on_from(one, other.id) or self._goes_on_from(other, one.id):
            return False
        return one.first_ts_ns < other.last_ts_ns and other.first_ts_ns < one.last_ts_ns

    def _goes_on_from(self, session: Manifest, id_: str) -> bool:
        """Whether it does, or one that it goes on from does."""
        seen: set[str] = set()
        at = self._origins.get(session.id)
        while at is not None and at != id_ and at not in seen:
            seen.add(at)
            at = self._origins.get(at)
        return at == id_

    def _counted(self, session: Manifest) -> Manifest | None:
        """What is known of an open one is read from its journal."""
        try:
            return counted(self._store, session)
        except CorruptError as error:
            self._told.append(f"{session.id}: can't be read, so it is left out: {error}")
            return None

    def _read(self, session: Manifest) -> frozenset[str]:
        if not cache.is_cacheable(session):
            self.unsealed.append(session.id)
            self._told.append(
                f"{session.id}: not sealed, so it is left out; `tape sessions seal {session.id}` once nobody records it"
            )
            return frozenset()
        log = LogReader(self._store.folder(session.id), self._store.disk)
        return frozenset(str(row["symbol"]) for row in instruments_of(log, log.last_seq))


def _on(day: date, of_day: Sequence[Pick], there: _There, told: list[str]) -> Iterator[Listed]:
    """The sessions of one day that hold what was picked."""
    stays: dict[str, list[Stay]] = {}
    sessions: dict[str, Manifest] = {}
    lacking, twice, late = [], [], []
    for pick in of_day:
        if pick.from_ns >= pick.until_ns:
            late.append(pick.symbol)
            continue
        taken: list[Manifest] = []
        for session, symbols in there.at(pick.from_ns, pick.until_ns):
            if pick.symbol not in symbols:
                continue
            if any(there.overlap(session, other) for other in taken):
                twice.append(pick.symbol)
                continue
            taken.append(session)
            sessions[session.id] = session
            stays.setdefault(session.id, []).append(Stay(pick.symbol, pick.from_ns, pick.until_ns))
        if not taken:
            lacking.append(pick.symbol)
    count = len({pick.symbol for pick in of_day})
    if lacking:
        told.append(f"{day}: no session holds {_named(lacking)}, of {count} that were picked")
    if twice:
        told.append(
            f"{day}: several sessions hold {_named(twice)}: the one made last is traded; name SESSIONS for others"
        )
    if late:
        told.append(f"{day}: {_named(late)} picked when the day or the session was over")
    for session in sorted(sessions.values(), key=lambda each: (each.first_ts_ns, each.id)):
        lines = [line_of(stay) for stay in dict.fromkeys(stays[session.id])]
        yield Listed(session, day.isoformat(), ScannerPlan("picks", _TEXT, "\n".join(lines) + "\n"))


def _named(symbols: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    names = list(dict.fromkeys(symbols))
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
