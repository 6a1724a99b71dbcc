"""Renumbering: inputs with holes among them become a dense log again, and what refers to them follows."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind
from pipeline.log.frames import FrameKind
from pipeline.log.merge import joined

_GAPS_MAX: Final = 8
"""Gaps told apart within a window; more than that are told as one, from the first missing row to the last."""
_REFERENCES: Final = ("cause_seq", "winner_seq", "about_seq")


class Renumbering:
    """Gives inputs their new `seq`, and everything that refers to them."""

    def __init__(self, old_id: str, *, is_run: bool) -> None:
        self.inputs = self.derived = self.lost = self.dropped = 0
        self._old_id = old_id
        self._is_run = is_run
        self._next_old = self._next_new = 1
        self._session_ts_ns = 0
        self._stretches: list[tuple[int, int, int]] = []
        """(old seq, new seq, count) of each stretch of inputs in which both go on by one."""

    def renumbered(self, blocks: Blocks) -> Iterator[tuple[FrameKind, Blocks]]:
        """The commits for a window's rows: inputs with the gaps among them, then derived rows."""
        if self._is_run:
            self.derived += sum(map(len, blocks))
            yield FrameKind.DERIVED, blocks
            return
        inputs = [block.take(block.number("ord") == 0) for block in blocks]
        derived = [block.take(block.number("ord") > 0) for block in blocks]
        inputs = [block for block in inputs if len(block)]
        if inputs:
            gaps = self._number(inputs)
            yield FrameKind.INPUTS, joined([*(self._moved(block) for block in inputs), *gaps])
        moved = [self._moved(block) for block in derived]
        kept = [block.take(block.number("seq") > 0) for block in moved]
        self.dropped += sum(map(len, moved)) - sum(map(len, kept))
        self.derived += sum(map(len, kept))
        yield FrameKind.DERIVED, [block for block in kept if len(block)]

    def _number(self, inputs: Blocks) -> Blocks:
        """Give these inputs their new numbers; the gap events that stand among them."""
        old = np.sort(np.concatenate([block.number("seq") for block in inputs]))
        missing = old - np.concatenate(([self._next_old - 1], old[:-1])) - 1  # before each row
        at = np.flatnonzero(missing)
        is_crowded = len(at) > _GAPS_MAX
        spans = [(int(at[0]), int(at[-1]))] if is_crowded else [(int(row), int(row)) for row in at]
        shift = np.zeros(len(old) + 1, np.int64)
        for first, last in spans:
            shift[first] += 1  # GAP_OPENED before the first row behind the hole
            shift[last] += 1  # GAP_CLOSED before the row at which all is there again
        new = self._next_new + np.arange(len(old)) + np.cumsum(shift)[:-1]
        gaps = self._gaps(inputs, old, new, missing, spans)
        self.inputs += len(old)
        self.lost += int(missing.sum())
        self._remember(old, new)
        self._next_old, self._next_new = int(old[-1]) + 1, int(new[-1]) + 1
        return gaps

    def _gaps(
        self, inputs: Blocks, old: Numbers, new: Numbers, missing: Numbers, spans: list[tuple[int, int]]
    ) -> Blocks:
        """Two feed events a span, at the session time of the row before."""
        times = _times_of(inputs, old)
        session = np.maximum.accumulate(np.concatenate(([self._session_ts_ns], times)))
        self._session_ts_ns = int(session[-1])
        rows = []
        for first, last in spans:
            count = int(missing[first : last + 1].sum())
            lost_from, back_at = int(old[first] - missing[first]), int(old[last])
            # The closing event stands right before row `last`, the opening one before row `first` and, if they are one, before it.
            opened = int(new[first]) - 1 - (first == last)
            about = {"from_ns": int(session[first]), "to_ns": int(session[last + 1]), "count": count}
            lost = f"salvage of {self._old_id}: {count} inputs between old seq {lost_from} and {back_at - 1} are lost"
            back = f"old seq {back_at} is seq {int(new[last])}"
            for seq, action, position, text, ts in (
                (opened, FeedAction.GAP_OPENED, lost_from, lost, session[first]),
                (int(new[last]) - 1, FeedAction.GAP_CLOSED, back_at, back, session[last]),
            ):
                times_of_row = {"ts_event_ns": int(ts), "ts_recv_ns": int(ts)}
                rows.append({"seq": seq, "action": action, "position": position, "text": text, **times_of_row, **about})
        return [Block.from_rows(Kind.FEED, rows)] if rows else []

    def _remember(self, old: Numbers, new: Numbers) -> None:
        breaks = np.flatnonzero((np.diff(old) != 1) | (np.diff(new) != 1)) + 1
        for start, stop in zip([0, *breaks.tolist()], [*breaks.tolist(), len(old)], strict=True):
            first_old, first_new, count = int(old[start]), int(new[start]), stop - start
            if self._stretches:
                old_before, new_before, count_before = self._stretches[-1]
                if (old_before + count_before, new_before + count_before) == (first_old, first_new):
                    self._stretches.pop()
                    first_old, first_new, count = old_before, new_before, count_before + count
            self._stretches.append((first_old, first_new, count))

    def _moved(self, block: Block) -> Block:
        """The block with new numbers in `seq` and in every reference; 0 where the event is lost."""
        changed = {name: self._looked_up(block.number(name)) for name in ("seq", *_REFERENCES) if name in block.columns}
        if "about_seq" in changed:
            # A note in the store's own log speaks of another session.
            own = np.array([not name for name in block.text("session")])
            changed["about_seq"] = np.where(own, changed["about_seq"], block.number("about_seq"))
        return block.with_columns(**changed)

    def _looked_up(self, seq: Numbers) -> Numbers:
        if not self._stretches:
            return np.zeros_like(seq)
        old, new, counts = np.array(self._stretches, np.int64).T
        index = np.maximum(np.searchsorted(old, seq, side="right") - 1, 0)
        is_kept = (seq >= old[index]) & (seq < old[index] + counts[index])
        return np.where(is_kept, seq - old[index] + new[index], 0)


def _times_of(inputs: Blocks, old: Numbers) -> Numbers:
    """`ts_recv_ns` of each input, in seq order."""
    times = np.empty(len(old), np.int64)
    for block in inputs:
        times[np.searchsorted(old, block.number("seq"))] = block.number("ts_recv_ns")
    return times
