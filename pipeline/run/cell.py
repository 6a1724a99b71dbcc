"""Cell: one set of parameters over one session, as a function from what it depends on to a result row.

With positions carried overnight it depends on the sessions before as well, so these are run in one job.

It is the same fold as `replay`, over the same inputs, so the hashes are the same. Where it runs, beside how many others
and in which order, changes nothing but the seconds: a worker of this machine runs it, and so may any other.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from blake3 import blake3

from pipeline.block import Numbers
from pipeline.codes import Kind
from pipeline.errors import TapeError
from pipeline.log import cache, hot
from pipeline.log.backtests import CellRow, Place, SymbolRow, Value
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.code import code_of
from pipeline.run.fold import FoldPlan, LocalFold, Speed, columns_of
from pipeline.run.overnight import NOTHING, Evening, Split, as_kept, morning
from pipeline.run.replaying import Instruments, both, instruments_of, kept, new_run, reduce_all
from pipeline.run.tally import NO_SHARE, Tally, units_of

ROWS = 1 << 18
"""Inputs in a batch: few enough that memory stays small without the hot cache, so many that a batch costs nothing."""

_ROWS: Final = 4
"""Version of what a row holds: one of another version is not taken over."""


class Cell(msgspec.Struct, frozen=True):
    """What is to be run."""

    key: str
    session: str
    number: int
    """Place of the parameters in the sweep, from 1."""
    plan: FoldPlan
    params: dict[str, Value]
    """As result rows show them."""
    is_kept: bool
    """Whether its decisions are written as a run."""
    day: str = ""
    """Whose picks the plan's scanner names."""

    @property
    def place(self) -> Place:
        """As that of its row."""
        return self.session, self.day, self.number


class Code(msgspec.Struct, frozen=True):
    """What runs it: the strategies' files in the plan's order, and how."""

    files: tuple[str, ...]
    speed: Speed
    inputs: int
    """How many this code will reduce in all, in all cells: whether compiling pays."""
    created_ns: int
    """Of runs that are kept."""

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [Path(name) for name in self.files]


class Job(msgspec.Struct, frozen=True):
    """Cells of one plan, to be run one after the other: each begins with what the one before it left."""

    cells: tuple[Cell, ...]
    splits: tuple[Split, ...] = ()


def key_of(sessions: Sequence[Manifest], plan: FoldPlan, code_hash: str, splits: Sequence[Split] = ()) -> str:
    """Hash of all that a cell depends on: the sealed content of its session and of those carried from, what reduces."""
    contents = [cache.key_of(session) for session in sessions]
    asked = [_ROWS, contents, code_hash, msgspec.to_builtins(plan), msgspec.to_builtins(splits)]
    return blake3(msgspec.json.encode(asked, order="deterministic")).hexdigest()[:32]


def run_job(store: Store, code: Code, job: Job) -> tuple[CellRow, ...]:
    """A row for each cell. Raises as `replay` does, and ConfigError for what can't be carried overnight."""
    rows: list[CellRow] = []
    evening = None
    try:
        for cell in job.cells:
            row, evening = _run_cell(store, code, cell, evening, job.splits, is_last=cell is job.cells[-1])
            rows.append(row)
    except TapeError:
        for row in rows:
            if row.run:
                store.delete(row.run)  # there will be no row that names it
        raise
    return tuple(rows)


def _run_cell(
    store: Store, code: Code, cell: Cell, evening: Evening | None, splits: Sequence[Split], *, is_last: bool
) -> tuple[CellRow, Evening | None]:
    session = store.manifest(cell.session)
    log = LogReader(store.folder(session.id))
    instruments = instruments_of(log, log.last_seq)
    begun = morning(store, evening, session, instruments, splits) if evening else NOTHING
    instruments += begun.instruments
    tally = Tally(units_of(instruments), begun.holdings)
    started = time.perf_counter()
    run = None
    with ExitStack() as stack:
        fold = stack.enter_context(LocalFold(cell.plan, code.paths, speed=code.speed, inputs=code.inputs))
        if cell.is_kept:
            made = partial(new_run, to_seq=log.last_seq, instruments=instruments, created_ns=code.created_ns)
            sources = code_of(code.paths)
            run = stack.enter_context(kept(store, made(store, session, cell.plan, code.paths, sources), sources))
        fold.reduce([begun.state])
        if run and len(begun.state):
            run.add([as_kept(begun.state)])
        windows = hot.windows(store, session.id, columns=columns_of(cell.plan), rows=ROWS)
        take = both(tally.add, run.add) if run else tally.add
        events = reduce_all(windows, lambda batch: [fold.reduce(batch)], take, _dropped)
        hashes, tables = fold.hashes(), fold.snapshot().tables
        if run:
            run.hashes = hashes
    row = CellRow(
        key=cell.key,
        session=cell.session,
        cell=cell.number,
        params=cell.params,
        events=events,
        intents=tally.kinds.get(Kind.INTENT, 0),
        refused=tally.refused,
        refused_by=tally.refused_by,
        invalid=tally.invalid,
        invalid_by=tally.invalid_by,
        fills=tally.kinds.get(Kind.FILL, 0),
        decisions_hash=hashes.decisions_hash,
        state_hash=hashes.state_hash,
        stopped=tuple(tally.stopped),
        run=run.id if run else "",
        seconds=round(time.perf_counter() - started, 4),
        day=cell.day,
        symbols=_symbols(cell.plan, tally, tables["instruments"], instruments),
        **msgspec.structs.asdict(tally.money(tables["instruments"])),
    )
    if is_last:
        return row, None
    now_ns = int(tables["clock"]["now_ns"][0])
    return row, Evening(session.id, now_ns, fold.carried(), instruments, tally.holdings(tables["instruments"]))


def _symbols(plan: FoldPlan, tally: Tally, rows: Numbers, instruments: Instruments) -> tuple[SymbolRow, ...]:
    """What each strategy came to in each symbol, and nothing in what was picked and left alone."""
    names = {int(row["instrument_id"]): str(row["symbol"]) for row in instruments}
    strategies = range(1, len(plan.strategies) + 1)
    shares = {(strategy, id_): NO_SHARE for strategy in strategies for id_ in tally.added} | tally.shares(rows)
    return tuple(
        SymbolRow(plan.strategies[strategy - 1].name, names[id_], *share)
        for (strategy, id_), share in sorted(shares.items())
    )


def _dropped(_: Any) -> None:
    """What nobody asked to keep."""
