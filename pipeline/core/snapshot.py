"""Snapshot: everything an engine remembers between two inputs, as packed rows.

One form serves four: the state's hash, going back before a failure, the state at any moment, a session that goes on where
another ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from blake3 import blake3

from pipeline.core.record import Record, canonicalize
from pipeline.core.world import PERSISTENT, SINGLE, CountsRow, World


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Packed rows by table; the strategies' States in order of instruments; symbols by instrument id."""

    tables: Mapping[str, np.ndarray[Any, Any]]
    states: tuple[np.ndarray[Any, Any], ...]
    shared: tuple[bytes, ...]
    symbols: Mapping[int, str]

    @property
    def seq(self) -> int:
        """The last input it knows."""
        return int(self.tables["clock"]["seq"][0])

    def digest(self) -> bytes:
        """32 bytes over everything, NaN in its one bit pattern."""
        hasher = blake3()
        for table in (*self.tables.values(), *self.states):
            rows = table.copy()
            canonicalize(rows)
            hasher.update(len(rows).to_bytes(4, "little") + rows.dtype.itemsize.to_bytes(4, "little") + rows.tobytes())
        for packed in self.shared:
            hasher.update(len(packed).to_bytes(4, "little") + packed)
        return bytes(hasher.digest())


def row_counts(counts: CountsRow) -> dict[str, int]:
    """How many rows each table of more than one has, row 0 not counted."""
    pairs = counts.strategies * counts.instruments
    return {
        "runs": counts.strategies,
        "instruments": counts.instruments,
        "positions": pairs,
        "cells": pairs,
        "orders": counts.slots,
        "open_orders": counts.open_orders,
        "held": counts.places,
        "bars": counts.timeframes * counts.instruments,
        "late_facts": counts.late_facts,
    }


def tables_of(world: World) -> dict[str, np.ndarray[Any, Any]]:
    """The world's lasting rows, packed."""
    lengths = row_counts(world.counts)
    packed = {}
    for name, record in PERSISTENT.items():
        rows: Any = getattr(world, name)
        if name in SINGLE:
            rows = [rows]
        else:
            rows.grow(lengths[name] + 1)
            rows = rows[1 : lengths[name] + 1]
        packed[name] = packed_rows(record, rows)
    return packed


def packed_rows(record: Record, rows: Any) -> np.ndarray[Any, Any]:
    """Rows as one array of their record's dtype."""
    return np.frombuffer(b"".join(map(record.save, rows)), record.dtype)


def fill_world(world: World, tables: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Put packed rows back. Rows keep their identity, for contexts hold on to them."""
    for name, record in PERSISTENT.items():
        rows: Any = getattr(world, name)
        packed = tables[name]
        if name in SINGLE:
            record.restore(rows, packed.tobytes())
            continue
        rows.grow(len(packed) + 1)
        size, content = record.dtype.itemsize, packed.tobytes()
        for i in range(len(packed)):
            record.restore(rows[i + 1], content[i * size : (i + 1) * size])
        for row in rows[len(packed) + 1 :]:
            rows.reset(row)
