"""Comparing: two sorts of derived rows for the same inputs, row by row in (seq, ord) order, byte by byte."""

from typing import Any

import msgspec
import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import Kind
from pipeline.events import LAYOUTS
from pipeline.units import NANO, iso_from_ns, text_from_nano


class Difference(msgspec.Struct, frozen=True):
    """The first place at which two logs of decisions part.

    `recorded` and `derived` are the rows at (seq, ord), None where that side has none; `differs` names the
    columns; `led_to` are the rows that caused it, the input last.
    """

    seq: int
    ord: int
    kind: str
    differs: tuple[str, ...]
    recorded: dict[str, Any] | None
    derived: dict[str, Any] | None
    led_to: tuple[dict[str, Any], ...] = ()


def first_difference(recorded: Blocks, derived: Blocks) -> Difference | None:
    """The first row, in (seq, ord) order over all kinds, that is not the same on both sides."""
    left = {block.kind: block for block in recorded}
    right = {block.kind: block for block in derived}
    found = [
        difference
        for kind in sorted(left.keys() | right.keys())
        if (difference := _first_of(kind, left.get(kind), right.get(kind))) is not None
    ]
    return min(found, key=lambda difference: (difference.seq, difference.ord), default=None)


def _first_of(kind: Kind, left: Block | None, right: Block | None) -> Difference | None:
    count_left, count_right = (0 if block is None else len(block) for block in (left, right))
    count = min(count_left, count_right)
    row = count
    if left is not None and right is not None:
        unequal = np.zeros(count, np.bool_)
        for field in LAYOUTS[kind].fields:
            unequal |= _unequal(left, right, field.name, count)
        if unequal.any():
            row = int(np.argmax(unequal))
    if row == count_left == count_right:
        return None
    return _difference(kind, _row(left, row), _row(right, row))


def _unequal(left: Block, right: Block, name: str, count: int) -> Numbers:
    """Which of the first rows differ in a column; floats by their bits, so a NaN is what it is."""
    one, other = left.columns[name], right.columns[name]
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if one.dtype.kind == "f":
            one, other = one.view(np.int64), other.view(np.int64)
        unequal: Numbers = one[:count] != other[:count]
        return unequal
    return np.fromiter((a != b for a, b in zip(one[:count], other[:count], strict=True)), np.bool_, count)


def _row(block: Block | None, row: int) -> dict[str, Any] | None:
    return next(block.slice(row, row + 1).rows()) if block is not None and row < len(block) else None


def _difference(kind: Kind, left: dict[str, Any] | None, right: dict[str, Any] | None) -> Difference:
    """Rows at different places are not the same row: only the earlier one is shown, the other side lacks it."""
    places = [(row["seq"], row["ord"]) for row in (left, right) if row is not None]
    place = min(places)
    if left is not None and (left["seq"], left["ord"]) != place:
        left = None
    if right is not None and (right["seq"], right["ord"]) != place:
        right = None
    differs = () if left is None or right is None else tuple(n for n in left if repr(left[n]) != repr(right[n]))
    return Difference(place[0], place[1], kind.name.lower(), differs, left, right)


def readable(kind: str, row: dict[str, Any]) -> str:
    """One row as a person reads it: prices in units, times as text, defaults left out."""
    fields = LAYOUTS[Kind[kind.upper()]]
    parts = []
    for name, value in row.items():
        field = fields.field(name)
        if value == field.default or value != value or name in ("cause_seq", "cause_ord", "origin"):  # noqa: PLR0124 - NaN is not itself
            continue
        if field.codes:
            value = field.codes(value).name or value  # noqa: PLW2901 - the same value, readable
        elif name.endswith("_ns") and abs(value) > NANO * 1_000_000:
            value = iso_from_ns(value)  # noqa: PLW2901 - the same value, readable
        elif name.endswith("_nano"):
            value = text_from_nano(value)  # noqa: PLW2901 - the same value, readable
        parts.append(f"{name}={value}")
    return f"{kind} " + " ".join(parts)
