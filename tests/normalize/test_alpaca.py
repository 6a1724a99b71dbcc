"""What Alpaca's messages mean."""

import json
import math

import msgspec
import pytest
from alpaca_samples import (
    ALL,
    BANDS,
    BAR,
    CANCEL,
    CORRECTION,
    IMBALANCE,
    QUOTE,
    RECEIVED_NS,
    STATUS,
    TRADE,
    event,
    events,
    read,
    rows_of,
    stamp,
    written,
)

from pipeline.codes import AssetClass, BarBasis, FeedAction, Kind, Mark, Origin, StatusReason, TradingStatus
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_codes import UNKNOWN_SALE
from pipeline.normalize.alpaca_words import Encoding
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS, iso_from_ns

both = pytest.mark.parametrize("encoding", Encoding)


@both
def test_a_trade_is_a_print(encoding):
    row = event(TRADE, encoding)
    assert row["kind"] is Kind.PRINT
    assert iso_from_ns(row["ts_event_ns"]) == "2021-02-22T15:51:44.208000000Z"
    assert (row["price_nano"], row["size_steps"], row["trade_id"]) == (126_550_000_000, 1, 96921)
    assert chr(row["venue"]) == "D"
    assert row["conditions"] == 1 << 0 | 1 << 37
    assert row["marks"] == Mark.NO_LAST | Mark.NO_HIGH_LOW
    assert row["ts_recv_ns"] == RECEIVED_NS


@both
def test_a_quote_keeps_its_nanoseconds(encoding):
    row = event(QUOTE, encoding)
    assert row["kind"] is Kind.QUOTE
    assert iso_from_ns(row["ts_event_ns"]) == QUOTE["t"]
    assert (row["bid_nano"], row["ask_nano"]) == (87_660_000_000, 87_680_000_000)
    assert (chr(row["bid_venue"]), chr(row["ask_venue"]), row["condition"]) == ("U", "Q", 0)


@both
@pytest.mark.parametrize(
    ("time", "bid", "ask"),
    [
        ("2025-10-31T23:59:59.999999999Z", 100, 400),
        ("2025-11-03T04:59:59.999999999Z", 100, 400),
        ("2025-11-03T05:00:00Z", 1, 4),
        ("2026-11-04T14:30:00Z", 1, 4),
    ],
)
def test_sizes_of_quotes_are_round_lots_before_november_2025(encoding, time, bid, ask):
    row = event(QUOTE | {"t": time}, encoding)
    assert (row["bid_size_steps"], row["ask_size_steps"]) == (bid, ask)


def test_a_message_may_hold_both_sorts_of_sizes_and_a_lot_of_its_own():
    later = QUOTE | {"t": "2025-11-03T14:30:00Z"}
    rows = events(QUOTE, later, QUOTE | {"S": "BRK.A"}, lot_shares={"BRK.A": 1})
    assert [row["ask_size_steps"] for row in rows] == [400, 4, 4]


def test_a_price_of_zero_is_nobody():
    row = event(QUOTE | {"bp": 0, "bs": 7, "bx": " "})
    assert (row["bid_nano"], row["bid_size_steps"], row["bid_venue"]) == (ABSENT, ABSENT, 0)
    assert row["ask_size_steps"] == 400
    assert row["marks"] == Mark.ONE_SIDED


@pytest.mark.parametrize(
    ("letters", "condition"), [(["R"], 0), ([], 0), (None, 0), (["Y"], 89), (["A", "B"], 65 + 128 * 66)]
)
def test_a_quotes_condition_is_of_both_sides_or_of_each(letters, condition):
    assert event(QUOTE | {"c": letters})["condition"] == condition


def test_quote_conditions_that_fit_no_number_are_told():
    quote, told = events(QUOTE | {"c": ["A", "B", "C"]})
    assert quote["condition"] == 0
    assert (told["action"], told["text"]) == (FeedAction.IGNORED, "quote conditions 'A B C'")


@both
def test_a_correction_names_the_trade_it_replaces(encoding):
    row = event(CORRECTION, encoding)
    assert row["kind"] is Kind.PRINT
    assert (row["trade_id"], row["corrects_trade_id"]) == (52983525034326, 52983525033527)
    assert (row["price_nano"], row["size_steps"]) == (39_180_900_000, 440_000)
    assert row["conditions"] == 1 << 53
    assert row["marks"] == Mark.CORRECTION | Mark.NO_LAST | Mark.NO_HIGH_LOW


@both
def test_a_cancel_takes_a_trade_back(encoding):
    row = event(CANCEL, encoding)
    assert row["kind"] is Kind.PRINT
    assert (row["trade_id"], row["corrects_trade_id"], row["marks"]) == (ABSENT, 465, Mark.CANCEL)
    assert (row["price_nano"], row["size_steps"], chr(row["venue"])) == (105_310_000_000, 300, "D")


@both
def test_a_minute_is_revised_by_its_update(encoding):
    rows = events(
        BAR, BAR | {"T": "u", "v": 50_000}, BAR | {"T": "u", "v": 50_000}, BAR | {"S": "QQQ"}, encoding=encoding
    )
    assert [(row["revision"], row["volume_steps"]) for row in rows] == [(0, 49378), (1, 50000), (1, 50000), (0, 49378)]
    first = rows[0]
    assert first["kind"] is Kind.BAR
    assert (first["bar_length"], first["ts_close_ns"]) == (MINUTE_NS, first["ts_event_ns"] + MINUTE_NS)
    assert (first["trade_count"], first["vwap"], first["basis"]) == (461, 389.062639, BarBasis.VENDOR)
    assert [first[f"{name}_nano"] for name in ("open", "high", "low", "close")] == [
        388_985_000_000,
        389_130_000_000,
        388_975_000_000,
        389_120_000_000,
    ]


def test_a_day_is_revised_each_minute_and_a_minute_is_not_a_day():
    day = BAR | {"T": "d", "t": "2021-02-22T05:00:00Z"}
    rows = events(day, BAR | {"t": day["t"]}, day | {"v": 50_000}, day | {"v": 60_000})
    assert [(row["bar_length"], row["revision"]) for row in rows] == [
        (DAY_NS, 0),
        (MINUTE_NS, 0),
        (DAY_NS, 1),
        (DAY_NS, 2),
    ]


def test_a_bar_may_lack_its_count_and_average():
    row = event({name: value for name, value in BAR.items() if name not in ("n", "vw")})
    assert row["trade_count"] == ABSENT
    assert math.isnan(row["vwap"])


@both
def test_bands_are_limits(encoding):
    row = event(BANDS, encoding)
    assert (row["status"], row["reason"]) == (TradingStatus.LIMITS, StatusReason.NONE)
    assert (row["limit_up_nano"], row["limit_down_nano"], row["vendor_action"]) == (
        3_240_000_000,
        2_650_000_000,
        ord("B"),
    )


@pytest.mark.parametrize(
    ("code", "reason", "tape", "status", "why", "is_quoting"),
    [
        ("H", "T12", "C", TradingStatus.HALTED, StatusReason.REGULATORY, 0),
        ("H", "LUDP", "C", TradingStatus.PAUSED, StatusReason.LIMIT_STATE, -1),
        ("P", "LUDP", "C", TradingStatus.PAUSED, StatusReason.LIMIT_STATE, -1),
        ("Q", "T3", "C", TradingStatus.QUOTING, StatusReason.NEWS_RELEASED, 1),
        ("T", "C11", "C", TradingStatus.TRADING, StatusReason.REGULATORY, 1),
        ("2", "M", "A", TradingStatus.PAUSED, StatusReason.LIMIT_STATE, -1),
        ("2", "P", "B", TradingStatus.HALTED, StatusReason.NEWS_PENDING, 0),
        ("3", " ", "A", TradingStatus.TRADING, StatusReason.NONE, 1),
        ("E", "", "A", TradingStatus.LIMITS, StatusReason.NONE, -1),
        ("2", "", "C", TradingStatus.UNKNOWN, StatusReason.NONE, -1),
        ("T", "ZZ", "O", TradingStatus.TRADING, StatusReason.OTHER, 1),
    ],
)
def test_a_status_is_read_by_its_tape(code, reason, tape, status, why, is_quoting):
    row = event(STATUS | {"sc": code, "rc": reason, "z": tape})
    assert (row["status"], row["reason"], row["is_quoting"]) == (status, why, is_quoting)
    assert row["vendor_action"] == ord(code)


def test_the_same_letter_means_other_things_on_other_tapes():
    (average, bunched) = events(TRADE | {"c": ["B"], "z": "A"}, TRADE | {"c": ["B"], "z": "C"})
    assert (average["conditions"], bunched["conditions"]) == (1 << 2, 1 << 4)


def test_form_t_moves_volume_only_in_regular_hours():
    late, early = events(TRADE | {"c": ["T"]}, TRADE | {"c": ["T"], "t": "2021-02-22T12:00:00Z"})
    assert (late["marks"], early["marks"]) == (Mark.NO_LAST | Mark.NO_HIGH_LOW, Mark.NONE)


def test_an_unknown_sale_condition_leaves_volume_only_and_is_told():
    row, told = events(TRADE | {"c": ["@", "?"]})
    assert row["conditions"] == 1 << 0 | 1 << UNKNOWN_SALE
    assert row["marks"] == Mark.NO_LAST | Mark.NO_HIGH_LOW
    assert (told["action"], told["count"], told["text"]) == (FeedAction.IGNORED, 1, "sale condition '?' of tape 'C'")


@both
def test_instruments_are_defined_in_front_of_their_first_row(encoding):
    rows = read(written(encoding, *ALL), written(encoding, *ALL), encoding=encoding)
    seen = set()
    for row in rows:
        if row["kind"] is Kind.INSTRUMENT:
            assert row["instrument_id"] not in seen
            seen.add(row["instrument_id"])
            assert (row["venue"], row["asset_class"], row["calendar"]) == ("ALPACA.SIP", AssetClass.EQUITY, "XNYS")
        else:
            assert row["instrument_id"] in seen
    assert [row["symbol"] for row in rows if row["kind"] is Kind.INSTRUMENT] == [
        "AAPL",
        "AMD",
        "SPY",
        "EEM",
        "GOOGL",
        "IONM",
    ]


@both
def test_how_messages_are_cut_into_reads_changes_nothing(encoding):
    messages = [Message(RECEIVED_NS + k, written(encoding, each, QUOTE, each)) for k, each in enumerate(ALL)]
    whole = rows_of(AlpacaMessages(encoding=encoding).read(messages))
    single = AlpacaMessages(encoding=encoding)
    parts = [row for message in messages for row in rows_of(single.read([message]))]
    strip = [{name: value for name, value in row.items() if name != "seq"} for row in parts]
    assert repr(strip) == repr([{name: value for name, value in row.items() if name != "seq"} for row in whole])


@both
def test_a_bad_event_is_refused_and_its_neighbours_are_kept(encoding):
    bad = [
        TRADE | {"p": -1.0},
        TRADE | {"p": 0.1 + 0.2},
        TRADE | {"s": 0.5},
        TRADE | {"s": -1},
        TRADE | {"i": 2**63},
        TRADE | {"S": ""},
        TRADE | {"S": 5},
        TRADE | {"x": "DD"},
        TRADE | {"p": "1.5"},
        QUOTE | {"bp": 1e300},
        BAR | {"h": 0},
    ]
    for each in bad:
        rows = events(QUOTE, each, BAR, encoding=encoding)
        assert [row["kind"] for row in rows] == [Kind.QUOTE, Kind.FEED, Kind.BAR], each
        assert rows[1]["action"] == FeedAction.REJECTED
        assert rows[1]["text"].startswith(f"{each['T']}: "), rows[1]["text"]


@pytest.mark.parametrize(
    "time",
    [
        "",
        "2021-02-22",
        "2021-02-22T15:51:44",
        "2021-02-30T15:51:44Z",
        "2221-02-22T15:51:44Z",
        "2021-02-22T15:51:44.0000000001Z",
    ],
)
def test_what_is_no_time_is_refused(time):
    first, second, third = events(TRADE, TRADE | {"t": time}, TRADE)
    assert (first["kind"], second["action"], third["kind"]) == (Kind.PRINT, FeedAction.REJECTED, Kind.PRINT)


@pytest.mark.parametrize("raw", [b"\xff" * 8, b"\x00" * 3, b"\x00" * 12, b"\xff" * 12])
def test_a_stamp_that_is_no_time_is_refused(raw):
    bad = msgspec.msgpack.encode([{**TRADE, "t": msgspec.msgpack.Ext(-1, raw)}, {**TRADE, "t": stamp(TRADE["t"])}])
    rows = read(bad, encoding=Encoding.MSGPACK)
    if raw == b"\x00" * 12:
        assert rows[1]["ts_event_ns"] == 0
        return
    assert [row["kind"] for row in rows] == [Kind.INSTRUMENT, Kind.FEED, Kind.PRINT]


def test_unknown_fields_are_told_and_cost_nothing():
    printed, told = events(TRADE | {"r": "later", "new": {"deep": [1]}})
    assert printed["kind"] is Kind.PRINT
    assert (told["action"], told["text"]) == (FeedAction.IGNORED, "unknown field t.new")


def test_messages_of_other_types_are_counted_and_told_now_and_then():
    normalizer = AlpacaMessages()
    message = written(Encoding.JSON, IMBALANCE, TRADE, {"T": "n", "id": 1})
    rows = read(message, normalizer=normalizer)
    told = [(row["count"], row["text"]) for row in rows if row["kind"] is Kind.FEED]
    assert told == [(1, "messages of type 'i'"), (1, "messages of type 'n'")]
    assert all(row["kind"] is Kind.PRINT for row in read(message, message, normalizer=normalizer))
    normalizer.connected()
    told = [(row["count"], row["text"]) for row in read(message, normalizer=normalizer) if row["kind"] is Kind.FEED]
    assert told == [(3, "messages of type 'i'"), (3, "messages of type 'n'")]
    assert read(*[message] * 1_000, normalizer=normalizer)[-1]["count"] == 1_000


@both
def test_what_the_server_refuses_is_told(encoding):
    state = {"T": "subscription", "trades": ["AAPL"], "quotes": [], "updatedBars": ["SPY", "QQQ"]}
    said = [
        [{"T": "success", "msg": "connected"}],
        [state],
        [{"T": "error", "code": 405, "msg": "symbol limit exceeded"}],
    ]
    (error,) = read(*[written(encoding, *each) for each in said], encoding=encoding)
    assert (error["action"], error["code"]) == (FeedAction.REJECTED, 405)
    assert error["text"] == "the venue says: symbol limit exceeded"


def test_nothing_gives_nothing():
    assert AlpacaMessages().read([]) == []
    assert AlpacaMessages().read([Message(1, b"[]")]) == []
    assert AlpacaMessages().read_history([]) == []


def history(body, channel=Channel.PRINTS, symbol="AAPL"):
    return rows_of(
        AlpacaMessages().read_history([Answer(Topic(channel, symbol), RECEIVED_NS, json.dumps(body).encode())])
    )


def test_pages_of_history_are_backfill():
    trade = {name: value for name, value in TRADE.items() if name not in ("T", "S")}
    rows = history({"symbol": "AAPL", "trades": [trade, trade | {"i": 7}], "next_page_token": None})
    assert [row["kind"] for row in rows] == [Kind.INSTRUMENT, Kind.PRINT, Kind.PRINT]
    assert {row["origin"] for row in rows} == {Origin.BACKFILL}
    assert [row["trade_id"] for row in rows[1:]] == [96921, 7]


def test_history_says_what_became_of_a_trade():
    trade = {name: value for name, value in TRADE.items() if name not in ("T", "S")}
    rows = history({"trades": [trade | {"u": update} for update in ("canceled", "incorrect", "corrected")]})[1:]
    assert [(row["trade_id"], row["corrects_trade_id"], bool(row["marks"] & Mark.CANCEL)) for row in rows] == [
        (ABSENT, 96921, True),
        (ABSENT, 96921, True),
        (96921, ABSENT, False),
    ]


def test_a_bad_row_of_history_is_refused_alone():
    quote = {name: value for name, value in QUOTE.items() if name not in ("T", "S")}
    rows = history({"quotes": [quote, quote | {"bp": "x"}, 5, quote]}, Channel.QUOTES)
    assert [row["kind"] for row in rows] == [Kind.INSTRUMENT, Kind.QUOTE, Kind.FEED, Kind.FEED, Kind.QUOTE]


@pytest.mark.parametrize("body", ['{"trades": null}', '{"trades": []}', '{"trades": {}}', '{"trades": {"AAPL": null}}'])
def test_an_empty_page_is_nothing(body):
    assert AlpacaMessages().read_history([Answer(Topic(Channel.PRINTS, "AAPL"), 1, body.encode())]) == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"trades": 5}', b'{"message":"forbidden."}', b"\xff"])
def test_a_page_that_is_none_is_refused(body):
    (row,) = rows_of(AlpacaMessages().read_history([Answer(Topic(Channel.PRINTS, "AAPL"), 1, body)]))
    assert row["action"] == FeedAction.REJECTED


def test_the_answers_of_the_vendors_client_tests_are_read(shared_data):
    bodies = json.loads((shared_data / "websocket/alpaca/alpaca_rest_responses_py.json").read_text())
    channels = {"trades": Channel.PRINTS, "quotes": Channel.QUOTES, "bars": Channel.BARS_1D}
    counts = dict.fromkeys(channels, 0)
    for answer in bodies:
        for name, channel in channels.items():
            pages = answer["body"].get(name) if isinstance(answer["body"], dict) else None
            if not pages or "crypto" in answer["source"] or not all(isinstance(rows, list) for rows in pages.values()):
                continue
            rows = history({name: pages}, channel)
            kinds = [row["kind"] for row in rows if row["kind"] is not Kind.INSTRUMENT]
            assert Kind.FEED not in kinds
            assert len(kinds) == sum(map(len, pages.values()))
            counts[name] += len(kinds)
    assert counts == {"trades": 4, "quotes": 4, "bars": 7}


def test_the_messages_of_the_vendors_client_tests_are_read(shared_data):
    lines = (shared_data / "websocket/alpaca/alpaca_stream_messages_py_tests.ndjson").read_text().splitlines()
    messages = []
    for line in lines:
        message = {name: value for name, value in json.loads(line).items() if not str(value).startswith("<msgpack")}
        messages.append(msgspec.msgpack.encode([message | {"t": msgspec.msgpack.Ext(-1, stamp(TRADE["t"]).data)}]))
    kinds = [row["kind"] for row in read(*messages, encoding=Encoding.MSGPACK) if row["kind"] is not Kind.INSTRUMENT]
    assert kinds.count(Kind.FEED) == 2  # news and the order book, told once each
    assert [kinds.count(kind) for kind in (Kind.PRINT, Kind.QUOTE, Kind.BAR, Kind.STATUS)] == [2, 1, 2, 1]
