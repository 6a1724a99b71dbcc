"""Engine: one function from inputs to decisions.

For each input, in this order: session time moves on; orders and cancels that are due reach the venue; the input is folded
(its quote, status or bar meets the orders); bars that are due close; then handlers run, facts first in first out, the
input last, strategies in their order; then their wishes are arbitrated, pass the risk gate and become orders. What that
causes is dispatched in further rounds until nothing is left. Only then comes the next input, so how many inputs arrive
in one batch changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from pipeline.block import Blocks
from pipeline.codes import BarUnit, Kind, Origin, SessionAction
from pipeline.core import chunk, venue
from pipeline.core.bars import BAR, BarBook, Closed, Timeframe
from pipeline.core.cells import Cell, Running
from pipeline.core.closing import is_first, wants, write_bar
from pipeline.core.context import WISH, Output, OutputBuffer
from pipeline.core.desk import settle
from pipeline.core.hashing import state_digest
from pipeline.core.instrument import fold_bar, fold_definition, fold_quote, fold_status, introduced
from pipeline.core.market import AccountStatement, Bar, Definition, Quote, Request, Status
from pipeline.core.operator import flatten, fold_account, obey
from pipeline.core.outputs import write_output
from pipeline.core.settings import EngineSettings, checked
from pipeline.core.strategy import HANDLERS, Plan
from pipeline.core.tape import ROWS, Place
from pipeline.core.world import ACCOUNT, CLOCK, INSTRUMENT, ORDER, POSITION, Fact, Wish, World

__all__ = ["Engine", "Plan"]

_HANDLER_OF: Final[Mapping[int, str]] = {
    int(Kind.QUOTE): "on_quote",
    int(Kind.PRINT): "on_print",
    int(Kind.STATUS): "on_status",
    int(Kind.TIMER): "on_timer",
    int(Kind.FEED): "on_feed",
}
_QUOTE: Final = int(Kind.QUOTE)
_PRINT: Final = int(Kind.PRINT)
_INPUT: Final = int(Origin.INPUT)
_BACKFILL: Final = int(Origin.BACKFILL)
_ALL: Final = 0
"""As an instrument: all of them."""

Route = list[tuple[Cell, Callable[..., None]]]
"""The cells that hear an event, strategies in their order, with their handlers for it."""


class Engine:
    """Strategies over one stream of inputs. Two engines given the same inputs, however batched, are byte for byte equal."""

    def __init__(self, strategies: Sequence[Plan], settings: EngineSettings | None = None) -> None:
        settings = checked(settings or EngineSettings())
        self.world = World(settings)
        self.world.account.cash = settings.cash
        self.running = [Running(i, plan) for i, plan in enumerate(strategies, 1)]
        self._bars = BarBook(_timeframes(strategies), settings.bar_lateness_ns, {})
        self._cells: dict[tuple[int, int], Cell] = {}
        self._routes: dict[str, dict[int, Route]] = {name: {} for name in HANDLERS}
        self._outputs = OutputBuffer(settings.outputs_max)
        self._pending: list[tuple[Cell, Output, Place]] = []
        self._round = 0
        self._size_step_nano = np.zeros(64, np.int64)
        self._folds: Mapping[int, Callable[[Any], None]] = {
            int(Kind.QUOTE): self._fold_quote,
            int(Kind.BAR): self._fold_vendor_bar,
            int(Kind.STATUS): self._fold_status,
            int(Kind.INSTRUMENT): self._fold_definition,
            int(Kind.ACCOUNT): self._fold_account,
            int(Kind.REQUEST): self._fold_request,
        }

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs, one block a kind, in (seq, ord) order.

        Asserts that the inputs are dense and follow those of the last call; raises LogError for an instrument that no
        `instrument` event defined.
        """
        batch = [block for block in batch if len(block)]
        if not batch:
            return []
        first = chunk.first_seq(batch)
        if self.world.clock.seq == 0:
            self.world.clock.seq = first - 1
        assert first == self.world.clock.seq + 1, f"seq {first} follows {self.world.clock.seq}"
        for stretch in chunk.stretches(batch):
            for kind, event in chunk.events_in_order(stretch, self._size_step_nano):
                self._step(kind, event)
        return self.world.tape.drain()

    def state_hash(self) -> bytes:
        """32 bytes over every row of state: clock, account, instruments, positions, orders, bars, strategies."""
        world = self.world
        cells = [self._cells[key] for key in sorted(self._cells)]
        return state_digest(
            (
                [CLOCK.pack(world.clock), ACCOUNT.pack(world.account)],
                [INSTRUMENT.pack(world.instruments[key]) for key in sorted(world.instruments)],
                [POSITION.pack(world.positions[key]) for key in sorted(world.positions)],
                [ORDER.pack(order) for order in world.orders],
                [BAR.pack(row) for key in sorted(self._bars.rows) for row in self._bars.rows[key]],
                [cell.context.gate.to_bytes(8, "little") + cell.running.record.pack(cell.state) for cell in cells],
                [bytes([running.is_stopped]) + running.packed_shared() for running in self.running],
            )
        )

    def decisions_hash(self) -> bytes:
        """32 bytes over all derived rows handed over so far."""
        return self.world.tape.hash.digest()

    def state_of(self, strategy_id: int, instrument_id: int) -> Any:
        """The State of a strategy in an instrument, to look at. Raises KeyError when there is none."""
        return self._cells[strategy_id, instrument_id].state

    # One input, in dispatch order.

    def _step(self, kind: int, event: Any) -> None:
        world = self.world
        clock = world.clock
        clock.seq += 1
        now = clock.now_ns
        if event.ts_recv_ns > now:
            now = clock.now_ns = event.ts_recv_ns
        origin = event.origin
        world.is_live = origin == _INPUT
        if now >= world.next_arrival_ns:
            venue.arrive(world)
        fold = self._folds.get(kind)
        if fold is not None:
            fold(event)
        if now >= self._bars.next_close_ns:
            self._write_bars(self._bars.close_due(now))
        if self._bars.timeframes and kind in (_PRINT, _QUOTE):
            self._aggregate(kind, event)
        handler = _HANDLER_OF.get(kind)
        if handler is not None and origin != _BACKFILL:
            if world.facts:
                world.facts.append(Fact(handler, _ALL, event.instrument_id, event, world.tape.input))
            else:
                self._deliver(handler, event.instrument_id, event, None)
        while world.facts or self._pending or world.wishes:
            self._finish_round()
        if clock.seq % world.settings.checkpoint_every == 0:
            self._checkpoint()

    def _finish_round(self) -> None:
        """Deliver the facts that wait, write what handlers put out, and let the desk settle their wishes."""
        world = self.world
        facts, world.facts = world.facts, []
        for fact in facts:
            if fact.strategy_id:
                self._deliver_to_one(fact)
            else:
                self._deliver(fact.handler, fact.instrument_id, fact.event, fact.cause)
        pending, self._pending = self._pending, []
        wishes, world.wishes = world.wishes, []
        for cell, output, cause in pending:
            if output.kind == WISH:
                wishes.append(Wish(cell.strategy_id, cell.instrument_id, output, cause))
            else:
                write_output(world, cell.running, cell.instrument_id, output, cause)
        if wishes:
            settle(world, wishes)
        for _, output, _ in pending:
            self._outputs.give_back(output)
        self._round += 1

    # Folds: what an input moves before any handler sees it.

    def _fold_quote(self, quote: Quote) -> None:
        if quote.origin == _BACKFILL:
            return
        instrument = self.world.instruments[quote.instrument_id]
        if fold_quote(instrument, quote) and instrument.open_orders:
            venue.match_quote(self.world, instrument)

    def _fold_status(self, status: Status) -> None:
        if status.origin == _BACKFILL:
            return
        instruments = self.world.instruments
        concerned = instruments if status.instrument_id == _ALL else {status.instrument_id} & instruments.keys()
        for instrument_id in concerned:
            fold_status(instruments[instrument_id], status)

    def _fold_vendor_bar(self, bar: Bar) -> None:
        if bar.bar_unit == BarUnit.TIME:
            self._bars.take_over(bar.instrument_id, bar.bar_length)
        self._see_bar(bar, self.world.tape.input)

    def _fold_definition(self, definition: Definition) -> None:
        world, instrument_id = self.world, definition.instrument_id
        is_new = instrument_id not in world.instruments
        if is_new:
            world.instruments[instrument_id] = INSTRUMENT.new()
            self._bars.add_instrument(instrument_id)
        fold_definition(world.instruments[instrument_id], definition)
        world.symbols[instrument_id] = definition.symbol
        self._size_step_nano = chunk.with_step(self._size_step_nano, instrument_id, definition.size_step_nano)
        if is_new:
            self._add_cells(instrument_id)
            world.facts.append(Fact("on_start", _ALL, instrument_id, introduced(definition), world.tape.input))

    def _fold_account(self, statement: AccountStatement) -> None:
        fold_account(self.world.account, statement)

    def _fold_request(self, request: Request) -> None:
        obey(self.world, request)

    def _aggregate(self, kind: int, event: Any) -> None:
        add = self._bars.add_print if kind == _PRINT else self._bars.add_quote
        self._write_bars(add(event, self.world.clock.now_ns))

    def _write_bars(self, closed: Sequence[Closed]) -> None:
        for one in closed:
            bar, place = write_bar(self.world, one)
            self._see_bar(bar, place)

    def _see_bar(self, bar: Bar, place: Place) -> None:
        """A bar, ours or a vendor's: to the venue where there are no quotes, and to the strategies that asked for it."""
        instrument = self.world.instruments[bar.instrument_id]
        if is_first(bar):
            fold_bar(instrument, bar)
            if instrument.open_orders and not instrument.has_quotes:
                venue.match_bar(self.world, instrument, bar)
        for running in self.running:
            if wants(running.strategy.bars, bar):
                self.world.facts.append(Fact("on_bar", running.strategy_id, bar.instrument_id, bar, place))

    # Handlers.

    def _deliver(self, name: str, instrument_id: int, event: Any, cause: Place | None) -> None:
        seq, round_, outputs = self.world.clock.seq, self._round, self._outputs
        route = self._routes[name].get(instrument_id)
        if route is None:
            route = self._route_to_all(name) if instrument_id == _ALL else []
        for cell, handler in route:
            if cell.running.is_stopped:
                continue
            failure = cell.call(handler, event, seq, round_)
            if failure or outputs.count:
                self._collect(cell, failure, cause or self.world.tape.input)

    def _deliver_to_one(self, fact: Fact) -> None:
        cell = self._cells.get((fact.strategy_id, fact.instrument_id))
        if cell is None or cell.running.is_stopped:
            return
        handler = cell.handlers.get(fact.handler)
        if handler is not None:
            failure = cell.call(handler, fact.event, self.world.clock.seq, self._round)
            if failure or self._outputs.count:
                self._collect(cell, failure, fact.cause)

    def _collect(self, cell: Cell, failure: str, cause: Place) -> None:
        """What a call put out waits for the end of the round; a failure ends the strategy."""
        if failure:
            self._stop(cell, failure, cause)
        else:
            self._pending += [(cell, output, cause) for output in self._outputs.take()]

    def _stop(self, cell: Cell, reason: str, cause: Place) -> None:
        """Go on without a strategy: drop what it put out in this round, say why, flatten."""
        running = cell.running
        running.is_stopped = True
        self._pending = [entry for entry in self._pending if entry[0].running is not running]
        row = ROWS[Kind.SESSION](action=SessionAction.STOPPED, key=running.strategy.name, text=reason)
        place = self.world.tape.write(Kind.SESSION, cell.instrument_id, cause, row)
        flatten(self.world, running.strategy_id, _ALL, place)

    def _add_cells(self, instrument_id: int) -> None:
        """Give every strategy that goes on a cell in a new instrument."""
        cells = [
            Cell(self.world, running, instrument_id, self._outputs)
            for running in self.running
            if not running.is_stopped
        ]
        for cell in cells:
            self._cells[cell.strategy_id, instrument_id] = cell
        for name, routes in self._routes.items():
            routes[instrument_id] = [(cell, cell.handlers[name]) for cell in cells if name in cell.handlers]
            routes.pop(_ALL, None)

    def _route_to_all(self, name: str) -> Route:
        """Who hears what concerns all instruments: strategies in their order, then instruments."""
        cells = [self._cells[key] for key in sorted(self._cells)]
        route = self._routes[name][_ALL] = [(cell, cell.handlers[name]) for cell in cells if name in cell.handlers]
        return route

    def _checkpoint(self) -> None:
        parts = np.frombuffer(self.state_hash(), "<i8").tolist()
        self.world.tape.write(Kind.CHECKPOINT, 0, self.world.tape.input, ROWS[Kind.CHECKPOINT](*parts))


def _timeframes(strategies: Sequence[Plan]) -> tuple[Timeframe, ...]:
    """The bars that strategies ask for, each once, shortest first."""
    wanted = {(plan.strategy.bars.length_ns, plan.strategy.bars.basis) for plan in strategies if plan.strategy.bars}
    return tuple(Timeframe(*each) for each in sorted(wanted))
