"""Scanning: a scanner over a recorded session, up to a moment; what it saw there, instrument by instrument, in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import numpy as np

from pipeline.block import Blocks, row_count
from pipeline.core.hashing import DecisionsHash
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import hot
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.ahead import ahead
from pipeline.run.code import code_of
from pipeline.run.environment import machine, packages
from pipeline.run.fold import FoldPlan, Hashes
from pipeline.run.following import plan_behind
from pipeline.run.replaying import KeptRun, instruments_of, kept, seq_at
from pipeline.scanner.definition import shown
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.lists import ListScanner
from pipeline.scanner.segment import COLUMNS
from pipeline.scanner.verdicts import Table, nearest
from pipeline.scanner_codes import CandidateVerdict
from pipeline.units import iso_from_ns

_ROWS: Final = 1 << 18
"""Inputs in a batch."""

AnyScanner = FieldScanner | ListScanner


class Verdict(msgspec.Struct, frozen=True):
    """One filter on one instrument."""

    filter: str
    value: float | str | None
    threshold: float | str
    passed: bool
    known_at: str
    """UTC; '' when there is no value."""


class Candidate(msgspec.Struct, frozen=True):
    """One instrument at an evaluation."""

    symbol: str
    verdict: str
    rank: int
    in_list: bool
    filters: list[Verdict]
    fields: dict[str, float | str | None]
    known_at: dict[str, str]

    @property
    def why_not(self) -> str:
        """The filters that failed it, in words."""
        failed = [each for each in self.filters if not each.passed]
        return "; ".join(f"{each.filter}: {told(each.value)}, wants {told(each.threshold)}" for each in failed)


class FunnelStep(msgspec.Struct, frozen=True):
    """How many instruments a filter was shown, and how many it left.

    Of all that were looked at, `alone` would have failed it whatever stands before, `absent` have no value in its field.
    """

    filter: str
    shown: int
    left: int
    alone: int
    absent: int


class Scanned(msgspec.Struct, frozen=True):
    """What a scanner had seen of a session at its last evaluation up to a moment."""

    session: str
    scanner: str
    hash: str
    events: int
    evaluations: int
    at: str
    """Session time of the evaluation, UTC; '' when there was none."""
    at_ns: int
    seq: int
    listed: list[str]
    looked_at: int
    funnel: list[FunnelStep]
    candidates: list[Candidate]
    """Picks by rank, then near misses, then those that others rank before, then the rest by symbol."""
    run: str = ""
    """The run its rows were kept as."""


def scan(
    store: Store,
    session: str,
    scanner: AnyScanner,
    *,
    until_ns: int | None = None,
    keep_ns: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Scanned:
    """Fold a session up to the last input at or before a moment.

    `keep_ns`, the time now, keeps what it wrote as a run. Raises NotFoundError, CorruptError, and ConfigError for a
    moment before the first input.
    """
    parent = store.find_one(session)
    if parent.what != "session":
        raise NotFoundError(f"{parent.id} is a run: scan its session {', '.join(parent.parents)}")
    to_seq = _to_seq(store, parent, until_ns)
    windows = hot.windows(store, parent.id, 1, to_seq, columns=COLUMNS, rows=_ROWS)
    events, run = 0, ""
    with _keeping(store, parent, scanner, to_seq, keep_ns) as (take, id_):
        run = id_
        for window in ahead(windows):
            events += row_count(window.blocks)
            take(scanner.update(window.blocks))
            progress(events)
    return scanned_by(parent.id, scanner, events, run)


def told(value: float | str | None) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"


def _to_seq(store: Store, parent: Manifest, until_ns: int | None) -> int:
    log = LogReader(store.folder(parent.id))
    to_seq = log.last_seq if until_ns is None else seq_at(log, until_ns)
    if until_ns is not None and to_seq == 0:
        raise ConfigError(
            f"{iso_from_ns(until_ns)} is before the first input of {parent.id}, {iso_from_ns(parent.first_ts_ns)}"
        )
    return to_seq


@contextmanager
def _keeping(
    store: Store, parent: Manifest, scanner: AnyScanner, to_seq: int, keep_ns: int | None
) -> Iterator[tuple[Callable[[Blocks], None], str]]:
    """A function that takes what is written, and the id of the run it goes to; nowhere when nothing is to be kept."""
    if keep_ns is None:
        yield lambda _: None, ""
        return
    code = code_of([])
    run = store.claim_run(
        f"{scanner.definition.name}-{parent.id}",
        mode=Mode.REPLAY,
        created_ns=keep_ns,
        parents=(parent.id,),
        instruments=instruments_of(LogReader(store.folder(parent.id)), to_seq),
        settings={
            "plan": msgspec.to_builtins(FoldPlan((), {}, (plan_behind(scanner),), scans_only=True)),
            "to_seq": to_seq,
            "scanners": [setting_of(scanner)],
        },
        code=code.hashes,
        code_hash=code.hash,
        packages=packages(),
        platform=machine(),
    )
    with kept(store, run, code) as written:
        decisions = DecisionsHash()
        yield lambda made: _write(written, decisions, made), run.id
        written.hashes = Hashes(scanner.digest().hex(), decisions.digest().hex())


def setting_of(scanner: AnyScanner) -> dict[str, object]:
    """What the settings of a log keep of a scanner."""
    definition = scanner.definition
    if isinstance(scanner, FieldScanner):
        return scanner.definition.setting(scanner.fields)
    return {
        "name": definition.name,
        "hash": definition.hash,
        "text": definition.text,
        "fields": [],
        "units": [],
        "sources": [],
        "filters": [],
    }


def _write(written: KeptRun, decisions: DecisionsHash, made: Blocks) -> None:
    if made:
        decisions.update(made)
        written.add(made)


def scanned_by(session: str, scanner: AnyScanner, events: int, run: str = "") -> Scanned:
    """What a scanner sees behind its latest evaluation, in words."""
    table = scanner.table if isinstance(scanner, FieldScanner) else None
    seen = _Seen(scanner, table) if isinstance(scanner, FieldScanner) and table is not None else None
    return Scanned(
        session=session,
        scanner=scanner.definition.name,
        hash=scanner.definition.hash,
        events=events,
        evaluations=table.evaluation if table else 0,
        at=iso_from_ns(table.now_ns) if table else "",
        at_ns=table.now_ns if table else 0,
        seq=table.seq if table else 0,
        listed=scanner.get_active_stock_list(),
        looked_at=int(table.left[0]) if table else 0,
        funnel=seen.funnel() if seen else [],
        candidates=seen.candidates() if seen else [],
        run=run,
    )


class _Seen:
    """A table, in words."""

    def __init__(self, scanner: FieldScanner, table: Table) -> None:
        self._scanner = scanner
        self._table = table
        self._definition = scanner.definition
        self._place = {name: place for place, name in enumerate(scanner.definition.fields)}
        self._words = [f"{each.field} {each.operator} {shown(each)}" for each in scanner.definition.filters]

    def funnel(self) -> list[FunnelStep]:
        table = self._table
        alone = (~table.passes & table.is_looked_at).sum(axis=1).tolist()
        has_none = np.isnan(table.values) & table.is_looked_at
        absent = [int(has_none[self._place[each.field]].sum()) for each in self._definition.filters]
        left = table.left.tolist()
        return [FunnelStep(*step) for step in zip(self._words, left[:-1], left[1:], alone, absent, strict=True)]

    def candidates(self) -> list[Candidate]:
        table = self._table
        near = np.full(len(table.rank), len(table.rank))
        order = nearest(table, len(table.rank))
        near[order] = np.arange(len(order))
        rank = np.where(table.rank > 0, table.rank, len(table.rank))
        group = np.array([4, 0, 1, 2, 4])[table.verdict]
        symbols = self._scanner.state.symbols
        ids = np.flatnonzero(table.is_looked_at).tolist()
        ids.sort(key=lambda id_: (group[id_], rank[id_] if group[id_] != 1 else near[id_], symbols[id_]))
        return [self._candidate(id_) for id_ in ids]

    def _candidate(self, id_: int) -> Candidate:
        table, definition = self._table, self._definition
        fields = {name: self._value(name, id_) for name in definition.fields}
        known = {name: iso_from_ns(int(table.known_ns[place, id_])) for name, place in self._place.items()}
        filters = [
            Verdict(
                words,
                fields[each.field],
                shown(each) if each.is_text else float(table.thresholds[number, id_]),
                bool(table.passes[number, id_]),
                known[each.field],
            )
            for number, (words, each) in enumerate(zip(self._words, definition.filters, strict=True))
        ]
        return Candidate(
            symbol=self._scanner.state.symbols[id_],
            verdict=CandidateVerdict(int(table.verdict[id_])).name.lower(),
            rank=int(table.rank[id_]),
            in_list=bool(table.verdict[id_] == CandidateVerdict.PICKED),
            filters=filters,
            fields=fields,
            known_at=known,
        )

    def _value(self, name: str, id_: int) -> float | str | None:
        value = float(self._table.values[self._place[name], id_])
        if np.isnan(value):
            return None
        if self._scanner.fields[name].is_text:
            return self._scanner.state.facts.text(int(value))
        return value
