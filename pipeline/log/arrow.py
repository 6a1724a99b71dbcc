"""Blocks as Arrow record batches and back, numbers without a copy: the one place that knows both.

A schema is named by its metadata (`tape.kind`, `tape.version`), so that a file tells what it holds and an unknown
version is refused instead of guessed.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from pipeline.block import Block, Column, Numbers
from pipeline.codes import Kind
from pipeline.errors import SchemaError
from pipeline.events import LAYOUTS, Field, Layout, layout_of

_ARROW_TYPES: Final = {
    "i1": pa.int8(),
    "i2": pa.int16(),
    "i4": pa.int32(),
    "i8": pa.int64(),
    "f8": pa.float64(),
    "str": pa.utf8(),
    "bytes": pa.binary(),
}


def _schema(layout: Layout) -> pa.Schema:
    return pa.schema(
        [pa.field(field.name, _ARROW_TYPES[field.type], nullable=False) for field in layout.fields],
        metadata={"tape.kind": layout.kind.name.lower(), "tape.version": str(layout.version)},
    )


SCHEMAS: Final[dict[Kind, pa.Schema]] = {kind: _schema(layout) for kind, layout in LAYOUTS.items()}


def to_arrow(block: Block) -> pa.RecordBatch:
    """The block as a record batch; numeric columns share its memory."""
    schema = SCHEMAS[block.kind]
    arrays = [_array(block.columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def from_arrow(batch: pa.RecordBatch | pa.Table, kind: Kind) -> Block:
    """The batch as a block; numeric columns share its memory and are read-only.

    Raises SchemaError when a column of the layout is missing, null or of another type.
    """
    return Block(kind, {field.name: _column(batch, field) for field in LAYOUTS[kind].fields})


def kind_of(schema: pa.Schema) -> Kind:
    """The kind a schema says it holds. Raises SchemaError for an unknown kind, version or no such mark."""
    marks = schema.metadata or {}
    name, version = marks.get(b"tape.kind"), marks.get(b"tape.version")
    if name is None or version is None:
        raise SchemaError("no tape.kind in the schema: this was not written by Tapeworks")
    try:
        kind = Kind[name.decode().upper()]
        layout_of(kind, int(version))
    except (KeyError, ValueError):
        raise SchemaError(f"event kind {name!r} version {version!r} is unknown to this version") from None
    return kind


def _array(column: Column, type_: pa.DataType) -> pa.Array:
    """The column as an array, from its buffers: `pa.array` would import pandas for its first call, half a second."""
    if isinstance(column, np.ndarray):
        return pa.Array.from_buffers(type_, len(column), [None, pa.py_buffer(np.ascontiguousarray(column))])
    lengths, content = packed_text(column)
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.Array.from_buffers(type_, len(column), [None, pa.py_buffer(offsets), pa.py_buffer(content)])


def packed_text(column: list[str] | list[bytes]) -> tuple[Numbers, bytes]:
    """The bytes of each text, counted and one behind the other. Most columns of derived rows are empty to the end."""
    if not any(column):
        return np.zeros(len(column), np.int32), b""
    encoded = [text.encode() if isinstance(text, str) else text for text in column]
    return np.array([len(text) for text in encoded], np.int32), b"".join(encoded)


def text_of(array: pa.Array) -> tuple[Numbers, memoryview]:
    """What `packed_text` gives for the values of an array without nulls, from its buffers."""
    _, offsets, content = array.buffers()
    if offsets is None or not len(array):
        return np.empty(0, np.int32), memoryview(b"")
    ends = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4)
    return np.diff(ends), memoryview(content or b"").cast("B")[ends[0] : ends[-1]]


def _column(batch: pa.RecordBatch | pa.Table, field: Field) -> Column:
    index = batch.schema.get_field_index(field.name)
    if index < 0:
        raise SchemaError(f"column {field.name!r} is missing")
    array = batch.column(index)
    if array.null_count:
        raise SchemaError(f"column {field.name!r} holds nulls")
    if not field.is_fixed:
        texts: list[str] | list[bytes] = array.to_pylist()
        return texts
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if array.type != _ARROW_TYPES[field.type]:
        raise SchemaError(f"column {field.name!r} is {array.type}, not {field.type}")
    return numbers_of(array, field)


def numbers_of(array: pa.Array, field: Field) -> Numbers:
    """The values of an array without nulls, sharing its memory: `to_numpy` would import pandas for its first call."""
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.empty(0, field.type)
    return np.frombuffer(buffer, field.type, len(array), array.offset * np.dtype(field.type).itemsize)
