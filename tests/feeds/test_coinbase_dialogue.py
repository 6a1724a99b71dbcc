"""The conversation with Coinbase, and the questions about what was missed."""

import json
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.feeds.coinbase_advanced import CoinbaseDialogue, vendor
from pipeline.feeds.dialogue import DialogueError
from pipeline.normalize.moments import text_of_ns
from pipeline.ports import Channel, Topic
from pipeline.units import NANO

BTC, ETH = Topic(Channel.QUOTES, "BTC-USD"), Topic(Channel.QUOTES, "ETH-USD")
TRADES = Topic(Channel.PRINTS, "BTC-USD")
HEARTBEATS = Topic(Channel.HEARTBEATS, "")
START_NS = 1_790_000_100 * NANO


def said(messages):
    return [json.loads(message) for message in messages]


def subscriptions(**channels):
    return json.dumps(
        {"channel": "subscriptions", "timestamp": "", "sequence_num": 1, "events": [{"subscriptions": channels}]}
    ).encode()


def error(message):
    return json.dumps({"type": "error", "message": message}).encode()


def test_heartbeats_are_asked_for_at_once_and_then_what_is_wanted():
    dialogue = CoinbaseDialogue()
    assert dialogue.want({BTC}) == []
    assert said(dialogue.connected()) == [{"type": "subscribe", "channel": "heartbeats"}]
    assert dialogue.is_ready
    assert said(dialogue.want({BTC, TRADES, ETH})) == [
        {"type": "subscribe", "channel": "market_trades", "product_ids": ["BTC-USD"]},
        {"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD", "ETH-USD"]},
    ]
    assert dialogue.want({BTC, TRADES, ETH}) == []
    assert said(dialogue.want({ETH})) == [
        {"type": "unsubscribe", "channel": "market_trades", "product_ids": ["BTC-USD"]},
        {"type": "unsubscribe", "channel": "level2", "product_ids": ["BTC-USD"]},
    ]


def test_every_message_has_a_token_of_its_own():
    numbers = count(1)
    dialogue = CoinbaseDialogue(lambda: f"token {next(numbers)}", "ticker")
    spoken = said(dialogue.connected()) + said(dialogue.want({BTC, TRADES})) + said(dialogue.want(set()))
    assert [message["jwt"] for message in spoken] == [f"token {number}" for number in range(1, 6)]
    assert {message["channel"] for message in spoken} == {"heartbeats", "market_trades", "ticker"}


def test_what_the_server_says_it_sends_is_known_and_the_latest_word_counts():
    dialogue = CoinbaseDialogue()
    dialogue.connected()
    dialogue.want({BTC, ETH, TRADES})
    answer = subscriptions(level2=["BTC-USDC"], heartbeats=["heartbeats"], status=["BTC-USD"])
    assert dialogue.concerns(answer)
    assert dialogue.hear(answer) == []
    assert dialogue.acknowledged == {BTC, HEARTBEATS}
    dialogue.hear(subscriptions(level2=["ETH-USD"], market_trades=["BTC-USD"]))
    assert dialogue.acknowledged == {ETH, TRADES}


def test_a_refusal_is_the_topics_that_it_names():
    dialogue = CoinbaseDialogue()
    dialogue.connected()
    dialogue.want({BTC, ETH})
    dialogue.hear(error("invalid product_ids: ETH-USD"))
    assert dialogue.refused == {ETH: "Coinbase says: invalid product_ids: ETH-USD"}
    dialogue.want({BTC})
    assert dialogue.refused == {}
    dialogue.hear(error("subscribe or unsubscribe required"))
    assert dialogue.refused == {}


def test_what_ends_the_conversation_is_fatal_or_waits():
    dialogue = CoinbaseDialogue()
    dialogue.connected()
    with pytest.raises(DialogueError, match="authentication failure") as caught:
        dialogue.hear(error("authentication failure"))
    assert caught.value.is_fatal
    with pytest.raises(DialogueError) as caught:
        dialogue.hear(error("rate limit exceeded"))
    assert (caught.value.is_fatal, caught.value.floor_s) == (False, 5.0)


@pytest.mark.parametrize(
    "payload", [b"", b'"error"', b'{"channel":"subscriptions","events":[7]}', b"\xff", b"[" * 90_000]
)
def test_words_that_cannot_be_read_change_nothing(payload):
    dialogue = CoinbaseDialogue()
    dialogue.connected()
    assert dialogue.hear(payload) == []
    assert dialogue.acknowledged == set()


def test_market_data_does_not_concern_the_conversation():
    for channel in ("l2_data", "ticker", "market_trades", "candles", "heartbeats", "status"):
        body = {"channel": channel, "client_id": "", "timestamp": "", "sequence_num": 7, "events": []}
        assert not CoinbaseDialogue().concerns(json.dumps(body).encode())


def test_usdc_is_asked_for_under_the_name_of_usd():
    feed = vendor(channels={Channel.QUOTES, Channel.PRINTS})
    assert feed.topics({"btc-usdc", "ETH-EUR"}) == {
        BTC,
        TRADES,
        Topic(Channel.QUOTES, "ETH-EUR"),
        Topic(Channel.PRINTS, "ETH-EUR"),
    }
    assert (feed.name, feed.calendar, feed.sentinel) == ("coinbase", "24/7", TRADES)
    assert feed.frame_bytes_max == 64 * 2**20


def asked(question):
    parts = urlsplit(question.url)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def page(*times_s):
    side = {"price": "1", "size": "1", "side": "BUY", "product_id": "BTC-USD"}
    return json.dumps(
        {"trades": [{"trade_id": "1", "time": text_of_ns(int(t * NANO)), **side} for t in times_s]}
    ).encode()


def test_trades_are_asked_for_back_in_time_until_a_page_is_not_full():
    feed = vendor(rest_url="http://127.0.0.1:9/")
    questions = feed.history(TRADES, START_NS + 5, START_NS + 100 * NANO + 7)
    start_s = START_NS // NANO
    path, query = asked(next(questions))
    assert path == "/api/v3/brokerage/market/products/BTC-USD/ticker"
    assert query == {"limit": "1000", "start": str(start_s), "end": str(start_s + 101)}
    times = [start_s + 60 + n / 100 for n in range(1_000)]
    assert asked(questions.send(page(*times)))[1]["end"] == str(start_s + 61)
    assert asked(questions.send(page(*[start_s + 60.5] * 1_000)))[1]["end"] == str(start_s + 60)
    with pytest.raises(StopIteration):
        questions.send(page(start_s + 10))
    questions = feed.history(TRADES, START_NS, START_NS + NANO)
    next(questions)
    with pytest.raises(StopIteration):
        questions.send(b"<html>busy</html>")


def test_candles_are_asked_for_in_stretches_of_350():
    questions = vendor().history(Topic(Channel.BARS_5M, "BTC-USD"), START_NS + 7, START_NS + 400 * 300 * NANO + 7)
    start_s = START_NS // NANO // 300 * 300
    found = [asked(question) for question in questions]
    assert [path for path, _ in found] == ["/api/v3/brokerage/market/products/BTC-USD/candles"] * 2
    assert [(int(query["start"]), int(query["end"])) for _, query in found] == [
        (start_s, start_s + 350 * 300 - 1),
        (start_s + 350 * 300, start_s + 401 * 300 - 1),
    ]
    assert list(vendor().history(BTC, START_NS, START_NS + NANO)) == []
