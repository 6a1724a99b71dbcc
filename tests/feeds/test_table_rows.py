"""What tables make of doubtful rows: fractions of coins, impossible bars, rows that stand twice."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feed_samples import DATA, counts_of, needs_data, one_block, rows_of
from table_samples import BARS, bars_csv, bars_of, csv_file, rejections

from pipeline.codes import Kind, Mark
from pipeline.errors import FeedError
from pipeline.feeds.columns import exact_steps, exact_times
from pipeline.feeds.tables import TableFile, mapping_from
from pipeline.instruments import COIN_STEP_NANO, WHOLE_STEP_NANO
from pipeline.normalize.marks import bar_marks, one_bar_marks
from pipeline.units import ABSENT, NANO


@needs_data
@pytest.mark.parametrize(
    ("path", "kind", "count"),
    [
        ("freqtrade/ETH_BTC-5m.feather", "BAR", 5_760),
        ("freqtrade/UNITTEST_BTC-1m.feather", "BAR", 13_681),
        ("freqtrade/XRP_ETH-1m.feather", "BAR", 2_469),
        ("freqtrade/XRP_ETH-5m.feather", "BAR", 706),
        ("nautilus/binance/btcusdt-quotes.parquet", "QUOTE", 451),
        ("nautilus/binance/btcusdt-trades.parquet", "PRINT", 2_001),
    ],
)
def test_recorded_tables_with_fractions_of_coins_need_no_mapping(path, kind, count):
    batches = list(TableFile(DATA / "crypto" / path).events())
    assert counts_of(batches) == {"INSTRUMENT": 1, kind: count}
    is_whole = "XRP_ETH" in path
    step_nano = one_block(batches, Kind.INSTRUMENT).number("size_step_nano").tolist()
    assert step_nano == [WHOLE_STEP_NANO if is_whole else COIN_STEP_NANO]


def test_one_fraction_in_the_head_makes_the_step_of_coins(tmp_path):
    rows = [f"2024-01-02T10:{n:02}:00Z,1,2,0.5,1.5,{size}" for n, size in enumerate(("100", "0.25", "0.123456789"))]
    path = csv_file(tmp_path, "timestamp,open,high,low,close,volume", *rows)
    rows = rows_of(TableFile(path).events())
    assert [row["volume_steps"] for row in rows if row["kind"] is Kind.BAR] == [10_000_000_000, 25_000_000]
    assert rejections(rows) == [
        (3, "volume: size '0.123456789' is finer than 0.00000001, its step; say how fine with size_step=")
    ]
    mapping = mapping_from(f"{BARS.replace('ts=time', 'ts=timestamp')} size_step=0.000000001")
    assert [bar["volume_steps"] for bar in one_block(TableFile(path, mapping).events(), Kind.BAR).rows()] == [
        100 * NANO,
        250_000_000,
        123_456_789,
    ]


def test_floats_finer_than_their_step_are_refused_not_rounded(tmp_path):
    path = tmp_path / "t.parquet"
    sizes = [0.5, 0.25, 1 / 3]
    columns = {"ts": pa.array(range(1_700_000_000, 1_700_000_003)), "price": [1.0] * 3, "size": sizes}
    pq.write_table(pa.table(columns), path)
    rows = rows_of(TableFile(path, mapping_from("kind=print symbol=A ts=ts unit=s price=price size=size")).events())
    assert [row["size_steps"] for row in rows if row["kind"] is Kind.PRINT] == [50_000_000, 25_000_000]
    assert rejections(rows) == [(3, "size is finer than 0.00000001, its step; say how fine with size_step=")]


def test_a_file_most_of_whose_head_can_t_be_read_is_refused_whole(tmp_path):
    rows = [f"{1_700_000_000 + 60 * n},1,2,0.5,1.5,{'10' if n < 2 else '0.5'}" for n in range(5)]
    path = csv_file(tmp_path, "time,open,high,low,close,volume", *rows)
    reason = (
        r"row 3: volume: size '0.5' is finer than 1, its step; say how fine with size_step= \(3 of the first 5 rows"
    )
    with pytest.raises(FeedError, match=reason):
        TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1m size_step=1"))


def test_impossible_bars_are_kept_and_not_trusted(tmp_path):
    prices = ("1,2,0.5,1.5", "5,2,3,9", "1,0.5,2,1.5", "3,2,0.5,1.5", "1,2,0.5,0.4")
    rows = [f"{1_700_000_000 + 60 * n},{four},10" for n, four in enumerate(prices)]
    path = csv_file(tmp_path, "time,open,high,low,close,volume", *rows)
    assert [bar["marks"] for bar in bars_of(path, f"{BARS} unit=s timeframe=1m")] == [Mark.NONE] + [Mark.UNTRUSTED] * 4


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
def test_a_row_that_stands_twice_is_marked_unless_it_may_be_two_trades(tmp_path, chunk_rows):
    path = bars_csv(tmp_path, "1700000040", "1700000100", "1700000040", "1700000100")
    path.write_text(path.read_text().removesuffix("10\n") + "11\n")
    bars = bars_of(path, f"{BARS} unit=s timeframe=1m", chunk_rows=chunk_rows)
    assert [bar["marks"] for bar in bars] == [Mark.NONE, Mark.NONE, Mark.DUPLICATE, Mark.NONE]
    path = csv_file(tmp_path, "ts,price,size", "1700000040,5,1", "1700000040,5,1")
    mapping = mapping_from("kind=print symbol=A ts=ts unit=s price=price size=size")
    prints = one_block(TableFile(path, mapping, chunk_rows=chunk_rows).events(), Kind.PRINT)
    assert prints.number("marks").tolist() == [Mark.NONE, Mark.NONE]


def test_the_marks_of_one_bar_are_those_of_a_column():
    bars = [(1, 2, 0, 1), (1, 2, 1, 2), (5, 2, 3, 9), (1, 1, 2, 1), (ABSENT, 2, 1, 1)]
    columns = [np.array(column) for column in zip(*bars, strict=True)]
    assert bar_marks(*columns).tolist() == [one_bar_marks(*bar) for bar in bars]


@pytest.mark.parametrize("chunk_rows", [1_000, 32_768])
def test_a_rejected_row_has_its_number_and_place_however_long_the_file(tmp_path, chunk_rows):
    """Several blocks are read; lines of a wrong length, bad prices and blank lines stand in all of them."""
    lines, expected = [], []
    for row in range(1, 40_001):
        if row % 997 == 0:
            lines.append("1,2,3")
            expected.append((row, "3 values where the header has 6"))
        elif row % 1_009 == 0:
            lines.append("\n1700000000,x,2,0.5,1.5,10")
            expected.append((row, "open: 'x' is not a decimal number"))
        else:
            lines.append(f"{1_700_000_000 + row},1.000000000,100000.000000000,0.500000000,1.500000000,10")
            expected.append((row, ""))
    path = csv_file(tmp_path, "time,open,high,low,close,volume", *lines)
    assert path.stat().st_size > 2 << 20
    feed = TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1s"), chunk_rows=chunk_rows)
    rows = [row for row in rows_of(feed.events()) if row["kind"] is not Kind.INSTRUMENT]
    assert [
        (row["position"], row["text"]) if row["kind"] is Kind.FEED else (row["ts_event_ns"] // NANO - 1_700_000_000, "")
        for row in rows
    ] == expected


def test_a_refused_head_names_the_row_counting_lines_of_a_wrong_length(tmp_path):
    path = csv_file(tmp_path, "time,open,high,low,close,volume", "1,2", *("1700000000,x,2,0.5,1.5,10",) * 3)
    with pytest.raises(FeedError, match=r"row 2: open: 'x' is not a decimal number \(3 of the first 3 rows"):
        TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1m"))


def test_rows_of_a_wrong_length_at_the_end_are_told(tmp_path):
    path = csv_file(tmp_path, "time,open,high,low,close,volume", "1700000000,1,2,0.5,1.5,10", "1", "2,3")
    rows = rows_of(TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1m")).events())
    assert rejections(rows) == [(2, "1 values where the header has 6"), (3, "2 values where the header has 6")]


TIMES = ["2024-01-02T10:00:00Z", "2024-01-02 11:00:00+01:00", "2024-01-02 05:00", "2024-11-03 01:30", "17", "x", " "]


@pytest.mark.parametrize("tz", ["", "America/New_York"])
def test_what_a_row_is_read_as_does_not_depend_on_its_neighbours(tz):
    rng = random.Random(tz)

    def read(texts):
        found = exact_times(pa.array(texts), unit="", zone=tz, fold="", name="time")
        return list(zip(found.values, [""] * len(texts) if found.reasons is None else found.reasons, strict=True))

    alone = {text: read([text, "x"])[0] for text in TIMES}
    for _ in range(100):
        texts = ["x", *rng.choices(TIMES, weights=[20, 20, 1, 1, 1, 1, 1], k=rng.randrange(200))]
        assert read(texts) == [alone[text] for text in texts]


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("1e-9999", None),
        ("1e-99999999", None),
        ("0e999999999", 0),
        ("0." + "0" * 60 + "1", None),
        ("1.5e-05", 15_000),
        ("1e3", 10**12),
    ],
)
def test_no_exponent_ends_the_process_or_keeps_it_busy(text, nano):
    """Those of two digits and more are read by us: behind its table of powers pyarrow reads what lies there."""
    found = exact_steps(pa.array([text, "1.5"]), 1, "price")
    assert found.values.tolist() == [ABSENT if nano is None else nano, 3 * NANO // 2]
    assert (found.reasons is not None) == (nano is None)
