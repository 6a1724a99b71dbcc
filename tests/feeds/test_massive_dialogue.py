"""The conversation with Massive's server: who we are, what we want, what each refusal means."""

import json

import pytest

from pipeline.errors import ConfigError
from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.massive import MassiveDialogue, vendor
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Channel, Topic

KEY = "k3y"


def said(*statuses):
    return json.dumps([{"ev": "status", "status": status, "message": message} for status, message in statuses]).encode()


CONNECTED = said(("connected", "Connected Successfully"))
LET_IN = said(("auth_success", "authenticated"))


def let_in():
    dialogue = MassiveDialogue(KEY)
    dialogue.hear(CONNECTED)
    dialogue.hear(LET_IN)
    return dialogue


def spoken(messages):
    return [json.loads(message) for message in messages]


def test_the_server_speaks_first_and_the_key_follows():
    dialogue = MassiveDialogue(KEY)
    assert dialogue.connected() == []
    assert spoken(dialogue.hear(CONNECTED)) == [{"action": "auth", "params": KEY}]
    assert not dialogue.is_ready
    assert dialogue.want({Topic(Channel.QUOTES, "SPY")}) == []
    assert dialogue.hear(LET_IN) == []
    assert dialogue.is_ready


def test_topics_are_asked_for_once_and_given_up():
    dialogue, aapl, spy = let_in(), Topic(Channel.PRINTS, "AAPL"), Topic(Channel.QUOTES, "SPY")
    assert spoken(dialogue.want({aapl, spy})) == [{"action": "subscribe", "params": "Q.SPY,T.AAPL"}]
    assert dialogue.want({aapl, spy}) == []
    dialogue.hear(said(("success", "subscribed to: T.AAPL"), ("success", "subscribed to: Q.SPY")))
    assert dialogue.acknowledged == {aapl, spy}
    assert spoken(dialogue.want({spy})) == [{"action": "unsubscribe", "params": "T.AAPL"}]
    dialogue.hear(said(("success", "unsubscribed to: T.AAPL")))
    assert dialogue.acknowledged == {spy}


def test_many_topics_are_asked_for_in_few_messages():
    topics = {Topic(channel, f"S{i}") for channel in (Channel.QUOTES, Channel.BARS_1M) for i in range(500)}
    messages = spoken(let_in().want(topics))
    asked = [text for message in messages for text in message["params"].split(",")]
    assert [len(message["params"].split(",")) for message in messages] == [400, 400, 200]
    assert len(set(asked)) == len(asked) == 1_000
    assert asked == sorted(asked)


def test_a_refused_topic_is_known_by_name_and_the_connection_goes_on():
    dialogue, aapl = let_in(), Topic(Channel.STATUSES, "AAPL")
    dialogue.want({aapl, Topic(Channel.QUOTES, "AAPL")})
    dialogue.hear(said(("error", "not authorized: LULD.AAPL"), ("success", "subscribed to: Q.AAPL")))
    assert dialogue.refused == {aapl: "not authorized: LULD.AAPL"}
    dialogue.hear(said(("error", "something is wrong")))
    assert len(dialogue.refused) == 1
    dialogue.want(set())
    assert dialogue.refused == {}


@pytest.mark.parametrize(
    ("status", "is_fatal", "floor_s"),
    [
        ("auth_failed", True, 0.0),
        ("auth_timeout", False, 1.0),
        ("max_connections", False, 10.0),
        ("slow_consumer", False, 1.0),
        ("force_disconnect", False, 10.0),
    ],
)
def test_every_refusal_says_whether_to_come_back_and_when(status, is_fatal, floor_s):
    dialogue = let_in()
    with pytest.raises(DialogueError, match=f"^massive: {status}: why") as caught:
        dialogue.hear(said((status, "why")))
    assert (caught.value.is_fatal, caught.value.floor_s) == (is_fatal, floor_s)


def test_the_best_known_storm_is_no_success_first():
    """Let in, then told in the same breath that there are too many: the floor holds all the same."""
    dialogue = MassiveDialogue(KEY)
    dialogue.hear(CONNECTED)
    with pytest.raises(DialogueError) as caught:
        dialogue.hear(said(("auth_success", "authenticated"), ("max_connections", "Maximum number exceeded.")))
    assert caught.value.floor_s >= 10


def test_statuses_are_found_wherever_they_stand(shared_data):
    dialogue = MassiveDialogue(KEY)
    data = (shared_data / "websocket" / "massive" / "live_frames_stocks.ndjson").read_bytes().splitlines()
    assert not any(dialogue.concerns(line) for line in data)
    mixed = data[0].rstrip(b"]") + b"," + LET_IN.lstrip(b"[")
    assert dialogue.concerns(mixed)
    dialogue.hear(mixed)
    assert dialogue.is_ready


def test_what_cannot_be_read_changes_nothing():
    dialogue = let_in()
    for payload in (
        b'["status"]',
        b'\xff"status" u',
        b'[{"ev":"status","status":5}]',
        b"[" * 50_000,
        b'{"status":"u"}',
    ):
        assert dialogue.hear(payload) == []
    assert dialogue.is_ready


def test_the_key_is_in_no_address_and_no_text():
    feed = vendor(KEY)
    question = next(feed.history(Topic(Channel.PRINTS, "BRK.A"), 1, 2))
    assert KEY not in feed.url + question.url + repr(feed) + repr(feed.dialogue())
    assert question.headers == {"Authorization": f"Bearer {KEY}"}


def test_a_vendor_says_what_the_connection_needs():
    feed = vendor(KEY, channels={Channel.PRINTS, Channel.BARS_1M})
    assert feed.topics({"AAPL", "NVDA"}) == {
        Topic(channel, symbol) for channel in (Channel.PRINTS, Channel.BARS_1M) for symbol in ("AAPL", "NVDA")
    }
    assert feed.sentinel == Topic(Channel.PRINTS, "SPY")
    assert (feed.url, feed.calendar) == ("wss://socket.massive.com/stocks", "XNYS")
    assert isinstance(feed.normalizer(), MassiveMessages)
    assert vendor(KEY).sentinel == Topic(Channel.QUOTES, "SPY")
    assert vendor(KEY, channels={Channel.STATUSES}).sentinel is None


@pytest.mark.parametrize(
    "values",
    [
        {"url": "ws://socket.massive.com/stocks"},
        {"rest_url": "http://api.massive.com"},
        {"url": "wss://k:3y@socket.massive.com/stocks"},
        {"url": "wss://socket.massive.com/stocks?key=k3y"},
        {"channels": {Channel.HEARTBEATS}},
        {"channels": set()},
    ],
)
def test_a_setting_that_would_leak_or_mean_nothing_is_refused(values):
    with pytest.raises(ConfigError):
        vendor(KEY, **values)


def test_a_simulator_on_this_machine_needs_no_secrecy():
    feed = vendor(KEY, url="ws://127.0.0.1:9000/stocks", rest_url="http://127.0.0.1:9000/")
    question = next(feed.history(Topic(Channel.QUOTES, "A B"), 5, 9))
    assert question.url == (
        "http://127.0.0.1:9000/v3/quotes/A%20B?timestamp.gte=5&timestamp.lt=9&order=asc&sort=timestamp&limit=50000"
    )


def test_pages_are_followed_by_path_and_query_alone():
    questions = vendor(KEY).history(Topic(Channel.PRINTS, "AAPL"), 1, 2)
    next(questions)
    second = questions.send(b'{"results":[],"next_url":"https://evil.example/v3/trades/AAPL?cursor=abc"}')
    assert second.url == "https://api.massive.com/v3/trades/AAPL?cursor=abc"
    with pytest.raises(StopIteration):
        questions.send(b'{"results":[]}')


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"next_url":5}', b'{"next_url":"nowhere"}', b'{"next_url":"http://[::1"}']
)
def test_an_answer_that_is_no_page_ends_the_questions(body):
    questions = vendor(KEY).history(Topic(Channel.PRINTS, "AAPL"), 1, 2)
    next(questions)
    with pytest.raises(StopIteration):
        questions.send(body)


def test_bars_are_asked_for_whole():
    minute_ns = 60 * 10**9
    question = next(vendor(KEY).history(Topic(Channel.BARS_1M, "AAPL"), 90 * 10**9, 3 * minute_ns))
    assert question.url.endswith("/v2/aggs/ticker/AAPL/range/1/minute/60000/179999?adjusted=false&sort=asc&limit=50000")
    assert list(vendor(KEY).history(Topic(Channel.STATUSES, "AAPL"), 1, 2)) == []
