"""Regating: what each gate sees at one input, exactly: the state before it, with every gate forgotten, and the input once more.

A gate leaves a row when it begins to refuse. Behind a state in which none refused yet, whichever refuses leaves its row, with the
value and the limit of that very moment; which gate a strategy was refused by last decides nothing else.
"""

import json
import struct
from itertools import accumulate

from pipeline.block import Blocks
from pipeline.codes import IntentAction, Kind
from pipeline.reports.explain_rows import Row
from pipeline.run.outline import Outline, RowOutline

_TABLE = "cells"
_GATE = "gate"


def forgotten(engine: bytes, outline: Outline) -> bytes:
    """A frozen state in which no gate refuses yet: the column `gate` of its cells is 0. The rest stays as it lies."""
    head, _, _ = engine.partition(b"\n")
    sizes = json.loads(head)["tables"]
    starts = dict(zip(sizes, accumulate([len(head) + 1, *sizes.values()]), strict=False))
    row = outline.tables[_TABLE]
    first, width = starts[_TABLE] + _offset(row, _GATE), row.layout.size
    patched = bytearray(engine)
    for at in range(first, first + sizes[_TABLE], width):
        struct.pack_into("<q", patched, at, 0)
    return bytes(patched)


def gates_in(derived: Blocks, instrument_id: int) -> list[Row]:
    """The rows of gates that refuse an instrument, in order."""
    rows = [Row(block.kind, values) for block in derived if block.kind is Kind.INTENT for values in block.rows()]
    return [
        row
        for row in rows
        if row.values["instrument_id"] == instrument_id and row.values["action"] == IntentAction.NONE
    ]


def _offset(row: RowOutline, path: str) -> int:
    """Bytes in front of a number of a row."""
    place = next(i for i, number in enumerate(row.numbers) if number.path == path)
    assert row.numbers[place].code == "q"
    return RowOutline(row.numbers[:place]).layout.size
