"""Alpaca's server: what it answers, what it serves, what it can be made to refuse."""

import json
from itertools import count
from urllib.parse import parse_qsl, urlsplit

import msgspec
import numpy as np
import pytest

from pipeline.block import Block, concat
from pipeline.codes import Kind, Mark
from pipeline.feeds.alpaca import CHANNELS, AlpacaDialogue, vendor
from pipeline.feeds.dialogue import DialogueError
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_out import CARRIED
from pipeline.normalize.alpaca_words import CONTENT_TYPE, Encoding
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.simulator.alpaca import AlpacaVenue, Words
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.units import MINUTE_NS, NANO

both = pytest.mark.parametrize("encoding", Encoding)
WRITE = {Encoding.JSON: msgspec.json.encode, Encoding.MSGPACK: msgspec.msgpack.encode}
READ = {Encoding.JSON: msgspec.json.decode, Encoding.MSGPACK: msgspec.msgpack.decode}
START_NS = 1_793_801_460 * NANO
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


class Peer:
    """A client of a conversation, in one encoding."""

    def __init__(self, venue, encoding=Encoding.JSON, headers=None):
        self.encoding = encoding
        content = {"content-type": CONTENT_TYPE} if encoding is Encoding.MSGPACK else {}
        self.conversation = venue.conversation({**content, **(headers or {})})
        self.greeting = self._read(self.conversation.connected())

    def _read(self, messages):
        return [each for message in messages for each in READ[self.encoding](message)]

    def say(self, action, **rest):
        return self._read(self.conversation.hear(WRITE[self.encoding]({"action": action, **rest})))

    def auth(self, key="key", secret="secret"):
        return self.say("auth", key=key, secret=secret)


def state(**channels):
    names = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
    return {"T": "subscription", **{name: channels.get(name, []) for name in names}} | {
        name: channels.get("trades", []) for name in ("corrections", "cancelErrors")
    }


@both
def test_a_client_is_let_in_and_told_all_that_it_is_subscribed_to(encoding):
    peer = Peer(AlpacaVenue(Words(keys={"key": "secret"})), encoding)
    assert peer.conversation.is_binary == (encoding is Encoding.MSGPACK)
    assert peer.greeting == [{"T": "success", "msg": "connected"}]
    assert peer.auth() == [{"T": "success", "msg": "authenticated"}]
    assert peer.say("subscribe", trades=["AAPL"], bars=["*"]) == [state(trades=["AAPL"], bars=["*"])]
    assert peer.say("subscribe", quotes=["SPY"]) == [state(trades=["AAPL"], bars=["*"], quotes=["SPY"])]
    assert peer.conversation.wanted == {
        Topic(Channel.PRINTS, "AAPL"),
        Topic(Channel.BARS_1M, "*"),
        Topic(Channel.QUOTES, "SPY"),
    }
    assert peer.say("unsubscribe", trades=["AAPL", "NVDA"], bars=["*"]) == [state(quotes=["SPY"])]
    assert peer.conversation.wanted == {Topic(Channel.QUOTES, "SPY")}


def test_a_key_in_the_handshake_is_enough():
    peer = Peer(AlpacaVenue(), headers=KEYS)
    assert [each["msg"] for each in peer.greeting] == ["connected", "authenticated"]


def code(answers):
    (answer,) = answers
    assert answer["T"] == "error"
    assert answer["msg"]
    return answer["code"]


def test_errors_have_the_vendors_numbers():
    venue = AlpacaVenue(Words(keys={"key": "secret"}, symbols_max=2))
    peer = Peer(venue)
    assert code(peer.say("subscribe", trades=["AAPL"])) == 401
    assert code(peer.auth(secret="wrong")) == 402
    peer.auth()
    assert code(peer.auth()) == 403
    assert code(peer.say("subscribe", trades=["A", "B", "C"])) == 405
    assert peer.conversation.wanted == frozenset()
    assert code(peer.say("dance")) == 400
    assert code(peer._read(peer.conversation.hear(b"{"))) == 400
    assert code(peer._read(peer.conversation.hear(b"[1]"))) == 400
    assert code(peer._read(peer.conversation.too_slow())) == 407


def test_who_does_not_say_his_name_is_let_go():
    silent, known = Peer(AlpacaVenue()), Peer(AlpacaVenue(), headers=KEYS)
    assert silent.conversation.waited(9.9) == []
    assert code(silent._read(silent.conversation.waited(10.0))) == 404
    assert silent.conversation.close_code == 1008
    assert silent.conversation.waited(10.1) == []
    assert known.conversation.waited(3_600.0) == []


def test_auths_can_be_refused_for_a_while_on_the_same_socket():
    peer = Peer(AlpacaVenue(Words(refused_auths=2)))
    assert [code(peer.auth()), code(peer.auth())] == [406, 406]
    assert peer.auth() == [{"T": "success", "msg": "authenticated"}]


def test_acknowledgements_can_be_lost():
    peer = Peer(AlpacaVenue(Words(lost_acks=1)), headers=KEYS)
    assert peer.say("subscribe", trades=["AAPL"]) == []
    assert peer.say("subscribe", quotes=["AAPL"]) == [state(trades=["AAPL"], quotes=["AAPL"])]


@both
def test_our_own_dialogue_is_understood(encoding):
    venue = AlpacaVenue(Words(keys={"key": "secret"}, symbols_max=8))
    peer, dialogue = Peer(venue, encoding), AlpacaDialogue("key", "secret", encoding)
    waiting = WRITE[encoding](peer.greeting)

    def exchange(messages):
        while messages:
            answers = [answer for message in messages for answer in peer.conversation.hear(message)]
            messages = [reply for answer in answers if dialogue.concerns(answer) for reply in dialogue.hear(answer)]

    exchange(dialogue.hear(waiting))
    assert dialogue.is_ready
    topics = {Topic(channel, "AAPL") for channel in CHANNELS}
    exchange(dialogue.want(topics))
    assert dialogue.acknowledged == topics == peer.conversation.wanted
    exchange(dialogue.want(topics | {Topic(Channel.QUOTES, "A"), Topic(Channel.QUOTES, "B")}))
    assert set(dialogue.refused) == {Topic(Channel.QUOTES, "A"), Topic(Channel.QUOTES, "B")}
    exchange(dialogue.want({Topic(Channel.QUOTES, "AAPL")}))
    assert dialogue.acknowledged == {Topic(Channel.QUOTES, "AAPL")}


def test_our_own_dialogue_ends_when_it_is_refused():
    peer, dialogue = Peer(AlpacaVenue(Words(refused_auths=1))), AlpacaDialogue("key", "secret", Encoding.JSON)
    (auth,) = dialogue.hear(json.dumps(peer.greeting).encode())
    with pytest.raises(DialogueError, match="406") as caught:
        dialogue.hear(peer.conversation.hear(auth)[0])
    assert not caught.value.is_fatal


@both
def test_events_come_in_the_encoding_of_the_connection(encoding):
    venue = AlpacaVenue()
    peer = Peer(venue, encoding, KEYS)
    batch = list(GeneratedDay(Day(instruments=1, quotes=60)).events())[1]
    payloads = [each.payload for each in venue.encoder.served(batch, {1: "ABCD"})]
    (frame,) = peer.conversation.frame(payloads)
    blocks = AlpacaMessages(encoding=encoding).read([Message(1, frame)])
    assert {block.kind: len(block) for block in blocks if block.kind in CARRIED} == {
        block.kind: len(block) for block in batch if block.kind in CARRIED
    }


class Kept:
    """History of blocks in memory, all of them served."""

    def __init__(self, blocks, ids):
        self._blocks = {block.kind: block for block in concat(blocks)}
        self._ids = ids

    def rows(self, topic, from_ns, to_ns, rows_max):
        kind = {Channel.PRINTS: Kind.PRINT, Channel.QUOTES: Kind.QUOTE}.get(topic.channel, Kind.BAR)
        block = self._blocks.get(kind)
        if block is None or topic.symbol not in self._ids:
            return []
        ts_ns = block.number("ts_event_ns")
        rows = (block.number("instrument_id") == self._ids[topic.symbol]) & (ts_ns >= from_ns) & (ts_ns < to_ns)
        found = block.take(rows)
        return [found.take(np.argsort(found.number("ts_event_ns"), kind="stable")).slice(0, rows_max)]


def prints(id_, times, **columns):
    return Block.of(
        Kind.PRINT,
        len(times),
        seq=np.arange(1, len(times) + 1),
        ts_event_ns=np.array(times),
        instrument_id=id_,
        price_nano=NANO * np.arange(1, len(times) + 1),
        size_steps=10,
        venue=ord("V"),
        trade_id=np.arange(len(times)),
        **columns,
    )


def get(venue, url, history, headers=KEYS):
    parts = urlsplit(url)
    answer = venue.get(parts.path, dict(parse_qsl(parts.query)), headers, history)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_every_row_once_though_many_share_a_time(limit):
    times = [START_NS + step for step in (0, 0, 0, 0, 1, 1, 5, 9, 9, 9)]
    history = Kept([prints(1, times), prints(2, times[:4])], {"AAPL": 1, "SPY": 2})
    for path, symbols in (("AAPL/trades?", ["AAPL"]), ("trades?symbols=AAPL,SPY,NONE", ["AAPL", "SPY"])):
        url, ids, token = f"http://h/v2/stocks/{path}&limit={limit}", {symbol: [] for symbol in symbols}, ""
        for page in count():
            assert page < 40
            status, body = get(AlpacaVenue(), url + token, history)
            assert status == 200
            found = body["trades"] if isinstance(body["trades"], dict) else {"AAPL": body["trades"] or []}
            assert sum(map(len, found.values())) <= limit
            for symbol, rows in found.items():
                ids[symbol] += [row["i"] for row in rows]
            if body["next_page_token"] is None:
                break
            token = f"&page_token={body['next_page_token']}"
        assert ids == {symbol: list(range(10 if symbol == "AAPL" else 4)) for symbol in symbols}


def test_our_own_questions_get_all_that_was_missed():
    batches = list(GeneratedDay(Day(instruments=2, quotes=3_000)).events())
    blocks = [block for batch in batches for block in batch if block.kind in (Kind.QUOTE, Kind.PRINT)]
    ids = {row["symbol"]: row["instrument_id"] for row in batches[0][0].rows()}
    history, venue = Kept(blocks, ids), AlpacaVenue(Words(keys={"key": "secret"}))
    day = concat(blocks)
    from_ns, to_ns = np.quantile(day[0].number("ts_event_ns"), (0.2, 0.8)).astype(int).tolist()
    for channel, whole in ((Channel.QUOTES, day[0]), (Channel.PRINTS, day[1])):
        for symbol, id_ in ids.items():
            topic = Topic(channel, symbol)
            questions = vendor("key", "secret").history(topic, from_ns, to_ns)
            answers, body = [], None
            while (question := _next(questions, body)) is not None:
                parts = urlsplit(question.url)
                body = venue.get(parts.path, dict(parse_qsl(parts.query)), question.headers, history).body
                answers.append(Answer(topic, START_NS, body))
            blocks = AlpacaMessages().read_history(answers)
            (found,) = (block for block in blocks if block.kind is whole.kind)
            ts_ns = whole.number("ts_event_ns")
            rows = (whole.number("instrument_id") == id_) & (ts_ns >= from_ns) & (ts_ns < to_ns)
            wanted = whole.take(rows)
            wanted = wanted.take(np.argsort(wanted.number("ts_event_ns"), kind="stable"))
            for name in CARRIED[whole.kind]:
                assert (found.number(name) == wanted.number(name)).all(), name


def _next(questions, body):
    try:
        return questions.send(body)
    except StopIteration:
        return None


def test_bars_are_asked_by_their_timeframe():
    bar = Block.of(
        Kind.BAR,
        1,
        seq=1,
        ts_event_ns=START_NS,
        instrument_id=1,
        bar_length=MINUTE_NS,
        open_nano=NANO,
        high_nano=NANO,
        low_nano=NANO,
        close_nano=NANO,
        volume_steps=5,
    )
    history = Kept([bar], {"AAPL": 1})
    status, body = get(AlpacaVenue(), "/v2/stocks/AAPL/bars?timeframe=1Min", history)
    assert (status, body["symbol"], body["bars"][0]["t"]) == (200, "AAPL", "2026-11-04T14:11:00Z")
    assert get(AlpacaVenue(), "/v2/stocks/AAPL/bars?timeframe=3Min", history)[0] == 400


def test_a_cancel_is_a_trade_that_was_canceled():
    back = prints(1, [START_NS], marks=int(Mark.CANCEL), corrects_trade_id=77)
    _, body = get(AlpacaVenue(), "/v2/stocks/AAPL/trades", Kept([back], {"AAPL": 1}))
    assert (body["trades"][0]["u"], body["trades"][0]["i"]) == ("canceled", 77)
    answer = Answer(Topic(Channel.PRINTS, "AAPL"), 1, json.dumps(body).encode())
    (row,) = (block for block in AlpacaMessages().read_history([answer]) if block.kind is Kind.PRINT)
    assert row.number("corrects_trade_id").tolist() == [77]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2026-11-04T14:11:00Z", "2026-11-04T14:11:00Z", 1),
        ("2026-11-04", "2026-11-05", 2),
        ("2026-11-04T09:11:00-05:00", "2026-11-04T14:11:00.000000001Z", 2),
        ("2026-11-04T14:11:00.000000002Z", "", 0),
    ],
)
def test_moments_are_written_in_several_ways(start, end, found):
    history = Kept([prints(1, [START_NS, START_NS + 1])], {"AAPL": 1})
    url = f"/v2/stocks/AAPL/trades?start={start}&end={end}"
    status, body = get(AlpacaVenue(), url, history)
    assert (status, len(body["trades"] or [])) == (200, found)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/v2/stocks/AAPL/dances", 404),
        ("/v2/stocks/trades", 400),
        ("/v2/stocks/AAPL/trades?limit=0", 400),
        ("/v2/stocks/AAPL/trades?limit=ten", 400),
        ("/v2/stocks/AAPL/trades?sort=desc", 400),
        ("/v2/stocks/AAPL/trades?start=yesterday", 400),
        ("/v2/stocks/AAPL/trades?page_token=zzzz", 400),
    ],
)
def test_a_wrong_question_is_answered_with_why(url, status):
    found, body = get(AlpacaVenue(), url, Kept([], {}))
    assert (found, bool(body["message"])) == (status, True)


def test_a_stranger_gets_nothing():
    venue = AlpacaVenue(Words(keys={"key": "secret"}))
    for headers in ({}, {**KEYS, "APCA-API-SECRET-KEY": "x"}):
        assert get(venue, "/v2/stocks/AAPL/trades", Kept([], {}), headers)[0] == 403
