"""Many parts become fewer: the same rows, whoever reads meanwhile, and wherever it dies."""

import shutil

import pytest
from dying import die_at, everything, rehearsed
from store_samples import rows_of, write_few_kinds, write_steps

from pipeline.codes import Kind
from pipeline.errors import CorruptError, LogError
from pipeline.log import compacting, manifest
from pipeline.log.check import check_log
from pipeline.log.compacting import compact, neighbours
from pipeline.log.disk import RealDisk
from pipeline.log.manifest import Manifest, SealedPart
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal, seal_segment, unnamed


def part(kind, stretch, first, last, size=1):
    numbers = f"{first:06d}" if first == last else f"{first:06d}{last:06d}"
    return SealedPart(
        f"events/kind={kind}/{stretch}-{numbers}.parquet", kind, stretch, size, "", 1, 1, 1, "", "", 1, ()
    )


def of(*parts):
    return Manifest(id="x", what="session", mode="import", log_id="0" * 32, created_ns=1, parts=parts)


def test_sixteen_neighbours_that_cover_as_much_become_one():
    quotes = [part("quote", "inputs", n, n) for n in range(1, 17)]
    fills = [part("fill", "derived", n, n) for n in range(1, 600, 40)]
    assert neighbours(of(*quotes[:15], *fills)) == ()
    assert neighbours(of(*fills, *quotes)) == quotes
    assert neighbours(of(*quotes, part("quote", "derived", 3, 3))) == quotes
    tier = [part("quote", "inputs", n, n + 15) for n in range(1, 257, 16)]
    later = [part("quote", "inputs", n, n) for n in range(257, 273)]
    assert neighbours(of(*tier[:15], *later)) == later
    assert neighbours(of(*tier, *later)) == tier
    assert neighbours(of(*(each for pair in zip(tier, later, strict=True) for each in pair))) == ()


def test_none_grows_larger_than_may_be():
    large = [part("quote", "inputs", n, n, size=compacting.BYTES_MAX // 16 + 1) for n in range(1, 17)]
    small = [part("quote", "derived", n, n) for n in range(1, 17)]
    assert neighbours(of(*large)) == ()
    assert neighbours(of(*large, *small)) == small
    assert neighbours(of(*[part("quote", "inputs", n, n) for n in range(999_990, 1_000_010)])) == ()


def test_a_log_that_is_compacted_is_the_log_that_is_not(store, begun, tmp_path, monkeypatch):
    monkeypatch.setattr(compacting, "AT_ONCE", 2)
    made, journal = begun(segment_bytes=90_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 24, lag=3)
    reader = LogReader(folder)
    batches = reader.batches(what="all", rows=13)
    found = next(batches)
    rounds = 0
    while seal_segment(folder):
        while compact(folder):
            rounds += 1
        found += next(batches)
    assert everything(folder) == rows_of(written)
    found += [block for batch in batches for block in batch]
    assert rows_of(found) == rows_of(written), "to who reads meanwhile, too"
    assert rounds > 10
    segments = manifest.load(folder).sealed.segment
    assert segments > 3
    lines = {(each.kind, each.stretch) for each in manifest.load(folder).parts}
    assert len(manifest.load(folder).parts) <= len(lines) * segments.bit_length()
    assert any(len(each.pieces) > 1 and "000001000" in each.file for each in manifest.load(folder).parts)
    journal.close()
    manifest.update(folder, state="ended")
    other = tmp_path / "other" / "session"
    shutil.copytree(folder, other)
    assert seal(folder).parts == seal(other).parts
    assert everything(folder) == rows_of(written)
    assert check_log(folder).sound
    assert not check_log(folder).leftovers


def test_what_was_replaced_goes_with_the_next_segment_only(store, begun, monkeypatch):
    monkeypatch.setattr(compacting, "AT_ONCE", 2)
    made, journal = begun(segment_bytes=60_000)
    folder = store.folder(made.id)
    written = write_steps(journal, 12, lag=3)
    assert seal_segment(folder)
    assert seal_segment(folder)
    reader = LogReader(folder)
    replaced = [each.file for each in reader.manifest.parts_of(Kind.QUOTE)]
    while compact(folder):
        pass
    assert all((folder / name).is_file() for name in replaced)
    assert set(unnamed(folder, manifest.load(folder), RealDisk())) >= set(replaced)
    assert seal_segment(folder)
    assert not any((folder / name).exists() for name in replaced)
    found = [block for batch in reader.batches(what="all") for block in batch]
    assert rows_of(found) == rows_of(written), "who opened them before finds the rows where they are now"


@pytest.fixture
def two_sealed(store, begun, monkeypatch):
    """The folder of a log of which two segments are sealed, where two parts become one."""
    monkeypatch.setattr(compacting, "AT_ONCE", 2)
    made, journal = begun(segment_bytes=60_000)
    folder = store.folder(made.id)
    write_steps(journal, 12, lag=3)
    assert seal_segment(folder)
    assert seal_segment(folder)
    return folder


def test_a_damaged_part_is_left_alone(two_sealed):
    folder, before = two_sealed, manifest.load(two_sealed)
    path = folder / neighbours(before)[1].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=path.name):
        compact(folder)
    assert manifest.load(folder) == before


def test_other_rows_than_went_in_are_seen(two_sealed, monkeypatch):
    folder, before = two_sealed, manifest.load(two_sealed)
    blocks = compacting.PartFile.blocks
    monkeypatch.setattr(compacting.PartFile, "blocks", lambda file: list(blocks(file, rows=3))[1:])
    with pytest.raises((LogError, ValueError)):
        compact(folder)
    assert manifest.load(folder) == before


def compacted_and_sealed(folder, disk):
    while seal_segment(folder, disk):
        while compact(folder, disk):
            pass
    return seal(folder, disk)


@pytest.mark.parametrize("has_power_cut", [False, True])
@pytest.mark.parametrize("is_decided", [True, False])
@pytest.mark.parametrize("share", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_compacting_may_die_at_any_call(store, begun, tmp_path, monkeypatch, is_decided, has_power_cut, share):
    monkeypatch.setattr(compacting, "AT_ONCE", 2)
    made, journal = begun(segment_bytes=5_000 if is_decided else 2_000)
    expected = rows_of(write_few_kinds(journal, 2 if is_decided else 4, is_decided=is_decided))
    journal.close()
    origin = store.folder(made.id)
    manifest.update(origin, state="ended")
    calls = rehearsed(tmp_path, origin, compacted_and_sealed)
    assert sum("000001000002" in call for call in calls) > 1
    die_at(calls, tmp_path, origin, compacted_and_sealed, expected, share=share, has_power_cut=has_power_cut)
