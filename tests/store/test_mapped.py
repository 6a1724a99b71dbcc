"""Mapped columns: what was written, by any reader, whatever of it is asked for."""

import mmap

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import random_block, rows_of

from pipeline.block import Block, concat
from pipeline.codes import Kind
from pipeline.errors import CorruptError
from pipeline.events import LAYOUTS
from pipeline.log.mapped import MAPPABLE, KindWriter, MappedKind


def written(folder, blocks):
    writer = KindWriter(folder, blocks[0].kind)
    for block in blocks:
        writer.write(block)
    return writer.close()


def blocks_of(kind, sizes, constant_sizes, seed):
    """Rows of which the first ones are all alike, then anything."""
    blocks, seq = [], 1
    for size, is_constant in [*((size, True) for size in constant_sizes), *((size, False) for size in sizes)]:
        block = random_block(kind, np.arange(seq, seq + size), np.zeros(size, "i4"), seed)
        if is_constant:
            block = block.take(np.zeros(size, np.int64)).with_columns(seq=np.arange(seq, seq + size))
        blocks.append(block)
        seq += size
    return blocks


@given(
    kind=st.sampled_from(sorted(MAPPABLE)),
    sizes=st.lists(st.integers(1, 60), max_size=3),
    constant_sizes=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
    cuts=st.tuples(st.integers(0, 400), st.integers(0, 400)),
)
def test_any_stretch_of_any_columns_comes_back(tmp_path_factory, kind, sizes, constant_sizes, seed, cuts):
    folder = tmp_path_factory.mktemp("mapped") / "rows"
    blocks = blocks_of(kind, sizes, constant_sizes, seed)
    (whole,) = concat(blocks)
    files = written(folder, blocks)
    assert (files.rows, files.first_seq, files.last_seq) == (len(whole), 1, len(whole))
    assert not files.columns.keys() & files.constants.keys()
    first, stop = sorted(min(cut, len(whole)) for cut in cuts)
    with MappedKind(folder, kind, files) as mapped:
        assert rows_of([mapped.block(0, len(whole))]) == rows_of([whole])
        assert rows_of([mapped.block(first, stop)]) == rows_of([whole.slice(first, stop)])
        assert mapped.row_of(first + 1) == first
        for name, column in mapped.block(first, stop).columns.items():
            assert column.dtype == whole.number(name).dtype
        mapped.prove(list(mapped.unproved({})))
    with MappedKind(folder, kind, files, ["origin", "ts_recv_ns"]) as mapped:
        assert list(mapped.block(0, 1).columns) == ["seq", "ts_recv_ns", "origin"]


def test_any_arrow_library_reads_a_column(tmp_path):
    block = random_block(Kind.STATUS, np.arange(1, 100), np.zeros(99, "i4"), 3)
    files = written(tmp_path / "status", [block.slice(0, 10), block.slice(10, 99)])
    assert {path.stem for path in (tmp_path / "status").iterdir()} == set(files.columns)
    assert {"ord", "source", "cause_seq"} <= set(files.constants)
    for name in files.columns:
        table = pa.ipc.open_file(pa.memory_map(str(tmp_path / "status" / f"{name}.arrow"))).read_all()
        assert table.schema.metadata[b"tape.kind"] == b"status"
        assert table.column_names == [name]
        assert table.column(0).num_chunks == 1
        assert table.column(0).to_numpy().tolist() == block.number(name).tolist()


def test_numbers_are_views_of_the_file_and_outlive_who_opened_it(tmp_path):
    block = random_block(Kind.QUOTE, np.arange(1, 5_001), np.zeros(5_000, "i4"), 3)
    files = written(tmp_path / "quote", [block])
    with MappedKind(tmp_path / "quote", Kind.QUOTE, files) as mapped:
        found = mapped.block(1_000, 4_000)
    assert rows_of([found]) == rows_of([block.slice(1_000, 4_000)])
    for name in files.columns:
        column = found.number(name)
        assert isinstance(column.base.obj, mmap.mmap)
        assert not column.flags.writeable


def test_every_flipped_byte_of_the_values_is_found(tmp_path):
    block = random_block(Kind.TIMER, np.arange(1, 20), np.zeros(19, "i4"), 3)
    files = written(tmp_path / "timer", [block])
    for name, file in files.columns.items():
        path = tmp_path / "timer" / f"{name}.arrow"
        good = path.read_bytes()
        width = np.dtype(next(field.type for field in LAYOUTS[Kind.TIMER].fields if field.name == name)).itemsize
        for at in range(file.offset, file.offset + 19 * width):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            with MappedKind(tmp_path / "timer", Kind.TIMER, files) as mapped, pytest.raises(CorruptError, match=name):
                mapped.prove([f"timer/{name}"])
        path.write_bytes(good)


def test_a_file_of_another_size_is_not_mapped(tmp_path):
    files = written(tmp_path / "timer", [random_block(Kind.TIMER, np.arange(1, 20), np.zeros(19, "i4"), 3)])
    path = tmp_path / "timer" / "seq.arrow"
    content = path.read_bytes()
    for size in (0, 1, len(content) - 1, len(content) + 1):
        path.write_bytes((content + b"\0")[:size])
        with pytest.raises(CorruptError, match=f"{size} bytes where {len(content)} were written"):
            MappedKind(tmp_path / "timer", Kind.TIMER, files)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        MappedKind(tmp_path / "timer", Kind.TIMER, files)


def test_a_single_row_is_written_too(tmp_path):
    block = Block.of(Kind.QUOTE, 1, seq=[7], bid_nano=[-(2**63)])
    files = written(tmp_path / "quote", [block])
    assert not files.columns
    with MappedKind(tmp_path / "quote", Kind.QUOTE, files) as mapped:
        assert rows_of([mapped.block(0, 1)]) == rows_of([block])
