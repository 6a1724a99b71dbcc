"""Databento's live records as events."""

import random

import databento_dbn as dbn
import numpy as np
import pytest
from databento_samples import (
    DATASET,
    RECV_NS,
    START_NS,
    messages,
    opened,
    opening,
    quotes,
    records,
    rows,
    trades,
)

from pipeline.codes import AssetClass, FeedAction, Kind, Mark, Origin, Side
from pipeline.errors import FeedError
from pipeline.feeds.dbn import DbnFile
from pipeline.feeds.dbn_mending import look_at
from pipeline.normalize import databento_words as words
from pipeline.normalize.databento import UNDEF_PRICE, UNDEF_TIMESTAMP
from pipeline.normalize.databento_live import DatabentoRecords
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.units import ABSENT, MINUTE_NS, NANO, SECOND_NS


def test_a_session_begins_with_its_instruments():
    found = rows(DatabentoRecords().read(messages(b"cram=abc\n", *opening("SPY", "AAPL"))))
    assert [row["kind"] for row in found] == [Kind.INSTRUMENT, Kind.INSTRUMENT]
    assert [(row["instrument_id"], row["symbol"], row["venue"], row["vendor_id"]) for row in found] == [
        (1, "SPY", DATASET, 1),
        (2, "AAPL", DATASET, 2),
    ]


def test_quotes_and_trades_come_in_their_order_with_our_time():
    mixed = b"".join(
        part.tobytes() for pair in zip(quotes(3), trades(3, side=[b"A", b"B", b"N"]), strict=True) for part in pair
    )
    found = rows(opened("SPY").read([Message(RECV_NS, mixed), Message(RECV_NS + 5, mixed)]))
    assert [row["kind"] for row in found] == [Kind.QUOTE, Kind.PRINT] * 6
    assert [row["ts_recv_ns"] for row in found] == [RECV_NS] * 6 + [RECV_NS + 5] * 6
    assert [row["ts_event_ns"] for row in found[:4]] == [START_NS + SECOND_NS + n * 1_000_000 for n in (0, 0, 1, 1)]
    assert [row["aggressor"] for row in found if row["kind"] is Kind.PRINT][:3] == [Side.SELL, Side.BUY, Side.NONE]
    assert {row["origin"] for row in found} == {Origin.INPUT}


def test_it_does_not_matter_how_records_are_cut_into_messages_and_readings():
    mixed = [part for trio in zip(quotes(20), trades(20), quotes(20, number=2, action=b"T")) for part in trio]  # noqa: B905
    mixed = [part.tobytes() for part in mixed]
    at_once = rows(opened("SPY", "AAPL").read([Message(RECV_NS, b"".join(mixed))]))
    normalizer = opened("SPY", "AAPL")
    one_by_one = [row for part in mixed for row in rows(normalizer.read([Message(RECV_NS, part)]))]
    assert [{**row, "seq": 0} for row in at_once] == [{**row, "seq": 0} for row in one_by_one]
    several = rows(opened("SPY", "AAPL").read([Message(RECV_NS, part) for part in mixed]))
    assert several == at_once


def test_a_trade_in_mbp_1_repeats_its_quote_but_by_tbbo_it_is_all_there_is():
    normalizer = opened("SPY", "AAPL")
    of_mbp = [quotes(1), quotes(2, action=b"T", bid_px_00=9)]
    assert [row["bid_nano"] for row in rows(normalizer.read(messages(*of_mbp)))] == [10]
    assert rows(normalizer.read(messages(quotes(1, action=b"T")))) == []
    by_tbbo = rows(normalizer.read(messages(quotes(2, action=b"T", number=2, price=5, size=1))))
    assert [(row["kind"], row["instrument_id"]) for row in by_tbbo] == [(Kind.QUOTE, 2)] * 2


def test_what_was_captured_before_the_session_began_is_history():
    normalizer = opened("SPY")
    past = quotes(2, at_ns=START_NS - SECOND_NS)
    bars = records(
        dbn.OHLCVMsg, 2, at_ns=[START_NS - MINUTE_NS, START_NS - SECOND_NS], rtype=33, open=1, high=1, low=1, close=1
    )
    bars["ts_event"] = [START_NS - 2 * MINUTE_NS, START_NS - SECOND_NS]
    found = rows(normalizer.read(messages(past, bars, quotes(1))))
    assert [Origin(row["origin"]) for row in found] == [
        *(Origin.BACKFILL, Origin.BACKFILL),
        *(Origin.BACKFILL, Origin.INPUT),
        Origin.INPUT,
    ]


def test_before_the_gateway_has_said_anything_nothing_is_new():
    normalizer = opened("SPY")
    normalizer.connected()
    normalizer.read(messages(words.mapping_record(1, "SPY", START_NS + 60 * SECOND_NS)))
    (row,) = rows(normalizer.read(messages(quotes(1))))
    assert row["origin"] == Origin.BACKFILL


def test_numbers_mean_nothing_on_a_new_connection_until_they_are_mapped():
    normalizer = opened("SPY", "AAPL")
    normalizer.connected()
    normalizer.read(messages(*opening("AAPL")))
    known, unknown = rows(normalizer.read(messages(quotes(1), quotes(1, number=2))))
    assert (known["kind"], known["instrument_id"]) == (Kind.QUOTE, 2)
    assert (unknown["action"], unknown["text"]) == (
        FeedAction.REJECTED,
        "instrument 2 was never mapped to a symbol",
    )


def test_records_in_front_of_any_mapping_are_refused():
    found = rows(DatabentoRecords().read(messages(quotes(2))))
    assert [row["action"] for row in found] == [FeedAction.REJECTED] * 2


def test_a_mapping_of_no_known_measure_is_refused():
    mapping = bytearray(words.mapping_record(1, "SPY", START_NS) + bytes(4))
    mapping[0] += 1
    (row,) = rows(DatabentoRecords().read(messages(bytes(mapping))))
    assert row["text"].startswith("can't be read: a symbol mapping of 180 bytes: ")


def test_one_bad_record_is_refused_and_its_neighbours_are_kept():
    batch = quotes(4)
    batch["ts_event"][1] = UNDEF_TIMESTAMP - 5
    batch["bid_px_00"][2] = ABSENT
    found = rows(opened("SPY").read(messages(batch)))
    assert [row["kind"] for row in found] == [Kind.QUOTE, Kind.FEED, Kind.FEED, Kind.QUOTE]
    assert [row["text"] for row in found[1:3]] == [
        "ts_event is no time between 1970 and 2100",
        "bid_px_00 is no price",
    ]
    assert {row["ts_recv_ns"] for row in found} == {RECV_NS}


def test_a_cut_message_is_refused_and_the_others_are_kept():
    whole = quotes(2).tobytes()
    found = rows(opened("SPY").read(messages(whole, whole[:100], whole)))
    assert [row["kind"] for row in found] == [Kind.QUOTE] * 3 + [Kind.FEED] + [Kind.QUOTE] * 2
    assert found[3]["text"].startswith("a record of 80 bytes is cut after 20: ")


def test_a_header_of_which_its_decoder_panics_is_refused_and_the_session_goes_on(tmp_path):
    whole = words.header(DATASET, START_NS)
    cut = whole[:4] + (102).to_bytes(4, "little") + whole[8:110]
    normalizer = opened("SPY")
    found = rows(normalizer.read(messages(cut, quotes(1))))
    assert [row["kind"] for row in found] == [Kind.FEED, Kind.QUOTE]
    assert found[0]["text"].startswith("can't be read: ")
    path = tmp_path / "cut.dbn"
    path.write_bytes(cut)
    for read in (DbnFile, look_at):
        with pytest.raises(FeedError, match="metadata can't be read"):
            read(path)


def test_a_sampled_quote_is_dated_by_the_end_of_its_interval():
    sampled = records(dbn.BBOMsg, 1, rtype=195, bid_px_00=10, ask_px_00=11, price=UNDEF_PRICE)
    sampled["ts_event"], sampled["ts_recv"] = UNDEF_TIMESTAMP, START_NS + 3 * SECOND_NS
    (row,) = rows(opened("SPY").read(messages(sampled)))
    assert (row["ts_event_ns"], row["ts_recv_ns"], row["vendor_seq"]) == (START_NS + 3 * SECOND_NS, RECV_NS, ABSENT)


def test_a_trade_without_event_time_is_dated_by_its_capture():
    (row,) = rows(opened("SPY").read(messages(trades(1, ts_event=UNDEF_TIMESTAMP))))
    assert (row["ts_event_ns"], row["marks"]) == (START_NS + SECOND_NS + 1_000, Mark.UNDEFINED_TS)


def test_statuses_and_bars():
    halt = records(dbn.StatusMsg, 1, rtype=18, action=8, reason=30)
    bar = records(dbn.OHLCVMsg, 1, rtype=32, open=4, high=6, low=3, close=5, volume=9)
    status, second = rows(opened("SPY").read(messages(halt, bar)))
    assert (status["kind"], status["vendor_action"], status["vendor_reason"]) == (Kind.STATUS, 8, 30)
    assert (second["kind"], second["high_nano"], second["volume_steps"], second["ts_recv_ns"]) == (
        Kind.BAR,
        6,
        9,
        RECV_NS + 1_000,
    )


def test_a_definition_is_told_when_it_says_more():
    stated = records(
        dbn.InstrumentDefMsg,
        1,
        rtype=19,
        raw_symbol=b"SPY",
        instrument_class=b"K",
        min_price_increment=NANO // 20,
        min_lot_size_round_lot=100,
        expiration=UNDEF_TIMESTAMP,
        min_price_increment_amount=UNDEF_PRICE,
    )
    normalizer = opened("SPY")
    (row,) = rows(normalizer.read(messages(stated)))
    assert (row["kind"], row["tick_nano"], row["lot_steps"], row["asset_class"]) == (
        Kind.INSTRUMENT,
        NANO // 20,
        100,
        AssetClass.EQUITY,
    )
    assert (row["ts_event_ns"], row["ts_recv_ns"]) == (RECV_NS, RECV_NS)
    assert rows(normalizer.read(messages(stated))) == []


@pytest.mark.parametrize(
    ("record", "action", "code"),
    [
        (words.system_record(words.SLOW_READER, "slow", START_NS), FeedAction.SLOW, 2),
        (words.system_record(words.REPLAY_COMPLETED, "done", START_NS), FeedAction.BACKFILLED, 3),
        (words.system_record(words.UNSUBSCRIBE_ACK, "gone", START_NS), FeedAction.UNSUBSCRIBED, 5),
        (words.error_record(6, "a fault of theirs", START_NS), FeedAction.REJECTED, 6),
        (words.error_record(words.SKIPPED, "skipped", START_NS), FeedAction.GAP_OPENED, 7),
    ],
)
def test_what_the_gateway_says_is_told(record, action, code):
    normalizer = opened("SPY")
    (row,) = rows(normalizer.read(messages(record)))
    assert (row["action"], row["code"], row["text"][:16]) == (action, code, "the gateway says")
    assert bool(normalizer.trouble) == (code == words.SKIPPED)
    normalizer.connected()
    assert normalizer.trouble == ""


def test_what_the_connection_tells_of_is_not_told_twice():
    ack = words.system_record(words.SUBSCRIPTION_ACK, "Subscription request 1001 succeeded", START_NS)
    unknown = words.error_record(words.UNRESOLVED, "no NOPE", START_NS)
    assert opened("SPY").read(messages(ack, unknown)) == []


def test_heartbeats_and_ends_of_intervals_are_no_events():
    beats = [words.system_record(code, "", START_NS) for code in (words.HEARTBEAT, words.END_OF_INTERVAL)]
    assert opened("SPY").read(messages(*beats)) == []


def test_what_maps_to_no_event_is_counted():
    orders = records(dbn.MBOMsg, 3, rtype=160)
    strange = np.zeros(2, quotes(1).dtype)
    strange["length"], strange["rtype"] = 20, 250
    found = rows(opened("SPY").read(messages(orders, strange, quotes(1))))
    told = {row["text"]: row["count"] for row in found if row["kind"] is Kind.FEED}
    assert told == {"mbo": 3, "record type 250": 2}


def test_pages_of_history_are_refused():
    (row,) = rows(DatabentoRecords().read_history([Answer(Topic(Channel.QUOTES, "SPY"), RECV_NS, b"{}")]))
    assert (row["action"], row["origin"]) == (FeedAction.REJECTED, Origin.BACKFILL)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_messages_give_rows_or_refusals_and_good_ones_are_kept(seed):
    chance = random.Random(seed)
    pool = [
        *opening("SPY", "AAPL"),
        b"cram=abcdefghijklmnop\n",
        quotes(3).tobytes(),
        trades(2).tobytes() + quotes(1).tobytes(),
        words.error_record(4, "x", START_NS),
        records(dbn.StatusMsg, 1, rtype=18).tobytes(),
        records(dbn.InstrumentDefMsg, 1, rtype=19, raw_symbol=b"SPY").tobytes(),
        records(dbn.OHLCVMsg, 2, rtype=33).tobytes(),
    ]
    normalizer = opened("SPY", "AAPL")
    for _ in range(30):
        damaged = bytearray(chance.choice(pool))
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.choice((0, 1, 20, 127, 255, chance.randrange(256)))
        cut = bytes(damaged[: chance.randint(0, len(damaged))]) if chance.random() < 0.3 else bytes(damaged)
        rows(normalizer.read(messages(cut)))
        normalizer.read(messages(words.mapping_record(1, "SPY", START_NS)))
        good = [row for row in rows(normalizer.read(messages(cut, quotes(2)))) if row["kind"] is Kind.QUOTE]
        assert len(good) >= 2
