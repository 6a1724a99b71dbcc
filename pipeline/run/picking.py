"""Picking: which symbols were picked on which day, by a person's own lists or by a scanner."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.feeds.reference_tables import read_picks
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader, read_journal
from pipeline.log.store import Store, checked_id
from pipeline.normalize.picks import PICKED
from pipeline.normalize.reference import Fact
from pipeline.run.referencing import ImportedFacts, append, read_facts
from pipeline.run.trading_days import SHARES, day_of
from pipeline.scanner_codes import UniverseAction

Days = dict[date, list[str]]
"""Symbols by day, both in the order in which they come: days from the first on, symbols by the moment they were picked."""


class _Pick(NamedTuple):
    """One symbol at one moment."""

    ts_ns: int
    rank: int
    """What was written first comes first within a moment."""
    symbol: str


def import_picks(store: Store, path: Path, *, list_name: str, mapping: str = "", now_ns: int) -> ImportedFacts:
    """Keep a person's lists of past days, under this name.

    Raises ConfigError for a name or a mapping that is none, FeedError for a table that can't be read, LockedError.
    """
    table = read_picks(path, provider=checked_id(list_name), mapping=mapping)
    kept = append(store.scans_folder, table.facts, now_ns=now_ns, disk=store.disk)
    symbols = len({fact.symbol for fact in table.facts})
    return ImportedFacts(kept.written, kept.known, symbols, table.columns, table.ignored, table.refused)


def picked(store: Store, from_day: date, to_day: date, *, lists: frozenset[str] | None = None) -> Days:
    """What was picked on each day from the first to the last, both included; days without a pick are left out.

    lists    of these lists alone; None: of all, and of what scanners added to the universe of sessions, while they were recorded or in a scan that was kept
    """
    if to_day < from_day:
        raise ConfigError(f"{from_day}..{to_day}: the last day is before the first")
    picks: dict[date, list[_Pick]] = {}
    for rank, fact in enumerate(_listed(store)):
        day = date.fromisoformat(fact.text)
        if from_day <= day <= to_day and (lists is None or fact.provider in lists):
            picks.setdefault(day, []).append(_Pick(fact.known_at_ns, rank, fact.symbol))
    if lists is None:
        for pick in _scanned(store):
            day = day_of(pick.ts_ns, SHARES)
            if from_day <= day <= to_day:
                picks.setdefault(day, []).append(pick)
    return {day: list(dict.fromkeys(pick.symbol for pick in sorted(of_day))) for day, of_day in sorted(picks.items())}


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


def _listed(store: Store) -> Iterator[Fact]:
    facts = read_facts(read_journal(store.scans_folder, store.disk), None)
    return (fact for fact in facts if fact.field == PICKED)


def _scanned(store: Store) -> Iterator[_Pick]:
    for manifest in (*store.sessions(), *store.runs()):
        if "universe" in manifest.kinds:
            yield from _added(store, manifest)


def _added(store: Store, manifest: Manifest) -> Iterator[_Pick]:
    """What was added to the universe of a session, or of a scan of one that was kept as a run."""
    symbols = {int(row["instrument_id"]): str(row["symbol"]) for row in manifest.instruments}
    log = LogReader(store.folder(manifest.id), store.disk)
    for batch in log.batches(kinds=(Kind.INSTRUMENT, Kind.UNIVERSE), what="all"):
        for block in batch:
            if block.kind is Kind.INSTRUMENT:
                symbols |= dict(zip(block.number("instrument_id").tolist(), block.text("symbol"), strict=True))
        for block in batch:
            if block.kind is Kind.UNIVERSE:
                for row in block.rows():
                    if row["action"] == UniverseAction.ADDED:
                        yield _Pick(row["ts_recv_ns"], row["rank"], symbols[row["instrument_id"]])
