"""Massive's messages as events: each channel, its units, and what is odd about it."""

import json

import pytest
from massive_samples import MINUTE, QUOTE, RECV_NS, TRADE, message, of_kind, read, rows

from pipeline.codes import BarBasis, FeedAction, Kind, Mark, Origin, TradingStatus
from pipeline.normalize.massive import MassiveMessages
from pipeline.normalize.massive_words import SHARES_FROM_NS
from pipeline.ports import Message
from pipeline.units import ABSENT, MINUTE_NS, NANO, SECOND_NS


def test_the_frames_of_the_live_feed_are_read(shared_data):
    lines = (shared_data / "websocket" / "massive" / "live_frames_stocks.ndjson").read_bytes().splitlines()
    found = rows(MassiveMessages().read([Message(RECV_NS + i, line) for i, line in enumerate(lines)]))
    assert [row["kind"] for row in found] == [Kind.INSTRUMENT, Kind.BAR, Kind.INSTRUMENT, Kind.STATUS]
    bar, status = found[1], found[3]
    assert (bar["ts_event_ns"], bar["bar_length"], bar["volume_steps"]) == (1_788_877_043 * NANO, SECOND_NS, 4989)
    assert (bar["open_nano"], bar["high_nano"], bar["vwap"]) == (78_100_000_000, 78_125_000_000, 78.0894)
    assert (bar["basis"], bar["revision"], bar["trade_count"]) == (BarBasis.VENDOR, 0, ABSENT)
    assert status["ts_event_ns"] == 1_788_877_046_310_003_385
    assert (status["limit_up_nano"], status["limit_down_nano"]) == (3_630_000_000, 2_970_000_000)
    assert (status["status"], status["vendor_action"]) == (TradingStatus.LIMITS, 15)
    assert [row["symbol"] for row in of_kind(found, Kind.INSTRUMENT)] == ["FCX", "ATHR"]
    assert {row["venue"] for row in of_kind(found, Kind.INSTRUMENT)} == {"MASSIVE"}


def test_the_examples_of_the_specification_are_read(shared_data):
    paths = json.loads((shared_data / "websocket" / "massive" / "websocket.json").read_bytes())["paths"]
    kinds = {"T": Kind.PRINT, "Q": Kind.QUOTE, "A": Kind.BAR, "AM": Kind.BAR, "LULD": Kind.STATUS}
    for channel in ("T", "Q", "A", "AM", "LULD", "NOI", "FMV"):
        path = f"/business/stocks/{channel}" if channel == "FMV" else f"/stocks/{channel}"
        answer = paths[path]["get"]["responses"]["200"]
        found = read(answer["content"]["application/json"]["example"])
        if channel in kinds:
            assert [row["kind"] for row in found] == [Kind.INSTRUMENT, kinds[channel]], channel
        else:
            assert [(row["action"], row["text"]) for row in found] == [(FeedAction.IGNORED, channel)]


def test_a_quote_keeps_its_numbers():
    _, quote = read(QUOTE)
    assert (quote["bid_nano"], quote["ask_nano"]) == (114_125_000_000, 114_128_000_000)
    assert (quote["bid_size_steps"], quote["ask_size_steps"]) == (100, 160)
    assert (quote["bid_venue"], quote["ask_venue"], quote["condition"]) == (4, 7, 0)
    assert (quote["ts_event_ns"], quote["ts_recv_ns"]) == (1_788_877_046_784_000_000, RECV_NS)
    assert (quote["vendor_seq"], quote["marks"], quote["origin"]) == (50_385_480, 0, Origin.INPUT)


def test_a_side_without_a_price_is_absent():
    _, quote = read({"ev": "Q", "sym": "X", "ap": 2.5, "as": 3, "bp": 0, "bs": 0, "t": QUOTE["t"]})
    assert (quote["bid_nano"], quote["bid_size_steps"], quote["ask_nano"]) == (ABSENT, ABSENT, 2_500_000_000)
    assert (quote["marks"], quote["vendor_seq"]) == (Mark.ONE_SIDED, ABSENT)


@pytest.mark.parametrize(("offset_ms", "shares"), [(-1, 300), (0, 3)])
def test_sizes_of_quotes_are_round_lots_until_november_2025(offset_ms, shares):
    ts_ms = SHARES_FROM_NS // 1_000_000 + offset_ms
    _, old, new = read({**QUOTE, "bs": 3, "t": ts_ms}, QUOTE)
    assert (old["bid_size_steps"], new["bid_size_steps"]) == (shares, 100)


@pytest.mark.parametrize(
    ("written", "ts_ns"),
    [
        (1_788_877_046_784, 1_788_877_046_784_000_000),
        (1_601_316_752_683_746, 1_601_316_752_683_746_000),
        (1_788_877_046_310_003_385, 1_788_877_046_310_003_385),
    ],
)
def test_times_are_told_by_their_magnitude(written, ts_ns):
    assert read({**QUOTE, "t": written})[1]["ts_event_ns"] == ts_ns
    assert read({"ev": "LULD", "T": "X", "h": 2, "l": 1, "t": written})[1]["ts_event_ns"] == ts_ns


@pytest.mark.parametrize("written", [1_788_877_046, 5_000_000_000_000, 2**62, 12])
def test_a_time_that_is_none_is_refused(written):
    found = read({**QUOTE, "t": written}, QUOTE)
    assert [row["kind"] for row in found] == [Kind.INSTRUMENT, Kind.FEED, Kind.QUOTE]
    assert "a time is none between 1973 and 2100" in found[1]["text"]


def test_an_event_without_a_time_takes_the_receive_time():
    for event in ({**QUOTE, "t": 0}, {key: value for key, value in TRADE.items() if key != "t"}):
        row = read(event)[1]
        assert (row["ts_event_ns"], row["marks"] & Mark.UNDEFINED_TS) == (RECV_NS, Mark.UNDEFINED_TS)


def test_a_print_keeps_its_numbers():
    _, print_ = read(TRADE)
    assert (print_["price_nano"], print_["size_steps"], print_["venue"]) == (114_125_000_000, 100, 4)
    assert (print_["trade_id"], print_["vendor_seq"], print_["conditions"]) == (12345, 3_681_328, 1 | 1 << 12)


def test_form_t_moves_prices_outside_of_regular_hours_only():
    night_ms = TRADE["t"] - 8 * 3_600_000
    _, inside, outside = read(TRADE, {**TRADE, "t": night_ms})
    assert inside["marks"] == Mark.NO_LAST | Mark.NO_HIGH_LOW
    assert outside["marks"] == 0
    _, of_two_days, _ = read(TRADE, {**TRADE, "t": TRADE["t"] - 86_400_000})
    assert of_two_days["marks"] == inside["marks"]


@pytest.mark.parametrize(
    ("codes", "bits", "marks"),
    [
        ([], 0, 0),
        (None, 0, 0),
        ([37, 14], 1 << 37 | 1 << 14, Mark.NO_LAST | Mark.NO_HIGH_LOW),
        ([15], 1 << 15, Mark.NO_LAST | Mark.NO_HIGH_LOW | Mark.NO_VOLUME),
        ([14, 99], 1 << 14, Mark.NO_LAST | Mark.NO_HIGH_LOW),
    ],
)
def test_conditions_decide_what_a_print_moves(codes, bits, marks):
    _, print_ = read({**TRADE, "c": codes})
    assert (print_["conditions"], print_["marks"]) == (bits, marks)


@pytest.mark.parametrize(
    ("id_", "number"),
    [("71675577320245", 71_675_577_320_245), ("00MGON", ABSENT), ("", ABSENT), ("9" * 40, ABSENT), ("-5", ABSENT)],
)
def test_a_trade_id_is_kept_when_it_is_a_number(id_, number):
    _, one, other = read({**TRADE, "i": id_}, TRADE)
    assert (one["trade_id"], other["trade_id"]) == (number, 12345)


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ({"s": 100, "ds": "100.0"}, 100),
        ({"s": 10, "ds": "10.25"}, 10),
        ({"s": 0, "ds": "0.5"}, 0),
        ({"ds": "40"}, 40),
        ({"s": 7, "ds": ""}, 7),
        ({"s": 7, "ds": None}, 7),
        ({"s": 5, "ds": "100"}, None),
        ({"s": 5, "ds": "nan"}, None),
        ({"s": 5, "ds": "five"}, None),
        ({"s": 5, "ds": "-5"}, None),
        ({"s": 5.5}, None),
        ({"ds": "0.5"}, None),
        ({}, None),
    ],
)
def test_whole_shares_are_taken_as_given_and_never_rounded(sizes, steps):
    print_ = {key: value for key, value in TRADE.items() if key != "s"} | sizes
    found = read(print_, TRADE)
    prints = of_kind(found, Kind.PRINT)
    assert [row["size_steps"] for row in prints] == ([100] if steps is None else [steps, 100])
    assert len([row for row in found if row["kind"] is Kind.FEED and row["action"] == FeedAction.REJECTED]) == (
        steps is None
    )


def test_prints_with_a_fraction_of_a_share_are_counted():
    found = read({**TRADE, "s": 10, "ds": "10.25"}, {**TRADE, "s": 0, "ds": "0.1"}, {**TRADE, "ds": "100.00"})
    told = of_kind(found, Kind.FEED)
    assert [(row["action"], row["text"], row["count"]) for row in told] == [
        (FeedAction.IGNORED, "fraction of a share", 2)
    ]


def test_a_price_finer_than_a_nano_is_refused_and_its_neighbours_are_kept():
    found = read(QUOTE, {**QUOTE, "bp": 114.1250000001}, {**QUOTE, "q": 9})
    assert [row["kind"] for row in found] == [Kind.INSTRUMENT, Kind.QUOTE, Kind.FEED, Kind.QUOTE]
    assert found[2]["text"].startswith('a price is finer than 1e-9: {"ev":"Q","sym":"MSFT"')


def test_a_bar_that_comes_again_is_a_revision_or_a_duplicate():
    normalizer = MassiveMessages()
    first = read(MINUTE, normalizer=normalizer)[1]
    same = read(MINUTE, normalizer=normalizer)[0]
    changed = read({**MINUTE, "v": 4200}, normalizer=normalizer)[0]
    next_one = {**MINUTE, "s": MINUTE["s"] + 60_000, "e": MINUTE["e"] + 60_000}
    other, late = read(next_one, {**MINUTE, "v": 4300}, normalizer=normalizer)
    assert [(row["revision"], row["marks"]) for row in (first, same, changed, other, late)] == [
        (0, 0),
        (0, Mark.DUPLICATE),
        (1, 0),
        (0, 0),
        (2, 0),
    ]


def test_bars_far_back_are_revisions_in_a_memory_that_does_not_grow():
    normalizer = MassiveMessages()
    start = MINUTE["s"]
    for minute in range(3_000):
        bar = {**MINUTE, "s": start + minute * 60_000, "e": start + (minute + 1) * 60_000}
        assert read(bar, normalizer=normalizer)[-1]["revision"] == 0
    assert read(MINUTE, normalizer=normalizer)[0]["revision"] == 1


def test_a_bar_of_another_length_is_refused():
    (told,) = of_kind(read({**MINUTE, "e": MINUTE["s"] + 1_000}), Kind.FEED)
    assert told["text"].startswith("s to e is not 60 s")


def test_a_volume_with_a_fraction_is_absent():
    _, bar = read({**MINUTE, "v": 4110.5})
    assert bar["volume_steps"] == ABSENT


def test_the_bar_of_an_impossible_range_is_untrusted():
    _, bar = read({**MINUTE, "h": 0.4})
    assert (bar["marks"], bar["bar_length"]) == (Mark.UNTRUSTED, MINUTE_NS)


def test_refusals_are_told_and_successes_are_not():
    said = [
        {"ev": "status", "status": status, "message": words}
        for status, words in (
            ("connected", "Connected Successfully"),
            ("auth_success", "authenticated"),
            ("success", "subscribed to: T.AAPL"),
            ("success", "subscribed to: Q.AAPL"),
            ("success", "subscribed to: T.NVDA"),
            ("success", "unsubscribed to: T.NVDA"),
            ("error", "not authorized"),
            ("max_connections", "Maximum number of websocket connections exceeded."),
        )
    ]
    told = [(FeedAction(row["action"]), row["channel"], row["text"], row["count"]) for row in read(*said)]
    assert told == [
        (FeedAction.REJECTED, "status", "the vendor says: error: not authorized", 1),
        (
            FeedAction.REJECTED,
            "status",
            "the vendor says: max_connections: Maximum number of websocket connections exceeded.",
            1,
        ),
    ]


def test_what_is_left_out_is_told_once_a_minute_and_on_a_connection():
    normalizer = MassiveMessages()
    imbalance, strange = {"ev": "NOI", "T": "X"}, {"ev": "ZZ", "sym": "X"}

    def told(recv_ns, *events):
        found = rows(normalizer.read([message(*events, recv_ns=recv_ns)]))
        return [(row["text"], row["count"]) for row in found if row["kind"] is Kind.FEED]

    assert told(RECV_NS, imbalance, imbalance, strange) == [("NOI", 2), ("ZZ", 1)]
    assert told(RECV_NS + SECOND_NS, imbalance, QUOTE) == []
    normalizer.connected()
    assert told(RECV_NS + 2 * SECOND_NS, QUOTE) == [("NOI", 1)]
    assert told(RECV_NS + 3 * SECOND_NS, strange) == []
    assert told(RECV_NS + 70 * SECOND_NS, QUOTE) == [("ZZ", 1)]


def test_small_letters_of_a_symbol_mean_something():
    found = read({**QUOTE, "sym": "BACpB"}, {**QUOTE, "sym": " BACpB"}, {**QUOTE, "sym": "BACPB"})
    assert [row["symbol"] for row in of_kind(found, Kind.INSTRUMENT)] == ["BACpB", "BACPB"]
    assert [row["instrument_id"] for row in of_kind(found, Kind.QUOTE)] == [1, 1, 2]


def test_a_symbol_that_is_none_is_refused():
    found = read({**QUOTE, "sym": ""}, {**QUOTE, "sym": "A\u00e9"}, QUOTE)
    assert [row["kind"] for row in found] == [Kind.FEED, Kind.FEED, Kind.INSTRUMENT, Kind.QUOTE]


def test_how_messages_are_gathered_changes_nothing():
    events = [QUOTE, TRADE, MINUTE, {**QUOTE, "sym": "A"}, {**TRADE, "sym": "B", "p": 1e-10}, {**TRADE, "sym": "A"}]
    messages = [message(event, recv_ns=RECV_NS + i) for i, event in enumerate(events * 3)]
    whole = rows(MassiveMessages().read(messages))
    one = MassiveMessages()
    singly = [row for each in messages for row in rows(one.read([each]))]

    def market(found):  # repr, for an absent vwap is no number and equals nothing
        return [repr({**row, "seq": 0}) for row in found if row["kind"] is not Kind.FEED]

    assert market(whole) == market(singly)
    assert sum(row["count"] for row in of_kind(whole, Kind.FEED)) == len(of_kind(singly, Kind.FEED)) == 3


def test_a_message_without_events_gives_no_rows():
    assert MassiveMessages().read([]) == []
    assert MassiveMessages().read([Message(RECV_NS, b"[]")]) == []
