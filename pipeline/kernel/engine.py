"""Compiled engine: the interpreted engine's answers at the speed of a loop in C.

Inputs go through the kernel. What the kernel has no lines for (an instrument's definition, an account's statement, the
operator's request), and every input at which it fails, is reduced by the interpreter over the same state: the kernel is
put back to where it was kept, runs again up to the input in question, and goes on behind it. So a handler that fails, or
a number that passes 64 bits, has one meaning, and it is the interpreter's.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np

from pipeline.block import Block, Blocks, concat
from pipeline.codes import Kind
from pipeline.core import chunk, universe
from pipeline.core.hashing import DecisionsHash
from pipeline.core.record import canonicalize
from pipeline.core.settings import EngineSettings
from pipeline.core.snapshot import Snapshot
from pipeline.core.strategy import Plan
from pipeline.kernel.build import kernel_of, kernel_symbol
from pipeline.kernel.few import FEW, Few
from pipeline.kernel.groups import STEPS, Array, Run
from pipeline.kernel.history import Call, History, Lone, Stretch
from pipeline.kernel.inputs import Inputs, Many, pieces
from pipeline.kernel.lending import Interpreter, Loan
from pipeline.kernel.memory import TAPE_ROWS, Memory, block_of, rows_of
from pipeline.kernel.single import Single

STRETCH: Final = 65_536
"""Inputs of one call into the kernel, so that Ctrl-C is heard soon; also what is run again after a failure."""

ROWS_MAX: Final = TAPE_ROWS // 2
"""Derived rows in all after which the tape is emptied; one input writes far fewer than there is room for then."""


class CompiledEngine:
    """As `core.engine.Engine`, to the byte."""

    def __init__(self, strategies: Sequence[Plan], settings: EngineSettings | None = None) -> None:
        """Raises StrategyError naming the file and line of what can't be translated; compiles with the first input."""
        self._strategies = tuple(plan.strategy for plan in strategies)
        kernel_symbol(self._strategies)
        self._plain = Interpreter(strategies, settings)
        self._memory = Memory(strategies)
        self._loan = Loan(self._plain, self._memory)
        self._is_compiled = False
        self._single: Single | None = None
        self._few: Few | None = None
        self._history = History(self._memory)
        self._written: dict[Kind, list[Array]] = {}
        self._hash = DecisionsHash()
        self._every: int = self._plain.world.settings.checkpoint_every

    @property
    def begins_anew(self) -> bool:
        """As `Engine.begins_anew`."""
        return self._plain.begins_anew

    @begins_anew.setter
    def begins_anew(self, value: bool) -> None:
        self._plain.begins_anew = value

    def compile_now(self) -> None:
        """Compile, or load what was compiled before, ahead of the first input. Raises StrategyError, ConfigError."""
        kernel_of(self._strategies)

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs, one block a kind, in (seq, ord) order. Raises as `Engine` does."""
        if self._is_compiled and len(batch) == 1 and len(batch[0]) == 1 and batch[0].kind in STEPS:
            return self._reduce_one(batch[0])
        batch = [block for block in batch if len(block)]
        if not batch:
            return []
        first = chunk.first_seq(batch)
        now = self._seq()
        assert now in (0, first - 1), f"seq {first} follows {now}"
        derived: Blocks = []
        for piece in pieces(batch, first, self._plain.bearing):
            if isinstance(piece, Inputs):
                derived += self._run(piece)
            else:
                derived += self._interpret(piece)
        return concat([*derived, *self._flushed()])

    def decide(self, made: Blocks) -> Blocks:
        """As `Engine.decide`. A change of the universe is the interpreter's; without one nothing moves but places."""
        is_change = any(block.kind == Kind.UNIVERSE and len(block) for block in made)
        if self._is_compiled and not is_change and not self._memory.lasting["counts"]["leaving"][0]:
            clock = self._memory.lasting["clock"]
            clock["ord"] += int(clock["seq"][0]) % self._every == 0
            derived = universe.placed(made, int(clock["ord"][0]))
            clock["ord"] += sum(map(len, derived))
            clock["round"] += 1
        else:
            self._leave()
            derived = self._plain.decide(made)
        self._hash.update(derived)
        return derived

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
        self._loan.forget()
        self._plain.put_back(snapshot)
        self._is_compiled = False

    @cached_property
    def kernel(self) -> Run:
        """The compiled loop. Raises as `compile_now` does."""
        return kernel_of(self._strategies)

    def _seq(self) -> int:
        return self._memory.now_seq if self._is_compiled else self._plain.world.clock.seq

    def _interpret(self, batch: Blocks) -> Blocks:
        """These inputs through the interpreter, behind what the kernel wrote before."""
        before = self._flushed()
        self._leave()
        derived = self._plain.reduce(batch)
        self._hash.update(derived)
        return [*before, *derived]

    def _run(self, inputs: Inputs) -> Blocks:
        """All inputs of a piece through the kernel, but for those at which it fails."""
        derived: Blocks = []
        done = 0
        while done < inputs.count:
            self._enter(inputs.first_seq + done)
            stop = min(inputs.count, done + STRETCH, self._next_checkpoint(inputs.first_seq + done) - inputs.first_seq)
            stretch = Stretch(self._call(inputs), inputs, done, stop, ROWS_MAX)
            is_well = self._history.run(stretch, self.kernel)
            done = stretch.stop
            if is_well and done == stop and (inputs.first_seq + done - 1) % self._every == 0:
                self._write_checkpoint()
            self._keep_written()
            if not is_well:
                derived += self._interpret(inputs.one(done))
                inputs.skip(done)
                done += 1
        return derived

    def _reduce_one(self, block: Block) -> Blocks:
        """One input, at a fixed place."""
        seq, now = int(block.number("seq")[0]), self._memory.now_seq
        assert seq == now + 1, f"seq {seq} follows {now}"
        if self._single is None:
            self._single = Single(self._strategies, self._memory.world, self._memory.cells)
        if not self._history.run(Lone(self._single, block), self.kernel):
            return self._interpret([block])
        if seq % self._every == 0:
            self._write_checkpoint()
        return self._flushed() if self._keep_written() else []

    def _call(self, inputs: Inputs) -> Call:
        if inputs.count > FEW:
            return Many(inputs, self._strategies, self._memory.world, self._memory.cells)
        if self._few is None:
            self._few = Few(self._strategies, self._memory.world, self._memory.cells)
        return self._few

    def _enter(self, seq: int) -> None:
        """See that the state lies where compiled code works on it, before input `seq`."""
        if self._is_compiled:
            return
        self._plain.world.clock.seq = seq - 1
        if self._loan.is_lent:
            patch = self._loan.taken_back()
            patch.run()
            is_new = self._loan.was_made_anew()
            if not is_new:
                self._history.add(patch)
        else:
            is_new = self._memory.fill(self._plain.snapshot())
        if is_new:
            self._single = self._few = None
        if is_new or not self._loan.is_lent:
            self._history.begin()
        self._is_compiled = True

    def _leave(self) -> None:
        """See that the interpreter has the state."""
        if self._is_compiled:
            self._loan.lend()
            self._is_compiled = False

    def _keep_written(self) -> bool:
        """Take what the kernel wrote off the tape; whether there was anything."""
        written = self._memory.written()
        for kind, rows in written.items():
            self._written.setdefault(kind, []).append(rows)
        return bool(written)

    def _flushed(self) -> Blocks:
        """What the kernel wrote, hashed, as blocks."""
        blocks = []
        for kind, parts in sorted(self._written.items()):
            lines = parts[0] if len(parts) == 1 else np.concatenate(parts)
            rows = rows_of(kind, lines)
            canonicalize(rows)
            block = block_of(kind, rows, lines)
            if kind == Kind.MESSAGE:
                block = self._plain.cells.with_levels(block)
                rows["level"] = block.number("level")
            self._hash.take(kind, lines)
            blocks.append(block)
        self._written.clear()
        return blocks

    def _next_checkpoint(self, seq: int) -> int:
        """The `seq` behind the next input, `seq` or later, that a checkpoint follows."""
        return -(-seq // self._every) * self._every + 1

    def _write_checkpoint(self) -> None:
        digest = np.frombuffer(self.state_hash(), "<i8")
        self._memory.add_checkpoint({f"hash_{i}": digest[i] for i in range(4)})
