"""Pages of Massive's REST as events of origin BACKFILL."""

import json

import pytest
from massive_samples import MINUTE, RECV_NS, TRADE, of_kind, read, rows

from pipeline.codes import FeedAction, Kind, Mark, Origin
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Answer, Channel, Topic
from pipeline.units import ABSENT

TRADES = Topic(Channel.PRINTS, "AAPL")


def page(*results, **values):
    return json.dumps({"results": results, "status": "OK", "request_id": "x", **values}).encode()


def history(*answers, normalizer=None):
    read_ = (normalizer or MassiveMessages()).read_history
    return rows(read_([Answer(topic, RECV_NS, payload) for topic, payload in answers]))


def example(shared_data, name):
    (path,) = (shared_data / "websocket" / "massive" / "rest_mocks").glob(name)
    return path.read_bytes()


def test_the_example_of_trades_is_read(shared_data):
    found = history((TRADES, example(shared_data, "v3/trades/AAPL*")))
    prints = of_kind(found, Kind.PRINT)
    assert found[0]["symbol"] == "AAPL"
    assert [(row["venue"], row["trade_id"], row["vendor_seq"]) for row in prints] == [
        (11, 183_276, 7_179_341),
        (12, 183_276, 7_179_341),
    ]
    assert {row["ts_event_ns"] for row in prints} == {1_651_181_822_461_979_400}
    assert {(row["origin"], row["ts_recv_ns"], row["size_steps"]) for row in prints} == {(Origin.BACKFILL, RECV_NS, 10)}


def test_the_examples_of_quotes_are_read_oldest_first_in_round_lots(shared_data):
    topic = Topic(Channel.QUOTES, "AAPL")
    first, second = example(shared_data, "v3/quotes/AAPL.json"), example(shared_data, "v3/quotes/AAPL&cursor*")
    quotes = of_kind(history((topic, first), (topic, second)), Kind.QUOTE)
    assert len(quotes) == 20
    assert [row["ts_event_ns"] for row in quotes] == sorted(row["ts_event_ns"] for row in quotes)
    assert (quotes[-1]["bid_nano"], quotes[-1]["bid_size_steps"], quotes[-1]["ask_size_steps"]) == (
        155_850_000_000,
        400,
        300,
    )


def test_a_page_of_bars_is_read():
    bar = {"v": 4110, "vw": 0.4488, "o": 0.4488, "c": 0.4486, "h": 0.4489, "l": 0.4486, "t": MINUTE["s"], "n": 6}
    body = page(bar, {**bar, "v": 4110.5, "t": MINUTE["s"] + 60_000}, ticker="GTE", adjusted=False)
    bars = of_kind(history((Topic(Channel.BARS_1M, "GTE"), body)), Kind.BAR)
    assert [(row["volume_steps"], row["trade_count"], row["revision"]) for row in bars] == [
        (4110, 6, 0),
        (ABSENT, 6, 0),
    ]


def test_a_bar_that_came_live_is_a_duplicate_in_history():
    normalizer = MassiveMessages()
    read(MINUTE, normalizer=normalizer)
    bar = {name: MINUTE[name] for name in ("v", "vw", "o", "h", "l", "c")} | {"t": MINUTE["s"]}
    (again,) = history((Topic(Channel.BARS_1M, "GTE"), page(bar)), normalizer=normalizer)
    assert (again["marks"], again["revision"], again["origin"]) == (Mark.DUPLICATE, 0, Origin.BACKFILL)


def test_a_void_trade_moves_nothing():
    trade = {"price": 5, "size": 10, "sip_timestamp": RECV_NS, "id": "1", "exchange": 4, "sequence_number": 3}
    found = history((TRADES, page(trade, {**trade, "correction": 8}, {**trade, "correction": 1})))
    void = Mark.NO_LAST | Mark.NO_HIGH_LOW | Mark.NO_VOLUME | Mark.UNTRUSTED
    assert [row["marks"] for row in of_kind(found, Kind.PRINT)] == [0, void, 0]


def test_pages_of_several_topics_become_one_order_of_time():
    trade = {"price": 5, "size": 10, "id": "1"}
    quote = {"bid_price": 5, "bid_size": 1, "conditions": [1]}
    at = [RECV_NS + i for i in range(4)]
    trades = page({**trade, "sip_timestamp": at[0]}, {**trade, "sip_timestamp": at[2]})
    quotes = page({**quote, "sip_timestamp": at[3]}, {**quote, "sip_timestamp": at[1]})
    found = history((TRADES, trades), (Topic(Channel.QUOTES, "NVDA"), quotes))
    kinds = [Kind.INSTRUMENT, Kind.INSTRUMENT, Kind.PRINT, Kind.QUOTE, Kind.PRINT, Kind.QUOTE]
    assert [row["kind"] for row in found] == kinds
    assert [row["ts_event_ns"] for row in found[2:]] == at
    assert found[3]["condition"] == 1


def test_live_and_history_name_one_trade_alike():
    normalizer = MassiveMessages()
    live = of_kind(read(TRADE, normalizer=normalizer), Kind.PRINT)[0]
    past = {
        "price": TRADE["p"],
        "size": TRADE["s"],
        "exchange": TRADE["x"],
        "id": TRADE["i"],
        "conditions": TRADE["c"],
        "sequence_number": TRADE["q"],
        "sip_timestamp": TRADE["t"] * 1_000_000 + 123_456,
    }
    (again,) = history((Topic(Channel.PRINTS, "MSFT"), page(past)), normalizer=normalizer)
    same = ("instrument_id", "price_nano", "size_steps", "venue", "conditions", "marks", "trade_id", "vendor_seq")
    assert [live[name] for name in same] == [again[name] for name in same]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status":"NOT_AUTHORIZED","message":"You are not entitled"}', "NOT_AUTHORIZED: You are not entitled"),
        (b'{"status":"ERROR","error":"Unknown API Key"}', "ERROR: Unknown API Key"),
        (b"<html>", "a page can't be read"),
        (b'{"results":[{"price":"x"}]}', "Expected `float`, got `str`"),
    ],
)
def test_an_answer_that_is_no_page_is_refused(body, words):
    (told,) = history((TRADES, body))
    assert (told["action"], told["origin"]) == (FeedAction.REJECTED, Origin.BACKFILL)
    assert words in told["text"]


def test_an_empty_page_gives_no_rows():
    assert history((TRADES, page()), (TRADES, b'{"results":null,"status":"OK"}'), (TRADES, b'{"status":"OK"}')) == []


def test_what_has_no_history_is_refused():
    (told,) = history((Topic(Channel.STATUSES, "AAPL"), page()))
    assert told["text"] == "Massive has no history of statuses"
