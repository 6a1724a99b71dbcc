"""Parquet parts: small, and never read wrong."""

import os
import random
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_quotes import random_walk_quotes
from store_samples import random_block, rows_of

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import CorruptError, LogError, SchemaError
from pipeline.log import manifest, proved
from pipeline.log.arriving import Mark
from pipeline.log.arrow import to_arrow
from pipeline.log.frames import FrameKind
from pipeline.log.parquet import ROW_GROUP_ROWS, PartFile, PartWriter, bytes_hash, pieces_with_starts
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal


def written(path, *blocks):
    path.unlink(missing_ok=True)
    writer = PartWriter(path, blocks[0].kind)
    for block in blocks:
        writer.write(block)
    return writer.close()


@given(
    kind=st.sampled_from(list(Kind)),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_any_rows_of_any_kind_come_back(tmp_path_factory, kind, sizes, seed):
    path = tmp_path_factory.mktemp("part") / "x.parquet"
    starts = np.cumsum([1, *sizes])
    blocks = [
        random_block(kind, np.arange(start, start + size), np.zeros(size, "i4"), seed)
        for start, size in zip(starts, sizes, strict=False)
    ]
    written(path, *blocks)
    file = PartFile(path)
    assert rows_of(list(file.blocks(rows=17))) == rows_of(blocks)
    shutil.rmtree(path.parent)


def test_row_groups_are_of_equal_length_and_can_be_entered_anywhere(tmp_path):
    count = 2 * ROW_GROUP_ROWS + 5_000
    day = random_walk_quotes(count)
    proof = written(tmp_path / "q.parquet", day.slice(0, 70_001), day.slice(70_001, 70_002), day.slice(70_002, count))
    assert [piece.rows for piece in proof.pieces] == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 5_000, 0]
    file = PartFile(tmp_path / "q.parquet")
    for seq in (1, ROW_GROUP_ROWS, ROW_GROUP_ROWS + 1, count - 1, count, count + 1):
        found = np.concatenate([np.empty(0, "i8"), *(block.number("seq") for block in file.blocks(seq, rows=30_000))])
        assert np.array_equal(found, np.arange(seq, count + 1))


def test_constant_columns_are_repeated_from_the_footer_and_one_that_changes_late_is_not(tmp_path):
    count = ROW_GROUP_ROWS + 10
    venue = np.where(np.arange(count) < ROW_GROUP_ROWS + 3, 2, 5)
    day = random_walk_quotes(count).with_columns(marks=np.full(count, -7, "i4"), bid_venue=venue.astype("i2"))
    proof = written(tmp_path / "q.parquet", day)
    file = PartFile(tmp_path / "q.parquet")
    for is_decoded in (False, True):
        blocks = list(file.blocks(rows=50_000, decode_all=is_decoded))
        for name, column in day.columns.items():
            found = [block.number(name) for block in blocks]
            assert {part.dtype for part in found} == {column.dtype}
            assert np.array_equal(np.concatenate(found), column), name
    constant, decoded = (next(file.blocks(decode_all=is_decoded)).number("marks") for is_decoded in (False, True))
    assert constant.base is not None
    assert not constant.flags.writeable
    assert np.array_equal(constant, decoded)
    assert file.values() == proof.values
    assert next(file.blocks(columns=["seq", "source"])).number("source").tolist() == [1] * ROW_GROUP_ROWS


def test_a_sealed_quote_takes_at_most_nine_bytes(tmp_path):
    day = random_walk_quotes(500_000)
    proof = written(tmp_path / "q.parquet", day)
    metadata = pq.read_metadata(tmp_path / "q.parquet")
    cost = {
        metadata.schema.column(column).name: sum(
            metadata.row_group(group).column(column).total_compressed_size for group in range(metadata.num_row_groups)
        )
        / len(day)
        for column in range(metadata.num_columns)
    }
    assert proof.size / len(day) <= 9.0, cost
    constant = [name for name, column in day.columns.items() if (column == column[0]).all()]
    assert len(constant) == 9
    assert sum(cost[name] for name in constant) < 0.03


def test_any_engine_reads_whole_rows(tmp_path):
    day = random_walk_quotes(1_000)
    written(tmp_path / "q.parquet", day)
    assert pq.read_table(tmp_path / "q.parquet").equals(pa.Table.from_batches([to_arrow(day)]))


def test_every_bit_of_a_small_sealed_file_counts(store, ended):
    """A flip anywhere in the file is refused before a row is given, through batches and through relations."""
    made, _ = ended(steps=1, width=4)
    folder = store.folder(made.id)
    sealed = seal(folder)
    part = min((part for part in sealed.parts), key=lambda part: part.size)
    path = folder / part.file
    kind = Kind[part.kind.upper()]
    content = path.read_bytes()
    reader = LogReader(folder)
    undetected = []
    with path.open("r+b", buffering=0) as file:
        for bit in range(8 * len(content)):
            byte = content[bit // 8]
            os.pwrite(file.fileno(), bytes([byte ^ 1 << bit % 8]), bit // 8)
            try:
                reader.path_of(part)
            except CorruptError:
                os.pwrite(file.fileno(), bytes([byte]), bit // 8)
                continue
            undetected.append(bit)
    assert undetected == []
    path.write_bytes(flipped(content, 8 * 40))
    with pytest.raises(CorruptError, match=f"{kind.name.lower()}/part-00001.parquet: damaged at byte"):
        list(LogReader(folder).batches(what="all"))
    with pytest.raises(CorruptError, match=f"{kind.name.lower()}/part-00001.parquet: damaged at byte"):
        LogReader(folder).relations(kind)


def test_random_flips_of_a_larger_file_are_located(tmp_path, store, begun):
    made, journal = begun()
    day = random_walk_quotes(300_000)
    for start in range(0, len(day), 50_000):
        journal.append(FrameKind.INPUTS, [day.slice(start, start + 50_000)])
    journal.close()
    folder = store.folder(made.id)
    manifest.update(folder, state="ended")
    (part,) = seal(folder).parts
    path = folder / part.file
    content = path.read_bytes()
    assert len(part.pieces) == 4
    chance = random.Random(11)
    for _ in range(60):
        bit = chance.randrange(8 * len(content))
        path.write_bytes(flipped(content, bit))
        with pytest.raises(CorruptError) as caught:
            list(LogReader(folder).batches())
        start = caught.value.valid_end
        assert (start, next(piece.end for piece in part.pieces if piece.end > bit // 8)) in [
            (start, piece.end) for start, piece in pieces_with_starts(part)
        ]


def test_a_page_that_changes_after_the_file_was_proved_is_refused(store, ended):
    made, _ = ended(steps=40)
    folder = store.folder(made.id)
    part = seal(folder).parts_of(Kind.QUOTE)[0]
    path = folder / part.file
    reader = LogReader(folder)
    reader.path_of(part)
    column = pq.read_metadata(path).row_group(0).column(9)
    content = path.read_bytes()
    path.write_bytes(flipped(content, 8 * (column.data_page_offset + column.total_compressed_size - 8)))
    with pytest.raises(CorruptError, match="it was sound and is so no more"):
        list(reader.batches(kinds=[Kind.QUOTE]))
    with pytest.raises(CorruptError, match="damaged at byte"):
        LogReader(folder).relations(Kind.QUOTE)


def test_a_truncated_part_is_refused(store, ended):
    made, _ = ended()
    folder = store.folder(made.id)
    path = folder / seal(folder).parts[0].file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptError, match="where the manifest says"):
        list(LogReader(folder).batches(what="all"))


def test_another_layout_version_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    block = Block.of(Kind.TIMER, 1, seq=1)
    table = pa.Table.from_batches([to_arrow(block)])
    pq.write_table(table.replace_schema_metadata({"tape.kind": "timer", "tape.version": "99"}), path)
    with pytest.raises(LogError, match="version 99 is unknown"):
        PartFile(path)


def test_every_bit_of_a_manifest_counts(store, ended):
    made, _ = ended(steps=2)
    folder = store.folder(made.id)
    seal(folder)
    path = folder / "manifest.json"
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 7):
        with pytest.raises((CorruptError, SchemaError)):
            manifest.decode(flipped(content, bit), path)


def test_unknown_manifests_are_refused_by_name(store, ended):
    made, _ = ended(steps=1)
    path = store.folder(made.id) / "manifest.json"
    newer = manifest.replaced(made, schema_version=2)
    with pytest.raises(SchemaError, match="manifest version 2 is unknown; this version knows 1"):
        manifest.decode(manifest.encode(newer), path)
    unknown = manifest.encode(manifest.replaced(made, kinds={"dividend": 3}))
    with pytest.raises(SchemaError, match="event kind 'dividend' is unknown"):
        manifest.decode(unknown, path)
    foreign = manifest.encode(made).partition(b'"manifest": ')[2][:-3].replace(b'"ended"', b'"en\xffd"')
    with pytest.raises(SchemaError, match="utf-8"):
        manifest.decode(manifest._sealed(foreign), path)


@pytest.mark.parametrize("text", [b'{"schema_version":1,"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"\xff":1}'])
def test_what_only_has_the_hash_of_a_manifest_is_refused(tmp_path, text):
    with pytest.raises(CorruptError, match="no manifest"):
        manifest.decode(manifest._sealed(text), tmp_path)


@pytest.mark.parametrize(
    "text", [b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"\xff":1}', b'{"uri":"\xff"}', b"["]
)
def test_what_only_has_its_hash_is_no_proved_file(tmp_path, text):
    path = tmp_path / "far.json"
    path.write_bytes(bytes_hash(text).encode() + b"\n" + text)
    with pytest.raises(CorruptError, match=r"far\.json"):
        proved.read(path, Mark)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
