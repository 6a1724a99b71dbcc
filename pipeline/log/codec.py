"""Blocks as the payload of a frame and back: one Arrow record batch message a kind, behind a small directory.

Any Arrow library reads the messages. Ours seldom has to: where no text is longer than nothing (most layouts have none, and
what orders and fills say of a broker is empty on paper) the metadata of a message and the place of each column in its body
depend on nothing but (kind, rows). pyarrow makes them once for each kind, and only few numbers in them depend on the rows; so encoding
is a join of that metadata with the columns, and decoding a comparison of it and a view per column.

    payload     directory, messages, each padded with zeros to 64 bytes
    directory   count u32, zero u32, then per block: kind u16, layout version u16, rows u32, offset u64, length u64
    message     Arrow IPC, encapsulated: FFFFFFFF, metadata length i32, metadata, body
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.block import Block, Column, Numbers
from pipeline.codes import Kind
from pipeline.errors import SchemaError
from pipeline.events import LAYOUTS, Field, layout_of
from pipeline.log.arrow import SCHEMAS, from_arrow, kind_of, to_arrow
from pipeline.log.disk import Buffer
from pipeline.log.frames import padded

Pieces = list[Any]  # of bytes and numpy arrays: numpy's stubs lack the buffer protocol before Python 3.12
"""Memory that is one payload when joined."""

Type = np.dtype[Any]
Entry = tuple[Kind, int, int]
"""What the directory says of a message: kind, rows, length."""

_FLOATS: Final = {
    kind: [field.name for field in layout.fields if field.type == "f8"] for kind, layout in LAYOUTS.items()
}
_NAN_BITS: Final = 0x7FF8 << 48
_type_of: Final = attrgetter("dtype")
_COUNT: Final = struct.Struct("<II")
_ENTRY: Final = struct.Struct("<HHIQQ")
_PREFIX: Final = struct.Struct("<Ii")
_CONTINUATION: Final = 0xFFFFFFFF
_ZEROS: Final = bytes(64)
_PAIR: Final = struct.Struct("<qq")
_LONG: Final = struct.Struct("<q")
_TEXT_END_BYTES: Final = 4
_ARROW_ALIGNMENT: Final = 8
_ODD_COUNT: Final = 1009
"""Of rows, with which a kind's mould is made: none of the numbers that follow from it stands in a message for another reason."""

_TYPES: Final = {
    field.type: np.dtype(field.type) for layout in LAYOUTS.values() for field in layout.fields if field.is_fixed
}
_TEMPLATES_MAX: Final = 1024
"""Templates kept, some 4 KB each: what a live session commits again and again; another one is made in 60 us."""


class Template(NamedTuple):
    """What all messages of one kind and row count have in common."""

    names: tuple[str, ...]
    """Of the columns of numbers."""
    texts: dict[str, list[str] | list[bytes]]
    """What stands in the other columns."""
    columns_of: Callable[[dict[str, Any]], tuple[Any, ...]]
    """A block's columns, in that order."""
    types: list[Type]
    counts: list[int]
    """Rows of each column: the same number again and again, to compare with."""
    head: bytes
    """Continuation, length and metadata, padded so that the body is aligned to 64 bytes."""
    pieces: Pieces
    """The message: `head`, then a place for each column and the zeros behind it."""
    starts: list[int]
    """Where in the message each column begins."""
    entry: Entry
    """What the directory says of it."""


def encode(blocks: Sequence[Block], before: bytes = b"") -> bytearray:
    """The payload for these blocks, none of them empty, at most one a kind, behind the bytes `before`."""
    messages = [_message(block) for block in blocks]
    pieces = [before, _directory([entry for entry, _ in messages])]
    for _, message in messages:
        pieces += message
    return _joined(pieces)


def decode(payload: Buffer) -> list[Block]:
    """The blocks in a payload; numeric columns are read-only views of it, or what the payload's own access allows.

    Raises SchemaError for a kind, a version or a shape this code does not know.
    """
    return [_block(payload, *entry) for entry in _entries(payload)]


def encode_schemas(kinds: Iterable[Kind], before: bytes = b"") -> bytearray:
    """The payload of a SCHEMA frame, an Arrow schema message for each kind, behind the bytes `before`."""
    messages = [(kind, _schema_message(kind)) for kind in kinds]
    directory = _directory([(kind, 0, len(message)) for kind, message in messages])
    return _joined([before, directory, *[message for _, message in messages]])


def decode_schemas(payload: Buffer) -> list[Kind]:
    """The kinds a SCHEMA frame describes. Raises SchemaError when one of them is not what this code knows."""
    kinds = []
    for kind, _, offset, length in _entries(payload):
        message = bytes(payload[offset : offset + length])
        if message != _schema_message(kind):
            _check_schema(kind, message)
        kinds.append(kind)
    return kinds


def messages(payload: Buffer) -> list[tuple[Kind, memoryview]]:
    """The Arrow messages of a payload, for `pyarrow.ipc.read_record_batch(message, SCHEMAS[kind])`."""
    view = memoryview(payload)
    return [(kind, view[offset : offset + length]) for kind, _, offset, length in _entries(payload)]


def _joined(pieces: Pieces) -> bytearray:
    try:
        return bytearray().join(pieces)
    except TypeError:  # a column whose values do not lie side by side: seldom, and dear to ask every column of a commit
        return bytearray().join([memoryview(piece).tobytes() for piece in pieces])


def _directory(entries: Sequence[Entry]) -> bytes:
    offset = padded(_COUNT.size + _ENTRY.size * len(entries))
    parts = [_COUNT.pack(len(entries), 0)]
    for kind, rows, length in entries:
        parts.append(_ENTRY.pack(kind, LAYOUTS[kind].version, rows, offset, length))
        offset += length
    directory = b"".join(parts)
    return directory.ljust(padded(len(directory)), b"\0")


def _entries(payload: Buffer) -> list[tuple[Kind, int, int, int]]:
    """(kind, rows, offset, length) of each message. Raises SchemaError."""
    if len(payload) < _COUNT.size:
        raise SchemaError(f"a payload of {len(payload)} bytes has no directory")
    count, _ = _COUNT.unpack_from(payload)
    end = padded(_COUNT.size + _ENTRY.size * count)
    if end > len(payload):
        raise SchemaError(f"a payload of {len(payload)} bytes can't hold a directory of {count} blocks")
    entries = []
    for index in range(count):
        code, version, rows, offset, length = _ENTRY.unpack_from(payload, _COUNT.size + _ENTRY.size * index)
        kind = layout_of(code, version).kind
        if offset != end or length % 64 or offset + length > len(payload):
            raise SchemaError(f"{kind.name.lower()} message at {offset}, {length} bytes, is not where it belongs")
        end = offset + length
        entries.append((kind, rows, offset, length))
    return entries


def _message(block: Block) -> tuple[Entry, Pieces]:
    """The block's message, a multiple of 64 bytes, and its entry in the directory."""
    kind, rows = block.kind, len(block)
    if names := _FLOATS[kind]:
        block = _with_one_nan(block, names)
    assert rows, f"an empty {kind.name.lower()} block says nothing and is not written"
    template = _template(kind, rows)
    if any(any(block.columns[name]) for name in template.texts):
        message = to_arrow(block).serialize()
        length = padded(message.size)
        return (kind, rows, length), [message.to_pybytes(), _ZEROS[: length - message.size]]
    columns = template.columns_of(block.columns)
    if list(map(_type_of, columns)) != template.types or list(map(len, columns)) != template.counts:
        _refuse_odd(block, template)
    pieces = template.pieces.copy()
    pieces[1::2] = columns
    return template.entry, pieces


def _with_one_nan(block: Block, names: Sequence[str]) -> Block:
    """The block with every NaN as the same bits: the log is compared and hashed as bytes."""
    columns = [block.number(name) for name in names]
    every = columns[0] if len(columns) == 1 else np.concatenate(columns)
    count = np.count_nonzero(np.isnan(every))
    if count == 0 or count == np.count_nonzero(every.view("i8") == _NAN_BITS):
        return block
    made = {name: np.where(np.isnan(column), np.nan, column) for name, column in zip(names, columns, strict=True)}
    return block.with_columns(**made)


def _refuse_odd(block: Block, template: Template) -> None:
    for name, type_, count in zip(template.names, template.types, template.counts, strict=True):
        column = block.number(name)
        assert column.dtype == type_, f"{block.kind.name.lower()}.{name} is {column.dtype}, not {type_}"
        assert len(column) == count, f"{block.kind.name.lower()}.{name} has {len(column)} rows, not {count}"


def _block(payload: Buffer, kind: Kind, rows: int, offset: int, length: int) -> Block:
    # A row takes more than 8 bytes: a false count allocates nothing.
    template = _template(kind, rows) if 0 < rows <= length // 8 else None
    if (
        template is not None
        and template.entry[2] == length
        and bytes(payload[offset : offset + len(template.head)]) == template.head
    ):
        record: Numbers = np.ndarray((), _record(kind, rows), payload, offset)
        columns: dict[str, Column] = {name: record[name] for name in template.names}
        if not template.texts:
            return Block(kind, columns)
        columns |= {name: text.copy() for name, text in template.texts.items()}
        return Block(kind, {name: columns[name] for name in LAYOUTS[kind].names})
    return _block_by_arrow(memoryview(payload)[offset : offset + length], kind, rows)


def _block_by_arrow(message: memoryview, kind: Kind, rows: int) -> Block:
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), SCHEMAS[kind])
        batch.validate(full=True)
    except (pa.ArrowException, OSError, EOFError) as problem:
        raise SchemaError(f"{kind.name.lower()}: not an Arrow record batch: {problem}") from None
    if batch.num_rows != rows:
        raise SchemaError(f"{kind.name.lower()}: {batch.num_rows} rows where the directory says {rows}")
    return from_arrow(batch, kind)


@lru_cache(maxsize=_TEMPLATES_MAX)
def _template(kind: Kind, rows: int) -> Template:
    """Columns of text take part as zeros between those of numbers: so many ends of nothing."""
    shape = _shape(kind, rows)
    head = _PREFIX.pack(_CONTINUATION, padded(_PREFIX.size + len(shape.metadata)) - _PREFIX.size) + shape.metadata
    head = head.ljust(padded(len(head)), b"\0")
    length = padded(len(head) + shape.body_bytes)
    numbers = _numbers_of(kind)
    names = tuple(field.name for field in numbers)
    types = [_TYPES[field.type] for field in numbers]
    starts = [len(head) + offset for offset in shape.offsets]
    assert not shape.offsets[0], "the first column does not begin its body"
    pieces: Pieces = [head]
    for type_, start, following in zip(types, starts, [*starts[1:], length], strict=True):
        pieces += (None, bytes(following - start - rows * type_.itemsize))
    return Template(
        names=names,
        texts={field.name: _nothing(field, rows) for field in LAYOUTS[kind].fields if not field.is_fixed},
        columns_of=itemgetter(*names),
        types=types,
        counts=[rows] * len(names),
        head=head,
        pieces=pieces,
        starts=starts,
        entry=(kind, rows, length),
    )


@lru_cache(maxsize=_TEMPLATES_MAX)
def _record(kind: Kind, rows: int) -> Type:
    """The message as one numpy record: a field of `rows` values for each column."""
    template = _template(kind, rows)
    formats = [(type_, (rows,)) for type_ in template.types]
    return np.dtype(
        {"names": template.names, "formats": formats, "offsets": template.starts, "itemsize": template.entry[2]}
    )


class Shape(NamedTuple):
    """What the messages of one kind and row count look like, wherever texts are empty."""

    metadata: bytes
    offsets: list[int]
    """Of each column of numbers within the body."""
    body_bytes: int


def _shape(kind: Kind, rows: int) -> Shape:
    mould = _mould(kind)
    if mould is None:
        return shape_by_arrow(kind, rows)
    numbers, offsets, body_bytes = _metadata_numbers(kind, rows)
    return Shape(b"".join([part if isinstance(part, bytes) else numbers[part] for part in mould]), offsets, body_bytes)


def shape_by_arrow(kind: Kind, rows: int) -> Shape:
    """Learnt from a message that pyarrow made: the columns' offsets are where it finds their values again."""
    message = to_arrow(Block.of(kind, rows)).serialize()
    body = _PREFIX.size + _PREFIX.unpack_from(message)[1]
    batch = pa.ipc.read_record_batch(message, SCHEMAS[kind])
    addresses = [batch.column(field.name).buffers()[1].address for field in _numbers_of(kind)]
    offsets = [address - message.address - body for address in addresses]
    return Shape(message[_PREFIX.size : body].to_pybytes(), offsets, message.size - body)


@cache
def _mould(kind: Kind) -> list[bytes | str] | None:
    """The metadata with names where numbers stand that depend on how many rows there are; None when pyarrow has them elsewhere.

    To ask pyarrow takes a third of a millisecond, and a live session meets new counts of rows all day.
    """
    shape = shape_by_arrow(kind, _ODD_COUNT)
    numbers, offsets, body_bytes = _metadata_numbers(kind, _ODD_COUNT)
    parts: list[bytes | str] = [shape.metadata]
    for name, number in numbers.items():
        holding = [at for at, part in enumerate(parts) if isinstance(part, bytes) and number in part]
        if len(holding) != 1 or parts[holding[0]].count(number) != 1:  # type: ignore[arg-type]  # names hold no number
            return None
        before, after = parts[holding[0]].split(number)  # type: ignore[arg-type]  # same
        parts[holding[0] : holding[0] + 1] = [before, name, after]
    return parts if (offsets, body_bytes) == shape[1:] else None


def _metadata_numbers(kind: Kind, rows: int) -> tuple[dict[str, bytes], list[int], int]:
    """The numbers in a message's metadata as they are written there, longest first, and what they say of its body.

    Arrow's format: a node a column, its length and how many are null; a buffer for what is null, one for values, for texts one more
    for where they end; buffers are padded to eight bytes.
    """
    fields = LAYOUTS[kind].fields
    buffers: list[bytes] = []
    offsets: list[int] = []
    end = 0
    for field in fields:
        size = rows * _TYPES[field.type].itemsize if field.is_fixed else _TEXT_END_BYTES * (rows + 1)
        buffers += [_PAIR.pack(end, 0), _PAIR.pack(end, size)]
        if field.is_fixed:
            offsets.append(end)
        end += -(-size // _ARROW_ALIGNMENT) * _ARROW_ALIGNMENT
        if not field.is_fixed:
            buffers.append(_PAIR.pack(end, 0))
    nodes = _PAIR.pack(rows, 0) * len(fields)
    return (
        {"buffers": b"".join(buffers), "nodes": nodes, "body": _LONG.pack(end), "rows": _LONG.pack(rows)},
        offsets,
        end,
    )


def _numbers_of(kind: Kind) -> list[Field]:
    return [field for field in LAYOUTS[kind].fields if field.is_fixed]


def _nothing(field: Field, rows: int) -> list[str] | list[bytes]:
    if field.type == "str":
        return [""] * rows
    return [b""] * rows


@lru_cache
def _schema_message(kind: Kind) -> bytes:
    message: bytes = SCHEMAS[kind].serialize().to_pybytes()
    return message.ljust(padded(len(message)), b"\0")


def _check_schema(kind: Kind, message: bytes) -> None:
    """Another Arrow may spell the same schema in other bytes. Raises SchemaError when it is another schema."""
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(message))
    except (pa.ArrowException, OSError, EOFError) as problem:
        raise SchemaError(f"{kind.name.lower()}: not an Arrow schema: {problem}") from None
    if kind_of(schema) is not kind or not schema.equals(SCHEMAS[kind], check_metadata=True):
        raise SchemaError(f"the columns of {kind.name.lower()} are not those this version knows")
