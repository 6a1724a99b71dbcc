"""Engine: one function from inputs to decisions, interpreted.

What happens for one input is in `core.step`, and how many inputs arrive in one batch changes nothing. This is the readable
reference and the place to set a breakpoint; `kernel.engine` runs the same lines faster.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from pipeline.block import Blocks, concat
from pipeline.codes import AccountAction, BarBasis, BarUnit, Kind, SessionAction
from pipeline.core import chunk, step, universe
from pipeline.core.brokered import hear_difference, hear_fill, hear_order
from pipeline.core.carrying import take_over
from pipeline.core.cells import Cells, deliver_to_one
from pipeline.core.closing import bar_row, set_lengths
from pipeline.core.context import IN_UNIVERSE
from pipeline.core.hashing import DecisionsHash
from pipeline.core.instrument import fold_definition, fold_reference, introduced, known
from pipeline.core.market import (
    AccountStatement,
    BrokerFill,
    BrokerOrder,
    Definition,
    Instrument,
    ReferenceFact,
    Request,
    SessionNotice,
)
from pipeline.core.operator import fold_account, go_on, obey
from pipeline.core.settings import SETTINGS, SIMULATED, EngineSettings, checked, row_of
from pipeline.core.snapshot import Snapshot, fill_world, tables_of
from pipeline.core.strategy import Plan
from pipeline.core.tables import Rows
from pipeline.core.tape import Place, emptied, new_row, put
from pipeline.core.world import TIMEFRAMES_MAX, World, index_of, input_place, is_defined, new_world, position_of
from pipeline.errors import StrategyError
from pipeline.hours import DayPart
from pipeline.timeframes import SESSION_UNITS, Timeframe

__all__ = ["Engine", "Plan"]

Timeframes = Sequence[tuple[Timeframe, int]]
"""With the basis (codes.BarBasis) of each."""

_STEPS: Final[Mapping[int, Callable[[World, Any, Any], None]]] = {
    int(Kind.QUOTE): step.step_quote,
    int(Kind.PRINT): step.step_print,
    int(Kind.BAR): step.step_bar,
    int(Kind.STATUS): step.step_status,
    int(Kind.TIMER): step.step_timer,
    int(Kind.FEED): step.step_feed,
}
"""What compiled code can reduce as well."""


class Engine:
    """Strategies over one stream of inputs. Two engines given the same inputs, however batched, are byte for byte equal."""

    def __init__(
        self,
        strategies: Sequence[Plan],
        settings: EngineSettings | None = None,
        *,
        tables: type[Rows[Any]] = Rows,
        cells: type[Cells] = Cells,
    ) -> None:
        """`tables` and `cells` are what keeps its rows: see `kernel.lending`."""
        settings = checked(settings or EngineSettings())
        self.world = new_world(tables)
        SETTINGS.restore(self.world.settings, SETTINGS.save(row_of(settings)))
        self.world.account.cash = settings.cash
        self.cells = cells(strategies)
        self.symbols: dict[int, str] = {}
        self._timeframes = _timeframes(strategies)
        self._size_step_nano = np.zeros(64, np.int64)
        self.bearing = chunk.bearing_on(settings)
        """The fields of reference facts that are looked into."""
        self.begins_anew = False
        """Whether the state with which the session began is left out; what stands in front of its first input is not."""
        self._hash = DecisionsHash()
        _start_runs(self.world, strategies, self._timeframes)
        universe.follow(self.world, strategies)
        self.world.counts.timeframes = len(self._timeframes)
        self.world.counts.print_timeframes = sum(basis == BarBasis.PRINTS for _, basis in self._timeframes)

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs, one block a kind, in (seq, ord) order.

        Asserts that the inputs are dense and follow those of the last call; raises LogError for an instrument that no
        `instrument` event defined.
        """
        batch = [block for block in batch if len(block)]
        if not batch:
            return []
        clock = self.world.clock
        first = chunk.first_seq(batch)
        if clock.seq == 0:
            clock.seq = first - 1
        assert first == clock.seq + 1, f"seq {first} follows {clock.seq}"
        for stretch in chunk.stretches(batch):
            for kind, event in chunk.events_in_order(stretch, self._size_step_nano):
                self._step(kind, event)
        return self._drained()

    def decide(self, made: Blocks) -> Blocks:
        """What something beside the strategies derived from the last input (a scanner), and what follows of it.

        `made` are rows of kinds CANDIDATE and UNIVERSE, `ord` counting from 1 over both; they take their places behind
        what the input itself caused. An instrument that enters the universe is introduced to the strategies that don't know it.
        """
        world, clock = self.world, self.world.clock
        clock.ord += clock.seq % world.settings.checkpoint_every == 0  # the checkpoint has a place, too
        placed = universe.placed(made, clock.ord)
        clock.ord += sum(map(len, placed))
        self._hash.update(placed)
        clock.round += 1
        for row in (row for block in placed if block.kind == Kind.UNIVERSE for row in block.rows()):
            assert row["seq"] == clock.seq
            cause, instrument_id = Place(row["seq"], row["ord"]), row["instrument_id"]
            universe.change(world, row["scanner_id"], instrument_id, row["action"], cause)
            clock.cause_seq, clock.cause_ord = cause
            if instrument_id in self.symbols:
                self._start(instrument_id, known(world.instruments[instrument_id], clock.now_ns))
        universe.let_go(world)
        step.finish(world, self.cells)
        return concat([*placed, *self._drained()])

    def handed_over(self) -> Blocks:
        """The rows that came of what was done behind the last batch (core.repeating)."""
        return self._drained()

    def state_hash(self) -> bytes:
        """32 bytes over every row of state: clock, account, instruments, positions, orders, bars, strategies."""
        return self.snapshot().digest()

    def decisions_hash(self) -> bytes:
        """32 bytes over all derived rows handed over so far."""
        return self._hash.digest()

    def state_of(self, strategy_id: int, instrument_id: int) -> Any:
        """The State of a strategy in an instrument, to look at. Raises KeyError when there is none."""
        return self.cells.by_pair[strategy_id, instrument_id].state

    def snapshot(self) -> Snapshot:
        """Everything it remembers, between two batches."""
        return Snapshot(
            tables_of(self.world),
            *self.cells.packed(self.world.counts.instruments),
            dict(self.symbols),
        )

    def put_back(self, snapshot: Snapshot) -> None:
        """Remember what a snapshot of the same strategies, parameters and settings holds, and nothing else."""
        world = self.world
        fill_world(world, snapshot.tables)
        world.counts.outputs = world.counts.facts = world.counts.bar_facts = 0
        self.symbols = dict(snapshot.symbols)
        for instrument_id in self.symbols:
            step_nano = world.instruments[instrument_id].size_step_nano
            self._size_step_nano = chunk.with_step(self._size_step_nano, instrument_id, step_nano)
            if self.cells.running and (1, instrument_id) not in self.cells.by_pair:
                self.cells.add_instrument(world, instrument_id)
        self.cells.put_back(snapshot.states, snapshot.shared)

    # One input.

    def _step(self, kind: int, event: Any) -> None:
        clock = self.world.clock
        reduce = _STEPS.get(kind)
        if reduce is not None:
            reduce(self.world, self.cells, event)
        elif kind == Kind.INSTRUMENT:
            self._step_definition(event)
        elif kind == Kind.ACCOUNT:
            self._step_account(event)
        elif kind == Kind.REQUEST:
            self._step_request(event)
        elif kind == Kind.REFERENCE and event.field in self.bearing:
            self._step_reference(event)
        elif kind in (Kind.ORDER, Kind.FILL) and self.world.settings.execution != SIMULATED:
            self._step_word(event)
        elif kind == Kind.SESSION and event.action == SessionAction.STATE and not (self.begins_anew and clock.seq >= 0):
            self._step_state(event)
        elif kind == Kind.SESSION and event.action == SessionAction.RESUMED:
            go_on(self.world)
            step.step_other(self.world, self.cells, event.ts_recv_ns, event.origin)
        elif kind == Kind.SESSION and event.action == SessionAction.WARMING:
            self.world.clock.is_warming = True
            step.step_other(self.world, self.cells, event.ts_recv_ns, event.origin)
        else:
            step.step_other(self.world, self.cells, event.ts_recv_ns, event.origin)
        if clock.seq % self.world.settings.checkpoint_every == 0:
            self._checkpoint()

    def _step_definition(self, definition: Definition) -> None:
        world, instrument_id = self.world, definition.instrument_id
        step.begin(world, definition.ts_recv_ns, definition.origin)
        self._add_instrument(instrument_id, definition.symbol)
        fold_definition(world.instruments[instrument_id], definition)
        set_lengths(world, instrument_id)
        self.symbols[instrument_id] = definition.symbol
        self._size_step_nano = chunk.with_step(self._size_step_nano, instrument_id, definition.size_step_nano)
        step.close_what_is_due(world)
        step.deliver_facts(world, self.cells)
        step.cause_is_input(world)
        self._start(instrument_id, introduced(definition))
        step.finish(world, self.cells)

    def _start(self, instrument_id: int, instrument: Instrument) -> None:
        """Introduce the instrument to each strategy that does not know it yet, once it is in its universe."""
        world = self.world
        for strategy_id in range(1, world.counts.strategies + 1):
            cell = world.cells[index_of(world, strategy_id, instrument_id)]
            if cell.standing == IN_UNIVERSE and not cell.is_started:
                cell.is_started = True
                deliver_to_one(world, self.cells, "on_start", strategy_id, instrument_id, instrument)
                universe.introduce(world, strategy_id, instrument_id)

    def _step_state(self, notice: SessionNotice) -> None:
        """Take over a row of the session before; nothing is handed on until all are there."""
        world = self.world
        step.begin(world, notice.ts_recv_ns, notice.origin)
        take_over(world, self.cells, notice, self._add_instrument)

    def _step_account(self, statement: AccountStatement) -> None:
        step.begin(self.world, statement.ts_recv_ns, statement.origin)
        fold_account(self.world.account, statement)
        if statement.action == AccountAction.POSITION_DIFFERENCE:
            hear_difference(self.world, statement.instrument_id, statement.quantity_steps)
        step.close_what_is_due(self.world)
        step.finish(self.world, self.cells)

    def _step_reference(self, fact: ReferenceFact) -> None:
        world = self.world
        step.begin(world, fact.ts_recv_ns, fact.origin)
        if is_defined(world, fact.instrument_id):
            fold_reference(world.instruments[fact.instrument_id], fact)
        step.close_what_is_due(world)
        step.finish(world, self.cells)

    def _step_word(self, word: BrokerOrder | BrokerFill) -> None:
        step.begin(self.world, word.ts_recv_ns, word.origin)
        if isinstance(word, BrokerOrder):
            hear_order(self.world, word)
        else:
            hear_fill(self.world, word)
        step.close_what_is_due(self.world)
        step.finish(self.world, self.cells)

    def _step_request(self, request: Request) -> None:
        step.begin(self.world, request.ts_recv_ns, request.origin)
        obey(self.world, request, self.symbols)
        step.close_what_is_due(self.world)
        step.finish(self.world, self.cells)

    def _add_instrument(self, instrument_id: int, symbol: str) -> None:
        """Rows for an instrument in every table, unless it has them."""
        if instrument_id in self.symbols:
            return
        self.symbols[instrument_id] = symbol
        world, counts = self.world, self.world.counts
        counts.instruments = max(counts.instruments, instrument_id)
        world.instruments.grow(counts.instruments + 1)
        world.positions.grow(counts.instruments * counts.strategies + 1)
        world.cells.grow(counts.instruments * counts.strategies + 1)
        world.bars.grow(counts.instruments * counts.timeframes + 1)
        universe.admit(world, instrument_id)
        for strategy_id in range(1, counts.strategies + 1):
            position = position_of(world, strategy_id, instrument_id)
            position.strategy_id = strategy_id
            position.instrument_id = instrument_id
        for number, (timeframe, basis) in enumerate(self._timeframes):
            row = bar_row(world, instrument_id, number)
            row.instrument_id = instrument_id
            row.timeframe = number
            row.measure = timeframe.unit
            row.is_session = timeframe.parts != 0
            row.parts = timeframe.parts
            row.basis = basis
            row.asked = timeframe.length
        self.cells.add_instrument(world, instrument_id)

    def _checkpoint(self) -> None:
        parts = np.frombuffer(self.state_hash(), "<i8").tolist()
        row = new_row(self.world.tape, self.world.tape.checkpoints)
        row.hash_0, row.hash_1, row.hash_2, row.hash_3 = parts
        put(self.world.clock, row, 0, input_place(self.world))
        self.world.clock.ord -= 1  # the row is no part of the state it speaks of; `decide` skips its place

    def _drained(self) -> Blocks:
        blocks = [
            self.cells.with_levels(block) if block.kind == Kind.MESSAGE else block for block in emptied(self.world.tape)
        ]
        self._hash.update(blocks)
        return blocks


def _start_runs(world: World, plans: Sequence[Plan], timeframes: Timeframes) -> None:
    world.counts.strategies = len(plans)
    world.runs.grow(len(plans) + 1)
    numbers = {_sort(timeframe, basis): number for number, (timeframe, basis) in enumerate(timeframes)}
    for run, plan in zip(world.runs[1:], plans, strict=True):
        for bars in plan.strategy.all_bars:
            bit = 1 << numbers[_sort(bars.timeframe, bars.basis)]
            for part in DayPart:
                if bars.timeframe.parts == 0 or bars.timeframe.parts >> part & 1:
                    run.bars[part] |= bit
            run.revised_bars |= bit if bars.revisions else 0


def _timeframes(strategies: Sequence[Plan]) -> Timeframes:
    """The bars that strategies ask for, each once: those of prints first, then by unit and length.

    Raises StrategyError when there are more than the engine can name.
    """
    parts: dict[tuple[int, int, int], int] = {}
    for bars in (bars for plan in strategies for bars in plan.strategy.all_bars):
        sort = _sort(bars.timeframe, bars.basis)
        parts[sort] = parts.get(sort, 0) | bars.timeframe.parts
    if len(parts) > TIMEFRAMES_MAX:
        raise StrategyError(f"strategies ask for {len(parts)} sorts of bars; accepted are up to {TIMEFRAMES_MAX}")
    return tuple((Timeframe(BarUnit(sort[1] % SESSION_UNITS), sort[2], parts[sort]), sort[0]) for sort in sorted(parts))


def _sort(timeframe: Timeframe, basis: int) -> tuple[int, int, int]:
    """What two timeframes share that differ only in the parts of the day that are wanted."""
    return basis, int(timeframe.bar_unit), timeframe.length
