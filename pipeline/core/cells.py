"""Cells: one for each (strategy, instrument): its State, its context, and the one place where handlers are called.

A handler that raises (or exits), stores what its State can't hold, or puts out what no row can hold, or too much,
fails: its State goes back to where it was before the round (the step, unless orders made in it were dispatched since), what the strategy put out in the round
is dropped, and the strategy is stopped. This is the one supervisor that catches everything: the engine writes down what
happened and goes on without that strategy.
"""

import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final

from pipeline.core.context import Context, OutputBuffer
from pipeline.core.record import Record
from pipeline.core.strategy import HANDLERS, Plan, Strategy
from pipeline.core.world import World

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")
_FOLDERS: Final = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\s'\"\\/:]+[\\/])+")
_TEXT_MAX: Final = 300


class Running:
    """A strategy as it runs: its place in the list (from 1), its parameters, its shared State, whether it goes on."""

    __slots__ = ("is_stopped", "levels", "params", "record", "shared", "shared_record", "strategy", "strategy_id")

    def __init__(self, strategy_id: int, plan: Plan) -> None:
        self.strategy_id = strategy_id
        self.strategy: Strategy = plan.strategy
        self.params = plan.params
        self.record: Record = plan.strategy.record
        self.shared_record = plan.strategy.shared_record
        self.shared = self.shared_record.new() if self.shared_record else None
        self.is_stopped = False
        self.levels = {int(message): message.level for message in plan.strategy.messages or ()}

    def packed_shared(self) -> bytes:
        """The shared State's bytes; none without one."""
        return self.shared_record.pack(self.shared) if self.shared_record else b""


class Cell:
    """A strategy in one instrument. `packed` is its State after the last call, `before` that before the round."""

    __slots__ = (
        "before",
        "context",
        "handlers",
        "instrument_id",
        "outputs_in_step",
        "packed",
        "params",
        "round",
        "running",
        "save",
        "seq",
        "shared_before",
        "state",
        "strategy_id",
    )

    def __init__(self, world: World, running: Running, instrument_id: int, outputs: OutputBuffer) -> None:
        self.running = running
        self.strategy_id = running.strategy_id
        self.instrument_id = instrument_id
        self.params = running.params
        self.state = running.record.new()
        self.save: Callable[[Any], bytes] = running.record.save
        self.packed = self.save(self.state)
        self.before = self.packed
        self.shared_before = b""
        self.round = 0
        self.seq = 0
        self.outputs_in_step = 0
        self.handlers: Mapping[str, Callable[..., None]] = {
            name: handler for name in HANDLERS if (handler := getattr(running.strategy, name))
        }
        self.context = Context(
            world.clock,
            world.instruments[instrument_id],
            world.position(running.strategy_id, instrument_id),
            world.account,
            outputs,
            world.settings.quote_age_ns_max,
            running.shared,
        )

    def call(self, handler: Callable[..., None], event: Any, seq: int, round_: int) -> str:
        """Run a handler; '' when all went well, else why the strategy must stop, the State being what it was."""
        if self.seq != seq or self.round != round_:
            self.round = round_
            self.before = self.packed
            if self.running.shared_record:
                self.shared_before = self.running.shared_record.save(self.running.shared)
            if self.seq != seq:
                self.seq = seq
                self.outputs_in_step = 0
        try:
            handler(self.state, event, self.params, self.context)
            self.packed = self.save(self.state)
            if self.context.outputs.count or self.running.shared_record:
                self._check()
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001  # the one supervisor: a strategy may fail in any way, sys.exit too
            self._undo()
            return reason_of(error, handler)
        return ""

    def _check(self) -> None:
        outputs = self.context.outputs
        self.outputs_in_step += outputs.count
        if self.outputs_in_step > len(outputs.rows):
            raise OverflowError("more outputs in one step than the settings allow")
        outputs.check()
        if self.running.shared_record:
            self.running.shared_record.save(self.running.shared)

    def _undo(self) -> None:
        """Rows made anew: the handler may have put anything in the place of an array or a group."""
        self.state = self.running.record.unpack(self.before)
        self.packed = self.before
        self.context.gate = 0
        self.context.outputs.count = 0
        if self.running.shared_record:
            self.running.shared = self.context.shared = self.running.shared_record.unpack(self.shared_before)


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
