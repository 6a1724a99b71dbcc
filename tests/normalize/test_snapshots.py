"""Snapshots of Massive and Alpaca, from their own clients' test answers: what is read, what is kept, what is refused; damage raises nothing."""

import json
import math
import random

import pytest

from pipeline.codes import FeedAction, Kind
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Answer, Channel, Polled, Topic
from pipeline.units import ABSENT, NANO

TOPIC = Topic(Channel.SNAPSHOTS, "")
NORMALIZERS = {"massive": MassiveMessages, "alpaca": AlpacaMessages}
RECV_NS = {"massive": 1_605_193_000 * NANO, "alpaca": 1_647_614_040 * NANO}
"""A minute behind what the answers tell of."""


@pytest.fixture
def answers(shared_data):
    folder = shared_data / "websocket"
    path = folder / "massive" / "rest_mocks" / "v2/snapshot/locale/us/markets/stocks/tickers/index.json"
    said = json.loads((folder / "alpaca" / "alpaca_rest_responses_py.json").read_text())
    alpaca = next(each["body"] for each in said if each["test"] == "test_get_snapshot")
    return {"massive": json.loads(path.read_text()), "alpaca": alpaca}


def read(vendor, *bodies, normalizer=None, recv_ns=None):
    normalizer = normalizer or NORMALIZERS[vendor]()
    assert isinstance(normalizer, Polled)
    first_ns = recv_ns or RECV_NS[vendor]
    encoded = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return normalizer.read_snapshots([Answer(TOPIC, first_ns + 5 * NANO * at, body) for at, body in enumerate(encoded)])


def rows(blocks, kind=Kind.SNAPSHOT):
    return [row for block in blocks if block.kind is kind for row in block.rows()]


EXPECTED = {
    "massive": {
        "ts_event_ns": 1605192894630916600, "ts_trade_ns": 1605192894630916600, "last_nano": 20_506_000_000,
        "ts_quote_ns": 1605192959994246100, "bid_nano": 20_500_000_000, "ask_nano": 20_600_000_000,
        "bid_size_steps": 1_300, "ask_size_steps": 2_200, "volume_steps": 37_216, "vwap": 20.616, "open_nano": 20_640_000_000,
        "high_nano": 20_640_000_000, "low_nano": 20_506_000_000, "previous_close_nano": 20_630_000_000,
    },
    "alpaca": {
        "ts_event_ns": 1647614038547942000, "ts_trade_ns": 1647614038448432206, "last_nano": 161_199_800_000,
        "ts_quote_ns": 1647614038547942000, "bid_nano": 161_190_000_000, "ask_nano": 161_200_000_000,
        "bid_size_steps": 500, "ask_size_steps": 200, "volume_steps": 31_749_988, "vwap": 160.683364, "open_nano": 160_590_000_000,
        "high_nano": 161_920_000_000, "low_nano": 159_760_000_000, "previous_close_nano": 160_620_000_000,
    },
}  # fmt: skip


@pytest.mark.parametrize("vendor", NORMALIZERS)
def test_the_clients_own_answers_are_read(answers, vendor):
    made = read(vendor, answers[vendor])
    (row,) = rows(made)
    assert {name: row[name] for name in EXPECTED[vendor]} == EXPECTED[vendor]
    (defined,) = rows(made, Kind.INSTRUMENT)
    assert defined["symbol"] == {"massive": "BCAT", "alpaca": "AAPL"}[vendor]
    assert (defined["seq"], row["seq"], row["instrument_id"], row["ts_recv_ns"]) == (1, 2, 1, RECV_NS[vendor])


def changed(vendor, body):
    body = json.loads(json.dumps(body))
    if vendor == "massive":
        body["tickers"][0]["lastTrade"]["p"] = 21.5
    else:
        body["AAPL"]["latestTrade"]["p"] = 21.5
    return body


@pytest.mark.parametrize("vendor", NORMALIZERS)
def test_only_what_changed_since_the_poll_before_is_told(answers, vendor):
    body = answers[vendor]
    made = read(vendor, body, body, changed(vendor, body), changed(vendor, body), body)
    assert [row["ts_recv_ns"] - RECV_NS[vendor] for row in rows(made)] == [0, 10 * NANO, 20 * NANO]
    assert [row["last_nano"] for row in rows(made)][1] == 21_500_000_000


def test_before_the_open_massives_day_is_all_zero_and_says_nothing(answers):
    body = answers["massive"]
    (ticker,) = body["tickers"]
    ticker["day"] = dict.fromkeys(ticker["day"], 0)
    (row,) = rows(read("massive", body))
    assert [row[name] for name in ("open_nano", "high_nano", "low_nano")] == [ABSENT] * 3
    assert math.isnan(row["vwap"])
    assert row["volume_steps"] == 37_216, "of the latest minute's count"


def test_without_a_last_trade_or_quote_the_minute_stands_in_and_the_sides_are_absent(answers):
    body = answers["massive"]
    (ticker,) = body["tickers"]
    del ticker["lastTrade"], ticker["lastQuote"]
    (row,) = rows(read("massive", body))
    assert (row["last_nano"], row["ts_trade_ns"]) == (20_506_000_000, 1_684_428_600 * NANO)
    absent = ("bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps", "ts_quote_ns")
    assert [row[name] for name in absent] == [ABSENT] * 5


def test_alpacas_daily_bar_of_another_day_is_the_day_before(answers):
    (row,) = rows(read("alpaca", answers["alpaca"], recv_ns=RECV_NS["alpaca"] + 86_400 * NANO))
    assert [row[name] for name in ("open_nano", "volume_steps")] == [ABSENT] * 2
    assert row["previous_close_nano"] == 161_365_000_000, "of its daily bar, which is the day before by now"


@pytest.mark.parametrize(
    ("vendor", "body", "told"),
    [
        ("massive", b"[", "a snapshot can't be read"),
        ("massive", {"status": "NOT_AUTHORIZED", "message": "not in your plan"}, "not in your plan"),
        ("massive", {"status": "OK", "tickers": [{"ticker": "A", "lastTrade": {"p": -1}}]}, "lastTrade.p"),
        ("massive", {"status": "OK", "tickers": [{"ticker": "A", "lastTrade": {"p": 1, "t": 5}}]}, "a time is none"),
        ("massive", {"status": "OK", "tickers": [{"ticker": " ", "updated": 1605192894630916600}]}, "no symbol"),
        ("alpaca", b"[", "a snapshot can't be read"),
        ("alpaca", {"message": "forbidden."}, "the venue says: forbidden."),
        ("alpaca", {"A": {"latestTrade": {"t": "soon", "p": 1.0}}}, "a time or a symbol that is none"),
        ("alpaca", {"A": 3}, "snapshot of A"),
        ("alpaca", {"A": {"latestQuote": {"ap": 1.0, "as": 2**64 - 1}}}, "snapshot of A"),
        ("alpaca", {"A": {"dailyBar": {"v": -1}}}, "snapshot of A"),
    ],
)
def test_what_can_not_be_read_is_told_and_costs_its_neighbours_nothing(answers, vendor, body, told):
    normalizer = NORMALIZERS[vendor]()
    made = read(vendor, body, answers[vendor], normalizer=normalizer)
    refused = [row for row in rows(made, Kind.FEED) if row["action"] == FeedAction.REJECTED]
    assert [told in row["text"] for row in refused] == [True], refused
    assert len(rows(made)) == 1


def test_no_snapshots_are_none():
    assert read("massive", {"status": "OK", "count": 0, "tickers": None}) == []
    assert read("alpaca", {}) == []
    assert read("alpaca", {"A": None}) == []


@pytest.mark.parametrize("vendor", NORMALIZERS)
def test_damaged_answers_give_rows_or_refusals(answers, vendor):
    chance = random.Random(7)
    whole = json.dumps(answers[vendor]).encode()
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        for block in read(vendor, bytes(damaged), whole):
            assert block.kind in (Kind.SNAPSHOT, Kind.INSTRUMENT, Kind.FEED)
