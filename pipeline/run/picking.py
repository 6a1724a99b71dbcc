"""Picking: which symbols were picked when and until when, by a person's own lists or by a scanner."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.feeds.reference_tables import read_picks
from pipeline.hours import Calendar, calendar_of
from pipeline.log.counts import counted
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader, read_journal
from pipeline.log.store import Store, checked_id
from pipeline.names import did_you_mean, listed
from pipeline.normalize.picks import PICKED
from pipeline.normalize.reference import new_york_ns
from pipeline.run.referencing import ImportedFacts, append, read_facts
from pipeline.run.trading_days import special_days
from pipeline.scanner.clocks import TradingDay, trading_day
from pipeline.scanner.reading import tables_of
from pipeline.scanner_codes import UniverseAction
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS

Days = dict[date, list[str]]
"""Symbols by day, both in the order in which they come: days from the first on, symbols by the moment they were picked."""

_EPOCH: Final = date(1970, 1, 1)
_EITHER_SIDE_NS: Final = 2 * DAY_NS
"""A day of any clock lies within so much of that day of UTC."""

_EMPTIED_WITHIN_NS: Final = MINUTE_NS
"""A list whose day is over is emptied at the first look or input of the next; so little of that day makes none of its picks."""


class Pick(NamedTuple):
    """A symbol that was in a list on a day, from a moment until another, exclusive; UTC nanoseconds."""

    day: date
    from_ns: int
    """When it came in; the beginning of the day where it came in on one before."""
    rank: int
    """What was written first comes first within a moment."""
    symbol: str
    until_ns: int
    """When it was dropped; at most the end of the day, also where the list went on or never dropped it, and of its session's time where another one goes on from that.

    No later than `from_ns` for one that came in when its list was over.
    """


class _Row(NamedTuple):
    """Of an instrument."""

    symbol: str
    calendar: int


class _In(NamedTuple):
    """How a symbol was in a list: until when, and the last moment of which that was seen and not concluded."""

    from_ns: int
    rank: int
    until_ns: int
    seen_ns: int


def import_picks(store: Store, path: Path, *, list_name: str, mapping: str = "", now_ns: int) -> ImportedFacts:
    """Keep a person's lists of past days, under this name.

    Raises ConfigError for a name or a mapping that is none, FeedError for a table that can't be read, LockedError.
    """
    table = read_picks(path, provider=checked_id(list_name), mapping=mapping)
    kept = append(store.scans_folder, table.facts, now_ns=now_ns, disk=store.disk)
    symbols = len({fact.symbol for fact in table.facts})
    return ImportedFacts(kept.written, kept.known, symbols, table.columns, table.ignored, table.refused)


def picks(store: Store, from_day: date, to_day: date, *, names: Collection[str] = ()) -> dict[date, list[Pick]]:
    """What was picked on each day from the first to the last, both included, by the moment; days without a pick are left out.

    What stays in a list over the end of a day is a pick of the next one too, from its beginning on.
    Picked is what people's lists name, and what scanners added to the universe of sessions, while they were recorded (one
    that is open counts as far as it came) or in a scan that was kept. With `names` only lists and scanners of these names
    count. Raises ConfigError for a name that nothing has, with the nearest that something has.
    """
    if to_day < from_day:
        raise ConfigError(f"{from_day}..{to_day}: the last day is before the first")
    there: dict[str, None] = {}
    found: dict[date, list[Pick]] = {}
    for name, pick in _listed(store):
        there[name] = None
        if from_day <= pick.day <= to_day and (not names or name in names):
            found.setdefault(pick.day, []).append(pick)
    left = set(origins_of(store.sessions()).values())
    for manifest, scanners in _scans(store):
        there |= dict.fromkeys(scanners)
        wanted = {number for number, name in enumerate(scanners, 1) if name in names}
        if (wanted or not names) and _may_hold(known := counted(store, manifest), from_day, to_day):
            for number, pick in _stays(store, known, is_left=known.id in left):
                if (number in wanted or not names) and from_day <= pick.day <= to_day:
                    found.setdefault(pick.day, []).append(pick)
    if strange := set(names) - there.keys():
        name, choices = min(strange), sorted(there)
        raise ConfigError(
            f"--picks {name!r}: no list and no scanner of that name picked anything in this store; "
            f"there is {listed(choices)}{did_you_mean(name, choices)}"
        )
    return {day: sorted(of_day) for day, of_day in sorted(found.items())}


def picked(store: Store, from_day: date, to_day: date, *, names: Collection[str] = ()) -> Days:
    """The symbols picked on each day, each once; as `picks`."""
    found = picks(store, from_day, to_day, names=names)
    return {day: list(dict.fromkeys(pick.symbol for pick in of_day)) for day, of_day in found.items()}


def days_of(text: str) -> tuple[date, date]:
    """First and last day of `2026-11-20` or `2026-10-01..2026-11-20`. Raises ConfigError.

    >>> days_of("2026-11-20")
    (datetime.date(2026, 11, 20), datetime.date(2026, 11, 20))
    """
    first, _, last = text.partition("..")
    try:
        return date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError:
        raise ConfigError(f"{text[:40]!r}: write a day like 2026-11-20, or 2026-10-01..2026-11-20") from None


def origins_of(sessions: Iterable[Manifest]) -> dict[str, str]:
    """Of each session that goes on from another, that other one's id."""
    return {
        session.id: str(continues["session"])
        for session in sessions
        if isinstance(continues := session.settings.get("continues"), Mapping)
    }


def _listed(store: Store) -> Iterator[tuple[str, Pick]]:
    """What people's lists name, with the list's name: until the end of the day that a list is of."""
    facts = read_facts(read_journal(store.scans_folder, store.disk), None)
    for rank, fact in enumerate(fact for fact in facts if fact.field == PICKED):
        day = date.fromisoformat(fact.text)
        whole = trading_day(Calendar.SHARES, new_york_ns(day) + 12 * HOUR_NS)
        yield fact.provider, Pick(day, max(fact.known_at_ns, whole.starts_ns), rank, fact.symbol, whole.ends_ns)


def _scans(store: Store) -> Iterator[tuple[Manifest, list[str]]]:
    """Sessions that were recorded with scanners, scans that were kept, and the names of their scanners, by number from 1.

    A run of strategies behind a scanner is none: it is a test of them, and may have been given the very picks asked for.
    """
    for manifest in (*store.sessions(), *store.runs()):
        names = _names(manifest.settings)
        if manifest.what == "session" or "scanners" in manifest.settings:
            may_have_picked = "universe" in manifest.kinds if manifest.is_closed else bool(names)
            if may_have_picked:
                yield manifest, names


def _names(settings: Mapping[str, Any]) -> list[str]:
    if kept := settings.get("scanners"):
        return [str(each["name"]) for each in kept]
    plans = (settings.get("plan") or {}).get("scanners", ())
    return [str(tables_of(plan["text"], plan["file"]).get("name", "")) for plan in plans]


def _may_hold(manifest: Manifest, from_day: date, to_day: date) -> bool:
    first_ns, end_ns = ((day - _EPOCH).days * DAY_NS for day in (from_day, to_day + timedelta(days=1)))
    return manifest.first_ts_ns < end_ns + _EITHER_SIDE_NS and first_ns - _EITHER_SIDE_NS <= manifest.last_ts_ns


def _stays(store: Store, manifest: Manifest, *, is_left: bool) -> Iterator[tuple[int, Pick]]:
    """What came into the universe of a session, or of a scan of one that was kept as a run, with the scanner's number.

    The lists of one that is left, for another session goes on from it, end where it does: the scanners of that one begin anew.
    """
    known = {int(row["instrument_id"]): _row(row) for row in manifest.instruments}
    begun: dict[tuple[int, int], tuple[int, int]] = {}
    log = LogReader(store.folder(manifest.id), store.disk)
    for batch in log.batches(kinds=(Kind.INSTRUMENT, Kind.UNIVERSE), what="all"):
        for block in batch:
            if block.kind is Kind.INSTRUMENT:
                known |= {row["instrument_id"]: _row(row) for row in block.rows()}
        for row in (row for block in batch if block.kind is Kind.UNIVERSE for row in block.rows()):
            key, now_ns = (row["scanner_id"], row["instrument_id"]), row["ts_recv_ns"]
            if row["action"] == UniverseAction.ADDED:
                begun.setdefault(key, (now_ns, row["rank"]))
            elif key in begun:
                stay = _In(*begun.pop(key), now_ns, now_ns - _EMPTIED_WITHIN_NS)
                for pick in _by_day(known[key[1]], stay):
                    yield key[0], pick
    for (number, id_), (from_ns, rank) in begun.items():
        last_ns = max(from_ns, manifest.last_ts_ns)
        until_ns = last_ns if is_left else trading_day(known[id_].calendar, last_ns).ends_ns
        for pick in _by_day(known[id_], _In(from_ns, rank, until_ns, last_ns)):
            yield number, pick


def _by_day(of: _Row, stay: _In) -> Iterator[Pick]:
    """A pick for the day on which it came in, and for each later one of whose trading hours it was seen in the list."""
    whole = trading_day(of.calendar, stay.from_ns, special_days())
    yield _pick(of, stay, whole)
    while whole.ends_ns < stay.until_ns:
        whole = trading_day(of.calendar, whole.ends_ns, special_days())
        if not whole.is_closed and whole.premarket_ns < stay.seen_ns:
            yield _pick(of, stay, whole)


def _pick(of: _Row, stay: _In, whole: TradingDay) -> Pick:
    from_ns, until_ns = max(stay.from_ns, whole.starts_ns), min(stay.until_ns, whole.ends_ns)
    return Pick(_EPOCH + timedelta(days=whole.number), from_ns, stay.rank, of.symbol, until_ns)


def _row(row: Mapping[str, Any]) -> _Row:
    return _Row(str(row["symbol"]), calendar_of(str(row.get("calendar", "")), int(row.get("asset_class", 0))))
