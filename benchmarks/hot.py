"""Hot: sealed quotes read from Parquet, the first reading that leaves the hot cache, and the readings after it."""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numba
import pyarrow.parquet as pq

from benchmarks.measure import Figure, ratio, seconds, slowness
from benchmarks.seal import sealed_session
from pipeline.codes import Kind
from pipeline.log import cache, hot
from pipeline.log.reader import LogReader
from pipeline.log.store import Store

ROWS = 2_000_000
VARYING = (
    "seq",
    "ts_event_ns",
    "ts_recv_ns",
    "instrument_id",
    "bid_nano",
    "ask_nano",
    "bid_size_steps",
    "ask_size_steps",
    "vendor_seq",
)
HANDLED = ("ts_recv_ns", "instrument_id", "bid_nano", "ask_nano")
"""What a handler of quotes looks at."""


def figures():
    os.environ[cache.LIMIT_VARIABLE] = "20"
    with tempfile.TemporaryDirectory() as home:
        folder = sealed_session(Path(home), ROWS)
        store, id_ = Store(Path(home)), folder.name
        return [*_cold(store, id_, folder), *_hot(store, id_)]


def _cold(store, id_, folder):
    (part,) = [folder / part.file for part in LogReader(folder).manifest.parts_of(Kind.QUOTE)]

    def from_parquet():
        _pass(LogReader(folder).batches(rows=hot.ROWS))

    without_s, leaving_s, walls = [], [], []
    for _ in range(5):
        for taken, build in ((without_s, False), (leaving_s, True)):
            hot.forget(store, id_)
            wall, start = time.perf_counter(), time.thread_time()
            _pass(hot.batches(store, id_, build=build))
            taken.append(time.thread_time() - start)
            walls.append(time.perf_counter() - wall)
    cost = statistics.median(leaving / without for leaving, without in zip(leaving_s, without_s, strict=True)) - 1
    elapsed = min(walls[1::2]) / min(walls[::2]) - 1
    to_all, ours_s, bare_s = ratio(from_parquet, lambda: _decode(part))
    few_s = seconds(lambda: _decode(part, VARYING), runs=3)
    rates = f"{_rate(ours_s)} to {_rate(bare_s)}; pyarrow over the {len(VARYING)} columns that change {_rate(few_s)}"
    return [
        Figure("sealed quotes through the reader, to pyarrow decoding the same columns", to_all, "", 0.9, beside=rates),
        Figure(
            "work that leaving the hot cache adds to the thread that reads",
            cost,
            "of it",
            0.3,
            at_least=False,
            beside=f"best of 5 by the clock, as free as the second core was: {elapsed:.2f}; {_rate(min(walls[::2]))} without",
        ),
    ]


def _hot(store, id_):
    _touch(store, id_, VARYING)  # compiles
    (entry,) = hot.entries(store)
    (store.home / cache.FOLDER / entry.key / cache.PROVED).unlink()
    first_s = seconds(lambda: _touch(store, id_, VARYING), runs=1, warm=0)
    in_memory = [column.copy() for column in _columns(store, id_, VARYING)]
    to_memory, all_s, memory_s = ratio(lambda: _touch(store, id_, VARYING), lambda: _sum_all(in_memory))
    few_s = seconds(lambda: _touch(store, id_, HANDLED), runs=7)
    slow = slowness()
    return [
        Figure(
            "hot quotes, every number touched, to the same in memory",
            to_memory,
            "",
            0.4,
            beside=f"{_rate(all_s)} to {_rate(memory_s)}; the first time, with every hash compared, {_rate(first_s)}",
        ),
        Figure(
            "hot quotes, the four columns a handler looks at",
            ROWS / few_s / 1e6,
            "M rows/s",
            200 / slow,
            beside=f"opening included; stated for a machine {slow:.1f} times as fast as this one now: 200 M rows/s",
        ),
    ]


def _rate(taken_s):
    return f"{ROWS / taken_s / 1e6:.1f} M rows/s"


def _decode(path, columns=None):
    file = pq.ParquetFile(path, page_checksum_verification=True)
    for _ in file.iter_batches(131_072, columns=columns, use_threads=False):
        pass


def _pass(batches):
    for _ in batches:
        pass


def _columns(store, id_, names):
    (quotes,) = [
        block for batch in hot.batches(store, id_, kinds=[Kind.QUOTE], columns=names, rows=10**9) for block in batch
    ]
    return [quotes.number(name) for name in names]


def _touch(store, id_, names):
    for batch in hot.batches(store, id_, kinds=[Kind.QUOTE], columns=names):
        for block in batch:
            _sum_all([block.number(name) for name in names])


def _sum_all(columns):
    return sum(_sum(column) for column in columns)


@numba.njit(nogil=True)
def _sum(column):
    total = 0
    for value in column:
        total += value
    return total
