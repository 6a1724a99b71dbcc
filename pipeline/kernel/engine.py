"""Compiled engine: the interpreted engine's answers at the speed of a loop in C.

Stretches of inputs go through the kernel. What the kernel has no lines for (an instrument's definition, an account's
statement, the operator's request), and every input at which it raises, is reduced by the interpreter over the same state:
the kernel is put back to where it was before the stretch, runs again up to the input in question, and goes on behind it.
So a handler that fails, or a number that passes 64 bits, has one meaning, and it is the interpreter's.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers, concat, row_count
from pipeline.codes import Kind
from pipeline.core import chunk
from pipeline.core.engine import Engine
from pipeline.core.hashing import DecisionsHash
from pipeline.core.settings import EngineSettings
from pipeline.core.snapshot import Snapshot
from pipeline.core.strategy import Plan
from pipeline.kernel.build import compile_once, kernel_of
from pipeline.kernel.memory import TAPE_ROWS, Memory
from pipeline.kernel.source import AT, INTERPRETED, STEPS, columns_of

STRETCH: Final = 65_536
"""Inputs of one call into the kernel, so that Ctrl-C is heard soon; also what is run again after a failure."""

ROWS_MAX: Final = TAPE_ROWS // 2
"""Derived rows in all after which the tape is emptied; one input writes far fewer than there is room for then."""

_OTHER: Final = 0


class CompiledEngine:
    """As `core.engine.Engine`, to the byte."""

    def __init__(self, strategies: Sequence[Plan], settings: EngineSettings | None = None) -> None:
        """Raises StrategyError naming the file and line of what can't be compiled."""
        self._module = kernel_of([plan.strategy for plan in strategies])
        self._plain = Engine(strategies, settings)
        self._memory = Memory(strategies, self._module)
        self._is_compiled = False
        self._hash = DecisionsHash()
        self._every: int = self._plain.world.settings.checkpoint_every

    def compile_now(self) -> None:
        """Compile, or load what was compiled before, ahead of the first input. Raises StrategyError."""
        self._enter()
        nothing = _Columns([], np.zeros(0, np.int8), 1, self._module)
        compile_once(self._module, self._arguments(nothing, 0, 0))

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs, one block a kind, in (seq, ord) order. Raises as `Engine` does."""
        batch = [block for block in batch if len(block)]
        if not batch:
            return []
        first = chunk.first_seq(batch)
        now = self._seq()
        assert now in (0, first - 1), f"seq {first} follows {now}"
        kinds = _kinds_in_order(batch, first)
        derived: list[Block] = []
        for start, stop, is_compiled in _pieces(kinds):
            piece = _between(batch, first + start, first + stop) if (start, stop) != (0, len(kinds)) else batch
            if is_compiled:
                derived += self._run(_Columns(piece, kinds[start:stop], first + start, self._module))
            else:
                derived += self._interpret(piece)
        blocks = concat(derived)
        self._hash.update(blocks)
        return blocks

    def state_hash(self) -> bytes:
        """32 bytes over every row of state."""
        return self.snapshot().digest()

    def decisions_hash(self) -> bytes:
        """32 bytes over all derived rows handed over so far."""
        return self._hash.digest()

    def snapshot(self) -> Snapshot:
        """Everything it remembers, between two batches."""
        return self._memory.snapshot() if self._is_compiled else self._plain.snapshot()

    def put_back(self, snapshot: Snapshot) -> None:
        """Remember what a snapshot of the same strategies, parameters and settings holds, and nothing else."""
        self._plain.put_back(snapshot)
        self._is_compiled = False

    def _seq(self) -> int:
        return self._memory.now_seq if self._is_compiled else self._plain.world.clock.seq

    def _interpret(self, batch: Blocks) -> Blocks:
        if self._is_compiled:
            self._plain.put_back(self._memory.snapshot())
            self._is_compiled = False
        return self._plain.reduce(batch)

    def _run(self, columns: "_Columns") -> Iterator[Block]:
        """All inputs of a piece through the kernel."""
        done = 0
        while done < columns.count:
            self._enter()
            compile_once(self._module, self._arguments(columns, 0, 0))
            stop = min(
                columns.count, done + STRETCH, self._next_checkpoint(columns.first_seq + done) - columns.first_seq
            )
            self._memory.lasting["clock"]["seq"] = columns.first_seq + done - 1
            before, cursors = self._memory.snapshot(), columns.cursors.copy()
            try:
                done = self._call(columns, done, stop)
            except (ArithmeticError, LookupError, ValueError, AssertionError):
                failed = int(columns.cursors[AT])
                self._go_back(before)
                columns.cursors[:] = cursors
                if failed > done:
                    stop, failed = failed, self._call(columns, done, failed)
                    assert stop == failed
                yield from self._emptied()
                yield from self._interpret(columns.one(failed))
                columns.skip(failed)
                done = failed + 1
            else:
                if done == stop and (columns.first_seq + done - 1) % self._every == 0:
                    self._write_checkpoint()
                yield from self._emptied()

    def _call(self, columns: "_Columns", start: int, stop: int) -> int:
        return int(self._module.run(*self._arguments(columns, start, stop)))

    def _arguments(self, columns: "_Columns", start: int, stop: int) -> tuple[Any, ...]:
        lasting = self._memory.arguments()
        return (*lasting, *columns.arguments, columns.kinds, columns.cursors, start, stop, ROWS_MAX)

    def _enter(self) -> None:
        """See that the state lies where compiled code works on it."""
        if not self._is_compiled:
            self._memory.fill(self._plain.snapshot())
            self._is_compiled = True

    def _go_back(self, snapshot: Snapshot) -> None:
        self._memory.forget_tape()
        self._memory.fill(snapshot)

    def _emptied(self) -> Blocks:
        with_levels = self._plain.cells.with_levels
        return [with_levels(block) if block.kind == Kind.MESSAGE else block for block in self._memory.emptied()]

    def _next_checkpoint(self, seq: int) -> int:
        """The `seq` behind the next input, `seq` or later, that a checkpoint follows."""
        return -(-seq // self._every) * self._every + 1

    def _write_checkpoint(self) -> None:
        digest = np.frombuffer(self.state_hash(), "<i8")
        self._memory.add_checkpoint({f"hash_{i}": digest[i] for i in range(4)})


class _Columns:
    """The inputs of a piece as the kernel takes them. `cursors[kind]` is the next row of each kind (0: of the rest), `cursors[AT]` the input."""

    def __init__(self, batch: Blocks, kinds: Numbers, first_seq: int, module: Any) -> None:
        self.batch = batch
        self.kinds = kinds
        self.first_seq = first_seq
        self.count = len(kinds)
        self.cursors = np.zeros(AT + 1, np.int64)
        by_kind = {block.kind: block for block in batch}
        self.arguments = [_columns(module, kind, by_kind.get(kind)) for kind in STEPS]
        self.arguments.append(_others(module, [block for block in batch if block.kind not in STEPS]))

    def one(self, place: int) -> Blocks:
        """One input, alone."""
        return _between(self.batch, self.first_seq + place, self.first_seq + place + 1)

    def skip(self, place: int) -> None:
        """Go on behind an input that was reduced elsewhere."""
        self.cursors[self.kinds[place]] += 1


def _columns(module: Any, kind: Kind, block: Block | None) -> Any:
    block = block or Block.of(kind, 0)
    return getattr(module, f"{kind.name.title()}Columns")(*(_readable(block.number(name)) for name in columns_of(kind)))


def _others(module: Any, blocks: Blocks) -> Any:
    """Session time and origin of what moves nothing else, in order."""
    if not blocks:
        return module.OtherColumns(_readable(np.zeros(0, np.int64)), _readable(np.zeros(0, np.int8)))
    order = np.argsort(np.concatenate([block.number("seq") for block in blocks]), kind="stable")
    return module.OtherColumns(
        *(
            _readable(np.concatenate([block.number(name) for block in blocks])[order])
            for name in ("ts_recv_ns", "origin")
        )
    )


def _readable(column: Numbers) -> Numbers:
    """The column as one type of array, whoever made it: in one piece, aligned, not to be written."""
    made = np.require(column, requirements=["C", "A"]).view()
    made.flags.writeable = False
    return made


def _kinds_in_order(batch: Blocks, first: int) -> Numbers:
    """The kind of each input; 0 for what moves only the session time."""
    kinds = np.empty(row_count(batch), np.int8)
    for block in batch:
        kind = int(block.kind) if block.kind in STEPS or block.kind in INTERPRETED else _OTHER
        if len(block) == len(kinds):
            kinds[:] = kind
        else:
            kinds[block.number("seq") - first] = kind
    return kinds


def _pieces(kinds: Numbers) -> Iterator[tuple[int, int, bool]]:
    """Stretches that are all for the kernel, or all for the interpreter."""
    is_plain = np.isin(kinds, [int(kind) for kind in INTERPRETED])
    edges = [0, *(np.flatnonzero(np.diff(is_plain)) + 1).tolist(), len(kinds)]
    for start, stop in pairwise(edges):
        yield start, stop, not is_plain[start]


def _between(batch: Blocks, first: int, end: int) -> Blocks:
    """The inputs from `seq` first up to, but not with, end."""
    cut = []
    for block in batch:
        low, high = np.searchsorted(block.number("seq"), [first, end])
        if low < high:
            cut.append(block.slice(int(low), int(high)))
    return cut
