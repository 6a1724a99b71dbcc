"""Damage: every bit, every cut, every filling of small journals, seen by the scan and by recovery."""

import random

import msgspec
import pytest
from journals import FOLDER, checkpoints, content_of, inputs, quotes, seqs_of, timers, written

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import CorruptError, LogError
from pipeline.log.frames import HEADER_BYTES, FrameKind
from pipeline.log.journal import Journal
from pipeline.log.recovery import segment_path
from pipeline.log.scan import Scan, Verdict

SMALL = inputs(1)
MIXED = [
    (FrameKind.INPUTS, [timers(1, 2)]),
    (FrameKind.INPUTS, [timers(3, 1), quotes(4, 3)]),
    (FrameKind.DERIVED, [checkpoints(3, 6)]),
]
LARGER = inputs(1, 20, 2, 30, 1)
FILES = {"one row": SMALL, "three kinds": MIXED, "five commits": LARGER}


@pytest.fixture(params=FILES, name="content")
def a_segment(request):
    disk, _ = written(FILES[request.param], closes=True)
    return bytes(content_of(disk))


def ends_of(content):
    return [HEADER_BYTES, *(frame.header.end for frame in Scan(content))]


def test_every_flipped_bit_is_seen_where_it_is(content):
    ends = ends_of(content)
    flipped = bytearray(content)
    for at in range(len(content)):
        good = max((end for end in ends if end <= at), default=0)
        for bit in range(8):
            flipped[at] ^= 1 << bit
            scan = Scan(flipped)
            assert all(frame.header.end <= good for frame in scan)
            assert scan.verdict is not Verdict.CLEAN
            assert scan.place.offset == good
            flipped[at] ^= 1 << bit


def test_every_cut_leaves_the_frames_before_it(content):
    ends = ends_of(content)
    for length in range(len(content)):
        scan = Scan(content[:length])
        offsets = [frame.header.end for frame in scan]
        assert offsets == [end for end in ends[1:] if end <= length]
        assert scan.verdict is (Verdict.CLEAN if length in ends else Verdict.INCOMPLETE)


@pytest.mark.parametrize("filling", ["zeros", "noise", "stale frames", "frames of another log"])
def test_nothing_is_read_from_a_tail_that_was_filled(content, filling):
    rng = random.Random(filling)
    other = content_of(written(LARGER, log_id=b"some other log..")[0])
    tail = {
        "zeros": bytes(len(content)),
        "noise": rng.randbytes(len(content)),
        "stale frames": content[HEADER_BYTES:],
        "frames of another log": bytes(other[HEADER_BYTES:]),
    }[filling]
    for length in range(HEADER_BYTES, len(content)):
        filled = content[:length] + tail[: rng.randint(1, len(tail))]
        scan = Scan(filled)
        for _ in scan:
            pass
        assert content.startswith(filled[: scan.place.offset])


def damaged(content, commits, *, keeps_durable, **options):
    """A disk on which that journal has this content in its segment."""
    disk, _ = written(commits, **options)
    disk.killed()
    disk.names_cache[segment_path(FOLDER, 1)].cache[:] = content
    if not keeps_durable:
        disk.shared.clear()
    return disk


@pytest.mark.parametrize("commits", [SMALL, MIXED])
def test_a_closed_log_is_never_cut_by_damage(commits):
    content = content_of(written(commits, closes=True)[0])
    seal = len(content) - HEADER_BYTES
    for at in range(0, len(content), 1 if commits is SMALL else 3):
        content[at] ^= 0x10
        # The seal itself can't be told from a torn one by the file alone: the durable file knows that it was there.
        disk = damaged(content, commits, closes=True, keeps_durable=at >= seal)
        with pytest.raises(CorruptError) as refused:
            Journal.resume(FOLDER, disk=disk)
        assert refused.value.valid_end <= at
        content[at] ^= 0x10


def test_a_crashed_log_is_never_cut_below_its_durable_end():
    disk, journal = written(LARGER, synced_after={3})
    content, durable = content_of(disk), journal.durable.end
    for at in range(0, len(content), 7):
        content[at] ^= 0x10
        disk = damaged(content, LARGER, synced_after={3}, keeps_durable=True)
        if at < durable:
            with pytest.raises(CorruptError):
                Journal.resume(FOLDER, disk=disk)
        else:
            Journal.resume(FOLDER, disk=disk)
            assert seqs_of(disk) == list(range(1, 54))
        content[at] ^= 0x10


def test_a_frame_made_after_the_sync_proves_damage_without_any_cursor():
    disk, _ = written(inputs(1, 1, 1), synced_after={0})
    content = content_of(disk)
    content[HEADER_BYTES + 5] ^= 1
    with pytest.raises(CorruptError, match=r"000001.seg: damaged at byte 128"):
        Journal.resume(FOLDER, disk=damaged(content, inputs(1, 1, 1), synced_after={0}, keeps_durable=False))


@pytest.mark.parametrize("filling", [bytes(500), random.Random(3).randbytes(500), None])
def test_every_torn_tail_is_cut_and_the_log_goes_on(filling):
    whole = content_of(written(LARGER)[0])
    ends = ends_of(bytes(whole))
    for length in range(HEADER_BYTES, len(whole), 13):
        torn = whole[:length] + (whole[HEADER_BYTES : HEADER_BYTES + 500] if filling is None else filling)
        disk = damaged(torn, LARGER, keeps_durable=False)
        journal, recovered = Journal.resume(FOLDER, disk=disk)
        good = max(end for end in ends if end <= length)
        if not bytes(torn).startswith(bytes(whole)):
            assert recovered.place.offset in (good, *(end for end in ends if end > length))
        seqs = seqs_of(disk)
        assert seqs == list(range(1, journal.written.seq + 1))
        journal.append(FrameKind.INPUTS, [timers(len(seqs) + 1, 2)])
        journal.close()
        assert len(seqs_of(disk)) == len(seqs) + 2


def test_a_segment_that_is_missing_is_named():
    disk, _ = written(inputs(1), closes=True)
    disk.killed()
    Journal.resume(FOLDER, disk=disk)[0].close()
    del disk.names_cache[segment_path(FOLDER, 1)]
    with pytest.raises(CorruptError, match=r"000001.seg.*missing"):
        Journal.resume(FOLDER, disk=disk)


def test_a_last_segment_that_is_missing_is_known_from_the_durable_end():
    disk, _ = written(inputs(1), closes=True)
    disk.killed()
    second, _ = Journal.resume(FOLDER, disk=disk)
    second.append(FrameKind.INPUTS, [timers(2, 1)])
    second.close()
    disk.killed()
    del disk.names_cache[segment_path(FOLDER, 2)]
    with pytest.raises(CorruptError, match="segment 2 was durable and is missing"):
        Journal.resume(FOLDER, disk=disk)


def test_a_segment_of_another_log_is_refused():
    disk, _ = written(inputs(1), closes=True)
    disk.killed()
    Journal.resume(FOLDER, disk=disk)[0].close()
    disk.killed()
    other, _ = written(inputs(1), closes=True)
    other.killed()
    stranger = Journal.create(FOLDER.with_name("other"), log_id=b"another log.....", disk=other)
    stranger.close()
    disk.names_cache[segment_path(FOLDER, 2)] = other.names_cache[segment_path(FOLDER.with_name("other"), 1)]
    with pytest.raises(CorruptError, match="says that it is number 1"):
        Journal.resume(FOLDER, disk=disk)


def test_an_empty_folder_has_nothing_to_resume():
    disk, _ = written(SMALL)
    with pytest.raises(LogError, match="no journal"):
        Journal.resume(FOLDER.with_name("elsewhere"), disk=disk)


def test_segments_that_were_sealed_and_dropped_are_not_missed():
    disk, _ = written(inputs(3), closes=True)
    for _ in range(2):
        disk.killed()
        journal, _ = Journal.resume(FOLDER, disk=disk)
        journal.append(FrameKind.INPUTS, [timers(journal.written.seq + 1, 1)])
        journal.close()
    disk.killed()
    del disk.names_cache[segment_path(FOLDER, 1)]
    with pytest.raises(CorruptError, match="missing"):
        Journal.resume(FOLDER, disk=disk)
    disk.killed()
    journal, _ = Journal.resume(FOLDER, disk=disk, first_segment=2)
    assert (journal.written.seq, journal.written.segment) == (5, 4)


def test_a_cursor_below_the_end_that_names_another_chain_is_refused():
    disk, journal = written(inputs(1, 1), synced_after={0})
    stale = msgspec.structs.replace(journal.durable, chain=bytes(32))
    disk.killed()
    with pytest.raises(CorruptError, match="it was durable up to byte"):
        Journal.resume(FOLDER, disk=disk, cursors=[stale])


def test_a_segment_of_another_history_is_refused():
    disk, _ = written(inputs(1), closes=True)
    other, _ = written(inputs(2), closes=True)
    for one in (disk, other):
        one.killed()
        Journal.resume(FOLDER, disk=one)[0].close()
        one.killed()
    disk.names_cache[segment_path(FOLDER, 2)] = other.names_cache[segment_path(FOLDER, 2)]
    disk.shared.clear()
    with pytest.raises(CorruptError, match="the chain is broken"):
        Journal.resume(FOLDER, disk=disk)


def test_a_file_of_an_older_epoch_that_came_back_is_refused():
    disk, _ = written(inputs(1), closes=True)
    disk.killed()
    Journal.resume(FOLDER, disk=disk)[0].close()
    second = disk.names_cache[segment_path(FOLDER, 2)]
    header = Scan(second.cache).header
    second.cache[:HEADER_BYTES] = header._replace(epoch=0).encoded()
    disk.killed()
    disk.shared.clear()
    with pytest.raises(CorruptError, match="an older file came back"):
        Journal.resume(FOLDER, disk=disk)


def test_a_frame_in_the_place_of_another_breaks_the_chain_behind_it():
    """Each of the two is sound and of this very segment; only the one behind it knows which of them it followed."""
    commits = inputs(1, 1)
    other = Block.of(Kind.TIMER, 1, seq=[1], interval_ns=[5])
    ours, theirs = (
        bytes(content_of(written([first, commits[1]])[0])) for first in (commits[0], (commits[0][0], [other]))
    )
    ends = ends_of(ours)
    assert ends == ends_of(theirs)
    scan = Scan(theirs[: ends[-2]] + ours[ends[-2] :])
    assert [frame.header.end for frame in scan] == ends[1:-1]
    assert "the chain is broken" in scan.reason


def test_a_frame_that_comes_again_is_said_to_be_of_another_place():
    content = bytes(content_of(written(inputs(1, 1))[0]))
    ends = ends_of(content)
    scan = Scan(content + content[ends[-2] :])
    assert [frame.header.end for frame in scan] == ends[1:]
    assert scan.reason == "the frame belongs to another place"


def test_nothing_is_read_behind_a_seal_though_it_follows_it_in_every_way():
    content = bytes(content_of(written(SMALL, closes=True)[0]))
    seal = list(Scan(content))[-1]
    behind = seal.header._replace(offset=seal.header.end, previous=seal.chain)
    scan = Scan(content + behind.encoded())
    assert [frame.header.end for frame in scan] == ends_of(content)[1:]
    assert scan.reason == "the frame stands after the seal"
