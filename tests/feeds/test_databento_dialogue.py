"""The conversation with Databento's gateway."""

import hashlib

import databento_dbn as dbn
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.feeds.databento import FIRST_ID, MARGIN_NS, DatabentoDialogue, vendor
from pipeline.feeds.dialogue import DialogueError, Replaying
from pipeline.normalize import databento_words as words
from pipeline.ports import Channel, Topic
from pipeline.units import MINUTE_NS, SECOND_NS

KEY = "db-0123456789012345678901234567"
NOW_NS = 1_790_000_000 * SECOND_NS
SCHEMAS = {Channel.QUOTES: "mbp-1", Channel.PRINTS: "trades"}
QUOTES, PRINTS = Topic(Channel.QUOTES, "SPY"), Topic(Channel.PRINTS, "SPY")
HEARTBEATS = Topic(Channel.HEARTBEATS, "")


def ready(schemas=SCHEMAS, *, whole_until_ns=None, has_definitions=False):
    """A dialogue that was let in."""
    dialogue = DatabentoDialogue(KEY, "XNAS.ITCH", schemas, has_definitions)
    dialogue.whole_until_ns = whole_until_ns
    say(dialogue, b"success=1|session_id=7\n")
    return dialogue


def say(dialogue, payload):
    assert dialogue.concerns(payload)
    return dialogue.hear(payload)


def want(dialogue, *topics):
    return [words.words_of(line) for line in dialogue.want(set(topics) | {HEARTBEATS})]


def ack(dialogue, text, at_ns=NOW_NS):
    say(dialogue, words.system_record(words.SUBSCRIPTION_ACK, text, at_ns))


def trade(at_ns):
    record = np.zeros(1, np.dtype(dbn.TradeMsg._dtypes))
    record["length"], record["ts_event"], record["ts_recv"] = 12, at_ns - 5, at_ns
    return record.tobytes()


def test_the_challenge_is_signed_and_the_key_stays_here():
    dialogue = DatabentoDialogue(KEY, "XNAS.ITCH", SCHEMAS)
    assert dialogue.connected() == []
    assert say(dialogue, b"lsg_version=0.7\n") == []
    (line,) = say(dialogue, b"cram=challenge\n")
    said = words.words_of(line)
    assert said["auth"] == hashlib.sha256(f"challenge|{KEY}".encode()).hexdigest() + "-" + KEY[-5:]
    assert KEY not in line.decode()
    assert {name: said[name] for name in said if name not in ("auth", "client")} == {
        "dataset": "XNAS.ITCH",
        "encoding": "dbn",
        "ts_out": "0",
        "compression": "none",
        "heartbeat_interval_s": "10",
        "slow_reader_behavior": "warn",
    }
    assert want(dialogue, QUOTES) == []
    assert not dialogue.is_ready


def test_a_line_with_keys_that_nobody_knows_is_understood():
    assert ready().is_ready
    dialogue = DatabentoDialogue(KEY, "XNAS.ITCH", SCHEMAS)
    say(dialogue, b"success=1|session_id=7|colour=blue\n")
    assert dialogue.is_ready
    assert dialogue.acknowledged == {HEARTBEATS}


@pytest.mark.parametrize(
    ("text", "is_fatal", "floor_s"),
    [("Authentication failed", True, 0.0), ("Connection limit exceeded", False, 10.0)],
)
def test_a_refusal_is_for_good_unless_there_are_too_many(text, is_fatal, floor_s):
    dialogue = DatabentoDialogue(KEY, "XNAS.ITCH", SCHEMAS)
    with pytest.raises(DialogueError, match=f"databento: {text}") as refused:
        say(dialogue, f"success=0|error={text}\n".encode())
    assert (refused.value.is_fatal, refused.value.floor_s) == (is_fatal, floor_s)


def test_each_schema_is_asked_for_and_the_session_begins_once():
    dialogue = ready()
    first, second, start = want(dialogue, QUOTES, PRINTS, Topic(Channel.PRINTS, "AAPL"))
    assert (first["schema"], first["symbols"], first["stype_in"], first["id"]) == (
        "mbp-1",
        "SPY",
        "raw_symbol",
        str(FIRST_ID),
    )
    assert (second["schema"], second["symbols"], "start" in second) == ("trades", "AAPL,SPY", False)
    assert start == {"start_session": "0"}
    (later,) = want(dialogue, QUOTES, PRINTS, Topic(Channel.PRINTS, "AAPL"), Topic(Channel.PRINTS, "NEW"))
    assert (later["schema"], later["symbols"]) == ("trades", "NEW")
    assert want(dialogue, QUOTES, PRINTS, Topic(Channel.PRINTS, "AAPL"), Topic(Channel.PRINTS, "NEW")) == []


def test_many_symbols_go_in_lines_of_five_hundred():
    topics = [Topic(Channel.PRINTS, f"S{number}") for number in range(1_100)]
    lines = want(ready(), *topics)[:-1]
    assert [line["symbols"].count(",") + 1 for line in lines] == [500, 500, 100]
    assert len({line["id"] for line in lines}) == 3


def test_an_acknowledgement_is_for_the_id_it_names_else_for_the_oldest():
    dialogue = ready()
    want(dialogue, QUOTES, PRINTS)
    ack(dialogue, f"Subscription request {FIRST_ID + 1} for trades data succeeded")
    assert dialogue.acknowledged == {HEARTBEATS, PRINTS}
    ack(dialogue, "subscribed to mbp-1")
    assert dialogue.acknowledged == {HEARTBEATS, PRINTS, QUOTES}


def test_an_answer_that_never_came_is_asked_for_again():
    dialogue = ready()
    want(dialogue, QUOTES)
    assert want(dialogue) == []
    (again,) = want(dialogue, QUOTES)
    assert again["id"] == str(FIRST_ID + 1)


def test_what_is_given_back_goes_on_and_is_there_at_once_when_it_is_wanted_again():
    dialogue = ready()
    want(dialogue, QUOTES)
    ack(dialogue, "ok")
    assert want(dialogue) == []
    assert dialogue.acknowledged == {HEARTBEATS}
    assert want(dialogue, QUOTES) == []
    assert dialogue.acknowledged == {HEARTBEATS, QUOTES}


@pytest.mark.parametrize("text", ["Failed to resolve symbol: NOPE", "symbol 'NOPE' can't be resolved", "NOPE?"])
def test_a_symbol_that_cannot_be_resolved_is_refused_and_the_session_lives(text):
    dialogue, nope = ready(), Topic(Channel.PRINTS, "NOPE")
    want(dialogue, PRINTS, nope)
    ack(dialogue, "ok")
    assert nope in dialogue.acknowledged
    say(dialogue, words.error_record(words.UNRESOLVED, text, NOW_NS))
    assert dialogue.refused == {nope: text}
    assert dialogue.acknowledged == {HEARTBEATS, PRINTS}


@pytest.mark.parametrize(
    ("code", "is_fatal", "floor_s"),
    [(1, True, 0), (2, True, 0), (3, False, 10), (5, True, 0), (7, False, 1), (8, False, 0)],
)
def test_errors_end_the_connection_for_good_or_for_now(code, is_fatal, floor_s):
    dialogue = ready()
    with pytest.raises(DialogueError) as ended:
        say(dialogue, words.error_record(code, "why", NOW_NS))
    assert (ended.value.code, ended.value.is_fatal, ended.value.floor_s) == (code, is_fatal, floor_s)


@pytest.mark.parametrize("code", [0, 6, 99])
def test_other_errors_are_left_to_the_gateway(code):
    say(ready(), words.error_record(code, "why", NOW_NS))


def test_market_records_are_no_words_and_tell_how_far_the_stream_is_whole():
    dialogue = ready()
    assert isinstance(dialogue, Replaying)
    assert not dialogue.concerns(trade(NOW_NS))
    assert dialogue.whole_until_ns is None
    want(dialogue, PRINTS)
    ack(dialogue, "ok")
    assert not dialogue.concerns(trade(NOW_NS + 5) + trade(NOW_NS + 50))
    assert dialogue.whole_until_ns == NOW_NS + 5
    say(dialogue, words.system_record(words.HEARTBEAT, "Heartbeat", NOW_NS + SECOND_NS))
    assert dialogue.whole_until_ns == NOW_NS + SECOND_NS


def test_what_was_missed_is_asked_for_again_once():
    schemas = {**SCHEMAS, Channel.BARS_1M: "ohlcv-1m"}
    dialogue = ready(schemas, whole_until_ns=NOW_NS)
    quotes, bars, _ = want(dialogue, QUOTES, Topic(Channel.BARS_1M, "SPY"))
    assert int(quotes["start"]) == NOW_NS - MARGIN_NS
    assert int(bars["start"]) == NOW_NS - MARGIN_NS - MINUTE_NS
    (later,) = want(dialogue, QUOTES, PRINTS, Topic(Channel.BARS_1M, "SPY"))
    assert "start" not in later


def test_until_a_replay_has_caught_up_it_begins_where_it_began():
    dialogue = ready(whole_until_ns=NOW_NS)
    want(dialogue, PRINTS)
    dialogue.concerns(words.mapping_record(1, "SPY", NOW_NS + 60 * SECOND_NS))
    ack(dialogue, "ok", NOW_NS + 60 * SECOND_NS)
    dialogue.concerns(trade(NOW_NS + 30 * SECOND_NS))
    assert dialogue.whole_until_ns == NOW_NS
    dialogue.concerns(trade(NOW_NS + 61 * SECOND_NS))
    assert dialogue.whole_until_ns == NOW_NS + 61 * SECOND_NS


def test_what_was_left_out_for_a_slow_reader_is_asked_for_from_before_it():
    dialogue = ready()
    want(dialogue, PRINTS)
    ack(dialogue, "ok")
    batch = [trade(NOW_NS + 1), words.error_record(words.SKIPPED, "skipped", NOW_NS + 90), trade(NOW_NS + 100)]
    concerning = [payload for payload in batch if dialogue.concerns(payload)]
    with pytest.raises(DialogueError, match="left out"):
        dialogue.hear(concerning[0])
    assert dialogue.whole_until_ns == NOW_NS + 1


def test_a_replay_from_too_long_ago_is_not_asked_for_again():
    dialogue = ready(whole_until_ns=NOW_NS)
    with pytest.raises(DialogueError, match="too old"):
        say(dialogue, words.error_record(words.AGED_OUT, "24 h", NOW_NS))
    assert dialogue.whole_until_ns is None


def test_definitions_are_asked_for_from_the_beginning_of_the_day():
    dialogue = ready(has_definitions=True)
    definition, _, start = want(dialogue, QUOTES)
    assert (definition["schema"], definition["symbols"], definition["start"]) == ("definition", "SPY", "0")
    assert "start_session" in start
    later, _ = want(dialogue, QUOTES, Topic(Channel.QUOTES, "NEW"))
    assert (later["schema"], later["symbols"], "start" in later) == ("definition", "NEW", False)


def test_the_feed_as_a_value():
    feed = vendor(KEY)
    assert feed.url == "tcp://xnas-itch.lsg.databento.com:13000"
    assert (feed.calendar, feed.sentinel) == ("XNYS", Topic(Channel.QUOTES, "SPY"))
    assert feed.topics({"AAPL"}) == {HEARTBEATS, *(Topic(channel, "AAPL") for channel in feed.channels)}
    assert KEY not in str(feed.options)
    futures = vendor(KEY, dataset="GLBX.MDP3", quote_schema="bbo-1s")
    assert (futures.calendar, futures.sentinel, futures.options["quotes"]) == ("CMES", None, "bbo-1s")
    assert set(futures.quiet_s) == {Channel.HEARTBEATS}


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": frozenset()},
        {"channels": {Channel.BARS_5M}},
        {"quote_schema": "mbo"},
        {"url": "tcp://example.com:13000"},
        {"url": "ws://127.0.0.1:9000"},
    ],
)
def test_what_it_lacks_is_said_at_once(wrong):
    with pytest.raises(ConfigError, match="databento: "):
        vendor(KEY, **wrong)
