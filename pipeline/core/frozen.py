"""Frozen: a snapshot as bytes, to be kept or handed to another process, and back.

    one line of JSON: version, rows of each table, rows of each strategy's States, bytes of each shared State, symbols
    the rows of the tables, then the States, then the shared States, packed

No layout stands in it: it is thawed under the same code and parameters, or read with the layouts kept beside it.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.core.record import Record
from pipeline.core.snapshot import Snapshot
from pipeline.core.world import PERSISTENT

VERSION: Final = 1


class Parts(NamedTuple):
    """The packed rows of a frozen snapshot, by what they are rows of."""

    tables: dict[str, bytes]
    states: tuple[bytes, ...]
    """Of each strategy, in order of instruments."""
    shared: tuple[bytes, ...]
    symbols: dict[int, str]


def freeze(snapshot: Snapshot) -> bytes:
    """The snapshot as bytes."""
    head = {
        "version": VERSION,
        "tables": {name: rows.nbytes for name, rows in snapshot.tables.items()},
        "states": [rows.nbytes for rows in snapshot.states],
        "shared": [len(packed) for packed in snapshot.shared],
        "symbols": list(snapshot.symbols.items()),
    }
    rows = [table.tobytes() for table in (*snapshot.tables.values(), *snapshot.states)]
    return b"".join([json.dumps(head).encode(), b"\n", *rows, *snapshot.shared])


def parts_of(content: bytes) -> Parts:
    """What was frozen, still packed. Raises ValueError for bytes of another version or length."""
    line, _, rest = content.partition(b"\n")
    head = json.loads(line)
    if head.get("version") != VERSION:
        raise ValueError(f"a state of version {head.get('version')}: this code knows {VERSION}")
    sizes = [*head["tables"].values(), *head["states"], *head["shared"]]
    if sum(sizes) != len(rest):
        raise ValueError(f"a state of {len(rest)} bytes that says it has {sum(sizes)}")
    ends = np.cumsum([0, *sizes]).tolist()
    pieces = [rest[start:end] for start, end in pairwise(ends)]
    tables, states = len(head["tables"]), len(head["states"])
    return Parts(
        dict(zip(head["tables"], pieces, strict=False)),
        tuple(pieces[tables : tables + states]),
        tuple(pieces[tables + states :]),
        dict(map(tuple, head["symbols"])),
    )


def thaw(content: bytes, states: Sequence[Record]) -> Snapshot:
    """The snapshot again, `states` being the layouts of the strategies' States. Raises ValueError when it is not of them."""
    parts = parts_of(content)
    tables = {name: np.frombuffer(parts.tables[name], record.dtype) for name, record in PERSISTENT.items()}
    instruments = int(tables["counts"]["instruments"][0])
    rows = tuple(_states(packed, record, instruments) for packed, record in zip(parts.states, states, strict=True))
    return Snapshot(tables, rows, parts.shared, parts.symbols)


def _states(packed: bytes, record: Record, instruments: int) -> np.ndarray[Any, Any]:
    if record.dtype.itemsize == 0:
        return np.zeros(instruments, record.dtype)
    return np.frombuffer(packed, record.dtype)
