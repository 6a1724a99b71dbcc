"""The sequencer: gives every input its place, and decides when a commit is due.

A quiet market is committed at once, a busy one in batches: what comes within the commit interval after the last
commit waits for it to pass, so that the fixed cost of a frame stays bounded and nobody waits when nothing happens.
"""

import time
from collections.abc import Callable
from typing import Final

from pipeline.block import Block, Blocks, concat
from pipeline.codes import Kind, Origin
from pipeline.errors import LogError
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.order import span_of
from pipeline.provenance import Mode, Role, may_be

COMMIT_INTERVAL_NS: Final = 2_000_000
GATHERED_ROWS_MAX: Final = 65_536
"""The bound of the queue "gathered". Full means: commit now."""

_DERIVED: Final = bytes([Origin.DERIVED])
"""As it stands in a column of origins: to compare bytes takes a sixth of what it takes to compare numbers."""


class Sequencer:
    """Stamps batches with `seq` and appends them. One caller; what it returns is in the log and may be reduced."""

    def __init__(
        self,
        journal: Journal,
        mode: Mode,
        *,
        commit_interval_ns: int = COMMIT_INTERVAL_NS,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._journal = journal
        self._mode = mode
        self._input_kinds = _kinds_of(Role.INPUT, mode)
        self._derived_kinds = _kinds_of(Role.DERIVED, mode)
        self._interval_ns = commit_interval_ns
        self._now_ns = now_ns
        self._last_seq = journal.written.seq
        self._gathered: list[Block] = []
        self._gathered_rows = 0
        self._committed_ns = now_ns() - commit_interval_ns

    @property
    def last_seq(self) -> int:
        """`seq` of the last input taken, committed or not."""
        return self._last_seq

    def offer(self, batch: Blocks) -> Blocks | None:
        """Take a batch whose `seq` counts 1..n; give what is now committed, stamped, or None when it has to wait.

        Raises LogError, and takes nothing, for a batch with a hole or with rows that are no inputs in this mode;
        PoisonedError.
        """
        span = span_of(FrameKind.INPUTS, batch)
        if span.first_seq != 1:
            raise LogError(f"a batch counts its rows from 1, this one from {span.first_seq}")
        for block in batch:
            self._check_role(block, Role.INPUT)
        self._gathered += [block.with_columns(seq=block.number("seq") + self._last_seq) for block in batch]
        self._gathered_rows += span.rows
        self._last_seq += span.rows
        is_due = self._now_ns() - self._committed_ns >= self._interval_ns
        return self.flush() if is_due or self._gathered_rows >= GATHERED_ROWS_MAX else None

    def flush(self) -> Blocks | None:
        """Commit what waits, and give it; None when nothing does. Raises LogError when it is too large, PoisonedError."""
        if not self._gathered:
            return None
        batch = concat(self._gathered)
        self._gathered, self._gathered_rows = [], 0
        try:
            self._journal.append(FrameKind.INPUTS, batch)
        finally:
            self._last_seq = self._journal.written.seq  # a commit that was refused has used up no seq
        self._committed_ns = self._now_ns()
        return batch

    def derived(self, blocks: Blocks) -> None:
        """Commit what a reducer made of inputs that are committed; nothing at all is fine.

        Raises LogError for rows that are not derived in this mode, or whose inputs are not there; PoisonedError.
        """
        if blocks:
            for block in blocks:
                self._check_role(block, Role.DERIVED)
            self._journal.append(FrameKind.DERIVED, blocks)

    def _check_role(self, block: Block, role: Role) -> None:
        """Raises LogError when the kind may not have this role in this mode, or a row says it has the other."""
        if block.kind not in (self._derived_kinds if role is Role.DERIVED else self._input_kinds):
            raise LogError(f"{block.kind.name.lower()} rows are no {role.name.lower()} in mode {self._mode.value}")
        origins = block.number("origin").tobytes()
        if not (origins == _DERIVED * len(origins) if role is Role.DERIVED else _DERIVED not in origins):
            raise LogError(f"{block.kind.name.lower()} rows of another origin among the {role.name.lower()} rows")


def _kinds_of(role: Role, mode: Mode) -> frozenset[Kind]:
    return frozenset(kind for kind in Kind if may_be(kind, role, mode))
