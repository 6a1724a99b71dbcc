"""What was written is what is read, wherever it lies by then."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_samples import DERIVED_KINDS, INPUT_KINDS, inputs, rows_of, write_steps

from pipeline.block import concat
from pipeline.codes import Kind
from pipeline.errors import CorruptError, LogError
from pipeline.log import manifest, parquet
from pipeline.log.arrow import from_arrow, to_arrow
from pipeline.log.check import check
from pipeline.log.disk import RealDisk
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal, seal_segment


def everything(reader, **choice):
    return [block for batch in reader.batches(what="all", **choice) for block in batch]


def test_all_kinds_come_back_from_journal_and_from_parquet(store, ended):
    made, written = ended(steps=40)
    folder = store.folder(made.id)
    assert {block.kind for block in written} == set(Kind) == {*INPUT_KINDS, *DERIVED_KINDS}
    assert rows_of(everything(LogReader(folder))) == rows_of(written)
    sealed = seal(folder)
    assert rows_of(everything(LogReader(folder))) == rows_of(written)
    assert sealed.state == "sealed"
    assert (sealed.inputs, sealed.first_seq, sealed.last_seq) == (800, 1, 800)
    assert sealed.inputs + sealed.derived == sum(map(len, written)) == sum(sealed.kinds.values())
    assert [part.file for part in sealed.parts_of(Kind.BAR)] == ["events/kind=bar/part-00001.parquet"]
    assert not list((folder / "journal").glob("*.seg"))


def test_segments_are_sealed_one_by_one_while_the_journal_grows(store, begun):
    made, journal = begun(segment_bytes=60_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 16, lag=3)
    sealed = 0
    while seal_segment(folder):
        sealed += 1
        reader = LogReader(folder)
        assert reader.manifest.sealed.segment == sealed
        assert rows_of(everything(reader, rows=37)) == rows_of(written)
    assert sealed > 2
    assert len(list((folder / "journal").glob("*.seg"))) == 1
    written += write_steps(journal, 5, first=321, lag=0)
    journal.close()
    manifest.update(folder, state="ended")
    assert rows_of(everything(LogReader(folder))) == rows_of(written)
    last = seal(folder)
    assert len(last.parts) == len(last.kinds)
    assert rows_of(everything(LogReader(folder))) == rows_of(written)


def test_inputs_alone_stay_in_the_parts_of_their_segments(store, begun, tmp_path):
    made, journal = begun(segment_bytes=30_000)
    folder = store.folder(made.id)
    written = []
    for first in range(1, 401, 20):
        batch = inputs(first, first + 19)
        journal.append(FrameKind.INPUTS, batch)
        written += batch
    journal.close()
    manifest.update(folder, state="ended")
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    in_one = seal(whole)
    assert seal_segment(folder)
    first_parts = manifest.load(folder).parts
    sealed = seal(folder)
    assert sealed.parts[: len(first_parts)] == first_parts
    assert {part.stretch for part in sealed.parts} == {"inputs"}
    assert len(sealed.parts_of(Kind.QUOTE)) > 2
    assert rows_of(everything(LogReader(folder))) == rows_of(everything(LogReader(whole))) == rows_of(written)
    assert manifest.replaced(sealed, id=in_one.id, parts=in_one.parts) == in_one
    assert not list((folder / "journal").glob("*.seg"))
    assert check(store).sound


@pytest.mark.parametrize("sealed_segments", [0, 2, 99])
@pytest.mark.parametrize("rows", [1, 7, 100, 10_000])
def test_batches_are_stretches_of_seq_without_a_hole(store, ended, rows, sealed_segments):
    made, _ = ended(steps=12, segment_bytes=60_000, lag=2)
    folder = store.folder(made.id)
    for _ in range(sealed_segments):
        seal_segment(folder)
    if sealed_segments == 99:
        seal(folder)
    reader = LogReader(folder)
    expected = 1
    for window in reader.windows(rows=rows):
        seqs = np.sort(np.concatenate([block.number("seq") for block in window.blocks]))
        assert seqs.tolist() == list(range(expected, expected + len(seqs)))
        assert len(seqs) <= rows
        assert len({block.kind for block in window.blocks}) == len(window.blocks)
        expected += len(seqs)
    assert expected == 241
    for batch in reader.batches(what="all", rows=rows):
        for block in batch:
            places = list(zip(block.number("seq").tolist(), block.number("ord").tolist(), strict=True))
            assert places == sorted(places)


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_part_of_a_log_can_be_asked_for(store, ended, is_sealed):
    made, written = ended(steps=20, segment_bytes=60_000)
    folder = store.folder(made.id)
    if is_sealed:
        seal(folder)
    reader = LogReader(folder)
    for what in ("inputs", "derived", "all"):
        for first, last in ((1, 1), (55, 133), (390, 400), (400, 999), (401, 500)):
            found = [block for batch in reader.batches(first, last, what=what, rows=50) for block in batch]
            wanted = [
                block.take(
                    (block.number("seq") >= first)
                    & (block.number("seq") <= last)
                    & ((block.number("ord") > 0) if what == "derived" else (block.number("ord") == 0) | (what == "all"))
                )
                for block in written
            ]
            assert rows_of(found) == rows_of(wanted), (what, first, last)
    quotes = concat(block for batch in reader.batches(kinds=[Kind.QUOTE], columns=["bid_nano"]) for block in batch)
    assert [block.kind for block in quotes] == [Kind.QUOTE]
    assert list(quotes[0].columns) == ["seq", "ord", "bid_nano"]


def test_sql_gets_sealed_and_unsealed_rows_alike(store, begun):
    made, journal = begun(segment_bytes=60_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 20)
    seal_segment(folder)
    reader = LogReader(folder)
    for kind in Kind:
        files, unsealed = reader.relations(kind)
        assert files or unsealed.num_rows
        tables = [*(pq.read_table(path, partitioning=None) for path in files), unsealed]
        assert rows_of([from_arrow(pa.concat_tables(tables), kind)]) == {kind: rows_of(written)[kind]}
    journal.abandon()


def test_an_open_log_is_not_sealed(store, begun):
    made, journal = begun()
    write_steps(journal, 2)
    with pytest.raises(LogError, match="open; end it"):
        seal(store.folder(made.id))
    journal.close()


def test_an_empty_session_can_be_sealed_and_read(store, begun):
    made, journal = begun()
    journal.close()
    folder = store.folder(made.id)
    manifest.update(folder, state="ended")
    assert seal(folder).parts == ()
    reader = LogReader(folder)
    assert list(reader.batches(what="all")) == []
    assert reader.last_seq == 0


def test_sealing_a_sealed_session_changes_nothing(store, ended):
    made, _ = ended()
    folder = store.folder(made.id)
    assert seal(folder) == seal(folder)


def test_a_reader_goes_on_while_its_files_are_sealed_under_it(store, ended):
    made, written = ended(steps=30, segment_bytes=60_000)
    folder = store.folder(made.id)
    reader = LogReader(folder)
    batches = reader.batches(what="all", rows=13)
    found = next(batches)
    seal_segment(folder)
    seal_segment(folder)
    found += next(batches)
    seal(folder)
    found += [block for batch in batches for block in batch]
    assert rows_of(found) == rows_of(written)


def test_a_missing_file_is_told(store, ended):
    made, _ = ended()
    folder = store.folder(made.id)
    sealed = seal(folder)
    (folder / sealed.parts[0].file).unlink()
    with pytest.raises(CorruptError, match=r"instrument/part-00001\.parquet.*the file is missing"):
        list(LogReader(folder).batches())


def test_an_empty_log_of_derived_rows_reads(store):
    assert list(store.notes()) == []


def test_relations_find_what_was_sealed_in_the_meantime(store, ended):
    made, written = ended(steps=8, segment_bytes=60_000)
    folder = store.folder(made.id)
    reader = LogReader(folder)
    seal(folder)
    (path,), unsealed = reader.relations(Kind.QUOTE)
    assert unsealed.num_rows == 0
    assert rows_of([from_arrow(pq.read_table(path, partitioning=None), Kind.QUOTE)]) == {
        Kind.QUOTE: rows_of(written)[Kind.QUOTE]
    }


def test_a_crashed_session_goes_on_behind_its_sealed_segments(store, begun):
    made, journal = begun(segment_bytes=30_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 4)
    while seal_segment(folder):
        pass
    journal.abandon()
    sealed = manifest.load(folder).sealed
    assert sealed.segment > 1
    journal, recovered = Journal.resume(folder / "journal", cursors=[sealed], first_segment=sealed.segment + 1)
    assert (recovered.cut_bytes, journal.written.seq) == (0, 80)
    written += write_steps(journal, 2, first=81)
    assert rows_of(everything(LogReader(folder))) == rows_of(written)
    assert seal_segment(folder)
    journal.close()
    manifest.update(folder, state="ended")
    seal(folder)
    assert rows_of(everything(LogReader(folder))) == rows_of(written)


class LyingDisk(RealDisk):
    """What it writes is not what it was given."""

    def write(self, fd, content):
        changed = bytearray(content)
        changed[len(changed) // 2] ^= 1
        super().write(fd, changed)


def test_a_part_that_reads_back_as_other_bytes_drops_nothing(store, ended):
    made, written = ended(steps=2)
    folder = store.folder(made.id)
    with pytest.raises(LogError, match="reads back as other bytes than were written"):
        seal(folder, LyingDisk())
    assert rows_of(everything(LogReader(folder))) == rows_of(written)


def test_a_part_that_holds_other_rows_than_went_in_drops_nothing(store, ended, monkeypatch):
    made, written = ended(steps=2)
    folder = store.folder(made.id)
    later = lambda block: to_arrow(block.with_columns(ts_recv_ns=block.number("ts_recv_ns") + 1))  # noqa: E731 - a fault
    monkeypatch.setattr(parquet, "to_arrow", later)
    with pytest.raises(LogError, match="reads back as other rows than were written"):
        seal(folder)
    monkeypatch.undo()
    assert rows_of(everything(LogReader(folder))) == rows_of(written)


def test_a_log_that_is_open_is_not_sealed(store, begun):
    made, journal = begun()
    write_steps(journal, 2)
    with pytest.raises(LogError, match="the log is open; end it"):
        seal(store.folder(made.id))
    journal.close()
