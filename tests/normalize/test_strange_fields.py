"""What a vendor begins to send: told by its path and its count, whatever is read at a time; of what is known nothing is told."""

import json
from itertools import pairwise

import alpaca_samples as alpaca
import coinbase_samples as coinbase
import massive_samples as massive
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import FeedAction, Kind
from pipeline.normalize import alpaca_words, coinbase_advanced_words, massive_words, strange_fields
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_words import Encoding
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.massive import MassiveMessages
from pipeline.normalize.strange_fields import BYTES_MAX, EVERY, FIRST, NAMES_MAX, shape_of, strange
from pipeline.ports import Message

START_NS = 1_793_779_200_000_000_000
STEP_NS = 1_000_000


def of_massive(place, **more):
    return massive.message(massive.QUOTE | {"q": place + 1} | more).payload


def of_alpaca(place, **more):
    return alpaca.written(Encoding.JSON, alpaca.TRADE | {"i": place + 1} | more)


def of_alpaca_packed(place, **more):
    return alpaca.written(Encoding.MSGPACK, alpaca.TRADE | {"i": place + 1} | more)


def of_coinbase(place, **more):
    return coinbase.trades(place, coinbase.trade(str(place + 1)) | more)


FEEDS = {
    "massive": (MassiveMessages, of_massive, "Q"),
    "alpaca": (AlpacaMessages, of_alpaca, "t"),
    "alpaca packed": (lambda: AlpacaMessages(encoding=Encoding.MSGPACK), of_alpaca_packed, "t"),
    "coinbase": (CoinbaseMessages, of_coinbase, "market_trades.events.trades"),
}
"""By name: what reads it, a message by its place with more fields than it should have, the path of these."""

TYPES = {
    massive_words: (list[massive_words.Event], "ev"),
    alpaca_words: (list[alpaca_words.Event], "T"),
    coinbase_advanced_words: (coinbase_advanced_words.AnyMessage, "channel"),
}
"""What each vendor's messages are, and which of their fields names what they are."""

every_feed = pytest.mark.parametrize("feed", FEEDS)


def ignored(batches):
    """How often each thing was left out, as it is told."""
    counts = {}
    for batch in batches:
        for block in batch:
            for row in block.rows() if block.kind is Kind.FEED else ():
                if row["action"] == FeedAction.IGNORED:
                    counts[row["text"]] = counts.get(row["text"], 0) + row["count"]
    return counts


def told(feed, payloads, cuts=(), normalizer=None):
    """What is told as left out of these messages, read in so many pieces, once everything is told."""
    make, message, _ = FEEDS[feed]
    normalizer = normalizer or make()
    messages = [Message(START_NS + place * STEP_NS, payload) for place, payload in enumerate(payloads)]
    cuts = sorted({0, *cuts, len(messages)})
    batches = [normalizer.read(messages[start:stop]) for start, stop in pairwise(cuts)]
    normalizer.connected()
    batches.append(normalizer.read([Message(START_NS + len(messages) * STEP_NS, message(0))]))
    return ignored(batches)


@every_feed
def test_a_field_that_is_new_is_told_by_its_path_and_its_rows_are_read_all_the_same(feed):
    _, message, path = FEEDS[feed]
    payloads = [message(place, **({"xyz": place} if place in (3, 4) else {})) for place in range(6)]
    assert told(feed, payloads) == {f"unknown field {path}.xyz": 2}
    normalizer = FEEDS[feed][0]()
    batch = normalizer.read([Message(START_NS, payload) for payload in payloads])
    assert sum(len(block) for block in batch if block.kind in (Kind.QUOTE, Kind.PRINT)) == 6


@every_feed
def test_the_first_messages_of_a_connection_are_looked_at_and_one_of_so_many_ever_after(feed):
    make, message, path = FEEDS[feed]
    text = f"unknown field {path}.xyz"
    count = 3 * EVERY + 7
    strange_at = [message(place, xyz=1) if place >= FIRST else message(place) for place in range(count)]
    assert told(feed, strange_at) == {text: 3}
    normalizer = make()
    assert told(feed, [message(place) for place in range(FIRST)], normalizer=normalizer) == {}
    first_of_next = [message(place + 1, xyz=1) for place in range(count)]  # behind the one that made all be told
    assert told(feed, first_of_next, normalizer=normalizer) == {text: FIRST - 1 + 3}


@every_feed
@given(st.data())
def test_how_much_is_read_at_a_time_changes_nothing(feed, data):
    _, message, _ = FEEDS[feed]
    count = data.draw(st.sampled_from([5, FIRST, FIRST + 1, EVERY - 1, EVERY, EVERY + 30]))
    payloads = [message(place, **({"xyz": 1} if place % 3 else {"abc": []})) for place in range(count)]
    cuts = data.draw(st.sets(st.integers(0, count), max_size=6))
    whole = told(feed, payloads)
    assert told(feed, payloads, cuts) == whole
    assert sum(whole.values()) == min(count, FIRST) + (count >= EVERY)


def test_captured_bytes_and_documented_messages_hold_nothing_that_is_not_known(shared_data, monkeypatch):
    monkeypatch.setattr(strange_fields, "FIRST", 10**9)
    frames = (shared_data / "websocket/massive/live_frames_stocks.ndjson").read_bytes().splitlines()
    spec = json.loads((shared_data / "websocket/massive/websocket.json").read_text())
    examples = [
        massive.message(event).payload for event in _examples(spec) if isinstance(event, dict) and "ev" in event
    ]
    samples = [massive.message(massive.QUOTE, massive.TRADE, massive.MINUTE).payload]
    assert len(examples) > 5
    known = set(told("massive", [*frames, *examples, *samples])) - {"NOI", "FMV", "LV"}
    assert not [text for text in known if text.startswith("unknown field")]

    lines = (shared_data / "websocket/alpaca/alpaca_stream_messages_py_tests.ndjson").read_text().splitlines()
    events = [json.loads(line) | {"t": alpaca.TRADE["t"]} for line in lines]
    assert len(events) > 5
    for feed, encoding in (("alpaca", Encoding.JSON), ("alpaca packed", Encoding.MSGPACK)):
        payloads = [alpaca.written(encoding, event) for event in (*events, *alpaca.ALL, alpaca.TRADE | {"r": "later"})]
        assert not [text for text in told(feed, payloads) if text.startswith("unknown field")]

    product = {
        "product_type": "SPOT", "id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "base_increment": "1",
        "quote_increment": "0.01", "display_name": "BTC/USD", "status": "online", "status_message": "", "min_market_funds": "1",
    }  # fmt: skip
    ticks = json.loads(coinbase.ticker(2))
    ticks["events"][0]["tickers"][0] |= dict.fromkeys(
        ("low_24_h", "high_24_h", "low_52_w", "high_52_w", "price_percent_chg_24_h"), "1"
    )
    payloads = [
        coinbase.book(0, "snapshot", ("bid", "1", "2")),
        coinbase.trades(1, coinbase.trade("1")),
        json.dumps(ticks).encode(),
        coinbase.candles(3, coinbase.NOW, coinbase.candle(1_675_975_800)),
        coinbase.heartbeat(4),
        coinbase.message("status", 5, [{"type": "snapshot", "products": [product]}]),
        coinbase.message(
            "subscriptions", 6, [{"subscriptions": {"level2": ["BTC-USD"], "heartbeats": ["heartbeats"]}}]
        ),
    ]
    assert not [text for text in told("coinbase", payloads) if text.startswith("unknown field")]


def _examples(value):
    """Whatever a specification shows as an example, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from [inner] if name == "example" else _examples(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _examples(inner)


@pytest.mark.parametrize("words", TYPES)
def test_what_is_read_over_on_purpose_is_named_by_no_struct(words):
    """Otherwise the list says of what is read that it is not."""
    (type_, tag_field), read_over = TYPES[words], words.READ_OVER
    for path, names in read_over.items():
        tag, *rest = path.split(".")
        inner = _plain(rest, dict.fromkeys(names.split())) | {tag_field: tag}
        value = inner if words is coinbase_advanced_words else [inner]
        assert sorted(strange(value, shape_of(type_, {}))) == sorted(f"{path}.{name}" for name in names.split())
        assert not list(strange(value, shape_of(type_, read_over)))


def _plain(path, fields):
    """A message with these fields at the end of the path."""
    for name in reversed(path):
        fields = {name: [fields]}
    return fields


@every_feed
def test_a_flood_of_names_is_counted_and_few_are_kept_apart(feed):
    _, message, path = FEEDS[feed]
    fields = {f"{'long' * 20}{name}": name for name in range(5)} | {f"n{name}": name for name in range(300)}
    counts = told(feed, [message(place, **fields) for place in range(3)])
    assert len(counts) <= NAMES_MAX + 2
    assert sum(counts.values()) == 3 * len(fields)
    assert max(map(len, counts)) < len("unknown field ") + len(path) + 50


@every_feed
def test_what_is_large_is_not_looked_at_and_what_is_hostile_harms_nobody(feed):
    _, message, path = FEEDS[feed]
    assert told(feed, [message(0, xyz="x" * BYTES_MAX)]) == {}
    assert told(feed, [message(0, **{"x\x00\u2028": [[{}]]})]) == {f"unknown field {path}.x\x00\u2028": 1}
    for payload in (
        b"",
        b"[",
        b"[" * 5_000,
        b"[{1:2}]",
        b'[{"ev":[],"T":{},"channel":7}]',
        b'{"channel":{}}',
        b"\x91\x81\xc0\xc0",
    ):
        told(feed, [payload])
    surrogate = b'{"channel":"heartbeats","timestamp":"","sequence_num":0,"events":[],"\\ud800":1}'
    told(
        feed,
        [
            surrogate,
            b'[{"ev":"Q","sym":"A","T":"q","S":"A","t":"","\\ud800":1}]',
            b'[{"ev":"Q","sym":"A","\xff\xfe":1}]',
        ],
    )
    told(feed, [msgspec.msgpack.encode([{"T": "q", "t": msgspec.msgpack.Ext(-1, b"\xff" * 12), 7: 1}])])
