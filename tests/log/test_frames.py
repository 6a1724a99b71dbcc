"""Frames, the durable file and the log in memory: the small rules that no larger test names."""

import struct

import pytest
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st
from journals import LOG_ID, checkpoints, content_of, inputs, quotes, timers, written

from pipeline.errors import LogError, SchemaError
from pipeline.log.disk import RealDisk, publish
from pipeline.log.durable import FILE_NAME, Cursor, DurableFile, read_durable
from pipeline.log.frames import HEADER_BYTES, SegmentHeader, crc_of, digest, parse_segment_header
from pipeline.log.memory import MemoryLog
from pipeline.log.scan import Scan, Verdict


def with_crc(head):
    return head[:-4] + struct.pack("<I", crc32c(bytes(head[:-4])))


@given(
    st.builds(
        SegmentHeader,
        log_id=st.binary(min_size=16, max_size=16),
        segment=st.integers(1, 2**32 - 1),
        epoch=st.integers(1, 2**32 - 1),
        base_seq=st.integers(1, 2**63 - 1),
        created_ns=st.integers(0, 2**63 - 1),
        chain=st.binary(min_size=32, max_size=32),
        is_derived_only=st.booleans(),
    )
)
def test_a_segment_header_comes_back(header):
    assert parse_segment_header(header.encoded()) == header


def test_a_sound_header_of_a_later_version_is_refused_by_name():
    content = content_of(written(inputs(1))[0])
    later = bytearray(content)
    later[8] = 2
    later[:HEADER_BYTES] = with_crc(later[:HEADER_BYTES])
    with pytest.raises(SchemaError, match="journal version 2"):
        Scan(later)
    later = bytearray(content)
    later[HEADER_BYTES + 4] = 2
    later[HEADER_BYTES : 2 * HEADER_BYTES] = with_crc(later[HEADER_BYTES : 2 * HEADER_BYTES])
    with pytest.raises(SchemaError, match="frame version 2"):
        list(Scan(later))


def test_reserved_bytes_are_checked():
    later = content_of(written(inputs(1))[0])
    later[100] = 1
    later[:HEADER_BYTES] = with_crc(later[:HEADER_BYTES])
    with pytest.raises(SchemaError):
        Scan(later)


def test_a_thorough_scan_sees_a_forged_payload_that_a_quick_one_believes():
    content = content_of(written(inputs(1, 1))[0])
    *_, last = Scan(content)
    payload = bytearray(last.payload)
    payload[-1] ^= 1
    forged = last.header._replace(payload_crc=crc_of(payload)).encoded()
    content[last.header.offset :] = forged + payload
    quick, thorough = Scan(content), Scan(content, is_thorough=True)
    assert len(list(quick)) == len(list(thorough)) + 1
    assert quick.verdict is Verdict.CLEAN
    assert thorough.reason == "the frame's payload is not what its hash says"


def test_a_payload_too_large_is_refused_before_it_is_read():
    content = content_of(written(inputs(1))[0])
    first = next(iter(Scan(content)))
    content[HEADER_BYTES : 2 * HEADER_BYTES] = first.header._replace(payload_bytes=2**31).encoded()
    scan = Scan(content)
    assert list(scan) == []
    assert (scan.verdict, scan.reason) == (Verdict.DAMAGED, "the frame claims a payload of 2147483648 bytes")


def test_a_scan_goes_on_where_another_ended():
    content = content_of(written(inputs(1, 2, 3), closes=True)[0])
    whole = list(Scan(content))
    for cut in range(len(whole)):
        first = Scan(content[: whole[cut].header.end])
        head = list(first)
        rest = list(Scan(content, first.place))
        assert [frame.chain for frame in (*head, *rest)] == [frame.chain for frame in whole]


def test_a_published_file_is_whole_or_not_there(tmp_path):
    disk = RealDisk()
    publish(disk, tmp_path / "file", b"one", b"two")
    (tmp_path / "file.tmp").write_bytes(b"leftover")
    publish(disk, tmp_path / "file", b"three")
    assert bytes(disk.view(tmp_path / "file")) == b"three"
    assert disk.names(tmp_path) == ["file"]
    assert disk.size(tmp_path / "file") == 5


def test_a_torn_slot_of_the_durable_file_leaves_the_other(tmp_path):
    disk = RealDisk()
    file = DurableFile(disk, tmp_path, LOG_ID)
    cursors = [Cursor(1, 1, 128 * step, step, digest(bytes([step]))) for step in range(1, 6)]
    for cursor in cursors:
        file.publish(cursor)
        assert read_durable(disk, tmp_path, LOG_ID) == cursor
    whole = (tmp_path / FILE_NAME).read_bytes()
    for at in range(len(whole)):
        torn = bytearray(whole)
        torn[at] ^= 1
        (tmp_path / FILE_NAME).write_bytes(torn)
        assert read_durable(disk, tmp_path, LOG_ID) in cursors[-2:]
    (tmp_path / FILE_NAME).write_bytes(bytes(len(whole)))
    assert read_durable(disk, tmp_path, LOG_ID) is None


def test_the_log_in_memory_gives_what_it_took_from_any_seq():
    log = MemoryLog()
    log.append([timers(1, 3), quotes(4, 1)])
    log.append([checkpoints(2, 4)])
    log.append([timers(5, 1)])
    assert log.last_seq == 5
    rows = [[block.number("seq").tolist() for block in blocks] for blocks in log.read(3)]
    assert rows == [[[3], [4]], [[4]], [[5]]]
    assert list(log.read(6)) == []


def test_the_log_in_memory_refuses_what_the_journal_refuses():
    log = MemoryLog()
    log.append([timers(1, 3)])
    for blocks in ([timers(3, 1)], [timers(5, 1)], [checkpoints(4)], []):
        with pytest.raises(LogError):
            log.append(blocks)
