"""Backtesting: many sessions and sets of parameters, each cell run once, its row kept.

Cells are handed out session by session. The inputs of a session that several cells want are decoded once, ahead of the
first of them, into the hot cache that all workers map. A row stands in the store from the moment it is published: what
was interrupted goes on where it was, and a cell that any backtest has run, with the same code over the same content, is
not run again; sessions of one content are run once, and each has its row.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain, groupby
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, LogError, NotFoundError
from pipeline.log import cache, hot
from pipeline.log.backtests import Backtest, CellRow, Place, Results, rows_by_backtest
from pipeline.log.manifest import Manifest
from pipeline.log.store import Store, slug
from pipeline.run.ahead import ahead
from pipeline.run.cell import Cell, Code, Job, key_of
from pipeline.run.code import code_of
from pipeline.run.crew import named
from pipeline.run.engines import PROCESSES, EngineChoice, Hands
from pipeline.run.environment import machine, packages
from pipeline.run.fold import FoldPlan, Speed, anew
from pipeline.run.following import ScannerPlan, scanner_of
from pipeline.run.overnight import Split
from pipeline.run.scanned import Listed
from pipeline.run.strategies import hearing
from pipeline.run.sweeping import Grid
from pipeline.run.worker import Setup


class Overnight(StrEnum):
    """What becomes of positions between sessions: each session stands apart, or begins with what the one before left."""

    FLAT = "flat"
    CARRY = "carry"


PREFIX: Final = "b-"
_SILENT_S: Final = 60.0
"""So long may no cell be done before a person is told."""
_PUBLISHED_S: Final = 2.0
"""Rows wait at most about so long before they are published: what a crash may cost."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it. `rows` by session and place in the sweep; those of failed cells are missing."""

    backtest: str
    sessions: int
    """Those gone over; one that has picks on two days counts for each."""
    cells: int
    """Sets of parameters: so many cells in each session."""
    rows: list[CellRow]
    done_before: int
    """Rows that were there already."""
    copied: int
    """Rows of sessions whose content is that of another one, which was run."""
    failed: dict[str, str]
    """Cells without a row, and why."""
    speed: Speed | None
    """None when nothing had to be run."""
    why: str
    seconds: float


def backtest(
    store: Store,
    sessions: Sequence[Manifest],
    grid: Grid,
    files: Sequence[Path],
    *,
    created_ns: int,
    workers: int,
    listed: Sequence[Listed] = (),
    overnight: Overnight = Overnight.FLAT,
    splits: Sequence[Split] = (),
    speed: Speed = Speed.AUTO,
    keep_runs: bool = False,
    engine: EngineChoice = PROCESSES,
    progress: Callable[[int], None] = lambda _: None,
    told: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run every cell of the grid over every session, and keep its row. Sessions are in order of time.

    Where days are `listed` (see `run.scanned`), these are gone over instead of whole `sessions`.

    `engine` says what runs the cells, and no row depends on it. `progress` is given how many rows there are, `told` what
    a person should know meanwhile. Raises ConfigError for a session that is not sealed, LockedError when the same
    backtest is being run, StrategyError, CorruptError.
    """
    started = time.perf_counter()
    over = [_Over(day.session, day.day, day.scanner) for day in listed] or [_Over(session) for session in sessions]
    sessions = list({each.session.id: each.session for each in over}.values())
    _check(grid, over, overnight, splits)
    sources = code_of(files)
    jobs = list(_jobs(over, grid, sources.hash, overnight, tuple(splits), keep_runs=keep_runs))
    cells = sorted((cell for job in jobs for cell in job.cells), key=lambda cell: cell.place)
    results = Results(store, _id_of(grid, cells))
    asked = _asked(results.folder.name, over, grid, sources.hash, overnight, created_ns)
    results.begin(asked)
    held = results.hold()
    half_made = store.half_made_runs()
    try:
        done = _done(store, results, cells)
        waiting, twins = _once([_left(job, done) for job in jobs if any(cell.place not in done for cell in job.cells)])
        progress(len(done))
        inputs = {session.id: session.inputs for session in sessions}
        inputs_all = sum(inputs[cell.session] for job in waiting for cell in job.cells)
        code = Code(tuple(map(str, files)), speed, inputs_all, created_ns)
        setup = Setup(str(store.home.resolve()), code, sources.hashes, grid.plans[0])
        hands = engine.hands(setup, min(workers, len(waiting)), told)
        handed = _handed_out(store, waiting, told, hands.is_over, is_decoding=engine.decodes_here)
        failed = _run(hands, results, handed, lambda count: progress(len(done) + count), told)
        failed |= {named(twin): failed[named(job)] for twin, job in twins if named(job) in failed}
        copies = _copies(store, results.rows(), [cell for twin, _ in twins for cell in twin.cells]) if twins else []
        results.add(copies)
        rows = results.finish()
        assert failed or len(rows) == len(cells), "a cell has neither a row nor a reason why not"
        progress(len(rows))
    finally:
        if keep_runs:
            store.drop_half_made_runs(half_made)  # what a worker was writing when it was killed
        held.release()
    return Outcome(
        backtest=asked.id,
        sessions=len(over),
        cells=len(grid.plans),
        rows=rows,
        done_before=len(done),
        copied=len(copies),
        failed=failed,
        speed=hands.ready.speed if hands.ready else None,
        why=hands.ready.why if hands.ready else "",
        seconds=round(time.perf_counter() - started, 3),
    )


class _Over(NamedTuple):
    """A session to go over; on one day, with what was picked on it."""

    session: Manifest
    day: str = ""
    scanner: ScannerPlan | None = None

    def plan(self, plan: FoldPlan) -> FoldPlan:
        """The plan as it is for this session."""
        plan = anew(plan, self.session.settings)
        return hearing(plan, self.scanner) if self.scanner else plan


def check_sealed(sessions: Iterable[Manifest]) -> None:
    """Raise ConfigError naming those that are not sealed, or empty."""
    if open_ := [session.id for session in sessions if not cache.is_cacheable(session)]:
        raise ConfigError(f"{', '.join(open_)}: not sealed, or empty; `tape sessions seal` one that has ended")


def _check(grid: Grid, over: Sequence[_Over], overnight: Overnight, splits: Sequence[Split]) -> None:
    check_sealed(each.session for each in over)
    if splits and overnight is Overnight.FLAT:
        raise ConfigError("--split with --overnight flat: nothing is carried over a split")
    if overnight is Overnight.CARRY and any(each.plan(grid.plans[0]).scanners for each in over):
        raise ConfigError(
            "--overnight carry goes with no scanner and no picks: what is in a list is decided anew each day"
        )


def _jobs(
    over: Sequence[_Over],
    grid: Grid,
    code_hash: str,
    overnight: Overnight,
    splits: tuple[Split, ...],
    *,
    keep_runs: bool,
) -> Iterator[Job]:
    """Every cell, session by session; carried ones of one plan in one job."""
    chains = [[each] for each in over] if overnight is Overnight.FLAT else [list(over)]
    for linked in chains:
        sessions = [each.session for each in linked]
        for number, plan in enumerate(grid.plans, 1):
            params = grid.params_of(plan)
            plans = [each.plan(plan) for each in linked]
            yield Job(
                tuple(
                    Cell(
                        key_of(sessions[: i + 1], own, code_hash, splits),
                        each.session.id,
                        number,
                        own,
                        params,
                        keep_runs,
                        each.day,
                    )
                    for i, (each, own) in enumerate(zip(linked, plans, strict=True))
                ),
                splits,
            )


def _id_of(grid: Grid, cells: Sequence[Cell]) -> str:
    """An id of what is asked: the same cells have the same one."""
    digest = blake3("\n".join(f"{cell.session} {cell.day} {cell.key}" for cell in cells).encode()).hexdigest()[:8]
    return f"{PREFIX}{slug('-'.join(strategy.name for strategy in grid.plans[0].strategies))}-{digest}"


def _asked(
    id_: str, over: Sequence[_Over], grid: Grid, code_hash: str, overnight: Overnight, created_ns: int
) -> Backtest:
    plan = over[0].plan(grid.plans[0]) if over else grid.plans[0]
    return Backtest(
        id=id_,
        created_ns=created_ns,
        strategies=tuple(strategy.name for strategy in plan.strategies),
        params={name: value for name, value in grid.params_of(plan).items() if not _is_swept(name, grid.sweeps)},
        sweeps=dict(grid.sweeps),
        sessions=tuple(dict.fromkeys(each.session.id for each in over)),
        settings=plan.settings,
        overnight=overnight,
        code_hash=code_hash,
        rows=len(over) * len(grid.plans),
        packages=packages(),
        platform=machine(),
        scanner=_chosen_by(over, plan),
    )


def _chosen_by(over: Sequence[_Over], plan: FoldPlan) -> str:
    days = sorted(each.day for each in over if each.day)
    if days:
        return f"picks of {days[0]}..{days[-1]}"
    return ", ".join(scanner_of(each).definition.name for each in plan.scanners)


def _is_swept(name: str, sweeps: Mapping[str, Any]) -> bool:
    return name in sweeps or name.rpartition(".")[2] in sweeps


def _left(job: Job, done: Collection[Place]) -> Job:
    """The job, where cells that are done are only gone through for what they leave to the next: their runs are there."""
    cells = (msgspec.structs.replace(cell, is_kept=cell.is_kept and cell.place not in done) for cell in job.cells)
    return msgspec.structs.replace(job, cells=tuple(cells))


def _once(jobs: Sequence[Job]) -> tuple[list[Job], list[tuple[Job, Job]]]:
    """The jobs to run; those that would only repeat one of them, each beside it. A kept run is its session's own."""
    firsts: dict[tuple[str, ...], Job] = {}
    twins = []
    for job in jobs:
        asked = tuple(f"{cell.key} {cell.session if cell.is_kept else ''}" for cell in job.cells)
        first = firsts.setdefault(asked, job)
        if first is not job:
            twins.append((job, first))
    return list(firsts.values()), twins


def _done(store: Store, results: Results, cells: Sequence[Cell]) -> set[Place]:
    """Places of the cells that have a row; rows of the same cell elsewhere are taken over."""
    wanted = {cell.place: cell for cell in cells}
    own = results.rows()
    if any(row.place not in wanted or wanted[row.place].key != row.key for row in own):  # an id has eight digits
        name = results.folder.name
        raise ConfigError(f"{name}: another backtest has this id; `tape backtests delete {name}`, then ask again")
    done = {row.place for row in own if _will_do(store, wanted[row.place], row)}
    left = [cell for cell in cells if cell.place not in done]
    keys = {cell.key for cell in left}
    found = (rows for _, rows in rows_by_backtest(store, keys)) if left else ()
    copies = _copies(store, chain(own, chain.from_iterable(found)), left)
    results.add(copies)
    return done | {row.place for row in copies}


def _copies(store: Store, rows: Iterable[CellRow], cells: Sequence[Cell]) -> list[CellRow]:
    """Rows for those of the cells of which these rows hold one of the same key."""
    wanted: dict[str, list[Cell]] = {}
    for cell in cells:
        wanted.setdefault(cell.key, []).append(cell)
    found = {
        cell.place: _taken(row, cell) for row in rows for cell in wanted.get(row.key, ()) if _will_do(store, cell, row)
    }
    return list(found.values())


def _will_do(store: Store, cell: Cell, row: CellRow) -> bool:
    """Whether a row is all that is asked of a cell: where whole logs are wanted the run over its session must be there."""
    is_kept = bool(row.run) and row.session == cell.session and store.folder(row.run).is_dir()
    return is_kept or not cell.is_kept


def _taken(row: CellRow, cell: Cell) -> CellRow:
    run = row.run if row.session == cell.session else ""
    return msgspec.structs.replace(row, session=cell.session, day=cell.day, cell=cell.number, run=run)


def _run(
    hands: Hands,
    results: Results,
    handed: Generator[Job, None, None],
    progress: Callable[[int], None],
    told: Callable[[str], None],
) -> dict[str, str]:
    """Run the jobs, publish their rows; those that failed and why."""
    failed: dict[str, str] = {}
    waiting: list[CellRow] = []
    count, published = 0, time.monotonic()
    silence = _Silence(told)
    try:
        with hands:
            for answer in hands.run(silence.seen(handed)):
                if answer is not None:
                    job, rows = answer
                    silence.broken(job)
                    count += len(job.cells)
                    if isinstance(rows, str):
                        failed[named(job)] = rows
                    else:
                        waiting += rows
                    progress(count)
                silence.tell()
                if time.monotonic() - published > _PUBLISHED_S:
                    results.add(waiting)
                    waiting, published = [], time.monotonic()
    finally:
        handed.close()
        results.add(waiting)
    return failed


class _Silence:
    """Tells which cell is under way when none was done for long: a strategy that never ends has no other sign."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._under_way: dict[tuple[str, str, int], Job] = {}
        """The oldest first."""
        self._since, self._told_after = time.monotonic(), _SILENT_S

    def seen(self, jobs: Iterator[Job]) -> Iterator[Job]:
        """The jobs, as they are handed out."""
        for job in jobs:
            self._under_way[job.cells[0].place] = job
            yield job

    def broken(self, job: Job) -> None:
        """A job is done."""
        self._under_way.pop(job.cells[0].place)
        self._since, self._told_after = time.monotonic(), _SILENT_S

    def tell(self) -> None:
        """After a minute, then after twice as long as before."""
        for_s = time.monotonic() - self._since
        if for_s < self._told_after or not self._under_way:
            return
        self._told_after *= 2
        oldest, *_ = [*self._under_way.values()]  # at once: others are handed out meanwhile
        self._told(
            f"no cell was done for {for_s:.0f} s, {named(oldest)} is under way; Ctrl-C ends it, and what was done is kept"
        )


def _handed_out(
    store: Store, jobs: Sequence[Job], told: Callable[[str], None], is_over: Event, *, is_decoding: bool
) -> Generator[Job, None, None]:
    """The jobs, those over the same sessions behind their decoding, unless those who run them decode."""

    def decoded() -> Iterator[list[Job]]:
        for sessions, group in groupby(jobs, key=lambda job: [cell.session for cell in job.cells]):
            waiting = list(group)
            if is_decoding and len(waiting) > 1:
                for session in sessions:
                    _decode(store, session, told, is_over)
            yield waiting

    for group in ahead(decoded()):
        yield from group


def _decode(store: Store, session: str, told: Callable[[str], None], is_over: Event) -> None:
    """See that the session is in the hot cache, if there is room and it can be read: else its cells will say so."""
    with contextlib.suppress(LogError, NotFoundError, OSError):
        if hot.has(store, session):
            return
        for _ in hot.batches(store, session):
            if is_over.is_set():
                return
        if not hot.has(store, session):
            told(f"{session}: no room in the hot cache, so every cell decodes it anew; see TAPE_HOT_GIB")
