import re
from collections import Counter
from datetime import date
from types import SimpleNamespace

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pytest
from feed_samples import (
    DATA,
    START_NS,
    counts_of,
    dbn_metadata,
    dbn_records,
    needs_data,
    one_block,
    readable,
    rows_of,
)

from pipeline.codes import AssetClass, FeedAction, Kind, Mark, Side, StatusReason, TradingStatus
from pipeline.errors import FeedError
from pipeline.feeds.dbn import ACCEPTED_SCHEMAS, DbnFile
from pipeline.feeds.merge import merged
from pipeline.normalize.databento import UNDEF_PRICE, UNDEF_SIZE, UNDEF_TIMESTAMP
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS, NANO, SECOND_NS

KIND_BY_SCHEMA = {"definition": "INSTRUMENT", "status": "STATUS", "trades": "PRINT"}


def manifest_rows():
    """(path, schema, records) of every DBN file in MANIFEST.md."""
    if not DATA.is_dir():
        return []
    folder, found = "", []
    for line in (DATA / "MANIFEST.md").read_text("utf-8").splitlines():
        if line.startswith("### "):
            folder = line[4:].strip()
        row = re.match(r"\| `([^`]+\.dbn\.zst)` \| \d+ \| DBN v\d \S+ (\S+) .*?n=(\d+)", line)
        if row:
            found.append((f"{folder}/{row[1]}", row[2], int(row[3])))
    return found


def written(tmp_path, schema, *arrays, name="sample.dbn", **metadata):
    path = tmp_path / name
    body = dbn_metadata(schema, **metadata) + b"".join(array.tobytes() for array in arrays)
    if name.endswith(".zst"):
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write(body)
    else:
        path.write_bytes(body)
    return path


@needs_data
def test_the_manifest_lists_every_dbn_file():
    assert {DATA / path for path, _, _ in manifest_rows()} == set(DATA.rglob("*.dbn.zst"))


@pytest.mark.parametrize(("path", "schema", "count"), [row for row in manifest_rows() if row[1] != "None"])
def test_every_recorded_file_gives_its_count_or_is_refused_by_name(path, schema, count):
    if schema not in ACCEPTED_SCHEMAS:
        with pytest.raises(FeedError, match=f"schema {schema} maps to no event; accepted are bbo-1m"):
            DbnFile(DATA / path)
        return
    rows = rows_of(DbnFile(DATA / path).events())
    counts = Counter(row["kind"].name for row in rows)
    repeated = sum(row["count"] for row in rows if row.get("text") == "repeated definitions")
    kind = KIND_BY_SCHEMA.get(schema, "BAR" if schema.startswith("ohlcv") else "QUOTE")
    assert counts[kind] + repeated == count
    if repeated:
        assert (schema, counts.pop("FEED")) == ("definition", 1)
    if schema == "tbbo":
        assert counts["PRINT"] == count
    assert set(counts) <= {kind, "INSTRUMENT", "PRINT"}


@needs_data
def test_a_live_session_of_mixed_records_is_read_whole():
    path = DATA / "databento/databento-python/LIVE/test_data.live.dbn.zst"
    rows = rows_of(DbnFile(path).events())
    counts = counts_of(DbnFile(path).events())
    assert counts == {"INSTRUMENT": 2, "QUOTE": 2, "PRINT": 4, "BAR": 4, "FEED": 4}
    ignored = {row["text"]: row["count"] for row in rows if row["kind"] is Kind.FEED}
    assert ignored == {"mbo": 5, "mbp-10": 2, "repeated definitions": 1, "statistics": 9}
    assert {row["symbol"] for row in rows if row["kind"] is Kind.INSTRUMENT} >= {"ESZ4"}


@needs_data
def test_the_same_file_in_version_1_and_3_gives_the_same_events():
    folder = DATA / "databento/dbn"
    for schema in ("mbp-1", "tbbo", "trades", "ohlcv-1h", "ohlcv-1m", "ohlcv-1s", "definition"):
        old, new = (rows_of(DbnFile(folder / f"test_data.{schema}.v{v}.dbn.zst").events()) for v in (1, 3))
        assert str(old) == str(new), schema


@needs_data
def test_trades_repeat_the_quote_in_front_of_them_so_the_quote_goes_first():
    name = "futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst"
    rows = rows_of(DbnFile(DATA / "databento/nautilus/historical_bars_catalog/databento" / name).events())
    quotes = [row for row in rows if row["kind"] is Kind.QUOTE]
    places = [place for place, row in enumerate(quotes[1:], 1) if row["seq"] + 1 in print_seqs(rows)]
    assert len(places) == 119  # and one more at the very start, which has no quote in front
    sides = ("bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps")
    for place in places:
        assert [quotes[place][side] for side in sides] == [quotes[place - 1][side] for side in sides]


def print_seqs(rows):
    return {row["seq"] for row in rows if row["kind"] is Kind.PRINT}


@needs_data
def test_definitions_say_tick_multiplier_and_expiry():
    name = "historical_bars_catalog/databento/futures_definition.dbn.zst"
    rows = rows_of(DbnFile(DATA / "databento/nautilus" / name).events())
    future = {row["symbol"]: row for row in rows}["ESU4"]
    assert future["tick_nano"] == 250_000_000
    assert future["multiplier_nano"] == 50 * NANO
    assert future["asset_class"] == AssetClass.FUTURE
    assert future["currency"] == "USD"
    assert future["expires_ns"] > 1_726_000_000 * SECOND_NS
    assert future["ts_recv_ns"] > 1_719_000_000 * SECOND_NS


@needs_data
def test_a_definition_that_repeats_another_is_counted():
    rows = rows_of(merged([DbnFile(DATA / "databento/nautilus/definition-glbx-es-fut.dbn.zst")]))
    assert sum(row["kind"] is Kind.INSTRUMENT for row in rows) == 1
    ignored = [(row["text"], row["count"]) for row in rows if row.get("action") == FeedAction.IGNORED]
    assert ignored == [("repeated definitions", 1)]


def test_sentinels_become_absence(tmp_path):
    records = dbn_records(dbn.MBP1Msg, 5, rtype=1, bid_px_00=10 * NANO, ask_px_00=11 * NANO, bid_sz_00=3, ask_sz_00=4)
    records["bid_px_00"][0] = UNDEF_PRICE
    records["ask_px_00"][1] = records["bid_px_00"][1] = UNDEF_PRICE
    records["bid_sz_00"][2] = UNDEF_SIZE
    records["ts_event"][3] = UNDEF_TIMESTAMP
    records["ts_recv"][4] = UNDEF_TIMESTAMP
    quotes = one_block(DbnFile(written(tmp_path, dbn.Schema.MBP_1, records), delay_ns=5).events(), Kind.QUOTE)
    rows = list(quotes.rows())
    assert (rows[0]["bid_nano"], rows[0]["bid_size_steps"], rows[0]["marks"]) == (ABSENT, ABSENT, Mark.ONE_SIDED)
    assert (rows[1]["bid_nano"], rows[1]["ask_nano"], rows[1]["marks"]) == (ABSENT, ABSENT, Mark.NONE)
    assert (rows[2]["bid_nano"], rows[2]["bid_size_steps"]) == (10 * NANO, ABSENT)
    assert (rows[3]["ts_event_ns"], rows[3]["marks"]) == (rows[3]["ts_recv_ns"], Mark.UNDEFINED_TS)
    assert (rows[4]["ts_recv_ns"], rows[4]["marks"]) == (rows[4]["ts_event_ns"] + 5, Mark.UNDEFINED_TS)


def test_undefined_prices_of_trades_and_bars_become_absence(tmp_path):
    trades = dbn_records(dbn.TradeMsg, 2, rtype=0, action=b"T", price=NANO, size=1)
    trades["price"][0] = UNDEF_PRICE
    trades["size"][1] = UNDEF_SIZE
    prints = list(one_block(DbnFile(written(tmp_path, dbn.Schema.TRADES, trades)).events(), Kind.PRINT).rows())
    assert (prints[0]["price_nano"], prints[0]["marks"]) == (ABSENT, Mark.NO_LAST | Mark.NO_HIGH_LOW)
    assert prints[1]["size_steps"] == ABSENT
    bars = dbn_records(dbn.OHLCVMsg, 1, rtype=33, open=UNDEF_PRICE, high=2, low=1, close=2, volume=9)
    bar = next(one_block(DbnFile(written(tmp_path, dbn.Schema.OHLCV_1M, bars)).events(), Kind.BAR).rows())
    assert (bar["open_nano"], bar["high_nano"], bar["volume_steps"]) == (ABSENT, 2, 9)


def test_crossed_locked_and_flagged_quotes_are_kept_and_marked(tmp_path):
    records = dbn_records(dbn.MBP1Msg, 5, rtype=1, bid_px_00=[2, 1, 1, 1, 1], ask_px_00=[1, 1, 2, 2, 2])
    records["flags"] = [0, 0, 32, 8, 4]
    quotes = one_block(DbnFile(written(tmp_path, dbn.Schema.MBP_1, records)).events(), Kind.QUOTE)
    marks = [Mark.CROSSED, Mark.LOCKED, Mark.SNAPSHOT, Mark.UNTRUSTED, Mark.UNTRUSTED]
    assert quotes.number("marks").tolist() == marks


def test_aggressors_are_told_apart(tmp_path):
    records = dbn_records(dbn.TradeMsg, 3, rtype=0, action=b"T", side=[b"A", b"B", b"N"], price=1)
    prints = one_block(DbnFile(written(tmp_path, dbn.Schema.TRADES, records)).events(), Kind.PRINT)
    assert prints.number("aggressor").tolist() == [Side.SELL, Side.BUY, Side.NONE]


def test_a_sampled_quote_is_dated_by_the_end_of_its_interval(tmp_path):
    records = dbn_records(dbn.BBOMsg, 2, rtype=195, ask_px_00=2, bid_px_00=1)
    records["ts_event"][1] = UNDEF_TIMESTAMP
    quotes = one_block(DbnFile(written(tmp_path, dbn.Schema.BBO_1S, records)).events(), Kind.QUOTE)
    assert quotes.number("ts_event_ns").tolist() == records["ts_recv"].tolist()
    assert quotes.number("marks").tolist() == [0, 0]


def test_a_bar_is_received_when_it_closed_plus_the_delay(tmp_path):
    records = dbn_records(dbn.OHLCVMsg, 1, rtype=33, open=1, high=1, low=1, close=1)
    bar = next(
        one_block(DbnFile(written(tmp_path, dbn.Schema.OHLCV_1M, records), delay_ns=7).events(), Kind.BAR).rows()
    )
    assert (bar["ts_event_ns"], bar["ts_close_ns"]) == (START_NS, START_NS + MINUTE_NS)
    assert bar["ts_recv_ns"] == START_NS + MINUTE_NS + 7


def test_status_codes_keep_the_vendors_own_beside_ours(tmp_path):
    records = dbn_records(dbn.StatusMsg, 3, rtype=18)
    records["action"], records["reason"] = [8, 9, 99], [30, 50, 999]
    records["is_quoting"], records["is_short_sell_restricted"] = [b"Y", b"N", b"~"], [b"N", b"Y", b"~"]
    rows = list(one_block(DbnFile(written(tmp_path, dbn.Schema.STATUS, records)).events(), Kind.STATUS).rows())
    assert [row["status"] for row in rows] == [TradingStatus.HALTED, TradingStatus.PAUSED, TradingStatus.UNKNOWN]
    assert [row["reason"] for row in rows] == [StatusReason.NEWS_PENDING, StatusReason.LIMIT_STATE, StatusReason.OTHER]
    assert [row["is_quoting"] for row in rows] == [1, 0, -1]
    assert [row["is_short_restricted"] for row in rows] == [0, 1, -1]
    assert [row["vendor_action"] for row in rows] == [8, 9, 99]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ts_recv", 5_000_000_000 * NANO, "ts_recv is no time between 1970 and 2100"),
        ("bid_px_00", -(2**63), "bid_px_00 is no price"),
        ("publisher_id", 40_000, "publisher_id is unknown"),
        ("action", b"X", "action b'X' is unknown"),
        ("side", b"Q", "side b'Q' is unknown"),
    ],
)
def test_a_record_that_holds_no_number_is_rejected_in_its_place(tmp_path, field, value, reason):
    records = dbn_records(dbn.MBP1Msg, 4, rtype=1, ask_px_00=2, bid_px_00=1)
    records[field][2] = value
    rows = rows_of(DbnFile(written(tmp_path, dbn.Schema.MBP_1, records)).events())
    assert [row["kind"] for row in rows] == [Kind.INSTRUMENT, Kind.QUOTE, Kind.QUOTE, Kind.FEED, Kind.QUOTE]
    assert (rows[3]["action"], rows[3]["position"], rows[3]["text"]) == (FeedAction.REJECTED, 3, reason)


def test_a_cut_file_gives_what_came_before_and_then_says_where(tmp_path):
    records = dbn_records(dbn.MBP1Msg, 20_000, rtype=1, ask_px_00=2, bid_px_00=1)
    records["sequence"] = np.random.default_rng(1).integers(0, 2**32, len(records))
    whole = written(tmp_path, dbn.Schema.MBP_1, records, name="whole.dbn.zst").read_bytes()
    plain = written(tmp_path, dbn.Schema.MBP_1, records).read_bytes()
    for name, content in (("cut.dbn.zst", whole[: len(whole) * 2 // 3]), ("cut.dbn", plain[:-33])):
        path = tmp_path / name
        path.write_bytes(content)
        batches, error = readable(DbnFile(path).events())
        quotes = one_block(batches, Kind.QUOTE)
        assert 10_000 < len(quotes) < 20_000
        assert quotes.number("vendor_seq").tolist() == records["sequence"][: len(quotes)].tolist()
        assert isinstance(error, FeedError)
        assert error.position == f"record {len(quotes) + 1}"


def test_a_damaged_record_ends_the_reading_at_its_number(tmp_path):
    records = dbn_records(dbn.MBP1Msg, 100, rtype=1, ask_px_00=2, bid_px_00=1)
    records["length"][70] = 0
    batches, error = readable(DbnFile(written(tmp_path, dbn.Schema.MBP_1, records)).events())
    assert counts_of(batches)["QUOTE"] == 70
    assert isinstance(error, FeedError)
    assert error.position == "record 71"


def test_chunks_of_any_size_give_the_same_rows(tmp_path):
    records = dbn_records(dbn.MBP1Msg, 50, rtype=1, ask_px_00=2, bid_px_00=1)
    records["action"][::7] = b"T"
    records["bid_px_00"][13] = -(2**63)
    path = written(tmp_path, dbn.Schema.MBP_1, records)
    whole = rows_of(DbnFile(path).events())
    for chunk in (1, 7, 49):
        assert rows_of(DbnFile(path, chunk_records=chunk).events()) == whole


def test_records_with_a_send_time_are_read(tmp_path):
    bare = dbn_records(dbn.TradeMsg, 3, rtype=0, action=b"T", price=NANO, size=2)
    longer = np.zeros(3, np.dtype([*dbn.TradeMsg._dtypes, ("ts_out", "u8")]))
    for name in bare.dtype.names:
        longer[name] = bare[name]
    longer["length"] += 2
    path = written(tmp_path, dbn.Schema.TRADES, longer, ts_out=True)
    assert counts_of(DbnFile(path).events()) == {"INSTRUMENT": 1, "PRINT": 3}


def test_a_number_that_comes_back_on_another_day_is_another_instrument(tmp_path):
    day = date(2023, 11, 14)
    mappings = [
        SimpleNamespace(
            raw_symbol=symbol,
            intervals=[SimpleNamespace(start_date=day.replace(day=d), end_date=day.replace(day=d + 1), symbol="7")],
        )
        for symbol, d in (("ABC", 14), ("XYZ", 15))
    ]
    records = dbn_records(dbn.TradeMsg, 2, rtype=0, action=b"T", price=1)
    records["ts_recv"][1] += DAY_NS
    rows = rows_of(DbnFile(written(tmp_path, dbn.Schema.TRADES, records, mappings=mappings)).events())
    assert [row.get("symbol") for row in rows] == ["ABC", None, "XYZ", None]
    assert [row["instrument_id"] for row in rows] == [1, 1, 2, 2]


def test_a_trade_recorded_by_two_schemas_of_one_session_is_marked(tmp_path):
    trade = dbn_records(dbn.TradeMsg, 2, rtype=0, action=b"T", price=NANO, size=3, sequence=9)
    trade["ts_event"] = START_NS
    quote = dbn_records(dbn.MBP1Msg, 2, rtype=1, action=b"T", price=NANO, size=3, sequence=9)
    quote["ts_event"] = START_NS
    rows = rows_of(merged([DbnFile(written(tmp_path, None, trade, quote))]))
    marks = [bool(row["marks"] & Mark.DUPLICATE) for row in rows if row["kind"] is Kind.PRINT]
    assert marks == [False, False, True, True]


def test_the_gateway_s_words_become_feed_events(tmp_path):
    errors = dbn_records(dbn.ErrorMsg, 2, rtype=21)
    errors["err"], errors["code"] = [b"skipped", b"bad key"], [7, 1]
    systems = dbn_records(dbn.SystemMsg, 2, rtype=23)
    systems["msg"], systems["code"] = [b"Heartbeat", b"slow"], [0, 2]
    rows = rows_of(DbnFile(written(tmp_path, None, errors, systems)).events())
    assert [(row["action"], row["text"]) for row in rows] == [
        (FeedAction.GAP_OPENED, "skipped"),
        (FeedAction.LOST, "bad key"),
        (FeedAction.SLOW, "slow"),
        (FeedAction.IGNORED, "system"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "this is no DBN file"),
        (b"DBN\x09\x00\x00\x00\x00", "DBN version 9 is unknown; accepted are 1, 2 and 3"),
        (b"DBN\x03\xff\x00\x00\x00abc", "metadata of 255 bytes is cut after 3"),
        (b"DBN\x03\x03\x00\x00\x00abc", "metadata can't be read"),
    ],
)
def test_a_header_that_can_t_be_read_is_refused_at_once(tmp_path, content, reason):
    path = tmp_path / "x.dbn"
    path.write_bytes(content)
    with pytest.raises(FeedError, match=reason):
        DbnFile(path)
