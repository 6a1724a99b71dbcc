"""The conversation with Alpaca's server, and what is asked of its REST."""

import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from pipeline.feeds.alpaca import AlpacaDialogue, vendor
from pipeline.feeds.dialogue import DialogueError
from pipeline.normalize.alpaca_words import Encoding
from pipeline.ports import Channel, Topic
from pipeline.units import NANO

both = pytest.mark.parametrize("encoding", Encoding)
WRITE = {Encoding.JSON: msgspec.json.encode, Encoding.MSGPACK: msgspec.msgpack.encode}
READ = {Encoding.JSON: msgspec.json.decode, Encoding.MSGPACK: msgspec.msgpack.decode}
PRINTS = Topic(Channel.PRINTS, "AAPL")
MINUTES = Topic(Channel.BARS_1M, "AAPL")
STATUSES = Topic(Channel.STATUSES, "AAPL")


class Talk:
    """A dialogue and its server's words."""

    def __init__(self, encoding=Encoding.JSON):
        self.encoding = encoding
        self.dialogue = AlpacaDialogue("the key", "the secret", encoding)

    def hear(self, *said):
        payload = WRITE[self.encoding](said)
        assert self.dialogue.concerns(payload)
        return [READ[self.encoding](answer) for answer in self.dialogue.hear(payload)]

    def want(self, *topics):
        return [READ[self.encoding](message) for message in self.dialogue.want(set(topics))]

    def ready(self):
        self.hear({"T": "success", "msg": "connected"})
        self.hear({"T": "success", "msg": "authenticated"})
        return self


@both
def test_the_key_goes_in_a_message_when_the_server_has_spoken(encoding):
    talk = Talk(encoding)
    assert talk.dialogue.connected() == []
    assert talk.want(PRINTS) == []
    assert talk.hear({"T": "success", "msg": "connected"}) == [
        {"action": "auth", "key": "the key", "secret": "the secret"}
    ]
    assert not talk.dialogue.is_ready
    assert talk.hear({"T": "success", "msg": "authenticated"}) == []
    assert talk.dialogue.is_ready


@both
def test_what_is_wanted_is_asked_once_and_what_is_not_any_more_given_up(encoding):
    talk = Talk(encoding).ready()
    assert talk.want(PRINTS, MINUTES) == [
        {"action": "subscribe", "bars": ["AAPL"], "updatedBars": ["AAPL"], "trades": ["AAPL"]}
    ]
    assert talk.want(PRINTS, MINUTES) == []
    subscribed, unsubscribed = talk.want(PRINTS, STATUSES)
    assert subscribed == {"action": "subscribe", "statuses": ["AAPL"], "lulds": ["AAPL"]}
    assert unsubscribed == {"action": "unsubscribe", "bars": ["AAPL"], "updatedBars": ["AAPL"]}


def test_the_acknowledgement_is_the_whole_state():
    talk = Talk().ready()
    talk.want(PRINTS, MINUTES, STATUSES)
    talk.hear({"T": "subscription", "trades": ["AAPL"], "bars": ["AAPL", "SPY"], "updatedBars": ["AAPL"]})
    assert talk.dialogue.acknowledged == {PRINTS, MINUTES}
    talk.hear({"T": "subscription", "statuses": ["AAPL"], "lulds": ["AAPL"]})
    assert talk.dialogue.acknowledged == {STATUSES}


@pytest.mark.parametrize(
    ("code", "is_fatal", "floor_s"),
    [
        (402, True, 2),
        (409, True, 2),
        (410, True, 2),
        (411, True, 2),
        (406, False, 10),
        (407, False, 1),
        (404, False, 2),
        (500, False, 2),
        (999, False, 2),
    ],
)
def test_errors_end_the_conversation_by_their_code(code, is_fatal, floor_s):
    talk = Talk()
    with pytest.raises(DialogueError, match=f"Alpaca: error {code}, some words") as caught:
        talk.hear({"T": "error", "code": code, "msg": "some words"})
    assert (caught.value.is_fatal, caught.value.floor_s, caught.value.code) == (is_fatal, floor_s, code)
    assert "secret" not in str(caught.value)


def test_too_many_symbols_refuse_what_is_not_acknowledged():
    talk = Talk().ready()
    talk.want(PRINTS)
    talk.hear({"T": "subscription", "trades": ["AAPL"]})
    more = Topic(Channel.PRINTS, "NVDA")
    talk.want(PRINTS, more)
    talk.hear({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
    assert talk.dialogue.refused == {more: "Alpaca: error 405, symbol limit exceeded"}
    assert talk.dialogue.acknowledged == {PRINTS}
    talk.want(PRINTS)
    assert talk.dialogue.refused == {}


def test_a_channel_that_alpaca_lacks_is_refused():
    talk = Talk().ready()
    seconds = Topic(Channel.BARS_1S, "AAPL")
    assert talk.want(seconds) == []
    assert talk.dialogue.refused == {seconds: "Alpaca has no bars_1s"}


@both
def test_market_data_does_not_concern_the_conversation(encoding):
    dialogue = AlpacaDialogue("k", "s", encoding)
    write = WRITE[encoding]
    assert not dialogue.concerns(write([{"T": "q", "S": "success"}]))
    assert not dialogue.concerns(write([{"T": "t", "S": "A"}] * 70_000))
    assert not dialogue.concerns(write([{"T": "t", **{f"field{k}": k for k in range(40)}}]))
    assert dialogue.concerns(write([{"code": 500, "msg": "x", "T": "error"}]))
    assert dialogue.concerns(write([{"trades": ["A"] * 50, "T": "subscription"}]))
    assert not dialogue.concerns(b"")


@both
def test_a_message_that_can_not_be_read_changes_nothing(encoding):
    dialogue = AlpacaDialogue("k", "s", encoding)
    for cut in (b'[{"T":"error","code":', b'[{"T":"success","ms\xe7":"authenticated"}]'):
        assert dialogue.hear(cut) == []
    assert not dialogue.is_ready
    assert not dialogue.acknowledged


def test_the_vendor_is_a_value_without_secrets():
    feed = vendor("the key", "the secret", feed="iex")
    assert (feed.name, feed.url) == ("alpaca.iex", "wss://stream.data.alpaca.markets/v2/iex")
    assert feed.headers() == {"Content-Type": "application/msgpack"}
    assert vendor("k", "s", encoding=Encoding.JSON).headers() == {}
    assert "secret" not in repr(feed)
    assert feed.sentinel == Topic(Channel.QUOTES, "SPY")
    assert feed.topics({"AAPL"}) == {Topic(channel, "AAPL") for channel in feed.channels - {Channel.BARS_1D}}
    assert feed.normalizer().read([]) == []
    assert feed.dialogue().connected() == []


def test_history_is_asked_page_after_page():
    feed = vendor("the key", "the secret", rest_url="http://127.0.0.1:1")
    questions = feed.history(Topic(Channel.PRINTS, "BRK.B"), 1_793_801_460 * NANO, 1_793_801_461 * NANO)
    first = next(questions)
    assert "the secret" not in repr(first)
    assert first.headers == {"APCA-API-KEY-ID": "the key", "APCA-API-SECRET-KEY": "the secret"}
    url = urlsplit(first.url)
    assert url.path == "/v2/stocks/BRK.B/trades"
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert query == {
        "start": "2026-11-04T14:11:00Z",
        "end": "2026-11-04T14:11:00.999999999Z",
        "limit": "10000",
        "feed": "sip",
        "sort": "asc",
    }
    second = questions.send(json.dumps({"trades": [], "next_page_token": "a+b="}).encode())
    assert parse_qs(urlsplit(second.url).query)["page_token"] == ["a+b="]
    with pytest.raises(StopIteration):
        questions.send(b'{"trades": null, "next_page_token": null}')


@pytest.mark.parametrize(
    ("channel", "path", "timeframe"),
    [(Channel.QUOTES, "quotes", None), (Channel.BARS_1M, "bars", "1Min"), (Channel.BARS_1D, "bars", "1Day")],
)
def test_each_channel_has_its_history(channel, path, timeframe):
    question = next(vendor("k", "s").history(Topic(channel, "AAPL"), 0, 1))
    url = urlsplit(question.url)
    assert url.path == f"/v2/stocks/AAPL/{path}"
    assert parse_qs(url.query).get("timeframe", [None]) == [timeframe]


def test_there_is_no_history_of_statuses_or_of_nothing():
    history = vendor("k", "s").history
    assert list(history(STATUSES, 0, 1)) == []
    assert list(history(PRINTS, 1, 1)) == []


def test_a_page_that_can_not_be_read_is_told():
    questions = vendor("k", "s").history(PRINTS, 0, 1)
    next(questions)
    with pytest.raises(DialogueError, match="a page of 6 bytes"):
        questions.send(b"<html>")
