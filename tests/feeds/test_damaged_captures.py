"""Captures that lie: a flipped byte in the middle of a gzip, receive times that jump."""

import gzip
import random
import re

import pytest
from feed_samples import DATA, START_NS, needs_data, readable, rows_of

from pipeline.codes import FeedAction, Kind
from pipeline.errors import FeedError
from pipeline.feeds.captures import CaptureFile
from pipeline.feeds.streams import is_sound
from pipeline.units import DAY_NS, SECOND_NS

SPOT = DATA / "crypto" / "hftbacktest" / "spot" / "btcusdt_20240808.gz"
TICKER = '{"stream":"x@bookTicker","data":{"u":%d,"s":"XUSDT","b":"1.5","B":"2","a":"1.6","A":"3","x":"%s"}}'


def capture_of(tmp_path, times, *, bad=()):
    """A capture of a quote at each of these times, with lines that are no frames at some places; it compresses badly."""
    noise = random.Random(0)
    lines = [
        "what is this" if n in bad else f"{ns} {TICKER % (n, noise.randbytes(40).hex())}" for n, ns in enumerate(times)
    ]
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    return path


def fails_its_checksum(path):
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes([content[-8] ^ 1]) + content[-7:])


def quotes_and_refusals(batches):
    rows = rows_of(batches)
    refused = [(row["position"], row["text"]) for row in rows if row.get("action") == FeedAction.REJECTED]
    return [row["vendor_seq"] for row in rows if row["kind"] is Kind.QUOTE], refused


def test_a_capture_without_its_checksum_is_read_to_the_first_bad_line(tmp_path):
    times = [START_NS + n * SECOND_NS for n in range(4_000)]
    path = capture_of(tmp_path, times, bad=(5, 7))
    assert is_sound(path)
    assert quotes_and_refusals(CaptureFile(path).events())[0][:8] == [0, 1, 2, 3, 4, 6, 8, 9]
    fails_its_checksum(path)
    assert not is_sound(path)
    for chunk_lines in (1, 4, 100):
        batches, error = readable(CaptureFile(path, chunk_lines=chunk_lines).events())
        assert quotes_and_refusals(batches) == ([0, 1, 2, 3, 4], [])
        assert isinstance(error, FeedError)
        assert error.position == "line 6"
        assert re.match("no frame.*the compressed data fail their checksum", error.reason)


def test_a_receive_time_that_jumps_is_refused_and_a_pause_loses_one_line(tmp_path):
    later = START_NS + 3 * DAY_NS
    times = [START_NS, START_NS + 1, START_NS + 80 * 365 * DAY_NS // 3, START_NS + 2, later, later + 1, START_NS + 3]
    kept, refused = quotes_and_refusals(CaptureFile(capture_of(tmp_path, times)).events())
    assert kept == [0, 1, 3, 5]
    assert [position for position, _ in refused] == [3, 5, 7]
    assert refused[1][1] == "received 2023-11-17T22:13:20.000000000Z, more than a day from the line before"


@needs_data
@pytest.mark.parametrize("place", [0.1, 0.35, 0.6, 0.9])
def test_a_flipped_byte_in_a_recorded_gzip_moves_no_row_to_another_day(tmp_path, place):
    content = bytearray(SPOT.read_bytes())
    content[int(len(content) * place)] ^= 16
    path = tmp_path / "flipped.gz"
    path.write_bytes(content)
    batches, error = readable(CaptureFile(path).events())
    assert isinstance(error, FeedError)
    assert error.position.startswith("line ")
    times = [row["ts_recv_ns"] for row in rows_of(batches) if row["kind"] is Kind.QUOTE]
    assert len(times) > 1_000
    assert max(times) - min(times) < DAY_NS
