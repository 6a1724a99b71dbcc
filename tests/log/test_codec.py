"""The codec against pyarrow: for every kind, what is written is what any Arrow library reads, and what we read back."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import SchemaError
from pipeline.events import LAYOUTS
from pipeline.log import codec
from pipeline.log.arrow import SCHEMAS, to_arrow
from pipeline.log.codec import decode, decode_schemas, encode, encode_schemas, messages
from pipeline.log.frames import ALIGNMENT

KINDS = pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name.lower())


def block_of(kind, rows, seed):
    """Rows of that kind with any value that its columns can hold, the extremes among them."""
    rng = np.random.default_rng(seed)
    columns = {}
    for field in LAYOUTS[kind].fields:
        if field.type == "f8":
            odd = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7976931348623157e308])
            column = np.where(rng.random(rows) < 0.5, rng.choice(odd, rows), rng.normal(size=rows))
        elif field.is_fixed:
            bounds = np.iinfo(field.type)
            column = rng.integers(bounds.min, bounds.max, rows, field.type, endpoint=True)
            column[rng.random(rows) < 0.2] = rng.choice([bounds.min, bounds.max])
        elif field.type == "str":
            column = ["".join(map(chr, rng.integers(1, 0xD7FF, rng.integers(0, 9)))) for _ in range(rows)]
        else:
            column = [rng.bytes(rng.integers(0, 99)) for _ in range(rows)]
        columns[field.name] = column
    return Block(kind, columns)


def are_same(one, other):
    return one.kind == other.kind and all(
        one.columns[name].tobytes() == other.columns[name].tobytes()
        and one.columns[name].dtype == other.columns[name].dtype
        if isinstance(one.columns[name], np.ndarray)
        else one.columns[name] == other.columns[name]
        for name in LAYOUTS[one.kind].names
    )


@KINDS
@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 700), seed=st.integers(0, 2**32))
def test_any_rows_come_back_and_arrow_reads_the_same(kind, rows, seed):
    block = block_of(kind, rows, seed)
    payload = bytes(encode([block]))
    assert len(payload) % ALIGNMENT == 0
    (back,) = decode(payload)
    assert are_same(block, back)
    ((kind_read, message),) = messages(payload)
    batch = pa.ipc.read_record_batch(pa.py_buffer(message), SCHEMAS[kind_read])
    batch.validate(full=True)
    # compared as bytes: NaN equals nothing
    assert batch.serialize().to_pybytes() == to_arrow(block).serialize().to_pybytes()


@given(kinds=st.lists(st.sampled_from(Kind), min_size=1, unique=True), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_many_kinds_share_a_payload(kinds, seed):
    blocks = [block_of(kind, 1 + seed % 5, seed) for kind in kinds]
    back = decode(bytes(encode(blocks)))
    assert [block.kind for block in back] == kinds
    assert all(map(are_same, blocks, back))


@KINDS
def test_what_arrow_alone_wrote_is_read(kind):
    block = block_of(kind, 17, 3)
    payload = encode([block])
    ((_, message),) = messages(payload)
    start = len(payload) - len(message)
    foreign = to_arrow(block).serialize().to_pybytes()  # its body is aligned to 8 bytes, not to 64
    payload[start:] = foreign.ljust(len(message), b"\0")
    (back,) = decode(bytes(payload))
    assert are_same(block, back)


@KINDS
@pytest.mark.parametrize("has_mould", [True, False])
def test_a_message_is_to_the_byte_what_arrow_makes_of_as_many_rows(kind, has_mould, monkeypatch):
    """Its metadata is made without asking Arrow, but for one that has its numbers elsewhere: it is asked each time."""
    if not has_mould:
        codec._template.cache_clear()
        monkeypatch.setattr(codec, "_mould", lambda _: None)
    for rows in (1, 2, 7, 8, 9, 63, 64, 65, 1008, 1009, 1010, 40_001):
        block = Block.of(kind, rows)
        theirs = to_arrow(block).serialize().to_pybytes()
        ((_, ours),) = messages(encode([block]))
        metadata = int.from_bytes(theirs[4:8], "little")
        body = 8 + int.from_bytes(ours[4:8], "little")
        assert bytes(ours[8 : 8 + metadata]) == theirs[8 : 8 + metadata]
        assert not any(ours[8 + metadata : body])
        assert bytes(ours[body:]).rstrip(b"\0") == theirs[8 + metadata :].rstrip(b"\0")
        assert ours[body:].nbytes >= len(theirs) - 8 - metadata
    codec._template.cache_clear()


def test_this_arrow_has_its_numbers_where_a_mould_looks_for_them():
    assert all(codec._mould(kind) for kind in Kind)


def test_columns_are_views_of_the_payload():
    payload = bytes(encode([block_of(Kind.QUOTE, 100, 1)]))
    (block,) = decode(payload)
    memory = np.frombuffer(payload, np.uint8)
    assert all(np.shares_memory(memory, column) for column in block.columns.values())
    assert not any(column.flags.writeable for column in block.columns.values())


def test_a_column_with_gaps_in_memory_is_written_whole():
    wide = np.arange(20)
    block = Block.of(Kind.TIMER, 10, seq=np.arange(1, 11)).with_columns(interval_ns=wide[::2])
    assert decode(bytes(encode([block])))[0].number("interval_ns").tolist() == wide[::2].tolist()


@pytest.mark.parametrize("column", [np.arange(3, dtype="i4"), np.arange(3.0), np.arange(4)])
def test_a_column_of_another_type_or_length_is_our_bug(column):
    block = Block.of(Kind.TIMER, 3).with_columns(interval_ns=column)
    with pytest.raises(AssertionError, match=r"timer\.interval_ns"):
        encode([block])


@pytest.mark.parametrize("kind", [Kind.INDICATOR, Kind.REFERENCE])
def test_nan_is_written_with_one_bit_pattern(kind):
    odd = np.array([0xFFF8 << 48, (0x7FF8 << 48) + 7, 0x7FF0 << 48, 0, 0x7FF8 << 48], np.uint64).view("f8")
    back = decode(bytes(encode([Block.of(kind, 5, value=odd)])))[0].number("value")
    assert back.view("u8").tolist() == [0x7FF8 << 48, 0x7FF8 << 48, 0x7FF0 << 48, 0, 0x7FF8 << 48]


def test_schemas_come_back_as_the_kinds_they_describe():
    assert decode_schemas(bytes(encode_schemas(Kind))) == list(Kind)


def test_arrow_reads_a_schema_without_us():
    ((_, message),) = messages(bytes(encode_schemas([Kind.QUOTE])))
    assert pa.ipc.read_schema(pa.py_buffer(message)).equals(SCHEMAS[Kind.QUOTE], check_metadata=True)


def test_a_schema_that_differs_is_refused():
    payload = encode_schemas([Kind.QUOTE])
    at = payload.index(b"bid_nano")
    payload[at : at + 8] = b"bid_pico"
    with pytest.raises(SchemaError, match="quote"):
        decode_schemas(bytes(payload))


def test_a_layout_version_that_is_unknown_is_refused():
    payload = encode([block_of(Kind.QUOTE, 1, 1)])
    payload[10] = 99
    with pytest.raises(SchemaError, match="version 99"):
        decode(payload)


def test_a_message_that_says_it_is_the_end_of_a_stream_is_refused():
    payload = encode([block_of(Kind.QUOTE, 1, 1)])
    at = payload.index(b"\xff\xff\xff\xff")
    payload[at + 4 : at + 8] = bytes(4)
    with pytest.raises(SchemaError, match="quote: not an Arrow record batch"):
        decode(bytes(payload))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(Kind), st.integers(0, 2**32))
def test_a_payload_that_is_none_is_refused_not_guessed(noise, kind, seed):
    whole = bytes(encode([block_of(kind, 2, seed)]))
    for payload in (noise, whole[: len(whole) // 128 * 64], whole[:64] + noise.ljust(len(whole) - 64, b"\1")):
        try:
            blocks = decode(payload)
        except SchemaError:
            continue
        assert blocks == [] or payload == whole
