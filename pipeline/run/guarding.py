"""Guarding: a session that lost what it may lose in a day enters nothing any more until a person says so, however often it begins anew.

The risk gate refuses by itself for the rest of the day (`core.risk`). What makes it last is a request of the shell's own, an
input of the session, and the file of its account (`run.halting`), which those that follow on it heed.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from pipeline.block import Blocks
from pipeline.codes import Kind, RiskRule, RiskVerdict
from pipeline.core.operator import GUARD
from pipeline.run.halting import Halt
from pipeline.units import DAY_NS

_LASTING: Final = {RiskRule.DAILY_LOSS: "daily loss", RiskRule.DRAWDOWN: "drawdown"}


class Guard:
    """Looks at every commit for an entry that was refused because of a loss."""

    def __init__(self) -> None:
        self._wish: Halt | None = None
        self._told_day = 0
        """The UTC day of the last loss that was told: a person who resets is not told of the same one again."""

    def recall(self, requests: Iterable[Blocks]) -> None:
        """What a session that goes on was told before it was interrupted."""
        for block in (block for batch in requests for block in batch if block.kind is Kind.REQUEST):
            for target, ts_ns in zip(block.text("target"), block.number("ts_recv_ns").tolist(), strict=True):
                if target == GUARD:
                    self._told_day = max(self._told_day, ts_ns // DAY_NS)

    def add(self, _: Blocks, derived: Blocks) -> None:
        """What was decided in one commit."""
        for block in derived:
            if block.kind is Kind.RISK:
                is_lasting = np.isin(block.number("rule"), list(map(int, _LASTING)))
                rows = np.flatnonzero(is_lasting & (block.number("verdict") == int(RiskVerdict.REFUSED)))
                if len(rows) and (day := int(block.number("ts_recv_ns")[rows[0]]) // DAY_NS) > self._told_day:
                    self._told_day = day
                    row = next(iter(block.take(rows[:1]).rows()))
                    self._wish = Halt(
                        f"{_LASTING[RiskRule(row['rule'])]} of {row['limit']:,.2f} reached",
                        is_reducing=True,
                        source=GUARD,
                    )

    def wish(self) -> Halt | None:
        """What is to be asked of the session now; None as a rule."""
        wish, self._wish = self._wish, None
        return wish
