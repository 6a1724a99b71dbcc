"""History: the stretches that ran since the state was last kept, so that a failure can be gone back behind.

Keeping the state costs a copy of all of it. So it is kept once in many inputs, however few come at a time, and what ran
since then is run again when the kernel fails: it gives the same, for nothing else moves the state.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from pipeline.kernel.groups import Array, Words, address_of
from pipeline.kernel.inputs import Inputs
from pipeline.kernel.memory import Memory

Run = Callable[[int], bool]

KEPT_FOR: Final = 65_536
"""Inputs after which the state is kept anew; as many are run again after a failure, at most."""


class Stretch:
    """Inputs `start` to `stop` of a piece; behind `run`, `stop` is where it ended or failed."""

    def __init__(self, inputs: Inputs, call: Words, start: int, stop: int, rows_max: int) -> None:
        self.start = start
        self.stop = stop
        self._inputs = inputs
        self._call = call
        self._rows_max = rows_max
        self._cursors = inputs.cursors.copy()

    def run(self, kernel: Run) -> bool:
        """Run, or run again, to `stop` or until enough derived rows wait; False when the kernel failed at `stop`."""
        inputs = self._inputs
        inputs.cursors[:] = self._cursors
        inputs.progress[0] = (self.start, self.stop, self._rows_max)
        is_well = kernel(address_of(self._call))
        self.stop = int(inputs.progress["at"][0])
        return is_well


class History:
    """The state as it was kept, and every stretch since."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._kept: Array = np.zeros(0, np.uint8)
        self._ran: list[Stretch] = []
        self._count = 0

    def begin(self) -> None:
        """Keep the state as it is now."""
        self._kept = self._memory.kept()
        self._ran.clear()
        self._count = 0

    def run(self, stretch: Stretch, kernel: Run) -> bool:
        """Run a stretch; when the kernel fails the state is that before the input it failed at, which `stop` names."""
        if self._count >= KEPT_FOR:
            self.begin()
        is_well = stretch.run(kernel)
        if not is_well:
            self._memory.put_back(self._kept)
            for each in (*self._ran, stretch):
                self._memory.forget_tape()
                assert each.run(kernel), "what ran once runs again"
        self._ran.append(stretch)
        self._count += stretch.stop - stretch.start
        return is_well
