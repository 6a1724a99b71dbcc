"""Massive's server without a socket: its handshake, its faults, its pages."""

import json
from base64 import urlsafe_b64encode

import numpy as np
import pytest

from pipeline.block import Block
from pipeline.codes import BarBasis, Kind
from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.massive import MassiveDialogue, vendor
from pipeline.ports import Answer, Channel, Topic
from pipeline.simulator.massive import AUTH_WITHIN_S, MassiveConversation, MassiveFaults, MassiveVenue
from pipeline.simulator.venue import Framing, Scolding, Timed, Venue
from pipeline.units import MINUTE_NS

START_NS = 1_793_779_200 * 10**9
QUOTES = Topic(Channel.QUOTES, "ABCD")


class Served:
    """What was served, as `venue.History`: rows of topics."""

    def __init__(self, **blocks):
        self._blocks = {Topic(Channel(name), "ABCD"): block for name, block in blocks.items()}

    def rows(self, topic, from_ns, to_ns, rows_max):
        if topic not in self._blocks:
            return []
        block = self._blocks[topic]
        times = block.number("ts_event_ns")
        found = block.take((from_ns <= times) & (times < to_ns))
        order = np.argsort(found.number("ts_event_ns"), kind="stable")[:rows_max]
        return [found.take(order)]


def quotes(times):
    count = len(times)
    return Block.of(
        Kind.QUOTE,
        count,
        seq=np.arange(1, count + 1),
        ts_event_ns=times,
        instrument_id=1,
        bid_nano=np.arange(count) * 10_000_000 + 10**9,
        ask_nano=np.arange(count) * 10_000_000 + 2 * 10**9,
        bid_size_steps=1,
        ask_size_steps=2,
        vendor_seq=np.arange(count),
    )


def statuses(messages):
    return [(status["status"], status["message"]) for message in messages for status in json.loads(message)]


def say(conversation, action, params):
    return statuses(conversation.hear(json.dumps({"action": action, "params": params}).encode()))


def talked(venue, topics, key="key"):
    """Dialogue and conversation, talked to the end of what they have to say."""
    dialogue, conversation = MassiveDialogue(key), venue.conversation({})
    to_client, to_server = conversation.connected(), dialogue.connected()
    while to_client or to_server:
        to_server += [
            answer for message in to_client if dialogue.concerns(message) for answer in dialogue.hear(message)
        ]
        to_server += dialogue.want(topics)
        to_client = [answer for message in to_server for answer in conversation.hear(message)]
        to_server = []
    return dialogue, conversation


def test_the_handshake_is_massives():
    conversation = MassiveVenue(key="key").conversation({})
    assert statuses(conversation.connected()) == [("connected", "Connected Successfully")]
    assert say(conversation, "subscribe", "T.AAPL") == [("error", "not authorized")]
    assert say(conversation, "auth", "key") == [("auth_success", "authenticated")]
    assert say(conversation, "subscribe", "T.AAPL,Q.*") == [
        ("success", "subscribed to: T.AAPL"),
        ("success", "subscribed to: Q.*"),
    ]
    assert conversation.wanted == {Topic(Channel.PRINTS, "AAPL"), Topic(Channel.QUOTES, "*")}
    assert say(conversation, "unsubscribe", "T.AAPL") == [("success", "unsubscribed to: T.AAPL")]
    assert conversation.wanted == {Topic(Channel.QUOTES, "*")}
    assert say(conversation, "subscribe", "XYZ.AAPL, T") == [
        ("error", "unknown channel: XYZ.AAPL"),
        ("error", "unknown channel: T"),
    ]
    assert conversation.close_code is None


def test_both_sides_understand_each_other():
    topics = {Topic(channel, f"S{i}") for channel in MassiveVenue().channels for i in range(300)}
    dialogue, conversation = talked(MassiveVenue(key="key"), topics)
    assert dialogue.acknowledged == conversation.wanted == topics
    assert dialogue.refused == {}


def test_a_wrong_key_is_refused_for_good():
    with pytest.raises(DialogueError) as caught:
        talked(MassiveVenue(key="key"), {QUOTES}, key="other")
    assert caught.value.is_fatal


def test_evictions_and_timeouts_come_in_their_order_and_end():
    venue = MassiveVenue(faults=MassiveFaults(auth_timeouts=1, evictions=2))
    told = []
    for _ in range(3):
        with pytest.raises(DialogueError) as caught:
            talked(venue, {QUOTES})
        told.append((caught.value.is_fatal, caught.value.floor_s))
    assert told == [(False, 1.0), (False, 10.0), (False, 10.0)]
    dialogue, _ = talked(venue, {QUOTES})
    assert dialogue.acknowledged == {QUOTES}


def test_every_key_is_refused_when_logins_are():
    with pytest.raises(DialogueError, match="auth_failed"):
        talked(MassiveVenue(faults=MassiveFaults(refuses_auth=True)), {QUOTES})


def test_who_shows_no_key_is_let_go():
    late, known = MassiveVenue().conversation({}), MassiveVenue().conversation({})
    say(known, "auth", "key")
    assert late.waited(AUTH_WITHIN_S - 0.1) == known.waited(1e9) == []
    assert statuses(late.waited(AUTH_WITHIN_S)) == [("auth_timeout", "No authentication request received.")]
    assert (late.close_code, known.close_code) == (1008, None)
    assert late.waited(AUTH_WITHIN_S + 1) == []


def test_a_slow_client_is_told_in_words_it_understands():
    (said,) = MassiveVenue().conversation({}).too_slow()
    with pytest.raises(DialogueError, match="slow_consumer"):
        MassiveDialogue("key").hear(said)


def test_an_evicted_client_was_let_in_first():
    conversation = MassiveVenue(faults=MassiveFaults(evictions=1)).conversation({})
    assert [status for status, _ in say(conversation, "auth", "key")] == ["auth_success", "max_connections"]
    assert conversation.close_code == 1008
    assert say(conversation, "subscribe", "T.AAPL") == []


def test_the_venue_fits_its_host():
    venue: Venue = MassiveVenue()
    conversation = venue.conversation({})
    assert isinstance(conversation, MassiveConversation)
    assert isinstance(conversation, Timed)
    assert isinstance(conversation, Scolding)
    assert not isinstance(conversation, Framing)


def test_lost_acknowledgements_leave_topics_unacknowledged():
    topics = {Topic(Channel.PRINTS, symbol) for symbol in ("A", "B", "C")}
    dialogue, conversation = talked(MassiveVenue(faults=MassiveFaults(acks_lost=2)), topics)
    assert conversation.wanted == topics
    assert dialogue.acknowledged == {Topic(Channel.PRINTS, "C")}


def test_topics_nobody_is_entitled_to_are_refused_by_name():
    faults = MassiveFaults(unauthorized=frozenset({"Q.ABCD", "LULD.*"}))
    bands, prints = Topic(Channel.STATUSES, "ABCD"), Topic(Channel.PRINTS, "ABCD")
    dialogue, conversation = talked(MassiveVenue(faults=faults), {QUOTES, bands, prints})
    assert dialogue.refused.keys() == {QUOTES, bands}
    assert conversation.wanted == dialogue.acknowledged == {prints}


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff", b'{"action":5}', b"[" * 50_000, b'{"action":"dance"}'])
def test_a_client_that_babbles_is_answered(payload):
    assert [status for status, _ in statuses(MassiveVenue().conversation({}).hear(payload))] == ["error"]


def asked(questions, venue, history):
    """The bodies of all pages, as a client that follows questions gets them."""
    bodies, body = [], None
    while True:
        try:
            question = questions.send(body)
        except StopIteration:
            return bodies
        path, _, query = question.url.removeprefix("http://127.0.0.1:1").partition("?")
        pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        answer = venue.get(path, pairs, question.headers, history)
        assert answer.status == 200, answer.body
        bodies.append(answer.body)
        body = answer.body


@pytest.mark.parametrize("same_times", [1, 3, 50])
def test_history_in_pages_is_whole_and_without_duplicates(same_times, monkeypatch):
    monkeypatch.setattr("pipeline.feeds.massive.PAGE_ROWS", 7)
    times = START_NS + np.arange(100) // same_times
    feed = vendor("key", url="ws://127.0.0.1:1/stocks", rest_url="http://127.0.0.1:1")
    venue, history = MassiveVenue(key="key"), Served(quotes=quotes(times))
    bodies = asked(feed.history(QUOTES, START_NS, START_NS + 90), venue, history)
    count = int((times < START_NS + 90).sum())
    assert len(bodies) == -(-count // 7)
    batch = feed.normalizer().read_history([Answer(QUOTES, START_NS, body) for body in bodies])
    (found,) = (block for block in batch if block.kind is Kind.QUOTE)
    assert sorted(found.number("vendor_seq").tolist()) == list(range(count))
    assert (np.diff(found.number("ts_event_ns")) >= 0).all()


def get(venue, history, path, **query):
    answer = venue.get(path, {name.replace("_", "."): value for name, value in query.items()}, {}, history)
    return answer.status, json.loads(answer.body)


def test_the_newest_come_first_unless_asked_otherwise():
    history, venue = Served(quotes=quotes(START_NS + np.arange(5))), MassiveVenue()
    status, page = get(venue, history, "/v3/quotes/ABCD", limit="3")
    assert (status, [result["sequence_number"] for result in page["results"]]) == (200, [4, 3, 2])
    cursor = page["next_url"].partition("cursor=")[2]
    _, rest = get(venue, history, "/v3/quotes/ABCD", cursor=cursor)
    assert [result["sequence_number"] for result in rest["results"]] == [1, 0]
    assert "next_url" not in rest


def test_bounds_and_days_are_understood():
    history, venue = Served(quotes=quotes(START_NS + np.arange(5))), MassiveVenue()

    def found(**query):
        return [
            one["sequence_number"] for one in get(venue, history, "/v3/quotes/ABCD", order="asc", **query)[1]["results"]
        ]

    assert found(timestamp_gt=str(START_NS), timestamp_lte=str(START_NS + 2)) == [1, 2]
    assert found(timestamp=str(START_NS + 3)) == [3]
    assert found(timestamp="2026-11-04") == [0, 1, 2, 3, 4]  # 3:00 in New York
    assert found(timestamp_lt="2026-11-04") == found(timestamp_gt="2026-11-04") == []


def test_of_a_revised_bar_the_last_is_given():
    start = START_NS + np.array([0, 60, 60, 120]) * 10**9
    bars = Block.of(
        Kind.BAR,
        4,
        seq=np.arange(1, 5),
        ts_event_ns=start,
        bar_length=MINUTE_NS,
        open_nano=10**9,
        high_nano=10**9,
        low_nano=10**9,
        close_nano=10**9,
        volume_steps=[1, 2, 3, 4],
        basis=int(BarBasis.VENDOR),
    )
    venue, history = MassiveVenue(), Served(bars_1m=bars)
    ms = START_NS // 10**6
    _, page = get(venue, history, f"/v2/aggs/ticker/ABCD/range/1/minute/{ms}/{ms + 119_999}")
    assert [(bar["t"], bar["v"]) for bar in page["results"]] == [(ms, 1), (ms + 60_000, 3)]
    _, first = get(venue, history, f"/v2/aggs/ticker/ABCD/range/1/minute/{ms}/{ms + 200_000}", limit="2")
    path, _, query = first["next_url"].removeprefix("https://api.massive.com").partition("?")
    assert query == "sort=asc&limit=2"
    _, rest = get(venue, history, path)
    assert [bar["v"] for bar in first["results"] + rest["results"]] == [1, 3, 4]


def test_conditions_are_the_table_of_the_house(shared_data):
    (path,) = (shared_data / "websocket" / "massive" / "rest_mocks" / "v3" / "reference").glob("conditions*")
    theirs = {each["id"]: each for each in json.loads(path.read_bytes())["results"]}
    ours = {each["id"]: each for each in get(MassiveVenue(), Served(), "/v3/reference/conditions")[1]["results"]}
    assert len(ours) > 40
    for number, each in theirs.items():
        assert ours[number]["update_rules"]["consolidated"] == each["update_rules"]["consolidated"]
        assert ours[number]["sip_mapping"].items() <= each["sip_mapping"].items()  # of two with one letter, one has it


def test_bad_questions_are_refused():
    deep = {"cursor": urlsafe_b64encode(b'{"x":' + b"[" * 50_000).decode()}
    venue = MassiveVenue(key="key")
    assert venue.get("/v3/quotes/ABCD", {}, {}, Served()).status == 401
    assert venue.get("/v3/quotes/ABCD", {"apiKey": "key"}, {}, Served()).status == 200
    assert venue.get("/v3/quotes/ABCD", {}, {"authorization": "Bearer key"}, Served()).status == 200
    for query in ({"limit": "0"}, {"limit": "x"}, {"cursor": "!"}, {"timestamp": "tomorrow"}, {"cursor": "e30"}, deep):
        assert get(MassiveVenue(), Served(), "/v3/quotes/ABCD", **query)[0] == 400, query
    assert get(MassiveVenue(), Served(), "/v1/nothing")[0] == 404
