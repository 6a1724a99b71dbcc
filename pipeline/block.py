"""Block: rows of one kind as columns, the form in which events travel from feed to warehouse."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.codes import Kind, Origin
from pipeline.events import FIELD_BY_NAME, Field

Numbers = np.ndarray[Any, np.dtype[Any]]
Column = Numbers | list[str] | list[bytes]
"""One column of a block: a numpy array for numbers, a list for text and bytes."""


class Block:
    """Rows of one kind, as columns of equal length, in (seq, ord) order.

    `columns` holds every column of the layout, header included. Numeric columns are numpy arrays of the
    layout's type; they may be read-only views of a log file.
    """

    __slots__ = ("columns", "kind")

    def __init__(self, kind: Kind, columns: dict[str, Column]) -> None:
        self.kind = kind
        self.columns = columns

    @classmethod
    def of(cls, kind: Kind, count: int, /, **columns: Any) -> "Block":
        """A block of `count` rows from the columns given; a scalar is repeated, the rest take their default.

        Raises KeyError for a name the layout lacks, ValueError for a column of another length,
        OverflowError for an integer its column can't hold.
        """
        fields = FIELD_BY_NAME[kind]
        unknown = columns.keys() - fields.keys()
        if unknown:
            raise KeyError(f"{kind.name.lower()} has no column {min(unknown)!r}")
        return cls(kind, {name: _column(field, columns.get(name), count) for name, field in fields.items()})

    @classmethod
    def from_rows(cls, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> "Block":
        """A block from one mapping a row; missing fields take their default. For the few rows people write."""
        names = {name for row in rows for name in row}
        defaults = {name: field.default for name, field in FIELD_BY_NAME[kind].items()}
        columns = {name: [row.get(name, defaults.get(name)) for row in rows] for name in names}
        return cls.of(kind, len(rows), **columns)

    def __len__(self) -> int:
        return len(self.columns["seq"])

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind.name.lower()}>"

    def number(self, name: str) -> Numbers:
        """The numeric column of that name."""
        column = self.columns[name]
        assert isinstance(column, np.ndarray)
        return column

    def text(self, name: str) -> list[str]:
        """The text column of that name."""
        return self.columns[name]  # type: ignore[return-value]  # the layout says str

    def slice(self, start: int, stop: int) -> "Block":
        """Rows start to stop, without copying numbers."""
        return Block(self.kind, {name: column[start:stop] for name, column in self.columns.items()})

    def take(self, rows: Numbers) -> "Block":
        """The rows named by an index or a mask, copied."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Block(
            self.kind,
            {
                name: column[index] if isinstance(column, np.ndarray) else [column[i] for i in index]  # type: ignore[misc]
                for name, column in self.columns.items()
            },
        )

    def with_columns(self, **columns: Column) -> "Block":
        """The same rows with these columns in place of the old ones."""
        return Block(self.kind, {**self.columns, **columns})

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a row, Python values. For people and tests, not for speed."""
        lists = [column.tolist() if isinstance(column, np.ndarray) else column for column in self.columns.values()]
        return (dict(zip(self.columns, values, strict=True)) for values in zip(*lists, strict=True))


def _column(field: Field, given: Any, count: int) -> Column:
    if not field.is_fixed:
        if isinstance(given, (str, bytes)) or given is None:
            return [field.default if given is None else given] * count  # type: ignore[return-value]
        if len(given) != count:
            raise ValueError(f"column {field.name!r} has {len(given)} rows, not {count}")
        return list(given)
    if given is None:
        return np.full(count, field.default, field.type)
    column = np.asarray(given)
    if field.type != "f8" and column.size:
        if (
            column.dtype.kind not in "biu"
        ):  # integers too large for any, or no integers: numpy made floats or objects of them
            raise OverflowError(f"column {field.name!r} holds what is no {field.type}")
        bounds = np.iinfo(field.type)
        if column.min() < bounds.min or column.max() > bounds.max:
            raise OverflowError(f"column {field.name!r} does not fit {field.type}")
    if column.ndim == 0:
        return np.full(count, column, field.type)
    if len(column) != count:
        raise ValueError(f"column {field.name!r} has {len(column)} rows, not {count}")
    return np.ascontiguousarray(column, field.type)


Blocks = list[Block]
"""A batch: blocks, at most one a kind, that together cover a stretch of `seq` without a hole."""


def concat(blocks: Iterable[Block]) -> list[Block]:
    """One block a kind, rows in the order given."""
    by_kind: dict[Kind, list[Block]] = {}
    for block in blocks:
        by_kind.setdefault(block.kind, []).append(block)
    return [concatenated(parts) for _, parts in sorted(by_kind.items())]


def concatenated(parts: Sequence[Block]) -> Block:
    """The rows of blocks of one kind, which may hold fewer columns than the layout. Raises ValueError unless all hold the same."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if any(part.columns.keys() != first.columns.keys() for part in parts):
        raise ValueError(f"blocks of {first.kind.name} with different columns can't be one")
    columns: dict[str, Column] = {}
    for name, column in first.columns.items():
        if isinstance(column, np.ndarray):
            columns[name] = np.concatenate([part.number(name) for part in parts])
        else:
            columns[name] = [value for part in parts for value in part.text(name)]
    return Block(first.kind, columns)


def cut(batch: Blocks, start: int, stop: int) -> Blocks:
    """Rows start to stop of a batch (from 0, like a slice), ranked from 1 again."""
    parts: Blocks = []
    for block in batch:
        seq = block.number("seq")
        first, last = np.searchsorted(seq, [start, stop], side="right").tolist()
        if first < last:
            parts.append(block.slice(first, last).with_columns(seq=seq[first:last] - start))
    return parts


def between(batch: Blocks, first_seq: int, end_seq: int) -> Blocks:
    """The rows from `first_seq` up to, but not with, `end_seq`."""
    parts: Blocks = []
    for block in batch:
        low, high = np.searchsorted(block.number("seq"), [first_seq, end_seq]).tolist()
        if low < high:
            parts.append(block.slice(low, high))
    return parts


def chained(batches: Sequence[Blocks]) -> Blocks:
    """Batches one behind the other, as one batch."""
    if len(batches) == 1:
        return batches[0]
    blocks: Blocks = []
    start = 0
    for batch in batches:
        blocks += [block.with_columns(seq=block.number("seq") + start) for block in batch]
        start += row_count(batch)
    return concat(blocks)


def without_first(batches: Iterable[Blocks], count: int) -> Iterator[Blocks]:
    """The batches but for their first `count` rows; what is left of a batch counts its `seq` from 1 again."""
    for batch in batches:
        rows = row_count(batch)
        if count < rows:
            yield batch if count == 0 else cut(batch, count, rows)
        count = max(0, count - rows)


def session_times(batch: Blocks, since_ns: int) -> tuple[Numbers, Numbers]:
    """(n,) int64 twice: each row's `seq`, rising, and session time, the running maximum of `ts_recv_ns`, `since_ns` at least."""
    seq = np.concatenate([block.number("seq") for block in batch])
    ts_recv_ns = np.concatenate([block.number("ts_recv_ns") for block in batch])
    order = np.argsort(seq, kind="stable")
    return seq[order], np.maximum.accumulate(np.maximum(ts_recv_ns[order], since_ns))


def without_warm_up(block: Block) -> Block:
    """The rows without history that was put there for strategies to warm up."""
    is_history = block.number("origin") == int(Origin.WARMUP)
    return block.take(~is_history) if is_history.any() else block


def row_count(batch: Blocks) -> int:
    """How many rows a batch holds."""
    return sum(map(len, batch))
