"""Coinbase's messages cut, flipped and swapped, and numbers that are none: rows or REJECTED, and the neighbours kept."""

import json
import random

import pytest
from coinbase_samples import (
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

from pipeline.codes import FeedAction, Kind
from pipeline.log.codec import encode
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.ports import Answer, Channel, Message, Topic

NUMBERS = ["1e400", "NaN", "-1", "", "0x10", "18446744073709551616", "9" * 4_500, "1e-30", "٣", "1_000", "null"]
SAMPLES = [
    book(0, "snapshot", ("bid", "21921.73", "0.06317902"), ("offer", "21922.01", "2")),
    book(1, "update", ("bid", "21921.80", "1"), ("offer", "21922.01", "0")),
    trades(2, trade("1"), trade("2", side="SELL")),
    ticker(3, product="ETH-USD"),
    candles(4, "2023-07-10T14:15:00Z", candle(1_688_998_200)),
    heartbeat(5),
    message("subscriptions", 6, [{"subscriptions": {"level2": ["BTC-USD"]}}]),
    message("status", 7, [{"type": "snapshot", "products": [{"id": "BTC-USD", "status": "online"}]}]),
    b'{"type":"error","message":"rate limit"}',
]


def mutated(payload, chance):
    """The bytes with something done to them."""
    found = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(found) or 1)
        match chance.randrange(6):
            case 0:
                found[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del found[place:]
            case 2:
                del found[place : place + chance.randint(1, 20)]
            case 3:
                found[place:place] = found[place : place + chance.randint(1, 40)]
            case 4:
                found[place:place] = chance.choice(
                    [b'"', b"{", b"}", b",", b"\\u0000", b"\\ud800", b"-", b"e9", b"null"]
                )
            case 5:
                other = bytearray(chance.choice(SAMPLES))
                found[place:] = other[chance.randrange(len(other)) :]
    return bytes(found)


def recordable(batch):
    """The rows can be written to a log."""
    return encode(batch) is not None


@pytest.mark.parametrize("seed", range(8))
def test_mutated_messages_give_rows_or_refusals_and_nothing_raised(seed):
    chance = random.Random(seed)
    for _ in range(150):
        reader = CoinbaseMessages()
        payloads = [mutated(payload, chance) if chance.random() < 0.4 else payload for payload in SAMPLES]
        batch = reader.read([Message(NOW_NS + place, payload) for place, payload in enumerate(payloads)])
        rows_of(batch)
        assert recordable(batch)
        reader.connected()
        assert len(of(read([trades(0, trade("77"))], reader), Kind.PRINT)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_mutated_pages_give_rows_or_refusals_and_nothing_raised(seed):
    chance = random.Random(seed)
    pages = {
        Channel.PRINTS: json.dumps({"trades": [trade("1"), trade("2")]}).encode(),
        Channel.BARS_5M: json.dumps({"candles": [candle(1_688_998_200)]}).encode(),
    }
    for _ in range(200):
        answers = [Answer(Topic(channel, "BTC-USD"), NOW_NS, mutated(page, chance)) for channel, page in pages.items()]
        batch = CoinbaseMessages().read_history(answers)
        rows_of(batch)
        assert recordable(batch)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_none_is_refused_and_its_neighbours_are_kept(number):
    rows = read(
        [
            trades(0, trade("1"), trade("2", price=number), trade("3", size=number), trade(number), trade("4")),
            ticker(1, bid=number or "x"),
            ticker(2),
            candles(3, "2023-07-10T14:15:00Z", candle(number), candle(1_688_998_200)),
        ]
    )
    kept = {row["trade_id"] for row in of(rows, Kind.PRINT)}
    assert {1, 4} <= kept
    assert len(of(rows, Kind.BAR)) == 1
    refused = len(rejected(rows))
    assert refused + len(of(rows, Kind.PRINT)) + len(of(rows, Kind.QUOTE)) + 1 == 5 + 2 + 2
    assert refused >= 2


@pytest.mark.parametrize(
    "bad",
    [
        {"side": "HOLD"},
        {"price": 21921.73},
        {"time": "yesterday"},
        {"product_id": "B T\x00C"},
        {"product_id": ""},
        {"trade_id": None},
        {"size": ["1"]},
    ],
    ids=str,
)
def test_one_bad_trade_costs_one_trade(bad):
    rows = read([trades(0, trade("1"), trade("2") | bad, trade("3")), trades(1, trade("4"))])
    assert [row["trade_id"] for row in of(rows, Kind.PRINT)] == [1, 3, 4]
    assert len(rejected(rows)) == 1


def test_one_bad_event_of_a_message_costs_one_event():
    good = {"type": "update", "trades": [trade("1")]}
    rows = read([message("market_trades", 0, [good, {"type": "rumour", "trades": []}, 7, None, good])])
    assert len(of(rows, Kind.PRINT)) == 2
    assert len(rejected(rows)) == 3


def test_garbage_between_messages_costs_nothing_but_a_row():
    reader = CoinbaseMessages()
    garbage = [b"", b"\x00\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"[]", b"7", b'{"channel":"ticker"}', b"{}"]
    rows = read([SAMPLES[0], *garbage, SAMPLES[1]], reader)
    assert len(of(rows, Kind.QUOTE)) == 2
    assert len(rejected(rows)) == len(garbage)
    assert reader.trouble == ""


def test_an_event_of_a_book_that_cannot_be_read_ends_that_book_alone():
    reader = CoinbaseMessages()
    eth = book(1, "snapshot", ("bid", "1500", "1"), ("offer", "1501", "1"), product="ETH-USD")
    bad = {"type": "update", "product_id": "BTC-USD", "updates": [{"side": "middle"}]}
    good = json.loads(book(0, "update", ("bid", "1500.5", "1"), product="ETH-USD"))["events"][0]
    rows = read([SAMPLES[0], eth, message("l2_data", 2, [bad, good])], reader)
    assert [row["instrument_id"] for row in of(rows, Kind.QUOTE)] == [1, 2, 2]
    assert [row["instrument_id"] for row in feed_rows(rows, FeedAction.GAP_OPENED)] == [1]
    assert reader.trouble.startswith("BTC-USD: ")
