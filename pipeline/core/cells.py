"""Cells: a strategy in an instrument, its State and its context, and the one place where handlers are called interpreted.

A handler that raises (or exits), stores what its State can't hold, or puts out what no row can hold, or too much,
fails: its State goes back to where it was before the round (the step, unless orders made in it were dispatched since), what the strategy put out in the round
is dropped, and the strategy is stopped. This is the one supervisor that catches everything: the engine writes down what
happened and goes on without that strategy.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import numpy as np

from pipeline.block import Block
from pipeline.codes import SessionAction
from pipeline.core.context import OUTPUT, Context, Output, check_ranges
from pipeline.core.operator import flatten
from pipeline.core.record import Record
from pipeline.core.strategy import HANDLERS, Plan, Strategy
from pipeline.core.tape import Place, new_row, put
from pipeline.core.world import World, hears, index_of

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")
_FOLDERS: Final = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\s'\"\\/:]+[\\/])+")
_TEXT_MAX: Final = 300
Rows = np.ndarray[Any, np.dtype[Any]]
OF_ORDERS: Final = ("on_order", "on_fill")
"""Handlers of what became of a strategy's orders, which it hears wherever it made them."""

_ALL: Final = 0
"""As an instrument: all of them."""


class Running:
    """A strategy as it runs: its place in the list (from 1), its parameters, its shared State."""

    __slots__ = (
        "handlers",
        "levels",
        "params",
        "record",
        "shared",
        "shared_before",
        "shared_record",
        "strategy",
        "strategy_id",
    )

    def __init__(self, strategy_id: int, plan: Plan) -> None:
        self.strategy_id = strategy_id
        self.strategy: Strategy = plan.strategy
        self.params = plan.params
        self.record: Record = plan.strategy.record
        self.shared_record = plan.strategy.shared_record
        self.shared = self.shared_record.new() if self.shared_record else None
        self.shared_before = b""
        self.levels = {int(message): int(message.level) for message in plan.strategy.messages or ()}
        self.handlers: Mapping[str, Callable[..., None]] = {
            name: handler for name in HANDLERS if (handler := getattr(plan.strategy, name))
        }

    def packed_shared(self) -> bytes:
        """The shared State's bytes; none without one."""
        return self.shared_record.pack(self.shared) if self.shared_record else b""


class Cell:
    """A strategy in one instrument. `packed` is its State after the last call, `before` that before the round."""

    __slots__ = ("before", "context", "packed", "round", "running", "save", "settle", "state")

    def __init__(self, world: World, running: Running, instrument_id: int) -> None:
        self.running = running
        self.state = running.record.new()
        self.save: Callable[[Any], bytes] = running.record.save
        self.settle: Callable[[Any], None] = running.record.settle
        self.packed = self.save(self.state)
        self.before = self.packed
        self.round = -1
        index = index_of(world, running.strategy_id, instrument_id)
        self.context = Context(world, running.strategy_id, instrument_id, index, running.shared)

    def call(self, handler: Callable[..., None], event: Any, round_: int) -> str:
        """Run a handler; '' when all went well, else why the strategy must stop, the State being what it was."""
        world, running = self.context.world, self.running
        if self.round != round_:
            self.round = round_
            self.before = self.packed
            if running.shared_record:
                running.shared_before = running.shared_record.save(running.shared)
        outputs = world.counts.outputs
        try:
            handler(self.state, event, running.params, self.context)
            self.packed = self.save(self.state)
            self.settle(self.state)
            if world.counts.outputs != outputs:
                for output in world.outputs[outputs + 1 : world.counts.outputs + 1]:
                    check_output(output)
            if running.shared_record:
                running.shared_record.save(running.shared)
                running.shared_record.settle(running.shared)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  # the one supervisor: a strategy may fail in any way, sys.exit too
            self._undo()
            return reason_of(error, handler)
        return ""

    def put_back(self, packed: bytes) -> None:
        """The State is this from here on; a row made anew, for a handler may have put anything in an array's place."""
        self.state = self.running.record.unpack(packed)
        self.packed = self.before = packed
        self.round = -1

    def _undo(self) -> None:
        self.put_back(self.before)
        self.context.cell.gate = 0
        running = self.running
        if running.shared_record:
            running.shared = running.shared_record.unpack(running.shared_before)
            self.context.share(running.shared)


class Cells:
    """All cells of an engine, and who hears what: strategies in their order, then instruments."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.running = [Running(i, plan) for i, plan in enumerate(plans, 1)]
        self.by_pair: dict[tuple[int, int], Cell] = {}
        self._routes: dict[tuple[str, int], list[tuple[Cell, Callable[..., None]]]] = {}

    def add_instrument(self, world: World, instrument_id: int) -> None:
        """Give every strategy a cell in a new instrument."""
        for running in self.running:
            self.by_pair[running.strategy_id, instrument_id] = Cell(world, running, instrument_id)
        for name in HANDLERS:
            for concerned in (_ALL, instrument_id):
                self._routes.pop((name, concerned), None)

    def ready(self, cell: Cell) -> None:
        """The cell is about to be called: its State and the rows it may read are as they should be."""

    def packed(self, instruments: int) -> tuple[tuple[Rows, ...], tuple[bytes, ...]]:
        """The States of each strategy, instruments 1, 2, 3... in order, and the shared ones."""
        states = tuple(self._packed_states(running, instruments) for running in self.running)
        return states, tuple(running.packed_shared() for running in self.running)

    def _packed_states(self, running: Running, instruments: int) -> Rows:
        blank, pairs = running.record.save(running.record.new()), self.by_pair
        keys = ((running.strategy_id, instrument_id) for instrument_id in range(1, instruments + 1))
        packed = b"".join(pairs[key].packed if key in pairs else blank for key in keys)
        if running.record.dtype.itemsize == 0:
            return np.zeros(instruments, running.record.dtype)
        return np.frombuffer(packed, running.record.dtype)

    def put_back(self, states: Sequence[Rows], shared: Sequence[bytes]) -> None:
        """States from a snapshot."""
        for running, packed in zip(self.running, shared, strict=True):
            if running.shared_record:
                running.shared = running.shared_record.unpack(packed)
        for (strategy_id, instrument_id), cell in self.by_pair.items():
            cell.put_back(states[strategy_id - 1][instrument_id - 1].tobytes())
            cell.context.share(cell.running.shared)

    def with_levels(self, messages: Block) -> Block:
        """How loud each message is, which stands with its enum."""
        pairs = zip(messages.number("strategy_id").tolist(), messages.number("code").tolist(), strict=True)
        levels = [self.running[strategy_id - 1].levels.get(code, 0) for strategy_id, code in pairs]
        return messages.with_columns(level=np.array(levels, np.int8))

    def route(self, name: str, instrument_id: int) -> list[tuple[Cell, Callable[..., None]]]:
        """Who hears such an event of an instrument (0: what concerns all), with the handlers for it."""
        route = self._routes.get((name, instrument_id))
        if route is None:
            own = ((running.strategy_id, instrument_id) for running in self.running)
            keys = sorted(self.by_pair) if instrument_id == _ALL else [key for key in own if key in self.by_pair]
            heard = [cell for key in keys if name in (cell := self.by_pair[key]).running.handlers]
            route = self._routes[name, instrument_id] = [(cell, cell.running.handlers[name]) for cell in heard]
        return route


def deliver(world: World, cells: Cells, name: str, instrument_id: int, event: Any) -> None:
    """An input to all strategies that handle it; instrument 0 concerns all."""
    for cell, handler in cells.route(name, instrument_id):
        if _hears(world, cell, name, event.origin):
            cells.ready(cell)
            _call(world, cell, handler, event)


def deliver_to_one(world: World, cells: Cells, name: str, strategy_id: int, instrument_id: int, event: Any) -> None:
    """A fact to the strategy it concerns."""
    cell = cells.by_pair[strategy_id, instrument_id]
    handler = cell.running.handlers.get(name)
    if handler is not None and _hears(world, cell, name, event.origin):
        _call(world, cell, handler, event)


def _hears(world: World, cell: Cell, name: str, origin: int) -> bool:
    """Whether the strategy runs, and is given such an event; of its own orders it hears in any case."""
    if world.runs[cell.running.strategy_id].is_stopped:
        return False
    return name in OF_ORDERS or hears(world, cell.running.strategy_id, cell.context.instrument_id, origin)


def _call(world: World, cell: Cell, handler: Callable[..., None], event: Any) -> None:
    failure = cell.call(handler, event, world.clock.round)
    if failure:
        _stop(world, cell, failure)


def _stop(world: World, cell: Cell, reason: str) -> None:
    """Go on without a strategy: drop what it put out in this round, say why, flatten."""
    strategy_id, instrument_id = cell.running.strategy_id, cell.context.instrument_id
    world.runs[strategy_id].is_stopped = True
    _drop_outputs(world, strategy_id)
    cause = Place(world.clock.cause_seq, world.clock.cause_ord)
    row = new_row(world.tape, world.tape.stops)
    row.action = SessionAction.STOPPED
    row.key = cell.running.strategy.name
    row.text = reason
    flatten(world, strategy_id, _ALL, put(world.clock, row, instrument_id, cause))


def _drop_outputs(world: World, strategy_id: int) -> None:
    """What a strategy put out in this round never was; the engine's own wishes stay."""
    counts, kept = world.counts, 0
    for i in range(1, counts.outputs + 1):
        output = world.outputs[i]
        if output.strategy_id != strategy_id or output.is_engines:
            kept += 1
            world.outputs[i], world.outputs[kept] = world.outputs[kept], output
    counts.outputs = kept


def check_output(output: Output) -> None:
    """Make every number of an output a plain int or float.

    Raises TypeError, ValueError or OverflowError, naming the first that is none or that its column can't hold.
    """
    OUTPUT.restore(output, OUTPUT.save(output))
    check_ranges(output)


def reason_of(error: BaseException, handler: Callable[..., None]) -> str:
    """Type and message of a failure, and the function and line of the strategy's file; no addresses, no folders."""
    text = _FOLDERS.sub("", _ADDRESS.sub("0x..", _words(error)))[:_TEXT_MAX]
    function, line = _where(error.__traceback__, handler.__code__.co_filename)
    return f"{type(error).__name__}: {text} (in {function or handler.__name__}, line {line or handler.__code__.co_firstlineno})"


def _words(error: BaseException) -> str:
    """What an error says, as text that UTF-8 can hold; nothing when saying it fails too."""
    try:
        return str(error)[: 10 * _TEXT_MAX].encode("utf-8", "backslashreplace").decode()
    except Exception:  # noqa: BLE001  # the strategy's own exception class may be what is wrong
        return ""


def _where(trace: TracebackType | None, file: str) -> tuple[str, int]:
    """The innermost function and line within a file; ('', 0) when it was left already."""
    function, line = "", 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            function, line = trace.tb_frame.f_code.co_name, trace.tb_lineno
        trace = trace.tb_next
    return function, line
