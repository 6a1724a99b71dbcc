"""Coinbase Advanced Trade's messages: what each becomes, and what a missing one does to the books."""

import json

import pytest
from coinbase_samples import (
    NOW,
    NOW_NS,
    book,
    candle,
    candles,
    feed_rows,
    heartbeat,
    message,
    of,
    read,
    rejected,
    rows_of,
    ticker,
    trade,
    trades,
)

from pipeline.codes import FeedAction, Kind, Mark, Origin, Side, TradingStatus
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.coinbase_advanced_words import MESSAGE
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.units import ABSENT, MINUTE_NS, NANO

SNAPSHOT = book(0, "snapshot", ("bid", "21921.73", "0.06317902"), ("bid", "21921.72", "1"), ("offer", "21922.01", "2"))
START_S = 1_688_998_200
TO_THE_END = "2023-07-10T14:15:00Z"
IN_BETWEEN = "2023-07-10T14:12:00Z"


def bests(rows):
    names = ("bid_nano", "bid_size_steps", "ask_nano", "ask_size_steps")
    return [tuple(row[name] for name in names) for row in of(rows, Kind.QUOTE)]


def test_a_book_gives_its_best_whenever_an_event_changes_it():
    rows = read(
        [
            SNAPSHOT,
            book(1, "update", ("bid", "21921.70", "5")),
            book(2, "update", ("bid", "21921.73", "0"), ("offer", "21922.00", "0.5")),
            book(3, "update", ("offer", "21922.00", "0.50000000")),
        ]
    )
    assert bests(rows) == [
        (21_921_730_000_000, 6_317_902, 21_922_010_000_000, 200_000_000),
        (21_921_720_000_000, 100_000_000, 21_922_000_000_000, 50_000_000),
    ]
    first, second = of(rows, Kind.QUOTE)
    assert (first["marks"], first["ts_event_ns"]) == (Mark.SNAPSHOT | Mark.UNDEFINED_TS, NOW_NS)
    assert (second["marks"], second["ts_event_ns"], second["ts_recv_ns"]) == (0, NOW_NS, NOW_NS + 2)
    instrument = of(rows, Kind.INSTRUMENT)[0]
    assert (instrument["symbol"], instrument["venue"], instrument["currency"]) == ("BTC-USD", "COINBASE", "USD")
    assert instrument["seq"] == 1


def test_a_jump_of_the_sequence_ends_all_books_until_a_new_connection():
    reader = CoinbaseMessages()
    eth = book(1, "snapshot", ("bid", "1500", "1"), ("offer", "1501", "1"), product="ETH-USD")
    assert len(of(read([SNAPSHOT, eth], reader), Kind.QUOTE)) == 2
    assert reader.trouble == ""
    rows = read([book(5, "update", ("bid", "21921.99", "1")), trades(6, trade("7"))], reader)
    assert reader.trouble == "sequence 2 expected, found 5"
    assert of(rows, Kind.QUOTE) == []
    assert len(of(rows, Kind.PRINT)) == 1
    gaps = feed_rows(rows, FeedAction.GAP_OPENED)
    assert [(row["channel"], row["instrument_id"], row["count"]) for row in gaps] == [
        ("", 0, 3),
        ("level2", 1, ABSENT),
        ("level2", 2, ABSENT),
    ]
    assert (gaps[0]["from_ns"], gaps[0]["to_ns"]) == (NOW_NS + 1, NOW_NS)
    reader.connected()
    assert reader.trouble == ""
    rows = read([heartbeat(0), book(1, "snapshot", ("bid", "21900", "1"), ("offer", "21901", "1"))], reader)
    closed = feed_rows(rows, FeedAction.GAP_CLOSED)
    assert [(row["channel"], row["instrument_id"]) for row in closed] == [("", 0), ("level2", 1)]
    assert feed_rows(rows, FeedAction.IGNORED)[0]["text"] == "l2_data of a product without a book"
    assert len(bests(rows)) == 1
    assert of(rows, Kind.INSTRUMENT) == []


def test_the_sequence_is_one_over_all_channels_and_starts_where_the_connection_does():
    reader = CoinbaseMessages()
    read([ticker(17), trades(18, trade("1")), heartbeat(19), message("new_thing", 20, []), ticker(21)], reader)
    assert reader.trouble == ""


def test_a_late_or_repeated_message_is_counted_and_left_out():
    reader = CoinbaseMessages()
    rows = read([SNAPSHOT, trades(1, trade("1")), trades(1, trade("1")), SNAPSHOT, trades(2, trade("2"))], reader)
    assert [row["trade_id"] for row in of(rows, Kind.PRINT)] == [1, 2]
    assert reader.trouble == ""
    later = rows_of(reader.read([Message(NOW_NS + 61 * NANO, trades(3, trade("3")))]))
    ignored = feed_rows(later, FeedAction.IGNORED)
    assert [(row["text"], row["count"]) for row in ignored] == [("message that came late or again", 2)]


def test_trades_are_prints_of_the_other_side_oldest_first():
    first, second = "2023-02-09T20:19:35.1Z", "2023-02-09T20:19:35.10001Z"
    rows = read(
        [
            trades(0, trade("12", time=second), trade("11", time=second), trade("10", time=first), kind="snapshot"),
            trades(1, trade("13", side="SELL", product="ETH-USD"), trade("14")),
        ]
    )
    prints = of(rows, Kind.PRINT)
    assert [row["trade_id"] for row in prints] == [10, 11, 12, 13, 14]
    assert [row["marks"] for row in prints] == [Mark.SNAPSHOT] * 3 + [0, 0]
    assert [row["aggressor"] for row in prints] == [Side.SELL] * 3 + [Side.BUY, Side.SELL]
    assert [row["instrument_id"] for row in prints] == [1, 1, 1, 2, 1]
    assert prints[1]["ts_event_ns"] - prints[0]["ts_event_ns"] == 10_000
    assert (prints[4]["price_nano"], prints[4]["size_steps"]) == (21_921_730_000_000, 6_317_902)


def test_tickers_are_quotes_unless_the_product_has_a_book():
    rows = read([ticker(0), SNAPSHOT.replace(b'"sequence_num": 0', b'"sequence_num": 1'), ticker(2)])
    assert bests(rows)[0] == (21_931_980_000_000, 800_021_000_000, 21_933_980_000_000, 750_000_000)
    assert of(rows, Kind.QUOTE)[0]["ts_event_ns"] == NOW_NS
    assert len(bests(rows)) == 2
    asked = message("subscriptions", 0, [{"subscriptions": {"level2": ["BTC-USDC"], "ticker": ["ETH-USD", "BTC-USD"]}}])
    rows = read([asked, ticker(1), ticker(2, product="ETH-USD", bid="0", bid_size="0", ask_size="0")])
    assert bests(rows) == [(ABSENT, ABSENT, 21_933_980_000_000, ABSENT)]
    assert of(rows, Kind.QUOTE)[0]["marks"] == Mark.ONE_SIDED


def test_usdc_comes_under_the_name_of_usd():
    rows = read([trades(0, trade("1", product="BTC-USDC")), trades(1, trade("2"))])
    assert [row["symbol"] for row in of(rows, Kind.INSTRUMENT)] == ["BTC-USD"]
    assert [row["instrument_id"] for row in of(rows, Kind.PRINT)] == [1, 1]


def test_a_candle_is_a_bar_once_it_is_over_and_then_revised():
    reader = CoinbaseMessages()
    rows = read(
        [
            candles(0, IN_BETWEEN, candle(START_S), candle(START_S - 300), kind="snapshot"),
            candles(1, IN_BETWEEN, candle(START_S, "1866.5")),
            heartbeat(2, "2023-07-10T14:15:01Z"),
        ],
        reader,
    )
    assert [(row["ts_event_ns"] // NANO, row["revision"], row["marks"]) for row in of(rows, Kind.BAR)] == [
        (START_S - 300, 0, Mark.SNAPSHOT)
    ]
    rows = read(
        [heartbeat(3, "2023-07-10T14:15:02Z"), candles(4, "2023-07-10T14:15:03Z", candle(START_S, "1866.5"))], reader
    )
    bar = of(rows, Kind.BAR)[0]
    assert len(of(rows, Kind.BAR)) == 1
    assert (bar["close_nano"], bar["revision"], bar["bar_length"]) == (1_866_500_000_000, 0, 5 * MINUTE_NS)
    assert bar["ts_close_ns"] == bar["ts_event_ns"] + 5 * MINUTE_NS
    assert (bar["volume_steps"], bar["open_nano"]) == (20_269_406, 1_867_380_000_000)
    rows = read([candles(5, "2023-07-10T14:15:04Z", candle(START_S, "1866.75"))], reader)
    assert [(row["close_nano"], row["revision"]) for row in of(rows, Kind.BAR)] == [(1_866_750_000_000, 1)]
    reader.connected()
    assert (
        of(read([candles(0, "2023-07-10T14:15:05Z", candle(START_S, "1866.75"), kind="snapshot")], reader), Kind.BAR)
        == []
    )


def test_a_candle_sent_behind_its_end_or_followed_by_a_later_one_is_over():
    assert len(of(read([candles(0, TO_THE_END, candle(START_S))]), Kind.BAR)) == 1
    rows = read([candles(0, IN_BETWEEN, candle(START_S)), candles(1, IN_BETWEEN, candle(START_S + 300))])
    assert [row["ts_event_ns"] // NANO for row in of(rows, Kind.BAR)] == [START_S]


def test_a_product_that_is_not_online_is_halted():
    def status(sequence_num, word, kind="update"):
        product = {"id": "BTC-USD", "status": word, "quote_increment": "0.01", "base_increment": "0.00000001"}
        return message("status", sequence_num, [{"type": kind, "products": [product]}])

    rows = read([status(0, "online", "snapshot"), status(1, "online"), status(2, "offline"), status(3, "online")])
    states = [(row["status"], row["marks"]) for row in of(rows, Kind.STATUS)]
    assert states == [(TradingStatus.TRADING, Mark.SNAPSHOT), (TradingStatus.HALTED, 0), (TradingStatus.TRADING, 0)]
    assert [row["tick_nano"] for row in of(rows, Kind.INSTRUMENT)] == [ABSENT, 10_000_000]


def test_the_venues_words_are_kept():
    rows = read([json.dumps({"type": "error", "message": "authentication failure"}).encode()])
    assert rejected(rows) == ["the venue says: authentication failure"]


def test_one_at_a_time_or_all_at_once_gives_the_same_rows():
    payloads = [SNAPSHOT, ticker(1, product="ETH-USD"), trades(2, trade("1"), trade("x"), trade("2"))]
    payloads += [candles(3, TO_THE_END, candle(START_S)), book(4, "update", ("bid", "21921.80", "1")), heartbeat(5)]
    payloads += [ticker(6, product="SOL-USD"), trades(9, trade("3", product="ADA-USD"))]
    reader = CoinbaseMessages()
    singly = []
    for place, payload in enumerate(payloads):
        singly += rows_of(reader.read([Message(NOW_NS + place, payload)]))
    assert [str({**row, "seq": 0}) for row in singly] == [str({**row, "seq": 0}) for row in read(payloads)]


@pytest.mark.parametrize("size", ["123456789012.5", "0.000000001"])
def test_a_level_whose_size_is_no_whole_steps_still_has_its_price(size):
    reader = CoinbaseMessages()
    rows = read([SNAPSHOT, book(1, "update", ("bid", "21921.90", size))], reader)
    assert bests(rows)[1] == (21_921_900_000_000, ABSENT, 21_922_010_000_000, 200_000_000)
    assert len(rejected(rows)) == 1
    assert reader.trouble == ""
    rows = read([book(0, "snapshot", ("bid", "21921.90", size), ("offer", "21922", "1"))])
    assert bests(rows) == [(21_921_900_000_000, ABSENT, 21_922_000_000_000, 100_000_000)]


def test_a_book_with_a_level_that_cannot_be_read_is_renewed_once():
    reader = CoinbaseMessages()
    rows = read([SNAPSHOT, book(1, "update", ("bid", "x", "1")), book(2, "update", ("bid", "21921.9", "1"))], reader)
    assert len(bests(rows)) == 1
    assert reader.trouble == "BTC-USD: 'x' is not a decimal number"
    assert [row["channel"] for row in feed_rows(rows, FeedAction.GAP_OPENED)] == ["level2"]
    bad = book(0, "snapshot", ("bid", "0.0000000001", "1"))
    for expected in ("BTC-USD: '0.0000000001' is finer than 1e-9", ""):
        reader.connected()
        assert bests(read([bad], reader)) == []
        assert reader.trouble == expected


def test_history_comes_oldest_first_without_what_pages_repeat():
    reader = CoinbaseMessages()
    read([trades(0, trade("9")), candles(1, TO_THE_END, candle(START_S, product="BTC-USD"))], reader)
    prints, bars = Topic(Channel.PRINTS, "BTC-USD"), Topic(Channel.BARS_5M, "BTC-USD")
    newer = {"trades": [trade("6", time=NOW), trade("5", time="2023-02-09T20:50:49Z"), {"odd": 1}]}
    older = {"trades": [trade("5", time="2023-02-09T20:50:49Z"), trade("4", time="2023-02-09T20:50:48Z")]}
    page = [candle(START_S, "1866.25"), candle(START_S - 300), candle(START_S - 600)]
    for each in page:
        del each["product_id"]
    answers = [
        Answer(prints, NOW_NS, json.dumps(newer).encode()),
        Answer(prints, NOW_NS + 1, json.dumps(older).encode()),
        Answer(bars, NOW_NS + 2, json.dumps({"candles": page}).encode()),
        Answer(bars, NOW_NS + 3, b"<html>"),
    ]
    rows = rows_of(reader.read_history(answers))
    assert [row["trade_id"] for row in of(rows, Kind.PRINT)] == [4, 5, 6]
    assert [(row["ts_event_ns"] // NANO - START_S, row["revision"]) for row in of(rows, Kind.BAR)] == [
        (-600, 0),
        (-300, 0),
        (0, 1),
    ]
    assert {row["origin"] for row in rows} == {Origin.BACKFILL}
    assert len(rejected(rows)) == 2


def test_a_snapshot_of_20_mb_is_read():
    sides = [("bid", f"{60_000 - place / 100:.2f}", f"1.{place:08d}") for place in range(90_000)]
    sides += [("offer", f"{60_000.01 + place / 100:.2f}", f"1.{place:08d}") for place in range(90_000)]
    payload = book(0, "snapshot", *sides)
    assert len(payload) > 20 * 10**6
    assert bests(read([payload])) == [(60_000 * NANO, 100_000_000, 60_000_010_000_000, 100_000_000)]


def test_every_sample_is_read_the_quick_way():
    payloads = [SNAPSHOT, trades(0, trade("1")), ticker(0), candles(0, NOW, candle(START_S)), heartbeat(0)]
    assert [type(MESSAGE.decode(payload)).__name__ for payload in payloads] == [
        "BookMessage",
        "TradesMessage",
        "TickerMessage",
        "CandlesMessage",
        "HeartbeatsMessage",
    ]
