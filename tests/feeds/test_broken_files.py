"""Recorded bytes, then the same bytes flipped, cut and stuffed: events or FeedError, nothing else."""

import gzip
from functools import cache
from pathlib import Path

import databento_dbn as dbn
import pyarrow as pa
import pytest
from feed_samples import DATA, dbn_metadata, dbn_records, needs_data, readable, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from pipeline.errors import FeedError
from pipeline.feeds.files import feed_of
from pipeline.feeds.merge import merged
from pipeline.feeds.tables import mapping_from
from pipeline.units import TS_MAX_NS, TS_MIN_NS

CSV = b"time,symbol,bid,ask,bid_size,ask_size\n" + b"".join(
    b"2024-01-02T00:00:%02dZ,AB,1.5,1.%d,3,4\n" % (second, second % 9 + 1) for second in range(20)
)
MAPPING = "kind=quote symbol_column=symbol ts=time bid=bid ask=ask bid_size=bid_size ask_size=ask_size"

flips = st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255))
cuts = st.tuples(st.just("cut"), st.floats(0, 1), st.integers(1, 40))
stuffings = st.tuples(st.just("stuff"), st.floats(0, 1), st.binary(min_size=1, max_size=20))
mutations = st.lists(st.one_of(flips, cuts, stuffings), min_size=1, max_size=4)


def mutated(content: bytes, changes) -> bytes:
    for name, place, what in changes:
        at = int(place * (len(content) - 1)) if content else 0
        if name == "flip":
            content = content[:at] + bytes([content[at] ^ what]) + content[at + 1 :] if content else content
        elif name == "cut":
            content = content[:at] + content[at + what :]
        else:
            content = content[:at] + what + content[at:]
    return content


def dbn_sample():
    quotes = dbn_records(dbn.MBP1Msg, 20, rtype=1, bid_px_00=1, ask_px_00=2)
    quotes["action"][::3] = b"T"
    bars = dbn_records(dbn.OHLCVMsg, 5, rtype=33, open=1, high=2, low=1, close=2, volume=3)
    status = dbn_records(dbn.StatusMsg, 5, rtype=18)
    return dbn_metadata(None) + quotes.tobytes() + bars.tobytes() + status.tobytes()


@cache
def recorded_lines(path, count):
    content = path.read_bytes()
    plain = gzip.decompress(content) if path.suffix == ".gz" else content
    return b"".join(plain.splitlines(keepends=True)[:count])


def check(content: bytes, name: str, folder: Path, mapping=None) -> None:
    path = folder / name
    path.write_bytes(content)
    try:
        source = feed_of(path, mapping=mapping)
    except FeedError:
        return
    batches, error = readable(merged([source], timer_interval_ns=None))
    if error is not None and not isinstance(error, FeedError):
        raise error
    for row in rows_of(batches):
        assert TS_MIN_NS <= row["ts_event_ns"] < TS_MAX_NS
        assert TS_MIN_NS <= row["ts_recv_ns"] < TS_MAX_NS + TS_MAX_NS // 100


@settings(max_examples=150)
@given(changes=mutations)
def test_mutated_dbn_records(changes, tmp_path_factory):
    check(mutated(dbn_sample(), changes), "x.dbn", tmp_path_factory.getbasetemp())


@needs_data
@given(changes=mutations)
@pytest.mark.parametrize(
    "name",
    [
        "databento-python/LIVE/test_data.live.dbn.zst",
        "databento-python/GLBX.MDP3/test_data.definition.dbn.zst",
        "databento-python/GLBX.MDP3/test_data.status.dbn.zst",
        "dbn/test_data.cmbp-1.v3.dbn.zst",
        "dbn/test_data.definition.v1.dbn.zst",
    ],
)
def test_mutated_recorded_dbn(name, changes, tmp_path_factory):
    path = DATA / "databento" / name
    plain = pa.input_stream(str(path), compression="zstd").read()
    check(mutated(plain, changes), "x.dbn", tmp_path_factory.getbasetemp())
    check(mutated(path.read_bytes(), changes), "x.dbn.zst", tmp_path_factory.getbasetemp())


@needs_data
@given(changes=mutations)
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("crypto/hftbacktest/spot/btcusdt_20240808.gz", 7),
        ("crypto/hftbacktest/cm/btcusd_perp_20240808.gz", 12),
        ("crypto/hftbacktest/hyperliquid/btcusd_20250126.gz", 5),
        ("websocket/cryptofeed/BINANCE.ws.1.0", 12),
    ],
)
def test_mutated_captures(name, count, changes, tmp_path_factory):
    check(mutated(recorded_lines(DATA / name, count), changes), "x.txt.cap", tmp_path_factory.getbasetemp())


@needs_data
@given(changes=mutations)
def test_mutated_coinbase_frames(changes, tmp_path_factory):
    lines = recorded_lines(DATA / "websocket/cryptofeed/COINBASE.ws.28.0", 400).splitlines(keepends=True)
    short = b"".join(lines[:1] + [line for line in lines if len(line) < 400][:60])
    check(mutated(short, changes), "x.0", tmp_path_factory.getbasetemp())


@settings(max_examples=150)
@given(changes=mutations)
def test_mutated_tables(changes, tmp_path_factory):
    check(mutated(CSV, changes), "x.csv", tmp_path_factory.getbasetemp(), mapping_from(MAPPING))
    check(mutated(CSV, changes), "x.csv", tmp_path_factory.getbasetemp())


@settings(max_examples=100)
@given(changes=mutations)
def test_mutated_compressed_tables(changes, tmp_path_factory):
    check(mutated(gzip.compress(CSV, mtime=0), changes), "x.csv.gz", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def parquet_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    parquet.write_table(csv.read_csv(pa.BufferReader(CSV)), path, write_page_checksum=True)
    return path.read_bytes()


@settings(max_examples=150)
@given(changes=mutations)
def test_mutated_parquet(changes, parquet_bytes, tmp_path_factory):
    check(mutated(parquet_bytes, changes), "x.parquet", tmp_path_factory.getbasetemp())


def test_files_nobody_reads_are_refused_naming_what_is_accepted(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("# hello\n")
    with pytest.raises(FeedError, match="none of the files that are read: DBN"):
        feed_of(path)
    with pytest.raises(FeedError, match="is a folder; accepted are files"):
        feed_of(tmp_path)
    with pytest.raises(FeedError, match="No such file"):
        feed_of(tmp_path / "nowhere.csv")
    path.write_bytes(b"")
    with pytest.raises(FeedError, match="none of the files"):
        feed_of(path)


def test_content_speaks_before_the_ending(tmp_path):
    path = tmp_path / "quotes.csv"
    path.write_bytes(dbn_sample())
    assert type(feed_of(path)).__name__ == "DbnFile"
    path = tmp_path / "quotes.dbn"
    path.write_bytes(CSV)
    assert type(feed_of(path, mapping=mapping_from(MAPPING))).__name__ == "TableFile"
