"""The two languages: what is asked, and what of an answer is believed. What can't be read is never a refusal and never an absence."""

import dataclasses
import json

import pytest

from pipeline.codes import OrderFlag, OrderType, Side, TimeInForce
from pipeline.errors import UnitError
from pipeline.execution.alpaca import AlpacaTongue
from pipeline.execution.calls import Answer, Silence
from pipeline.execution.coinbase import CoinbaseTongue
from pipeline.execution.numbers import atto_of, moment_of, nano_of
from pipeline.execution.reports import NotTaken, Refused, Status, Taken, Unsure
from pipeline.execution.tongue import Failed, StreamError
from pipeline.instruments import Instrument
from pipeline.intents import OrderRequest
from pipeline.units import ABSENT, DAY_NS, NANO, SECOND_NS

NOW_NS = 1_760_000_000 * SECOND_NS
SHARE, COIN = Instrument("ABCD", "XNAS", NANO), Instrument("BTC-USD", "coinbase", 10)
TONGUES = {"alpaca": AlpacaTongue("key", "secret"), "coinbase": CoinbaseTongue(lambda: "token")}
LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT
DAY, GTC, IOC, FOK, GTD = TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD


def request(type_=OrderType.MARKET, in_force=DAY, side=Side.BUY, flags=OrderFlag.NONE, steps=15, expires_ns=ABSENT):
    return OrderRequest(7, 1, side, type_, in_force, flags, steps, 2_500_000_000, 2_400_000_000, expires_ns)


def body(name, asked):
    instrument = SHARE if name == "alpaca" else COIN
    assert TONGUES[name].unsupported(asked, instrument) == ""
    call = TONGUES[name].place(asked, instrument, "c7", NOW_NS)
    assert call.method == "POST"
    return json.loads(call.body)


def answered(name, status, said):
    return TONGUES[name].placed(Answer(status, json.dumps(said).encode() if not isinstance(said, bytes) else said))


def ran(talk, *answers):
    """What a conversation comes to, and the calls it made."""
    calls = [next(talk)]
    for answer in answers:
        try:
            calls.append(talk.send(answer))
        except StopIteration as end:
            return end.value, calls
    return None, calls


def test_orders_in_alpacas_words():
    assert body("alpaca", request()) == {
        "symbol": "ABCD", "qty": "15", "side": "buy", "type": "market", "time_in_force": "day", "client_order_id": "c7",
    }  # fmt: skip
    stop = body("alpaca", request(STOP_LIMIT, GTC, Side.SELL))
    assert (stop["type"], stop["limit_price"], stop["stop_price"], stop["side"]) == ("stop_limit", "2.5", "2.4", "sell")
    assert "limit_price" not in body("alpaca", request(STOP, GTC))
    assert body("alpaca", request(LIMIT, flags=OrderFlag.EXTENDED_HOURS))["extended_hours"] is True


def test_orders_in_coinbases_words():
    market = body("coinbase", request())
    assert market["order_configuration"] == {"market_market_ioc": {"base_size": "0.00000015"}}
    assert (market["product_id"], market["side"], market["client_order_id"]) == ("BTC-USD", "BUY", "c7")
    names = {GTC: "limit_limit_gtc", FOK: "limit_limit_fok", IOC: "sor_limit_ioc", DAY: "limit_limit_gtd"}
    for in_force, name in names.items():
        ((found, words),) = body("coinbase", request(LIMIT, in_force))["order_configuration"].items()
        assert (found, words["limit_price"], "post_only" in words) == (name, "2.5", in_force in {GTC, DAY})
    day_end = (NOW_NS // DAY_NS + 1) * DAY_NS
    assert moment_of(words["end_time"]) == day_end
    maker = body("coinbase", request(LIMIT, GTC, flags=OrderFlag.POST_ONLY))
    assert maker["order_configuration"]["limit_limit_gtc"]["post_only"] is True
    stop = body("coinbase", request(STOP_LIMIT, GTD, Side.SELL, expires_ns=NOW_NS + DAY_NS))
    ((name, words),) = stop["order_configuration"].items()
    assert (name, words["stop_direction"]) == ("stop_limit_stop_limit_gtd", "STOP_DIRECTION_STOP_DOWN")
    assert moment_of(words["end_time"]) == NOW_NS + DAY_NS


@pytest.mark.parametrize(
    ("side", "tick_nano", "limit"),
    [
        (Side.SELL, ABSENT, "2.28"),
        (Side.BUY, ABSENT, "2.52"),
        (Side.SELL, NANO // 20, "2.25"),
        (Side.BUY, NANO // 20, "2.55"),
    ],
)
def test_a_stop_at_coinbase_has_a_limit_beyond_it_on_a_tick(side, tick_nano, limit):
    coin = dataclasses.replace(COIN, tick_nano=tick_nano)
    call = TONGUES["coinbase"].place(request(STOP, DAY, side), coin, "c7", NOW_NS)
    ((name, words),) = json.loads(call.body)["order_configuration"].items()
    assert (name, words["stop_price"], words["limit_price"]) == ("stop_limit_stop_limit_gtd", "2.4", limit)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("alpaca", request(OrderType.TRAILING_STOP)),
        ("alpaca", request(LIMIT, GTD)),
        ("alpaca", request(LIMIT, flags=OrderFlag.POST_ONLY)),
        ("alpaca", request(flags=OrderFlag.EXTENDED_HOURS)),
        ("coinbase", request(OrderType.TRAILING_STOP)),
        ("coinbase", request(OrderType.MARKET, GTC)),
        ("coinbase", request(LIMIT, IOC, flags=OrderFlag.POST_ONLY)),
        ("coinbase", request(LIMIT, TimeInForce.OPENING)),
    ],
)
def test_orders_that_a_broker_does_not_have(name, asked):
    assert TONGUES[name].unsupported(asked, SHARE)


@pytest.mark.parametrize("name", TONGUES)
def test_what_decides_nothing_is_not_a_refusal(name):
    tongue = TONGUES[name]
    for said in (
        Silence("no answer"),
        *(Answer(status, b"") for status in (100, 200, 301, 408, 409, 500, 502, 503, 504)),
    ):
        assert isinstance(tongue.placed(said), Unsure), said
        found, _ = ran(tongue.find("c7", "", NOW_NS), said)
        assert isinstance(found, Failed), said
        assert isinstance(ran(tongue.orders(NOW_NS), said)[0], Failed)
        assert isinstance(ran(tongue.standing(), said)[0], Failed)
    for junk in (b'{"id": 7}', b'{"id":"\xff","success_response":{"order_id":"\xff"}}', b'{"id":' + b"[" * 9_000):
        assert isinstance(tongue.placed(Answer(200, junk)), Unsure)
        for talk in (tongue.find("c7", "", NOW_NS), tongue.orders(NOW_NS), tongue.standing()):
            assert isinstance(ran(talk, Answer(200, junk))[0], Failed), junk
    assert isinstance(tongue.placed(Silence("connection refused", was_sent=False)), NotTaken)
    assert tongue.placed(Answer(429, b"", 2.5)) == NotTaken("HTTP status 429: ", 2.5)
    for status in (400, 401, 403, 404):
        assert isinstance(tongue.placed(Answer(status, b"no")), Refused)


ALPACA_ORDER = {
    "id": "v1", "client_order_id": "c7", "symbol": "ABCD", "status": "partially_filled", "qty": "15", "filled_qty": "4",
    "filled_avg_price": "2.3333333333333333", "side": "buy", "updated_at": "2025-10-09T08:53:20Z", "more": [1],
}  # fmt: skip


def test_alpacas_answers():
    taken = answered("alpaca", 200, ALPACA_ORDER)
    assert isinstance(taken, Taken)
    report = taken.report
    assert (report.venue_order_id, report.status, report.filled_nano) == ("v1", Status.WORKING, 4 * NANO)
    assert (report.value, report.ts_ns) == (9_333_333_333_333_333_200, NOW_NS)
    assert isinstance(answered("alpaca", 422, {"message": "client_order_id must be unique"}), Unsure)
    assert isinstance(answered("alpaca", 422, {"message": "qty"}), Refused)
    assert isinstance(answered("alpaca", 200, ALPACA_ORDER | {"filled_qty": "four"}), Unsure)
    assert isinstance(answered("alpaca", 200, ALPACA_ORDER | {"filled_avg_price": None}), Unsure)
    assert ran(TONGUES["alpaca"].find("c7", "", 0), Answer(404, b""))[0] is None
    assert TONGUES["alpaca"].cancelled(Answer(204, b"")) is None
    assert isinstance(TONGUES["alpaca"].cancelled(Answer(422, b"")), Refused)
    assert isinstance(TONGUES["alpaca"].cancelled(Answer(503, b"")), Unsure)


def test_alpacas_orders_come_page_after_page():
    def page(first, count):
        orders = [
            ALPACA_ORDER | {"id": f"v{number}", "submitted_at": f"2025-10-09T08:53:20.{number:06d}Z"}
            for number in range(first, first + count)
        ]
        return Answer(200, json.dumps(orders).encode())

    found, calls = ran(TONGUES["alpaca"].orders(NOW_NS), page(900, 1), page(1, 500), page(500, 400))
    assert len(found) == 900
    assert [call.query["status"] for call in calls] == ["open", "all", "all"]
    assert calls[2].query["after"] == "2025-10-09T08:53:20.000499999Z"


def test_coinbases_answers():
    success = {
        "success": True,
        "success_response": {"order_id": "v1", "client_order_id": "c7", "product_id": "BTC-USD"},
    }
    taken = answered("coinbase", 200, success)
    assert isinstance(taken, Taken)
    assert (taken.report.venue_order_id, taken.report.client_order_id) == ("v1", "c7")
    refused = {"success": False, "error_response": {"error": "INSUFFICIENT_FUND", "message": "poor"}}
    assert answered("coinbase", 200, refused) == Refused("INSUFFICIENT_FUND: poor")
    assert isinstance(answered("coinbase", 200, {"success": False}), Unsure)
    assert isinstance(answered("coinbase", 200, {"success": True}), Unsure)
    result = {"results": [{"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "v1"}]}
    assert TONGUES["coinbase"].cancelled(Answer(200, json.dumps(result).encode())) == Refused("UNKNOWN_CANCEL_ORDER")
    assert isinstance(TONGUES["coinbase"].cancelled(Answer(200, b'{"results":[]}')), Unsure)


def test_coinbase_is_asked_by_its_own_id_or_for_all_since():
    tongue = TONGUES["coinbase"]
    order = {
        "order_id": "v1",
        "client_order_id": "c7",
        "status": "FILLED",
        "filled_size": "2",
        "average_filled_price": "3",
        "total_fees": "0.1",
    }
    found, (call,) = ran(tongue.find("c7", "v1", NOW_NS), Answer(200, json.dumps({"order": order}).encode()))
    assert call.path.endswith("/orders/historical/v1")
    assert (found.status, found.value, found.fees_nano) == (Status.FILLED, 6 * 10**18, 100_000_000)
    assert ran(tongue.find("c7", "v1", NOW_NS), Answer(404, b""))[0] is None
    first = {"orders": [order | {"client_order_id": "c6"}], "has_next": True, "cursor": "9"}
    last = {"orders": [order], "has_next": False, "cursor": ""}
    found, calls = ran(
        tongue.find("c7", "", NOW_NS), *(Answer(200, json.dumps(each).encode()) for each in (first, last))
    )
    assert found.client_order_id == "c7"
    assert [call.query.get("cursor") for call in calls] == [None, "9"]
    found, _ = ran(tongue.find("c8", "", NOW_NS), *(Answer(200, json.dumps(each).encode()) for each in (first, last)))
    assert found is None


def test_alpacas_stream():
    conversation = TONGUES["alpaca"].conversation()
    (hello,) = conversation.opened()
    assert json.loads(hello) == {"action": "authenticate", "data": {"key_id": "key", "secret_key": "secret"}}
    heard = conversation.hear(b'{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}')
    assert json.loads(heard.replies[0]) == {"action": "listen", "data": {"streams": ["trade_updates"]}}
    assert conversation.hear(b'{"stream":"listening","data":{"streams":["trade_updates"]}}').is_listening
    assert not conversation.hear(b'{"stream":"listening","data":{"streams":[]}}').is_listening
    update = {"event": "partial_fill", "order": ALPACA_ORDER, "execution_id": "x", "price": "2.5", "qty": "1"}
    heard = conversation.hear(json.dumps({"stream": "trade_updates", "data": update}).encode())
    (execution,), (report,) = heard.executions, heard.reports
    assert (execution.price_nano, execution.quantity_nano, execution.cumulative_nano) == (2_500_000_000, NANO, 4 * NANO)
    assert report.filled_nano == 4 * NANO
    bust = {"stream": "trade_updates", "data": update | {"event": "trade_bust"}}
    heard = conversation.hear(json.dumps(bust).encode())
    assert heard.notices
    assert not heard.executions
    for junk in (
        b"",
        b"{",
        b'{"stream":"trade_updates","data":{}}',
        b"\xff",
        b'{"stream":"listen\xb5"}',
        b'{"stream":"listening","data":{"streams":5}}',
        b'{"stream":"listening","data":' + b"[" * 9_000,
        json.dumps({"stream": "trade_updates", "data": update | {"price": "x"}}).encode(),
    ):
        assert conversation.hear(junk).is_broken
    with pytest.raises(StreamError) as refused:
        conversation.hear(b'{"stream":"authorization","data":{"status":"unauthorized"}}')
    assert refused.value.is_fatal


def test_coinbases_stream():
    conversation = TONGUES["coinbase"].conversation()
    assert [json.loads(each)["channel"] for each in conversation.opened()] == ["heartbeats", "user"]

    def message(number, **words):
        return json.dumps({"channel": "user", "sequence_num": number, "events": [words]}).encode()

    order = {
        "order_id": "v1",
        "client_order_id": "c7",
        "status": "OPEN",
        "cumulative_quantity": "2",
        "avg_price": "3",
        "total_fees": "0",
    }
    heard = conversation.hear(message(0, type="snapshot", orders=[order]))
    assert (heard.reports[0].filled_nano, heard.reports[0].value, heard.is_broken) == (2 * NANO, 6 * 10**18, False)
    assert conversation.hear(message(1, subscriptions={"user": ["*"]})).is_listening
    assert conversation.hear(message(3, type="update", orders=None)).is_broken
    assert not conversation.hear(message(3, type="update")).is_broken
    assert not conversation.hear(message(2, type="update")).is_broken
    assert conversation.hear(message(4, orders=[order | {"cumulative_quantity": "much"}])).is_broken
    assert conversation.hear(b"[]").is_broken
    assert conversation.hear(b'{"channel":"us\xb5r"}').is_broken
    with pytest.raises(StreamError) as refused:
        conversation.hear(b'{"type":"error","message":"authentication failure"}')
    assert refused.value.is_fatal
    with pytest.raises(StreamError) as other:
        conversation.hear(b'{"type":"error","message":"try later"}')
    assert not other.value.is_fatal


def test_numbers_of_brokers():
    assert (nano_of("0.5"), nano_of(2), nano_of(None), nano_of("")) == (500_000_000, 2 * NANO, 0, 0)
    assert nano_of("0.1234567891", is_rounded=True) == 123_456_789
    assert atto_of("0.000000000000000001", NANO) == 1
    for junk in ("x", "nan", "inf", "1e400", "0.1234567891"):
        with pytest.raises(UnitError):
            nano_of(junk)
    for junk in ("x", "nan", "inf", "1e400", None):
        with pytest.raises(UnitError):
            atto_of(junk, NANO)
    assert (moment_of("yesterday"), moment_of(None), moment_of("2025-10-09T08:53:20Z")) == (ABSENT, ABSENT, NOW_NS)
