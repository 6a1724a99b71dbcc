"""Encoding: how each column of a Parquet file is written, chosen by the rows that come first.

What it gains, measured on quotes (10 symbols, random walk), in nanoseconds of writing and bytes a value:

    times       DELTA_BINARY_PACKED, zstd 1     20 ns, 2.7 B; zstd 6 takes four times as long and no less room
    prices      dictionary, zstd 6              48 ns, 1.0 B; zstd 1 takes 27 ns and 1.1 B
    sizes       either one, zstd 4              26 ns, 0.5 B, as with any level; of coins zstd 1 takes a tenth more
    constants   PLAIN, zstd 1                    4 ns, 0.0 B; a dictionary takes 15 ns for the same nothing
"""

from typing import Any, Final

import numpy as np

from pipeline.block import Block, Column, Numbers
from pipeline.events import LAYOUTS, Field

PAGE_ROWS: Final = 32_768
"""Rows of a page: with longer ones times pack better and prices worse."""

_LEVEL: Final = 6
"""zstd, for prices, floats and text."""
_LEVEL_OF_SIZES: Final = 4
_LEVEL_OF_INTEGERS: Final = 1
"""For times and all others."""
_DELTA_RUN: Final = 32
"""Values that share one bit width in DELTA_BINARY_PACKED."""
_SAMPLE_ROWS: Final = 32_768
"""Rows by which an encoding is chosen."""


def options(first: Block) -> dict[str, Any]:
    """What `pyarrow.parquet.ParquetWriter` is to be told for rows that begin with these."""
    encodings = {name: encoding for name, column in first.columns.items() if (encoding := _encoding(column))}
    return {
        "compression": "zstd",
        "compression_level": {field.name: _level(field) for field in LAYOUTS[first.kind].fields},
        "use_dictionary": [name for name in first.columns if name not in encodings],
        "column_encoding": encodings or None,
        "max_rows_per_page": PAGE_ROWS,
    }


def _level(field: Field) -> int:
    if field.name.endswith("_steps"):
        return _LEVEL_OF_SIZES
    is_price = field.name.endswith("_nano")
    return _LEVEL_OF_INTEGERS if field.type.startswith("i") and not is_price else _LEVEL


def _encoding(column: Column) -> str | None:
    """How to write this column; None is a dictionary with run lengths, which suits all that repeats.

    Estimated in bits a value. A price beside other instruments' prices repeats more than it moves, and a dictionary
    wins by 3 bytes a row; a time never repeats.
    """
    if not isinstance(column, np.ndarray) or not len(column):
        return None
    size = column.dtype.itemsize
    # A wide one may change later in the file, and be dear then.
    if size <= 4 and (column == column[0]).all():
        return "PLAIN"
    if size < 4:
        return None
    column = column[:_SAMPLE_ROWS]
    # by their bits, for NaN differs from itself; np.unique would take ten times as long
    distinct = 1 + np.count_nonzero(np.diff(np.sort(column.view(f"i{size}"))))
    dictionary_bits = np.ceil(np.log2(distinct)) + 8 * size * distinct / len(column)
    if column.dtype.kind == "f":
        return "BYTE_STREAM_SPLIT" if dictionary_bits > 8 * size else None
    return "DELTA_BINARY_PACKED" if dictionary_bits > _delta_bits(column) else None


def _delta_bits(column: Numbers) -> float:
    """Bits a value in DELTA_BINARY_PACKED: each run of differences takes the width of its widest."""
    steps = np.diff(column.astype(np.int64))  # wraps, as the encoding does
    runs = steps[: len(steps) // _DELTA_RUN * _DELTA_RUN].reshape(-1, _DELTA_RUN)
    if not len(runs):
        return 0.0
    spread = runs.max(axis=1).astype(np.float64) - runs.min(axis=1)
    return float(np.ceil(np.log2(spread + 1)).mean())
