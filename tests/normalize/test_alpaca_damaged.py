"""Damaged and hostile messages of Alpaca: rows or refusals, nothing raised, good neighbours kept."""

import random

import msgspec
import pytest
from alpaca_samples import ALL, QUOTE, RECEIVED_NS, TRADE, rows_of, written
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import FeedAction, Kind
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_words import Encoding
from pipeline.ports import Answer, Channel, Message, Topic

both = pytest.mark.parametrize("encoding", Encoding)


def neighbours_are_kept(encoding, payload):
    """Read a payload between two good messages; the rows in between."""
    good = written(encoding, QUOTE)
    messages = [Message(RECEIVED_NS, good), Message(RECEIVED_NS, payload), Message(RECEIVED_NS, good)]
    rows = rows_of(AlpacaMessages(encoding=encoding).read(messages))
    quotes = [k for k, row in enumerate(rows) if row["kind"] is Kind.QUOTE and row["bid_nano"] == 87_660_000_000]
    assert quotes
    assert rows[0]["kind"] is Kind.INSTRUMENT
    assert quotes[0] == 1
    last = [row["kind"] for row in rows[quotes[-1] + 1 :]]
    assert all(kind is Kind.FEED for kind in last)  # what was ignored is told at the end
    return rows[2 : quotes[-1]]


def mutated(payload: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(damaged) or 1)
        match chance.randrange(5):
            case 0 if damaged:
                damaged[place] ^= 1 << chance.randrange(8)
            case 1:
                del damaged[place:]
            case 2:
                other = chance.randrange(len(damaged) + 1)
                damaged[place:place] = damaged[other : other + 20]
            case 3:
                del damaged[place : place + chance.randrange(20)]
            case _:
                damaged[place:place] = chance.choice(
                    [b"1e400", b"NaN", b"18446744073709551616", b"[" * 50, b"\xcb\x7f\xf8", b"-"]
                )
    return bytes(damaged)


@both
def test_mutated_messages_give_rows_or_refusals(encoding):
    chance = random.Random(4)
    whole = written(encoding, *ALL)
    for _ in range(1_500):
        neighbours_are_kept(encoding, mutated(whole, chance))


@both
@given(payload=st.binary(max_size=80))
def test_any_bytes_give_rows_or_refusals(encoding, payload):
    neighbours_are_kept(encoding, payload)


JSON_NUMBERS = [
    "1e400",
    "-1e400",
    "1e-400",
    "-0.0",
    "NaN",
    "Infinity",
    "18446744073709551616",
    "9" * 400,
    "0x10",
    "1_000",
    "null",
    "true",
    '"1"',
]


@pytest.mark.parametrize("number", JSON_NUMBERS)
@pytest.mark.parametrize("field", ["p", "s", "i"])
def test_hostile_numbers_are_refused_or_exact(number, field):
    payload = written(Encoding.JSON, TRADE | {field: "@@"}).replace(b'"@@"', number.encode())
    rows = neighbours_are_kept(Encoding.JSON, payload)
    found = [row for row in rows if row["kind"] is Kind.PRINT]
    refused = [row for row in rows if row["kind"] is Kind.FEED]
    assert len(found) + len(refused) == 1
    assert all(row["price_nano"] > 0 for row in found)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e300, 2**64 - 1, -(2**63), 5e-324])
@pytest.mark.parametrize("field", ["bp", "ap", "bs", "as"])
def test_hostile_packed_numbers_are_refused_or_exact(number, field):
    rows = neighbours_are_kept(Encoding.MSGPACK, written(Encoding.MSGPACK, QUOTE | {field: number}, TRADE))
    assert [row["kind"] for row in rows if row["kind"] is not Kind.INSTRUMENT] == [Kind.FEED, Kind.PRINT]


@both
def test_deep_nesting_is_refused(encoding):
    opened, closed = (b"[", b"]") if encoding is Encoding.JSON else (b"\x91", b"\x90")
    for depth in (100, 10_000, 1_000_000):
        rows = neighbours_are_kept(encoding, opened * depth + closed * (depth if encoding is Encoding.JSON else 1))
        assert [row["action"] for row in rows] == [FeedAction.REJECTED]


def test_deep_nesting_inside_an_event_refuses_that_one():
    deep = b"[" * 100_000 + b"]" * 100_000
    payload = written(Encoding.JSON, TRADE | {"later": "@@"}).replace(b'"@@"', deep)
    rows = neighbours_are_kept(Encoding.JSON, payload)
    assert [row["action"] for row in rows if row["kind"] is Kind.FEED] == [FeedAction.REJECTED]


@both
def test_an_event_that_is_none_does_not_hurt_its_neighbours(encoding):
    write = msgspec.json.encode if encoding is Encoding.JSON else msgspec.msgpack.encode
    whole = written(encoding, TRADE)
    good = msgspec.Raw(whole[1:-1] if encoding is Encoding.JSON else whole[1:])
    for bad in (5, None, "t", [], {}, {"T": 7}, {"T": "t"}, {"T": "q", "t": [1]}, {"T": "subscription", "trades": 5}):
        rows = neighbours_are_kept(encoding, write([good, bad, good]))
        kinds = [row["kind"] for row in rows if row["kind"] is not Kind.INSTRUMENT]
        assert kinds in ([Kind.PRINT, Kind.FEED, Kind.PRINT], [Kind.PRINT, Kind.PRINT]), bad


@given(st.binary(max_size=60), st.sampled_from([Channel.PRINTS, Channel.QUOTES, Channel.BARS_1M, Channel.STATUSES]))
def test_any_page_gives_rows_or_refusals(body, channel):
    rows_of(AlpacaMessages().read_history([Answer(Topic(channel, "AAPL"), RECEIVED_NS, body)]))


def test_symbols_without_end_cost_no_more_than_their_rows():
    quotes = [QUOTE | {"S": f"S{k}"} for k in range(3_000)]
    rows = rows_of(AlpacaMessages().read([Message(RECEIVED_NS, written(Encoding.JSON, *quotes))]))
    assert [row["instrument_id"] for row in rows if row["kind"] is Kind.QUOTE] == list(range(1, 3_001))


def test_sale_conditions_without_end_are_forgotten():
    normalizer = AlpacaMessages()
    for start in range(0, 9_000, 3_000):
        trades = [TRADE | {"c": ["@"] * (k % 5) + [f"{k}"]} for k in range(start, start + 3_000)]
        rows = rows_of(normalizer.read([Message(RECEIVED_NS, written(Encoding.JSON, *trades))]))
        assert sum(row["kind"] is Kind.PRINT for row in rows) == 3_000
    assert len(normalizer._memory.sales._places) <= 8_000


def test_bars_without_end_are_forgotten():
    normalizer = AlpacaMessages()
    bar = {"T": "b", "S": "SPY", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}
    for hour in range(100):
        bars = [bar | {"t": f"2026-01-0{1 + hour // 24}T{hour % 24:02d}:{minute:02d}:00Z"} for minute in range(60)]
        normalizer.read([Message(RECEIVED_NS, written(Encoding.JSON, *bars))])
    assert len(next(iter(normalizer._memory._bars.values()))) <= 2_048
