"""History: the stretches that ran since the state was last kept, so that a failure can be gone back behind.

Keeping the state costs a copy of all of it. So it is kept once in many inputs, however few come at a time, and what ran
since then is run again when the kernel fails: it gives the same, for nothing else moves the state.
"""

from typing import Final, Protocol

import numpy as np

from pipeline.block import Block
from pipeline.kernel.groups import Array, Run
from pipeline.kernel.inputs import Inputs
from pipeline.kernel.memory import Memory
from pipeline.kernel.single import Single

KEPT_FOR: Final = 65_536
"""Inputs after which the state is kept anew; as many are run again after a failure, at most."""

_LET_GO: Final = 4
_FEWEST: Final = 64
"""A stretch counts as so many at least, so that a thousand lone inputs are kept, not all of an hour."""


class Ran(Protocol):
    """What can be run, and run again. Behind `run`, inputs `start` to `stop` of it are reduced."""

    start: int
    stop: int

    def run(self, kernel: Run) -> bool:
        """Run, or run again; False when the kernel failed at `stop`."""
        ...


class Call(Protocol):
    """What a stretch of inputs is handed to."""

    def run(self, kernel: Run, inputs: Inputs, start: int, stop: int, rows_max: int) -> tuple[bool, int]:
        """Reduce from `start` to `stop`, or until enough derived rows wait: whether all went well, and where it ended."""
        ...


class Lone:
    """One input that came alone."""

    __slots__ = ("_block", "_single", "start", "stop")

    def __init__(self, single: Single, block: Block) -> None:
        self._single = single
        self._block = block
        self.start = 0
        self.stop = 1

    def run(self, kernel: Run) -> bool:
        """Run, or run again; once it failed there is nothing left of it to run."""
        if self.stop == 0:
            return True
        is_well = self._single.run(kernel, self._block)
        self.stop = int(is_well)
        return is_well


class Stretch:
    """Inputs `start` to `stop` of a piece; behind `run`, `stop` is where it ended or failed."""

    def __init__(self, call: Call, inputs: Inputs, start: int, stop: int, rows_max: int) -> None:
        self.start = start
        self.stop = stop
        self._call = call
        self._inputs = inputs
        self._rows_max = rows_max
        self._cursors = inputs.cursors.copy()

    def run(self, kernel: Run) -> bool:
        """Run, or run again, to `stop` or until enough derived rows wait; False when the kernel failed at `stop`."""
        self._inputs.cursors[:] = self._cursors
        is_well, self.stop = self._call.run(kernel, self._inputs, self.start, self.stop, self._rows_max)
        return is_well


class History:
    """The state as it was kept, and every stretch since."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._kept: Array = np.zeros(0, np.uint8)
        self._ran: list[Ran] = []
        self._forgotten: list[Ran] = []
        """Let go a few at a time: a thousand at once take milliseconds, for which a live session would wait."""
        self._count = 0
        self._has_failed = False

    def begin(self) -> None:
        """Keep the state as it is now."""
        self._kept = self._memory.kept(self._kept)
        self._forgotten, self._ran = self._ran, []
        self._count = 0
        self._has_failed = False

    def add(self, step: Ran) -> None:
        """A step that moved the state by itself, and is well; behind a failure the state is kept anew instead.

        What fails once may fail with every input, and each time all that ran is run again.
        """
        if self._has_failed:
            self.begin()
        else:
            self._ran.append(step)
            self._count += _FEWEST

    def run(self, stretch: Ran, kernel: Run) -> bool:
        """Run a stretch; when the kernel fails the state is that before the input it failed at, which `stop` names."""
        if self._count >= KEPT_FOR:
            self.begin()
        del self._forgotten[-_LET_GO:]
        is_well = stretch.run(kernel)
        if not is_well:
            self._has_failed = True
            self._memory.put_back(self._kept)
            for each in (*self._ran, stretch):
                self._memory.forget_tape()
                assert each.run(kernel), "what ran once runs again"
        self._ran.append(stretch)
        self._count += max(stretch.stop - stretch.start, _FEWEST)
        return is_well
