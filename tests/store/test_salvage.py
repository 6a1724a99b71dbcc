"""Salvage brings home every row that can be proved, says what is lost, and leaves the old log alone."""

import hashlib

import numpy as np
import pytest
from store_quotes import random_walk_quotes
from store_samples import derived, rows_of, write_steps

from pipeline.block import Block, concat
from pipeline.codes import FeedAction, Kind
from pipeline.errors import NotFoundError
from pipeline.log import manifest
from pipeline.log.check import check_log
from pipeline.log.frames import HEADER_BYTES, FrameKind
from pipeline.log.reader import LogReader
from pipeline.log.salvage import intact_frames, salvage
from pipeline.log.seal import seal, seal_segment


def read(folder, what="all"):
    return concat(block for batch in LogReader(folder).batches(what=what) for block in batch)


def fingerprint(folder):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def gaps(folder):
    feed = [block for block in read(folder) if block.kind is Kind.FEED]
    return [row for block in feed for row in block.rows() if row["text"].startswith(("salvage of", "old seq"))]


def test_a_sound_log_comes_home_whole(store, ended):
    made, written = ended(steps=6)
    result = salvage(store, made.id, created_ns=9)
    folder = store.folder(result.id)
    assert (result.inputs, result.lost_inputs, result.dropped_derived, result.damage) == (120, 0, 0, [])
    copied = rows_of(read(folder))
    assert {kind: len(rows) for kind, rows in copied.items()} == {
        kind: len(rows) for kind, rows in rows_of(written).items()
    }
    assert copied[Kind.QUOTE] == [
        tuple(
            0 if name == "cause_seq" else value
            for name, value in zip(Block.of(Kind.QUOTE, 0).columns, row, strict=True)
        )
        for row in rows_of(written)[Kind.QUOTE]
    ]
    told = store.manifest(result.id)
    assert (told.state, told.parents, told.id) == ("recovered", (made.id,), "day-salvaged")
    assert check_log(folder).sound


@pytest.mark.parametrize("victim", range(0, 12, 3))
def test_a_damaged_frame_leaves_a_gap_that_is_told(store, begun, victim):
    made, journal = begun()
    folder = store.folder(made.id)
    for start in range(1, 121, 10):
        block = random_walk_quotes(10, first_seq=start)
        journal.append(FrameKind.INPUTS, [block])
        journal.append(FrameKind.DERIVED, derived(start, start + 9))
    journal.close()
    manifest.update(folder, state="ended")
    path = folder / "journal" / "000001.seg"
    content = bytearray(path.read_bytes())
    frames = [header for header, _ in intact_frames(bytes(content)) if header.kind is FrameKind.INPUTS]
    content[frames[victim].offset + HEADER_BYTES + 200] ^= 4
    path.write_bytes(content)
    before = fingerprint(folder)
    result = salvage(store, made.id, created_ns=9)
    assert fingerprint(folder) == before
    assert (result.inputs, result.lost_inputs) == (110, 10)
    assert result.dropped_derived > 0
    assert [damage.offset for damage in result.damage] == [frames[victim].offset]
    target = store.folder(result.id)
    opened, closed = gaps(target)
    lost = 1 + 10 * victim
    assert (opened["action"], closed["action"]) == (FeedAction.GAP_OPENED, FeedAction.GAP_CLOSED)
    assert (opened["position"], opened["count"], closed["position"]) == (lost, 10, lost + 10)
    assert closed["text"] == f"old seq {lost + 10} is seq {lost + 2}"
    assert (opened["seq"], closed["seq"]) == (lost, lost + 1)
    inputs = read(target, "inputs")
    assert np.array_equal(np.sort(np.concatenate([block.number("seq") for block in inputs])), np.arange(1, 113))
    kept = {lost_ for lost_ in range(1, 121) if not lost <= lost_ < lost + 10}
    moved = {seq if seq < lost else seq - 8 for seq in kept}
    for block in read(target, "derived"):
        assert set(block.number("seq").tolist()) <= moved


def test_sound_row_groups_of_a_damaged_part_come_home(store, begun):
    made, journal = begun()
    folder = store.folder(made.id)
    day = random_walk_quotes(300_000)
    for start in range(0, len(day), 50_000):
        journal.append(FrameKind.INPUTS, [day.slice(start, start + 50_000)])
    journal.close()
    manifest.update(folder, state="ended")
    (part,) = seal(folder).parts
    path = folder / part.file
    content = bytearray(path.read_bytes())
    content[part.pieces[0].end + 1000] ^= 1
    path.write_bytes(content)
    result = salvage(store, made.id, created_ns=9)
    lost = part.pieces[1].rows
    assert (result.inputs, result.lost_inputs) == (300_000 - lost, lost)
    assert result.damage[0].offset == part.pieces[0].end
    (kept,) = [block for block in read(store.folder(result.id)) if block.kind is Kind.QUOTE]
    assert np.array_equal(kept.number("ts_event_ns")[:131_072], day.number("ts_event_ns")[:131_072])
    assert np.array_equal(kept.number("ts_event_ns")[131_072:], day.number("ts_event_ns")[262_144:])


def test_a_damaged_manifest_does_not_take_the_rows_with_it(store, begun):
    made, journal = begun(segment_bytes=40_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 4)
    seal_segment(folder)
    journal.close()
    store.keep_code(made.id, {"a.py": "x = 1\n"})
    manifest.update(folder, state="ended")
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"ended"', b'"endet"'))
    result = salvage(store, made.id, created_ns=9)
    assert (result.inputs, result.lost_inputs) == (80, 0)
    assert result.derived == sum(map(len, written)) - 80
    assert (store.folder(result.id) / "code" / "a.py").read_text() == "x = 1\n"


def test_a_run_keeps_the_numbers_of_its_parents(store):
    from pipeline.log.journal import Journal  # noqa: PLC0415 - only here
    from pipeline.provenance import Mode  # noqa: PLC0415 - only here

    made = store.create_run("hold", mode=Mode.REPLAY, created_ns=5, parents=["day"])
    folder = store.folder(made.id)
    with Journal.create(folder / "journal", log_id=bytes.fromhex(made.log_id), is_derived_only=True) as journal:
        first, second = derived(5, 60), derived(61, 90)
        journal.append(FrameKind.DERIVED, first)
        journal.append(FrameKind.DERIVED, second)
    manifest.update(folder, state="ended")
    path = folder / "journal" / "000001.seg"
    content = bytearray(path.read_bytes())
    victim = next(header for header, _ in intact_frames(bytes(content)) if header.kind is FrameKind.DERIVED)
    content[victim.offset + 300] ^= 1
    path.write_bytes(content)
    result = salvage(store, made.id, created_ns=9)
    assert store.manifest(result.id).parents == ("day",)
    assert rows_of(read(store.folder(result.id), "derived")) == rows_of(second)


def test_what_is_not_there_is_not_salvaged(store):
    with pytest.raises(NotFoundError, match="no session or run 'ghost'"):
        salvage(store, "ghost", created_ns=9)
    assert store.sessions() == []
