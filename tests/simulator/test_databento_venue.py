"""Databento's gateway without a socket."""

import hashlib
from dataclasses import replace

import databento_dbn as dbn
import numpy as np
import pytest

from pipeline.block import Block
from pipeline.codes import AssetClass, Kind
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.normalize import databento_words as words
from pipeline.ports import Channel, Topic
from pipeline.simulator.databento import AUTH_WITHIN_S, CLOSED, DatabentoConversation, DatabentoFaults, DatabentoVenue
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venue import Framing, Scolding, Timed
from pipeline.units import SECOND_NS

KEY = "db-0123456789012345678901234567"
NOW_NS = 1_790_000_000 * SECOND_NS
SYMBOLS = {1: "SPY", 2: "AAPL"}


def block(kind, *given):
    return Block.from_rows(kind, [{"seq": seq, **row} for seq, row in enumerate(given, 1)])


def venue(**options):
    """A gateway whose tape has two shares."""
    made = DatabentoVenue(key=KEY, **options)
    rows = [
        {"instrument_id": number, **Instrument(symbol, "X", WHOLE_STEP_NANO, AssetClass.EQUITY).row()}
        for number, symbol in SYMBOLS.items()
    ]
    list(made.encoder.served([block(Kind.INSTRUMENT, *rows)], SYMBOLS))
    return made


def let_in(gateway, **said):
    """A conversation with who has the key; the gateway's answer."""
    conversation = gateway.conversation({})
    _, challenge = conversation.connected()
    cram = words.words_of(challenge)["cram"]
    auth = hashlib.sha256(f"{cram}|{KEY}".encode()).hexdigest() + "-" + KEY[-5:]
    answer = conversation.hear(words.line_of({"auth": auth, "dataset": "XNAS.ITCH", "encoding": "dbn", **said}))
    return conversation, words.words_of(answer[0])


def subscribe(conversation, schema, symbols="SPY", **more):
    said = {"schema": schema, "stype_in": "raw_symbol", "symbols": symbols, "snapshot": "0", "id": "7", **more}
    return conversation.hear(words.line_of(said))


def decoded(payloads):
    decoder = dbn.DBNDecoder()
    return decoder.write_and_decode(b"".join(payloads))


def started(gateway, *subscriptions):
    """A conversation that began its session, and what it was told."""
    conversation, _ = let_in(gateway)
    for schema, symbols, more in subscriptions:
        assert subscribe(conversation, schema, symbols, **more) == []
    return conversation, decoded(conversation.hear(b"start_session=0"))


def quotes(gateway, *times_ns, number=1):
    """Quotes as the encoder gives them."""
    rows = [
        {"instrument_id": number, "ts_event_ns": at, "ts_recv_ns": at, "bid_nano": 10 + place, "ask_nano": 20}
        for place, at in enumerate(times_ns)
    ]
    return [served.payload for served in gateway.encoder.served([block(Kind.QUOTE, *rows)], SYMBOLS)]


def trade(gateway, at_ns=NOW_NS):
    row = {"instrument_id": 1, "ts_event_ns": at_ns, "ts_recv_ns": at_ns, "price_nano": 15, "size_steps": 2}
    return [served.payload for served in gateway.encoder.served([block(Kind.PRINT, row)], SYMBOLS)]


def test_it_is_all_that_the_exchange_may_ask_for():
    conversation = venue().conversation({})
    assert isinstance(conversation, DatabentoConversation)
    for side in (Framing, Timed, Scolding):
        assert isinstance(conversation, side)
    assert venue().get("/", {}, {}, None).status == 404


def test_each_connection_has_its_own_challenge_and_takes_the_key_alone():
    gateway = venue()
    conversation, answer = let_in(gateway)
    assert answer == {"success": "1", "session_id": "1"}
    other = gateway.conversation({})
    assert other.connected() != conversation.connected()
    (refused,) = other.hear(b"auth=wrong-01234|dataset=XNAS.ITCH")
    assert words.words_of(refused) == {"success": "0", "error": "Authentication failed"}
    assert other.close_code == CLOSED
    assert other.hear(b"start_session=0") == []


@pytest.mark.parametrize("said", [{"compression": "zstd"}, {"ts_out": "1"}, {"encoding": "csv"}])
def test_what_is_not_served_is_refused_at_once(said):
    _, answer = let_in(venue(), **said)
    assert answer["success"] == "0"
    assert "served here" in answer["error"]


def test_nobody_subscribes_without_a_key():
    conversation = venue().conversation({})
    (refused,) = subscribe(conversation, "trades")
    assert b"success=0" in refused


def test_a_session_begins_with_header_acknowledgements_and_mappings():
    gateway = venue()
    conversation, told = started(gateway, ("trades", "SPY", {}), ("mbp-1", "SPY,AAPL", {}))
    assert [type(each).__name__ for each in told] == [
        *("Metadata", "SystemMsg", "SymbolMappingMsg"),
        *("SystemMsg", "SymbolMappingMsg"),
    ]
    assert (told[0].version, told[0].dataset, told[0].schema) == (3, "XNAS.ITCH", None)
    assert {each.instrument_id: each.stype_out_symbol for each in told[2::2]} == SYMBOLS
    assert conversation.wanted == {
        Topic(Channel.PRINTS, "SPY"),
        Topic(Channel.QUOTES, "SPY"),
        Topic(Channel.QUOTES, "AAPL"),
        Topic(Channel.PRINTS, "AAPL"),
    }
    assert conversation.hear(b"start_session=0") == []


def test_subscriptions_come_in_while_the_session_runs():
    conversation, _ = started(venue(), ("trades", "SPY", {}))
    answer = subscribe(conversation, "status", "AAPL")
    assert [payload[1] for payload in answer] == [words.SYSTEM, words.MAPPING]
    assert Topic(Channel.STATUSES, "AAPL") in conversation.wanted
    (late,) = subscribe(conversation, "trades", "AAPL", start="5")
    assert words.control_of(late)[:2] == (words.ERROR, 5)


def test_a_symbol_nobody_knows_is_told_and_the_session_lives():
    conversation, told = started(venue(), ("trades", "NOPE,SPY", {}))
    (error,) = [each for each in told if isinstance(each, dbn.ErrorMsg)]
    assert (int(error.code), error.err) == (4, "Failed to resolve symbol: NOPE")
    assert conversation.wanted == {Topic(Channel.PRINTS, "SPY")}
    assert conversation.close_code is None


@pytest.mark.parametrize("line", [b"schema=mbo|symbols=SPY", b"hello=1"])
def test_what_it_cannot_serve_ends_the_session(line):
    conversation, _ = let_in(venue())
    told = decoded(conversation.hear(line))
    assert int(told[-1].code) == 5
    assert conversation.close_code == CLOSED


@pytest.mark.parametrize(
    ("schemas", "expected"),
    [
        (("trades",), ["TradeMsg"]),
        (("mbp-1",), ["MBP1Msg", "MBP1Msg"]),
        (("tbbo",), ["MBP1Msg"]),
        (("trades", "mbp-1"), ["MBP1Msg", "TradeMsg", "MBP1Msg"]),
    ],
)
def test_each_schema_has_its_own_records_of_a_quote_and_a_trade(schemas, expected):
    gateway = venue()
    conversation, _ = started(gateway, *((schema, "SPY", {}) for schema in schemas))
    frames = conversation.frame([*quotes(gateway, NOW_NS), *trade(gateway)])
    records = dbn.DBNDecoder(has_metadata=False).write_and_decode(b"".join(frames))
    assert [type(each).__name__ for each in records] == expected


def test_samples_come_when_their_interval_is_over():
    gateway = venue()
    conversation, _ = started(gateway, ("bbo-1s", "SPY", {}))
    assert conversation.frame(quotes(gateway, NOW_NS, NOW_NS + 5)) == []
    (frame,) = conversation.frame(quotes(gateway, NOW_NS + SECOND_NS))
    sample, end = dbn.DBNDecoder(has_metadata=False).write_and_decode(frame)
    assert (type(sample).__name__, sample.ts_recv, sample.levels[0].bid_px) == ("BBOMsg", NOW_NS + SECOND_NS, 11)
    assert (int(end.code), end.ts_event) == (4, NOW_NS + SECOND_NS)


def test_heartbeats_come_when_there_is_nothing_else_to_say():
    gateway = venue()
    conversation, _ = let_in(gateway, heartbeat_interval_s="5")
    assert conversation.waited(100.0) == []  # not before the session begins
    subscribe(conversation, "trades")
    conversation.hear(b"start_session=0")
    assert conversation.waited(104.0) == []
    (beat,) = conversation.waited(109.5)
    assert words.control_of(beat)[:2] == (words.SYSTEM, words.HEARTBEAT)
    conversation.frame(trade(gateway))
    assert conversation.waited(112.0) == []
    assert conversation.waited(116.0) == []
    assert len(conversation.waited(117.1)) == 1


def test_who_says_nothing_is_let_go():
    conversation = venue().conversation({})
    assert conversation.waited(AUTH_WITHIN_S - 1) == []
    assert b"timed out" in conversation.waited(AUTH_WITHIN_S)[0]
    assert conversation.close_code == CLOSED


def test_a_slow_reader_is_told_what_became_of_its_records():
    (error,) = venue().conversation({}).too_slow()
    assert words.control_of(error)[:2] == (words.ERROR, words.SKIPPED)


def test_faults_of_words():
    crowded = venue(faults=DatabentoFaults(crowded=1))
    assert "Too many" in let_in(crowded)[1]["error"]
    assert let_in(crowded)[1]["success"] == "1"
    assert let_in(venue(faults=DatabentoFaults(refuses_auth=True)))[1]["success"] == "0"
    lost = venue(faults=DatabentoFaults(acks_lost=1, unresolved=frozenset({"AAPL"})))
    _, told = started(lost, ("trades", "SPY", {}), ("mbp-1", "AAPL", {}))
    assert [type(each).__name__ for each in told[1:]] == ["SymbolMappingMsg", "SystemMsg", "ErrorMsg"]


def test_what_was_served_is_sent_again_in_one_order_and_then_the_gateway_says_so():
    tape = GeneratedTape(GeneratedMarket(replace(DAYS["premarket"], instruments=2, quotes=200)))
    history = ServedHistory(tape)
    gateway = DatabentoVenue(history=history)
    list(gateway.encoder.served(tape.definitions, tape.symbols))
    portions = list(tape.portions())
    for portion in portions:
        history.reached(portion)
    seqs = np.concatenate([portion.seq for portion in portions])
    history.last_seq = int(seqs[len(seqs) // 2])
    start_ns = tape.starts_ns + 60 * SECOND_NS
    conversation, _ = let_in(gateway)
    for schema in ("trades", "mbp-1"):
        subscribe(conversation, schema, "ALL_SYMBOLS", start=str(start_ns))
    told = decoded(conversation.hear(b"start_session=0"))
    past = [each for each in told if isinstance(each, (dbn.TradeMsg, dbn.MBP1Msg))]
    rows = [
        (row["ts_recv_ns"], block.kind)
        for portion in portions
        for block in portion.live()
        if block.kind in (Kind.QUOTE, Kind.PRINT)
        for row in block.rows()
        if row["seq"] <= history.last_seq and row["ts_event_ns"] >= start_ns
    ]
    assert len([each for each in past if isinstance(each, dbn.TradeMsg)]) == sum(kind is Kind.PRINT for _, kind in rows)
    assert len([each for each in past if isinstance(each, dbn.MBP1Msg)]) == len(rows)
    assert [each.ts_recv for each in past] == sorted(each.ts_recv for each in past)
    assert told[0].start == start_ns
    assert int(told[-1].code) == words.REPLAY_COMPLETED
    acks = [each.ts_event for each in told if isinstance(each, dbn.SystemMsg) and int(each.code) == 1]
    assert min(acks) > max(each.ts_recv for each in past)
