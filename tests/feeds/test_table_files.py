from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feed_samples import DATA, counts_of, needs_data, one_block, readable, rows_of
from table_samples import BARS, bars_csv, bars_of, csv_file, rejections

from pipeline.codes import BarBasis, Kind, Mark, Side
from pipeline.errors import ConfigError, FeedError
from pipeline.feeds.tables import TableFile, mapping_from
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, MINUTE_NS, NANO

NAUTILUS = DATA / "crypto" / "nautilus"
SKENDER = DATA / "indicators" / "skender" / "quotes"


def ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANO


def test_bars_of_well_known_headers_need_no_mapping(tmp_path):
    path = csv_file(
        tmp_path,
        "Date,Open,High,Low,Close,Volume",
        "2024-01-02T14:30:00Z,10.25,10.5,10,10.125,1200",
        "2024-01-02T14:31:00Z,10.125,10.25,10,10.25,300",
        name="MSFT.csv",
    )
    rows = rows_of(TableFile(path, delay_ns=5).events())
    assert [row["kind"] for row in rows] == [Kind.INSTRUMENT, Kind.BAR, Kind.BAR]
    assert rows[0]["symbol"] == "MSFT"
    bar = rows[1]
    assert (bar["open_nano"], bar["close_nano"], bar["volume_steps"]) == (10_250_000_000, 10_125_000_000, 1_200)
    assert (bar["ts_event_ns"], bar["bar_length"]) == (ns("2024-01-02T14:30:00"), MINUTE_NS)
    assert bar["ts_recv_ns"] == bar["ts_close_ns"] + 5 == bar["ts_event_ns"] + MINUTE_NS + 5
    assert bar["basis"] == BarBasis.VENDOR


@pytest.mark.parametrize(
    ("unit", "time"),
    [("s", "1700000040"), ("ms", "1700000040000"), ("us", "1700000040000000"), ("ns", "1700000040000000000")],
)
def test_each_time_unit(tmp_path, unit, time):
    (bar,) = bars_of(bars_csv(tmp_path, time), f"{BARS} unit={unit} timeframe=5m")
    assert (bar["ts_event_ns"], bar["bar_length"]) == (1_700_000_040 * NANO, 5 * MINUTE_NS)


def test_fractions_of_seconds_are_exact(tmp_path):
    (bar,) = bars_of(bars_csv(tmp_path, "1700000040.123456789"), f"{BARS} unit=s timeframe=1m")
    assert bar["ts_event_ns"] == 1_700_000_040_123_456_789


@pytest.mark.parametrize(
    ("text", "time", "reason"),
    [
        (f"{BARS} unit=ms timeframe=1m", "1700000040", None),  # 1970-01-20: a time, and nobody can know better
        (f"{BARS} unit=s timeframe=1m", "1700000040000", "no time between 1970 and 2100|larger"),
        (f"{BARS} unit=ns timeframe=1m", "-5", "no time between 1970 and 2100: is its unit right"),
        (f"{BARS} timeframe=1m", "1700000040", "a number: say its unit, one of s, ms, us, ns"),
        (f"{BARS} timeframe=1m", "2024-01-02 09:30", "carry no zone: say it, like tz=UTC"),
        (f"{BARS} timeframe=1m tz=Mars/Base", "2024-01-02 09:30", "time zone 'Mars/Base' is unknown"),
        (f"{BARS} timeframe=1m tz=UTC", "yesterday", "'yesterday' is no ISO 8601 time"),
        (BARS + " tz=UTC", "2024-01-02 09:30", "the length of its bars can't be told from one row"),
    ],
)
def test_wrong_units_and_zones_are_refused_at_once(tmp_path, text, time, reason):
    path = bars_csv(tmp_path, time)
    if reason is None:
        assert len(bars_of(path, text)) == 1
        return
    with pytest.raises(FeedError, match=reason):
        TableFile(path, mapping_from(text))


@pytest.mark.parametrize("text", [b'kind = "b\xffr"', b"kind = " + b"[" * 50_000, b"kind ", b"kind = 1"])
def test_a_mapping_that_is_none_is_refused_with_its_file(tmp_path, text):
    path = tmp_path / "mapping.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=r"mapping\.toml: "):
        mapping_from(str(path))


def test_a_zone_that_is_no_text_is_refused_with_its_file(tmp_path):
    path = tmp_path / "bars.arrow"
    table = pa.table({"time": pa.array([0], pa.timestamp("ms", "UTC")), "close": [1.5]})
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"UTC", b"UT\xab"))
    with pytest.raises(FeedError, match=r"bars\.arrow.*can't decode byte 0xab"):
        TableFile(path)


def test_local_times_follow_the_clocks(tmp_path):
    path = bars_csv(tmp_path, "2024-01-02 09:30", "2024-07-02 09:30", "2024-07-02 05:30:00.5+00:00")
    bars = bars_of(path, f"{BARS} tz=America/New_York timeframe=1m")
    assert [bar["ts_event_ns"] for bar in bars] == [
        ns("2024-01-02T14:30:00"),
        ns("2024-07-02T13:30:00"),
        ns("2024-07-02T05:30:00") + NANO // 2,
    ]


@pytest.mark.parametrize(("fold", "hour"), [("first", 5), ("second", 6), ("refuse", None)])
def test_an_hour_that_is_twice_is_refused_or_told_apart(tmp_path, fold, hour):
    path = bars_csv(tmp_path, "2024-11-03 00:59", "2024-11-03 01:00", "2024-11-03 01:59", "2024-11-03 02:00")
    rows = rows_of(TableFile(path, mapping_from(f"{BARS} tz=America/New_York timeframe=1m fold={fold}")).events())
    times = [row["ts_event_ns"] for row in rows if row["kind"] is Kind.BAR]
    ends = [ns("2024-11-03T04:59:00"), ns("2024-11-03T07:00:00")]
    if hour is None:
        assert times == ends
        reason = (
            "time: a local time that was twice: clocks went back in America/New_York; say fold=first or fold=second"
        )
        assert rejections(rows) == [(2, reason), (3, reason)]
    else:
        assert times == [ends[0], ns(f"2024-11-03T0{hour}:00:00"), ns(f"2024-11-03T0{hour}:59:00"), ends[1]]


@pytest.mark.parametrize("fold", ["first", "second", "refuse"])
def test_an_hour_that_never_was_is_refused(tmp_path, fold):
    path = bars_csv(tmp_path, "2024-03-10 01:59", "2024-03-10 02:00", "2024-03-10 02:59", "2024-03-10 03:00")
    rows = rows_of(TableFile(path, mapping_from(f"{BARS} tz=America/New_York timeframe=1m fold={fold}")).events())
    times = [row["ts_event_ns"] for row in rows if row["kind"] is Kind.BAR]
    assert times == [ns("2024-03-10T06:59:00"), ns("2024-03-10T07:00:00")]
    reason = "time: a local time that never was: clocks went forward in America/New_York"
    assert rejections(rows) == [(2, reason), (3, reason)]


def test_a_bar_stamped_by_its_end_starts_a_length_earlier(tmp_path):
    (bar,) = bars_of(bars_csv(tmp_path, "2024-01-02 10:00"), f"{BARS} tz=UTC timeframe=1h stamp=end")
    assert bar["ts_event_ns"] == ns("2024-01-02T09:00:00")
    assert bar["ts_recv_ns"] == bar["ts_close_ns"] == bar["ts_event_ns"] + HOUR_NS


def test_bad_rows_are_rejected_with_their_number_and_reading_goes_on(tmp_path):
    path = csv_file(
        tmp_path,
        "time,open,high,low,close,volume",
        "1700000000,1,2,0.5,1.5,10",
        "1700000060,1,2",
        "1700000120,x,2,0.5,1.5,10",
        "1700000180,1,2,0.5,1.0000000001,10",
        "1700000240,1,2,0.5,99999999999,10",
        "1700000300,1,2,0.5,1.5,-10",
        "1700000360,1,2,0.5,1.5,0.5",
        ",1,2,0.5,1.5,10",
        "1700000480,1,2,0.5,,10",
        "1700000540,1,2,0.5,1.5,",
        *(f"{1_700_000_600 + 60 * n},1,2,0.5,1.5,10" for n in range(8)),
    )
    rows = rows_of(TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1m size_step=1")).events())
    bars = [row for row in rows if row["kind"] is Kind.BAR]
    assert [bar["ts_event_ns"] // NANO for bar in bars[:2]] == [1_700_000_000, 1_700_000_540]
    assert bars[1]["volume_steps"] == ABSENT
    assert dict(rejections(rows)) == {
        2: "3 values where the header has 6",
        3: "open: 'x' is not a decimal number",
        4: "close: '1.0000000001' is finer than 1e-9",
        5: "close: '99999999999' is larger than 9.2e9",
        6: "volume: size '-10' is negative or does not fit",
        7: "volume: size '0.5' is finer than 1, its step; say how fine with size_step=",
        8: "no ts",
        9: "no close",
    }


def test_text_that_is_no_utf8_is_rejected_with_its_row(tmp_path):
    path = bars_csv(tmp_path, "1700000000", "1700000060")
    path.write_bytes(path.read_bytes().replace(b"1700000060,1,", b"1700000060,\xff,"))
    rows = rows_of(TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1m")).events())
    assert [position for position, _ in rejections(rows)] == [2]


def test_quotes_are_marked_and_one_sided_ones_kept(tmp_path):
    path = csv_file(
        tmp_path,
        "timestamp,symbol,bid,ask,bid_size,ask_size",
        "2024-01-02T00:00:00Z,aa,1.5,1.6,3,4",
        "2024-01-02T00:00:01Z,bb,1.7,1.6,3,4",
        "2024-01-02T00:00:02Z,AA,1.6,1.6,3,4",
        "2024-01-02T00:00:03Z,aa,,1.6,,4",
        "2024-01-02T00:00:04Z,,1,2,3,4",
    )
    rows = rows_of(TableFile(path).events())
    quotes = [row for row in rows if row["kind"] is Kind.QUOTE]
    assert [row["marks"] for row in quotes] == [Mark.NONE, Mark.CROSSED, Mark.LOCKED, Mark.ONE_SIDED]
    assert [row["instrument_id"] for row in quotes] == [1, 2, 1, 1]
    assert (quotes[3]["bid_nano"], quotes[3]["bid_size_steps"]) == (ABSENT, ABSENT)
    assert [row["symbol"] for row in rows if row["kind"] is Kind.INSTRUMENT] == ["AA", "BB"]
    assert rejections(rows) == [(5, "a symbol is empty")]


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", " null ", "None", "N/A"])
def test_what_tables_write_for_no_number_is_absence(tmp_path, nothing):
    header, row = "timestamp,symbol,bid,ask,bid_size,ask_size", f"2024-01-02T00:00:03Z,aa,{nothing},1.6,{nothing},4"
    rows = rows_of(TableFile(csv_file(tmp_path, header, row)).events())
    (quote,) = [row for row in rows if row["kind"] is Kind.QUOTE]
    assert (quote["bid_nano"], quote["bid_size_steps"], quote["marks"]) == (ABSENT, ABSENT, Mark.ONE_SIDED)
    assert not rejections(rows)


def test_parquet_columns_of_every_number_type(tmp_path):
    path = tmp_path / "t.parquet"
    table = {
        "time": pa.array([1_700_000_000_000], pa.timestamp("ms", "UTC")),
        "open": pa.array([3], pa.int32()),
        "high": pa.array([3.5], pa.float64()),
        "low": pa.array([Decimal("0.123456789")], pa.decimal128(12, 9)),
        "close": pa.array([1.5], pa.float32()),
        "volume": pa.array([7], pa.uint64()),
    }
    pq.write_table(pa.table(table), path)
    (bar,) = bars_of(path, f"{BARS} timeframe=1m")
    assert [bar[f"{name}_nano"] for name in ("open", "high", "low", "close")] == [
        3 * NANO,
        3_500_000_000,
        123_456_789,
        1_500_000_000,
    ]
    assert (bar["volume_steps"], bar["ts_event_ns"]) == (7, 1_700_000_000 * NANO)


def test_a_computed_float_stands_for_its_decimal_and_a_finer_one_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    prices = [0.1 + 0.2, 0.09946999000000001, 1e-10, float("nan"), 1e300, 5.0]
    columns = {"ts": pa.array(range(1_700_000_000, 1_700_000_006)), "price": prices, "size": [1.0] * 6}
    pq.write_table(pa.table(columns), path)
    rows = rows_of(TableFile(path, mapping_from("kind=print symbol=A ts=ts unit=s price=price size=size")).events())
    assert [row["price_nano"] for row in rows if row["kind"] is Kind.PRINT] == [300_000_000, 99_469_990, 5 * NANO]
    assert rejections(rows) == [
        (3, "price is finer than 0.000000001, its step"),
        (4, "no price"),
        (5, "price is too large"),
    ]


def test_a_parquet_file_whose_column_has_no_readable_name_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"bid": [1.0]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"bid", b"bi\xe4"))
    with pytest.raises(FeedError, match="header: 'utf-8' codec can't decode"):
        TableFile(path)


def test_a_cut_parquet_file_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(1_000))}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FeedError, match="header"):
        TableFile(path)


def test_a_cut_compressed_csv_keeps_what_came_before(tmp_path):
    times = [str(1_700_000_000 + 60 * n) for n in range(60_000)]
    plain = bars_csv(tmp_path, *times).read_bytes()
    path = tmp_path / "cut.csv.gz"
    with pa.output_stream(str(path), compression="gzip") as stream:
        stream.write(plain)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    batches, error = readable(TableFile(path, mapping_from(f"{BARS} unit=s timeframe=1m")).events())
    assert counts_of(batches)["BAR"] > 10_000
    assert isinstance(error, FeedError)
    assert error.position.startswith("row ")


@needs_data
@pytest.mark.parametrize(
    ("path", "text", "kind", "count"),
    [
        (
            "crypto/nautilus/binance/btcusdt-quotes.parquet",
            "kind=quote symbol_column=symbol asset=crypto ts=timestamp bid=bid ask=ask bid_size=bid_size ask_size=ask_size",
            "QUOTE",
            451,
        ),
        (
            "crypto/nautilus/binance/btcusdt-trades.parquet",
            "kind=print symbol=BTCUSDT asset=crypto ts=timestamp price=price size=quantity buyer_maker=buyer_maker trade_id=trade_id",
            "PRINT",
            2_001,
        ),
        (
            "crypto/nautilus/tardis/huobi-dm-swap_quotes_BTC-USD.csv",
            "kind=quote symbol_column=symbol ts=timestamp recv=local_timestamp unit=us bid=bid_price ask=ask_price",
            "QUOTE",
            10,
        ),
        (
            "crypto/nautilus/tardis/bitmex_trades_XBTUSD.csv",
            "kind=print symbol_column=symbol ts=timestamp recv=local_timestamp unit=us price=price size=amount side=side",
            "PRINT",
            10,
        ),
        *[
            (f"crypto/freqtrade/{name}.feather", f"{BARS.replace('ts=time', 'ts=date')} asset=crypto", "BAR", count)
            for name, count in (
                ("ETH_BTC-5m", 5_760),
                ("UNITTEST_BTC-1m", 13_681),
                ("XRP_ETH-1m", 2_469),
                ("XRP_ETH-5m", 706),
            )
        ],
        (
            "indicators/skender/quotes/intraday.csv",
            f"{BARS.replace('ts=time', 'ts=date')} tz=America/New_York",
            "BAR",
            1_564,
        ),
    ],
)
def test_recorded_tables_give_every_row(path, text, kind, count):
    counts = counts_of(TableFile(DATA / path, mapping_from(text)).events())
    assert counts == {"INSTRUMENT": 1, kind: count}


@needs_data
def test_recorded_trades_keep_side_and_receive_time():
    text = "kind=print symbol_column=symbol ts=timestamp recv=local_timestamp unit=us price=price size=amount side=side"
    prints = one_block(TableFile(NAUTILUS / "tardis/bitmex_trades_XBTUSD.csv", mapping_from(text)).events(), Kind.PRINT)
    first = next(prints.rows())
    assert (first["ts_event_ns"], first["ts_recv_ns"]) == (1_583_020_803_145_000_000, 1_583_020_803_307_160_000)
    assert (first["aggressor"], first["price_nano"], first["size_steps"]) == (Side.SELL, 8_531_500_000_000, 2_152)


@needs_data
@pytest.mark.parametrize(("name", "reason"), [("binance/btcusdt-depth-snap.csv", "say its unit")])
def test_tables_that_are_not_mapped_are_refused_clearly(name, reason):
    with pytest.raises(FeedError, match=reason):
        TableFile(NAUTILUS / name)


@pytest.mark.parametrize("chunk_rows", [1, 7])
def test_chunks_of_any_number_of_rows_give_the_same_rows(tmp_path, chunk_rows):
    lines = [f"{1_700_000_000 + n},{'x' if n % 5 == 3 else n + 1},{n % 3}" for n in range(40)]
    path = csv_file(tmp_path, "ts,price,size", *lines)
    mapping = mapping_from("kind=print symbol=A ts=ts unit=s price=price size=size")
    whole = rows_of(TableFile(path, mapping).events())
    assert str(rows_of(TableFile(path, mapping, chunk_rows=chunk_rows).events())) == str(whole)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind=bar symbl=A", "unknown key 'symbl'; did you mean symbol?"),
        ("kind=bar zzzz=A", "unknown key 'zzzz'; accepted are kind, symbol"),
        ("kind=candle", "kind='candle'; accepted are bar, quote, print"),
        (f"{BARS} unit=m", "unit='m'; accepted are s, ms, us, ns"),
        (f"{BARS} symbol_column=s", "either symbol=NAME or symbol_column=COLUMN, not both"),
        (f"{BARS} timeframe=1y", "timeframe '1y'; accepted are counts of s, m, h, d and w"),
        (f"{BARS} size_step=0.3", "size_step=0.3; accepted are 1 and whole fractions"),
        (f"{BARS} asset=coin", "asset='coin'; accepted are other, equity"),
        (f"{BARS} fold", "'fold' is not key=value"),
        (f"{BARS} symbol='a", "No closing quotation"),
        ("nowhere.toml", "nowhere.toml: .*No such file"),
    ],
)
def test_a_wrong_mapping_names_key_and_what_is_accepted(text, reason):
    with pytest.raises(ConfigError, match=reason.replace("?", r"\?")):
        mapping_from(text)


def test_a_mapping_may_stand_in_a_file(tmp_path):
    path = tmp_path / "bars.toml"
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in (word.split("=") for word in BARS.split())))
    assert mapping_from(str(path)) == mapping_from(BARS)
    path.write_text("kind = 3\n")
    with pytest.raises(ConfigError, match=r"bars.toml: mapping: kind is 3; a text is accepted"):
        mapping_from(str(path))


def test_what_a_mapping_does_not_say_is_found_in_the_header(tmp_path):
    path = csv_file(tmp_path, "Date,Open,High,Low,Last,Volume,Ticker", "2024-01-02 10:00,1,2,0.5,1.5,10,xyz")
    with pytest.raises(
        FeedError, match=r"header: columns Date, .*: say which are the ts, open, high, low, close of a bar"
    ):
        TableFile(path, mapping_from("kind=bar tz=UTC"))
    (bar,) = bars_of(path, "tz=America/New_York timeframe=1m close=Last")
    assert bar["ts_event_ns"] == ns("2024-01-02T15:00:00")
    assert (bar["close_nano"], bar["volume_steps"]) == (1_500_000_000, 10)
    instrument = one_block(TableFile(path, mapping_from("tz=UTC timeframe=1m close=Last")).events(), Kind.INSTRUMENT)
    assert instrument.text("symbol") == ["XYZ"]


def test_one_key_of_a_mapping_sets_that_key_alone(tmp_path):
    path = bars_csv(tmp_path, "2024-01-02 10:00", "2024-01-02 10:01")
    assert str(bars_of(path, "tz=UTC")) == str(bars_of(path, f"{BARS} tz=UTC"))
    prints = csv_file(tmp_path, "time,price,size,side,maker", "1700000000,5,1,buy,true", name="P.csv")
    (sold,) = one_block(TableFile(prints, mapping_from("unit=s buyer_maker=maker")).events(), Kind.PRINT).rows()
    (bought,) = one_block(TableFile(prints, mapping_from("unit=s")).events(), Kind.PRINT).rows()
    assert (sold["aggressor"], bought["aggressor"]) == (Side.SELL, Side.BUY)


def test_a_mapping_that_leaves_nothing_open_reads_no_other_column(tmp_path):
    path = bars_csv(tmp_path, "2024-01-02 10:00")
    (bar,) = bars_of(path, f"{BARS.replace(' volume=volume', '')} tz=UTC timeframe=1m")
    assert bar["volume_steps"] == ABSENT


def test_columns_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FeedError, match="no column 'when' for ts; there are time, open"):
        TableFile(bars_csv(tmp_path, "1"), mapping_from(BARS.replace("ts=time", "ts=when")))
    with pytest.raises(FeedError, match="columns a, b are not known by themselves; say kind="):
        TableFile(csv_file(tmp_path, "a,b", "1,2"))
    with pytest.raises(FeedError, match="two columns have one name"):
        TableFile(csv_file(tmp_path, "a,a", "1,2"))


def test_daily_bars_take_the_commonest_step(tmp_path):
    days = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"]
    bars = bars_of(bars_csv(tmp_path, *days), f"{BARS} tz=America/New_York")
    assert {bar["bar_length"] for bar in bars} == {DAY_NS}
    assert bars[0]["ts_event_ns"] == ns("2024-01-02T05:00:00")
