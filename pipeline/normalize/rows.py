"""Rows: events gathered one by one or in columns, and put into the one order of a batch.

A batch numbers its rows 1..n over all kinds (`seq`). Normalisers only say what stands before what, by any rising
numbers; `ranked` makes the batch of it.
"""

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from pipeline.block import Block, Blocks, Numbers, concat
from pipeline.codes import FeedAction, Kind
from pipeline.events import FIELD_BY_NAME, LAYOUTS
from pipeline.instruments import Instrument
from pipeline.units import ABSENT

_CONSTANT_LENGTH_MIN = 65_536
TEXT_LENGTH_MAX = 200
"""Vendors' words are cut here before they go into a log."""


class Rows:
    """Rows of several kinds in the order they came.

    `ts_recv_ns` is the receive time of the message being read; every row added takes it.
    """

    def __init__(self) -> None:
        self.ts_recv_ns = ABSENT
        self._rows: dict[Kind, list[dict[str, Any]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, kind: Kind, **values: Any) -> None:
        """One more row; without `ts_event_ns` the receive time stands in."""
        self._count += 1
        header = {"seq": self._count, "ts_recv_ns": self.ts_recv_ns, "ts_event_ns": self.ts_recv_ns}
        self._rows.setdefault(kind, []).append({**header, **values})

    def add_instrument(self, instrument_id: int, instrument: Instrument) -> None:
        """The definition of an instrument, before its first row."""
        self.add(Kind.INSTRUMENT, instrument_id=instrument_id, **instrument.row())

    def add_feed(self, action: FeedAction, text: str, **values: Any) -> None:
        """Something that happened to the feed."""
        self.add(Kind.FEED, action=action, text=text[:TEXT_LENGTH_MAX], **values)

    def batch(self) -> Blocks:
        """All rows so far as a batch; the rows are forgotten."""
        blocks = [Block.from_rows(kind, rows) for kind, rows in sorted(self._rows.items()) if rows]
        self._rows, self._count = {}, 0
        return ranked(blocks)


def ranked(blocks: Iterable[Block]) -> Blocks:
    """The rows as a batch, one block a kind: `seq` may hold any distinct numbers, their ranks 1..n take their place."""
    joined = [block for block in concat(blocks) if len(block)]
    if not joined:
        return []
    if len(joined) == 1 and _rises(joined[0].number("seq")):
        return [joined[0].with_columns(seq=np.arange(1, len(joined[0]) + 1))]
    places = np.concatenate([block.number("seq") for block in joined])
    order = np.argsort(places, kind="stable")
    ranks = np.empty(len(places), np.int64)
    ranks[order] = np.arange(1, len(places) + 1)
    return [_reordered(block, part) for block, part in zip(joined, _split(ranks, joined), strict=True)]


def _split(ranks: Numbers, blocks: Blocks) -> list[Numbers]:
    return np.split(ranks, np.cumsum([len(block) for block in blocks])[:-1])


def _reordered(block: Block, ranks: Numbers) -> Block:
    block = block.with_columns(seq=ranks)
    return block if _rises(ranks) else block.take(np.argsort(ranks, kind="stable"))


def _rises(places: Numbers) -> bool:
    return len(places) == 1 or np.count_nonzero(places[1:] > places[:-1]) == len(places) - 1


def constant(type_: str, value: float, count: int) -> Numbers:
    """`count` times the same value, as a read-only view of an array that is made once.

    Fresh memory costs more than all arithmetic of an import: columns that never vary share theirs.
    """
    length = _CONSTANT_LENGTH_MIN if count <= _CONSTANT_LENGTH_MIN else 1 << (count - 1).bit_length()
    return _constant(type_, value, length)[:count]


@cache
def _constant(type_: str, value: float, count: int) -> Numbers:
    column = np.full(count, value, type_)
    column.flags.writeable = False
    return column


def block_of_columns(kind: Kind, count: int, columns: dict[str, Numbers | int]) -> Block:
    """A block of fixed columns; a column given as a number, or not given, shares memory with its like."""
    defaults = _defaults(kind, count)
    full: dict[str, Any] = defaults | columns
    assert len(full) == len(defaults), f"{kind.name.lower()} has no column {min(full.keys() - defaults.keys())!r}"
    for name, given in columns.items():
        if not isinstance(given, np.ndarray):
            full[name] = constant(FIELD_BY_NAME[kind][name].type, given, count)
    return Block(kind, full)


@lru_cache(1_024)
def _defaults(kind: Kind, count: int) -> dict[str, Numbers]:
    """The columns that nobody set: asked for at every block, however few its rows."""
    return {field.name: constant(field.type, field.default, count) for field in LAYOUTS[kind].fields}  # type: ignore[arg-type]  # fixed columns have numbers
