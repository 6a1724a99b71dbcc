"""Referencing: facts kept in the store, dated and never overwritten, and those that a session begins with.

Only changes are written: a provider that says the same again of a lasting field tells nothing new, unless another one said
something else since. So recording it every day costs little and makes a history of what was known when.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks
from pipeline.codes import AssetClass, Kind
from pipeline.errors import ConfigError, UnitError
from pipeline.feeds.reference_tables import read_reference_table
from pipeline.feeds.vendor import ALL
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.log.disk import Disk
from pipeline.log.frames import FrameKind
from pipeline.log.journal import small_journal
from pipeline.log.reader import LogReader, read_journal
from pipeline.log.store import Store, checked_id
from pipeline.normalize.reference import (
    PREVIOUS_CLOSE,
    SHARES_VENUE,
    Choice,
    Fact,
    belongs,
    chosen,
    new_york_ns,
    newest,
    opening_facts,
    spec_of,
)
from pipeline.normalize.reference_tables import moment_of
from pipeline.run.trading_days import SHARES, close_ns, day_of, previous_trading_day
from pipeline.units import ABSENT

_FACTS_A_COMMIT: Final = 16_384


class Kept(NamedTuple):
    """What became of facts: `written` are new, `known` were said before."""

    written: int
    known: int


class ImportedFacts(NamedTuple):
    """What came of a table: facts written and known before, symbols, columns by field, columns not read, rows refused."""

    written: int
    known: int
    symbols: int
    columns: dict[str, str]
    ignored: list[str]
    refused: list[tuple[int, str]]


def keep(store: Store, facts: Sequence[Fact], *, now_ns: int) -> Kept:
    """Write what is new of these facts into the store's reference data, durably.

    Raises LockedError when somebody else is writing there.
    """
    return append(store.reference_folder, facts, now_ns=now_ns, disk=store.disk)


def facts_of(store: Store, symbols: Iterable[str] | None = None) -> list[Fact]:
    """The facts of these symbols, or all, in the order they were written."""
    batches = read_journal(store.reference_folder, store.disk)
    return list(read_facts(batches, None if symbols is None else frozenset(symbols)))


def shares_known(store: Store) -> frozenset[str]:
    """The American shares that the store's reference data speak of: of a whole market they are who a scanner can judge."""
    return frozenset(fact.symbol for fact in facts_of(store) if fact.venue == SHARES_VENUE)


def spelt_out(store: Store, symbols: AbstractSet[str]) -> AbstractSet[str]:
    """These symbols; for `*` the shares that the store knows."""
    return symbols - {ALL} | shares_known(store) if ALL in symbols else symbols


def append(folder: Path, facts: Sequence[Fact], *, now_ns: int, disk: Disk) -> Kept:
    """Write what is new of these facts into a small log in this folder."""
    with small_journal(folder, disk) as journal:
        ids, known = _Numbers(), _Known()
        for batch in read_journal(folder, disk):
            ids.learn(batch)
            for fact in _facts_in(batch, ids.names, None):
                known.add(fact)
        new = [fact for fact in facts if known.is_new(fact)]
        for start in range(0, len(new), _FACTS_A_COMMIT):
            blocks = ids.blocks(new[start : start + _FACTS_A_COMMIT], journal.written.seq + 1, now_ns)
            journal.append(FrameKind.INPUTS, blocks)
    return Kept(len(new), len(facts) - len(new))


def read_facts(batches: Iterable[Blocks], symbols: frozenset[str] | None) -> Iterator[Fact]:
    """The facts of a log's batches, or those of these symbols."""
    ids = _Numbers()
    for batch in batches:
        ids.learn(batch)
        yield from _facts_in(batch, ids.names, symbols)


def import_table(
    store: Store,
    path: Path,
    *,
    provider: str,
    as_of: str | None = None,
    known_at: str | None = None,
    mapping: str = "",
    venue: str = SHARES_VENUE,
    now_ns: int,
) -> ImportedFacts:
    """Keep what a table says, as `provider`. Times are texts of people: a day or a moment with its offset.

    Raises ConfigError for a provider, a time or a mapping that is none, FeedError for a table that can't be read.
    """
    known_at_ns = _moment_said("--known-at", known_at, now_ns)
    if known_at_ns > now_ns:
        raise ConfigError(f"--known-at {known_at}: nothing is known yet that becomes known later than now")
    table = read_reference_table(
        path,
        provider=checked_id(provider),
        as_of_ns=_moment_said("--as-of", as_of, ABSENT),
        known_at_ns=known_at_ns,
        mapping=mapping,
        venue=venue,
    )
    facts = list(with_close_moments(table.facts))
    kept = keep(store, facts, now_ns=now_ns)
    symbols = len({fact.symbol for fact in facts})
    return ImportedFacts(kept.written, kept.known, symbols, table.columns, table.ignored, table.refused)


def _moment_said(option: str, text: str | None, otherwise_ns: int) -> int:
    try:
        return moment_of(text) if text else otherwise_ns
    except UnitError as error:
        raise ConfigError(f"{option}: {error}") from None


def choices_of_symbol(
    store: Store, symbol: str, at_ns: int, *, prefer: Sequence[str] = ()
) -> dict[str, dict[str, Choice]]:
    """What counts of a symbol at a moment, by the venue whose name it is, then by field."""
    by_venue: dict[str, list[Fact]] = {}
    for fact in facts_of(store, [symbol]):
        by_venue.setdefault(fact.venue, []).append(fact)
    closed_ns = previous_close_ns(at_ns)
    found = {venue: chosen(facts, at_ns, prefer=prefer, closed_ns=closed_ns) for venue, facts in by_venue.items()}
    return {venue: choices for venue, choices in found.items() if choices}


def opening_rows(store: Store, instruments: Sequence[Instrument], at_ns: int, *, prefer: Sequence[str] = ()) -> Blocks:
    """The inputs about these instruments that a session beginning at this moment begins with: definitions, then facts.

    Instruments are numbered from 1 in the order given, `seq` counts from 1; only what was known by then is told, see
    `reference.opening_facts`. [] when nothing is known of any of them.
    """
    by_symbol = _known_facts(store, instruments, at_ns)
    closed_ns = previous_close_ns(at_ns)
    times = {"ts_event_ns": at_ns, "ts_recv_ns": at_ns}
    told: list[dict[str, Any]] = []
    for number, each in enumerate(instruments, 1):
        own = [fact for fact in by_symbol.get(each.symbol, ()) if belongs(fact.venue, each)]
        for fact in opening_facts(own, at_ns, prefer=prefer, closed_ns=closed_ns):
            said = {name: getattr(fact, name) for name in Fact._fields[2:]}
            seq = len(instruments) + len(told) + 1
            told.append({**times, "seq": seq, "instrument_id": number, **said})
    if not told:
        return []
    defined = [
        {**times, "seq": number, "instrument_id": number, **each.row()} for number, each in enumerate(instruments, 1)
    ]
    return [Block.from_rows(Kind.INSTRUMENT, defined), Block.from_rows(Kind.REFERENCE, told)]


def facts_block(store: Store, instruments: Sequence[Instrument], at_ns: int) -> Block | None:
    """Of the same inputs the facts; None when there is none."""
    return next((block for block in opening_rows(store, instruments, at_ns) if block.kind is Kind.REFERENCE), None)


def _known_facts(store: Store, instruments: Iterable[Instrument], at_ns: int) -> dict[str, list[Fact]]:
    """What matters at a moment, by symbol."""
    symbols = frozenset(each.symbol for each in instruments)
    by_symbol: dict[str, list[Fact]] = {}
    for fact in newest(read_facts(read_journal(store.reference_folder, store.disk), symbols), at_ns):
        by_symbol.setdefault(fact.symbol, []).append(fact)
    return by_symbol


def shares_of(store: Store, session: str) -> list[str]:
    """The symbols of a session that facts about American shares belong to. Raises NotFoundError, ConfigError when it has none."""
    log = LogReader(store.folder(store.session_of(store.find_one(session)).id), store.disk)
    names: dict[str, None] = {}
    for batch in log.batches(kinds=[Kind.INSTRUMENT]):
        for row in (row for block in batch for row in block.rows()):
            known = Instrument(row["symbol"], row["venue"], 1, AssetClass(row["asset_class"]), calendar=row["calendar"])
            if belongs(SHARES_VENUE, known):
                names[known.symbol] = None
    if not names:
        raise ConfigError(f"--session {session}: it holds no American shares")
    return list(names)


def previous_close_ns(at_ns: int) -> int:
    """When the trading day before the day of this moment closed, for American shares."""
    return close_ns(previous_trading_day(day_of(at_ns, SHARES), SHARES), SHARES)


def with_close_moments(facts: Iterable[Fact]) -> Iterator[Fact]:
    """The same facts, where a previous close that a list of a day tells of is dated by the close of the trading day before."""
    for fact in facts:
        day = day_of(fact.as_of_ns, SHARES)
        if fact.field == PREVIOUS_CLOSE and fact.as_of_ns == new_york_ns(day):
            yield fact._replace(as_of_ns=close_ns(previous_trading_day(day, SHARES), SHARES))
        else:
            yield fact


class _Numbers:
    """The instruments of a small log, numbered as they are met."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = [("", "")]
        """Symbol and venue by number."""
        self._ids: dict[tuple[str, str], int] = {}

    def learn(self, batch: Blocks) -> None:
        """Take in definitions that were written before."""
        for block in batch:
            if block.kind is Kind.INSTRUMENT:
                for name in zip(block.text("symbol"), block.text("venue"), strict=True):
                    self._number(name)

    def blocks(self, facts: Sequence[Fact], first_seq: int, now_ns: int) -> Blocks:
        """Facts as rows, their instruments defined in front of them."""
        met = [name for name in dict.fromkeys((fact.symbol, fact.venue) for fact in facts) if name not in self._ids]
        times = {"ts_event_ns": now_ns, "ts_recv_ns": now_ns}
        defined = [
            {**times, "seq": first_seq + rank, "instrument_id": self._number(name), **_defined(*name).row()}
            for rank, name in enumerate(met)
        ]
        count, start = len(facts), first_seq + len(defined)
        told = Block.of(
            Kind.REFERENCE,
            count,
            seq=list(range(start, start + count)),
            **times,
            instrument_id=[self._ids[fact.symbol, fact.venue] for fact in facts],
            **{name: [getattr(fact, name) for fact in facts] for name in Fact._fields[2:]},
        )
        return [*([Block.from_rows(Kind.INSTRUMENT, defined)] if defined else []), told]

    def _number(self, name: tuple[str, str]) -> int:
        number = self._ids.setdefault(name, len(self._ids) + 1)
        if number == len(self.names):
            self.names.append(name)
        return number


class _Known:
    """What was said before."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str, str], dict[str, list[Fact]]] = {}
        """By venue, symbol and field, then by provider."""

    def add(self, fact: Fact) -> None:
        """Remember a statement."""
        of_all = self._said.setdefault((fact.venue, fact.symbol, fact.field), {})
        of_all.setdefault(fact.provider, []).append(fact)

    def is_new(self, fact: Fact) -> bool:
        """Whether it says something that was not said before, by an earlier moment; it is remembered then."""
        of_all = self._said.get((fact.venue, fact.symbol, fact.field), {})
        before = of_all.get(fact.provider, ())
        earlier = [old for old in before if old.as_of_ns <= fact.as_of_ns and old.known_at_ns <= fact.known_at_ns]
        spec = spec_of(fact.field)
        if spec is not None and spec.is_lasting:
            newest = max(earlier, key=lambda old: (old.as_of_ns, old.known_at_ns), default=None)
            is_known = newest is not None and _is_same(newest, fact) and not _is_disputed(newest, fact, of_all)
        else:
            is_known = any(old.as_of_ns == fact.as_of_ns and _is_same(old, fact) for old in earlier)
        if not is_known:
            self.add(fact)
        return not is_known


def _is_disputed(said: Fact, again: Fact, of_all: Mapping[str, Sequence[Fact]]) -> bool:
    """Whether another provider spoke, and otherwise, of a moment since a provider said what it says again."""
    return again.as_of_ns > said.as_of_ns and any(
        said.as_of_ns <= other.as_of_ns <= again.as_of_ns and not _is_same(other, said)
        for provider, facts in of_all.items()
        if provider != said.provider
        for other in facts
    )


def _is_same(old: Fact, new: Fact) -> bool:
    """Whether both say the same; no number is as good as no number."""
    return old.text == new.text and (old.value == new.value or (math.isnan(old.value) and math.isnan(new.value)))


def _facts_in(batch: Blocks, names: Sequence[tuple[str, str]], symbols: frozenset[str] | None) -> Iterator[Fact]:
    for block in batch:
        if block.kind is Kind.REFERENCE:
            rows = block
            if symbols is not None:
                is_asked = np.array([symbol in symbols for symbol, _ in names])
                rows = block.take(is_asked[block.number("instrument_id")])
            columns = [rows.number(name).tolist() if name in _NUMBERS else rows.text(name) for name in Fact._fields[2:]]
            for number, *said in zip(rows.number("instrument_id").tolist(), *columns, strict=True):
                yield Fact(*names[number], *said)


_NUMBERS: Final = frozenset(("value", "known_at_ns", "as_of_ns"))


def _defined(symbol: str, venue: str) -> Instrument:
    """What a small log says of an instrument: hardly more than its name."""
    if venue == SHARES_VENUE:
        return Instrument(symbol, venue, WHOLE_STEP_NANO, AssetClass.EQUITY, "USD", calendar=SHARES)
    return Instrument(symbol, venue, WHOLE_STEP_NANO)
