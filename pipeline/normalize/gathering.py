"""Gathering: the rows of one call of a normaliser, each at its place, the many in columns and the few one by one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind, Origin
from pipeline.normalize.rows import TEXT_LENGTH_MAX, block_of_columns, ranked
from pipeline.units import ABSENT


class Gathering:
    """Rows in the order they came; `place` is the last one given away.

    `ts_recv_ns` is the receive time of the message being read; every row added takes it.
    """

    def __init__(self, origin: Origin = Origin.INPUT) -> None:
        self.ts_recv_ns = ABSENT
        self.place = 0
        self._origin = origin
        self._rows: dict[Kind, list[dict[str, Any]]] = {}
        self._blocks: Blocks = []

    def add(self, kind: Kind, *, place: int = 0, **values: Any) -> None:
        """One more row, at the next place if none is given; without `ts_event_ns` the receive time stands in."""
        if not place:
            self.place += 1
            place = self.place
        header = {"seq": place, "ts_recv_ns": self.ts_recv_ns, "ts_event_ns": self.ts_recv_ns, "origin": self._origin}
        self._rows.setdefault(kind, []).append({**header, **values})

    def add_feed(self, action: FeedAction, text: str, **values: Any) -> None:
        """Something that happened to the feed."""
        self.add(Kind.FEED, action=action, text=text[:TEXT_LENGTH_MAX], **values)

    def add_columns(
        self, kind: Kind, places: Numbers, columns: dict[str, Numbers | int], refused: dict[int, str]
    ) -> None:
        """Rows as columns, but for the refused ones, given by their index: each leaves a REJECTED row at its place."""
        recv_ns = columns["ts_recv_ns"]
        assert isinstance(recv_ns, np.ndarray)
        if refused:
            for index, reason in sorted(refused.items()):
                header = {"place": int(places[index]), "ts_recv_ns": int(recv_ns[index])}
                self.add_feed(FeedAction.REJECTED, reason, **header, ts_event_ns=int(recv_ns[index]))
            kept = np.delete(np.arange(len(places)), list(refused))
            places = places[kept]
            columns = {name: part[kept] if isinstance(part, np.ndarray) else part for name, part in columns.items()}
        if len(places):
            header_columns: dict[str, Numbers | int] = {"seq": places, "origin": int(self._origin)}
            self._blocks.append(block_of_columns(kind, len(places), header_columns | columns))

    def batch(self) -> Blocks:
        """All rows as a batch."""
        if not self._blocks and not self._rows:
            return []
        rows = [Block.from_rows(kind, rows) for kind, rows in sorted(self._rows.items())]
        return ranked([*self._blocks, *rows])


def table(rows: Sequence[tuple[int, ...]]) -> list[Numbers]:
    """The columns of rows of integers, each contiguous."""
    return list(np.array(rows, np.int64).T.copy())


def spread(heads: Sequence[tuple[int, ...]]) -> list[Numbers]:
    """The columns of stretches of rows, each given as its first place, how many rows, and what they have in common.

    Places first, a row each; the count is left out.
    """
    first, counts, *shared = table(heads)
    if (counts == 1).all():
        return [first, *shared]
    ends = np.cumsum(counts)
    places = np.repeat(first - ends + counts, counts) + np.arange(ends[-1])
    return [places, *(np.repeat(column, counts) for column in shared)]
