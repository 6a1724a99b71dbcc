"""Replaying: today's code over recorded sessions, its decisions kept as a run."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from pipeline.block import Blocks, row_count
from pipeline.codes import Kind
from pipeline.errors import ConfigError, NotFoundError
from pipeline.events import LAYOUTS
from pipeline.log import hot
from pipeline.log import manifest as manifests
from pipeline.log.manifest import Manifest
from pipeline.log.merge import Window
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.log.whole import WholeLog
from pipeline.provenance import Mode
from pipeline.run.ahead import ahead
from pipeline.run.behind import behind
from pipeline.run.code import Code, code_of
from pipeline.run.environment import machine, packages
from pipeline.run.fold import FoldPlan, Hashes, LocalFold, Speed, anew, columns_of
from pipeline.run.keeping import Keeper, trail_of
from pipeline.run.strategies import strategy_entries
from pipeline.run.tally import Tally, units_of
from pipeline.units import iso_from_ns

BATCH_ROWS = {Speed.INTERPRETED: 1 << 16, Speed.COMPILED: 1 << 18}
"""Inputs in a batch: so many that a batch costs nothing, few enough that a second goes by before the next."""

Instruments = tuple[dict[str, int | str], ...]
"""Rows of kind `instrument`, as a manifest keeps them."""


class Replayed(msgspec.Struct, frozen=True):
    """What came of a run."""

    run: str
    parents: list[str]
    events: int
    intents: int
    fills: int
    refused: int
    """Orders that the risk gate refused."""
    refused_by: dict[str, int]
    """The same by rule."""
    invalid: int
    """Wishes that make no order."""
    invalid_by: dict[str, int]
    """The same by what was wrong with them, an outcome of `codes.IntentOutcome`."""
    trades_open: int
    """Positions that are not flat at the end."""
    realized: float
    """Profit of what was closed, fees taken off; quote currency."""
    stopped: list[str]
    """Strategies that failed, and why."""
    speed: Speed
    """How the handlers ran."""
    why: str
    """What could not be compiled; '' when nothing was in the way."""
    seconds: float
    """From the first input to the last decision; compiling left out."""
    compile_seconds: float
    """What compiling took, or loading what was compiled before."""
    events_per_s: float
    state_hash: str
    decisions_hash: str


def replay(
    store: Store,
    session: str,
    plan: FoldPlan,
    strategy_files: Sequence[Path],
    *,
    created_ns: int,
    until_ns: int | None = None,
    speed: Speed = Speed.AUTO,
    rows: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    compiling: Callable[[], None] = lambda: None,
) -> Replayed:
    """Run the plan over one session and keep what it decides.

    `compiling` is called before something is compiled for the first time.
    `until_ns` stops behind the last input whose session time is not later. Raises NotFoundError, CorruptError,
    StrategyError.
    """
    parent = store.find_one(session)
    if parent.what != "session":
        raise NotFoundError(f"{parent.id} is a run: replay its session {', '.join(parent.parents)}")
    plan = anew(plan, parent.settings)
    log = LogReader(store.folder(parent.id))
    to_seq = log.last_seq if until_ns is None else seq_at(log, until_ns)
    if until_ns is not None and to_seq == 0:
        first = iso_from_ns(parent.first_ts_ns)
        raise ConfigError(f"{iso_from_ns(until_ns)} is before the first input of {parent.id}, {first}")
    instruments = instruments_of(log, to_seq)
    code = code_of(strategy_files)
    run = new_run(
        store, parent, plan, strategy_files, code, to_seq=to_seq, instruments=instruments, created_ns=created_ns
    )
    tally = Tally(units_of(instruments))
    with (
        kept(store, run, code) as written,
        trail_of(store, parent, plan, run.code) or nullcontext() as trail,
        LocalFold(plan, strategy_files, speed=speed, inputs=to_seq, compiling=compiling) as fold,
    ):
        started = time.perf_counter()
        windows = hot.windows(
            store, parent.id, 1, to_seq, columns=columns_of(plan), rows=rows or BATCH_ROWS[fold.speed]
        )
        with behind(_done) as later:
            pieces = Keeper(fold, trail, later).pieces
            take = both(tally.add, written.add)
            events = reduce_all(ahead(windows), pieces, lambda derived: later(partial(take, derived)), progress)
        written.hashes = hashes = fold.hashes()
        seconds = time.perf_counter() - started
    return Replayed(
        run=run.id,
        parents=[parent.id],
        events=events,
        intents=tally.kinds.get(Kind.INTENT, 0),
        fills=tally.kinds.get(Kind.FILL, 0),
        refused=tally.refused,
        refused_by=tally.refused_by,
        invalid=tally.invalid,
        invalid_by=tally.invalid_by,
        trades_open=sum(1 for quantity, _ in tally.positions.values() if quantity),
        realized=round(sum(profit for _, profit in tally.positions.values()), 6),
        stopped=tally.stopped,
        speed=fold.speed,
        why=fold.why,
        seconds=round(seconds, 4),
        compile_seconds=round(fold.compile_s, 4),
        events_per_s=round(events / seconds, 1),
        state_hash=hashes.state_hash,
        decisions_hash=hashes.decisions_hash,
    )


class KeptRun:
    """A run being written; `hashes` are to be set before its block ends."""

    def __init__(self, id_: str, log: WholeLog) -> None:
        self.id = id_
        self.hashes = Hashes("", "")
        self._log = log

    def add(self, derived: Blocks) -> None:
        """Write the derived rows of the next inputs."""
        self._log.write(derived)


@contextmanager
def kept(store: Store, run: Manifest, code: Code) -> Iterator[KeptRun]:
    """Write a run that is claimed; it is there and durable behind the block, and gone when that raises."""
    try:
        with WholeLog(store.folder(run.id), code.texts, store.disk) as log:
            yield (written := KeptRun(run.id, log))
            hashes = written.hashes
            log.publish(
                manifests.replaced(run, decisions_hash=hashes.decisions_hash, state_hash=hashes.state_hash),
            )
    except BaseException:
        store.delete(run.id)  # half of a run would stand among the whole ones; it can be made again
        raise


def new_run(
    store: Store,
    parent: Manifest,
    plan: FoldPlan,
    files: Sequence[Path],
    code: Code,
    *,
    to_seq: int,
    instruments: Instruments,
    created_ns: int,
) -> Manifest:
    """A claimed run over a session, with its plan and the code that will reduce: the plan's strategies in these files."""
    names = "-".join(strategy.name for strategy in plan.strategies)
    return store.claim_run(
        f"{names}-{parent.id}",
        mode=Mode.REPLAY,
        created_ns=created_ns,
        parents=(parent.id,),
        instruments=instruments,
        settings={"plan": msgspec.to_builtins(plan), "to_seq": to_seq},
        strategies=strategy_entries(plan, files, code),
        code=code.hashes,
        code_hash=code.hash,
        packages=packages(),
        platform=machine(),
    )


def instruments_of(log: LogReader, to_seq: int) -> Instruments:
    """The last row of each instrument up to this input, columns with their default left out."""
    defaults = {field.name: field.default for field in LAYOUTS[Kind.INSTRUMENT].fields}
    latest = {
        row["instrument_id"]: {name: value for name, value in row.items() if value != defaults[name]}
        for blocks in log.batches(to_seq=to_seq, kinds=[Kind.INSTRUMENT])
        for block in blocks
        for row in block.rows()
    }
    return tuple(latest.values())


def seq_at(log: LogReader, ts_ns: int) -> int:
    """`seq` of the last input at which session time was not later than this; 0 when there is none."""
    found = 0
    for blocks in log.batches(columns=["ts_recv_ns"]):
        seq = np.concatenate([block.number("seq") for block in blocks])
        ts_recv = np.concatenate([block.number("ts_recv_ns") for block in blocks])
        order = np.argsort(seq)
        later = np.flatnonzero(ts_recv[order] > ts_ns)
        if len(later):
            return int(seq[order[later[0]]]) - 1
        found = int(seq[order[-1]])
    return found


def both(*takers: Callable[[Blocks], None]) -> Callable[[Blocks], None]:
    """One function that hands its argument to all of these."""

    def take(derived: Blocks) -> None:
        for each in takers:
            each(derived)

    return take


def _done(work: Callable[[], None]) -> None:
    work()


def reduce_all(
    inputs: Iterable[Window],
    pieces: Callable[[Blocks], Iterable[Blocks]],
    take: Callable[[Blocks], None],
    progress: Callable[[int], None],
) -> int:
    """Reduce all of the inputs, piece by piece, hand on what is derived; how many inputs there were."""
    done = 0
    for window in inputs:
        done += row_count(window.blocks)
        for derived in pieces(window.blocks):
            if derived:
                take(derived)
        progress(done)
    return done
