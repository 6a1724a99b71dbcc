"""The two brokers' APIs in front of a book, without sockets: what is asked, answered, told, and gone wrong."""

import json

import pytest

from pipeline.errors import ConfigError
from pipeline.simulator.trading.alpaca import AlpacaFace
from pipeline.simulator.trading.book import Book, Manners, Quote
from pipeline.simulator.trading.coinbase import CoinbaseFace
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.face import Call
from pipeline.simulator.trading.mischief import SMOOTH, Mischief, Mishap, odds_of
from pipeline.units import NANO, SECOND_NS

NOW_NS = 1_760_000_000 * SECOND_NS
ALPACA_KEY = {"apca-api-key-id": "key", "apca-api-secret-key": "secret"}
COINBASE_KEY = {"authorization": "Bearer token"}
PREFIX = "/api/v3/brokerage"


def alpaca(**manners):
    book = Book(cash_nano=10_000 * NANO, manners=Manners(**manners))
    book.quote("ABCD", Quote(2 * NANO, 3 * NANO))
    return AlpacaFace(book, {"key": "secret"})


def coinbase(**manners):
    book = Book(cash_nano=100_000 * NANO, manners=Manners(step_nano=10, allows_short=False, **manners))
    book.quote("BTC-USD", Quote(49_990 * NANO, 50_000 * NANO))
    return CoinbaseFace(book)


def ask(face, method, path, body=None, now_ns=NOW_NS, headers=None, **query):
    path, own = (f"{PREFIX}{path}", COINBASE_KEY) if face.name == "coinbase" else (f"/v2{path}", ALPACA_KEY)
    body = json.dumps(body).encode() if isinstance(body, dict) else body or b""
    answer = face.answer(Call(method, path, query, own if headers is None else headers, body), now_ns)
    return answer.status, json.loads(answer.body) if answer.body else None


def order(client_id="a", **words):
    said = {"symbol": "ABCD", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10"}
    return said | {"client_order_id": client_id} | words


def coin_order(client_id="a", configuration="market_market_ioc", **words):
    return {
        "client_order_id": client_id,
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {configuration: {"base_size": "0.5"} | words},
    }


def test_alpaca_forgets_no_client_id():
    face = alpaca()
    status, said = ask(face, "POST", "/orders", order())
    assert (status, said["status"], said["filled_qty"]) == (200, "new", "0")
    status, found = ask(face, "GET", "/orders:by_client_order_id", client_order_id="a")
    assert (status, found["id"], found["status"], found["filled_avg_price"]) == (200, said["id"], "filled", "3")
    assert ask(face, "POST", "/orders", order())[0] == 422
    assert ask(face, "GET", "/orders:by_client_order_id", client_order_id="b")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/orders", b"{", 422),
        ("POST", "/orders", order(qty="many"), 422),
        ("POST", "/orders", order(type="iceberg"), 422),
        ("POST", "/orders", order(qty="100000"), 403),
        ("POST", "/orders", order(extended_hours=True), 422),
        ("DELETE", "/orders/904837e3-3b76-47ec-b432-046db621571b", None, 404),
        ("GET", "/positions/ABCD", None, 404),
        ("GET", "/nothing", None, 404),
    ],
)
def test_alpaca_refuses(method, path, body, status):
    face = alpaca()
    assert ask(face, method, path, body)[0] == status
    assert not face.book.orders


def test_alpaca_answers_nobody_else():
    assert ask(alpaca(), "GET", "/account", headers={})[0] == 403
    assert ask(alpaca(), "GET", "/account", headers=ALPACA_KEY | {"apca-api-secret-key": "no"})[0] == 403


def test_alpaca_lists_orders_by_time_and_state():
    face = alpaca()
    for number in range(5):
        words = {"type": "limit", "limit_price": "1"} if number % 2 else {}
        ask(face, "POST", "/orders", order(f"c{number}", **words), NOW_NS + number)
    said = ask(face, "GET", "/orders", status="all", after="2025-10-09T08:53:20.000000001Z", direction="asc")[1]
    assert [each["client_order_id"] for each in said] == ["c2", "c3", "c4"]
    said = ask(face, "GET", "/orders", status="open")[1]
    assert [each["client_order_id"] for each in said] == ["c3", "c1"]
    assert len(ask(face, "GET", "/orders", status="all", limit="2")[1]) == 2
    assert ask(face, "GET", "/orders", status="all", after="yesterday")[0] == 422


def test_alpaca_tells_fills_by_pages():
    face = alpaca(parts=lambda _: 5, gap_ns=1)
    ask(face, "POST", "/orders", order())
    for later in range(5):
        face.book.settle(NOW_NS + later)
    first = ask(face, "GET", "/account/activities/FILL", direction="asc", page_size="3")[1]
    rest = ask(face, "GET", "/account/activities/FILL", direction="asc", page_token=first[-1]["id"])[1]
    assert [each["cum_qty"] for each in first + rest] == ["2", "4", "6", "8", "10"]
    assert [each["type"] for each in rest] == ["partial_fill", "fill"]


def test_alpacas_stream_tells_those_who_listen():
    face = alpaca()
    counter = Counter(face)
    stranger, listener = counter.connect(), counter.connect()
    (refused,) = stranger.hear(b'{"action":"authenticate","data":{"key_id":"key","secret_key":"no"}}', NOW_NS)
    assert json.loads(refused)["data"]["status"] == "unauthorized"
    assert b"unauthorized" in stranger.hear(b'{"action":"listen","data":{"streams":["trade_updates"]}}', NOW_NS)[0]
    (said,) = listener.hear(b'{"action":"auth","key":"key","secret":"secret"}', NOW_NS)
    assert json.loads(said)["data"]["status"] == "authorized"
    (said,) = listener.hear(b'{"action":"listen","data":{"streams":["trade_updates"]}}', NOW_NS)
    assert json.loads(said) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    assert listener.is_binary
    ask(face, "POST", "/orders", order())
    told = list(counter.told())
    assert {each.listener for each in told} == {listener}
    new, fill = [json.loads(each.payload)["data"] for each in told]
    assert (new["event"], fill["event"], fill["price"], fill["qty"]) == ("new", "fill", "3", "10")
    assert (fill["order"]["filled_qty"], fill["position_qty"]) == ("10", "10")


def test_coinbase_answers_a_second_request_with_the_first_order():
    face = coinbase(taker_ppm=6_000)
    status, said = ask(face, "POST", "/orders", coin_order())
    assert (status, said["success"]) == (200, True)
    again = ask(face, "POST", "/orders", coin_order(base_size="9"))[1]
    assert again["success_response"]["order_id"] == said["success_response"]["order_id"]
    assert len(face.book.orders) == 1
    _, found = ask(face, "GET", f"/orders/historical/{said['success_response']['order_id']}")
    assert (found["order"]["status"], found["order"]["filled_size"]) == ("FILLED", "0.5")


def test_coinbase_refuses_with_a_status_of_success():
    face = coinbase()
    status, said = ask(face, "POST", "/orders", coin_order(base_size="50"))
    assert (status, said["success"], said["error_response"]["error"]) == (200, False, "INSUFFICIENT_FUND")
    crossing = coin_order(configuration="limit_limit_gtc", limit_price="60000", post_only=True)
    said = ask(face, "POST", "/orders", crossing)[1]
    assert said["error_response"]["error"] == "INVALID_LIMIT_PRICE_POST_ONLY"
    assert ask(face, "POST", "/orders", coin_order(configuration="iceberg"))[0] == 400
    assert ask(face, "POST", "/orders", b"[]")[0] == 400
    assert ask(face, "GET", "/accounts", headers={})[0] == 401
    assert ask(face, "GET", "/orders/historical/nobody")[0] == 404
    assert not face.book.orders


def test_coinbase_lists_newest_first_by_pages():
    face = coinbase()
    for number in range(5):
        ask(face, "POST", "/orders", coin_order(f"c{number}", base_size="0.01"), NOW_NS + number)
    first = ask(face, "GET", "/orders/historical/batch", limit="2")[1]
    rest = ask(face, "GET", "/orders/historical/batch", limit="3", cursor=first["cursor"])[1]
    ids = [each["client_order_id"] for each in first["orders"] + rest["orders"]]
    assert ids == ["c4", "c3", "c2", "c1", "c0"]
    assert (first["has_next"], rest["has_next"]) == (True, False)
    since = ask(face, "GET", "/orders/historical/batch", start_date="2025-10-09T08:53:20.000000003Z")[1]
    assert [each["client_order_id"] for each in since["orders"]] == ["c4", "c3"]
    assert len(ask(face, "GET", "/orders/historical/fills", limit="4")[1]["fills"]) == 4


def test_coinbases_user_channel_is_cumulative():
    face = coinbase(parts=lambda _: 2, gap_ns=0, taker_ppm=1_000)
    ask(face, "POST", "/orders", coin_order("resting", "limit_limit_gtc", limit_price="1", base_size="1"))
    counter = Counter(face)
    list(counter.told())
    listener = counter.connect()
    assert listener.waited(1.0, NOW_NS) == []
    assert b"authentication failure" in listener.hear(b'{"type":"subscribe","channel":"user"}', NOW_NS)[0]
    said = listener.hear(b'{"type":"subscribe","channel":"user","product_ids":["BTC-USD"],"jwt":"t"}', NOW_NS)
    snapshot, acknowledged = map(json.loads, said)
    (event,) = snapshot["events"]
    assert (event["type"], [each["client_order_id"] for each in event["orders"]]) == ("snapshot", ["resting"])
    assert acknowledged["channel"] == "subscriptions"
    buying = coin_order("b", "limit_limit_gtc", limit_price="50000")
    ask(face, "POST", "/orders", buying)
    face.book.settle(NOW_NS)
    orders = [json.loads(told.payload)["events"][0]["orders"][0] for told in counter.told()]
    assert [each["cumulative_quantity"] for each in orders] == ["0", "0.25", "0.5"]
    assert [each["total_fees"] for each in orders] == ["0", "12.5", "25"]
    assert [each["status"] for each in orders] == ["OPEN", "OPEN", "FILLED"]
    assert json.loads(listener.hear(b'{"type":"subscribe","channel":"heartbeats"}', NOW_NS)[0])["sequence_num"] == 5
    assert len(listener.waited(3.5, NOW_NS)) == 2  # the first second had passed already


def test_coinbase_drops_who_does_not_subscribe():
    listener = coinbase().listener()
    listener.waited(5.0, NOW_NS)
    assert listener.close_code == 1008


BABBLE = [b"", b"[]", b"\xff", b'{"\xff":1}', b'{"x":"\xff"}', b'{"x":' + b"[" * 50_000, b'{"action":[],"channel":{}}']
HALF_SAID = [
    b'{"action":"auth","data":7}',
    b'{"action":"auth","key":[]}',
    b'{"action":"listen","data":{"streams":7}}',
    b'{"type":"subscribe","channel":"user","product_ids":7,"jwt":"t"}',
    b'{"type":"subscribe","channel":"user","jwt":[]}',
]


@pytest.mark.parametrize("payload", BABBLE + HALF_SAID)
def test_a_client_that_babbles_to_a_broker_is_answered(payload):
    (said,) = alpaca().listener().hear(payload, NOW_NS)
    assert json.loads(said)["stream"] in ("error", "authorization")
    (said,) = coinbase().listener().hear(payload, NOW_NS)
    assert json.loads(said)["type"] == "error"


@pytest.mark.parametrize("body", [each for each in BABBLE if each != b'{"x":"\xff"}'] + [b'{"side":"\xff"}'])
def test_an_order_that_is_no_text_is_refused(body):
    assert ask(alpaca(), "POST", "/orders", body)[0] == 422
    assert ask(coinbase(), "POST", "/orders", body)[0] == 400


def test_a_cancel_may_come_too_late():
    face = alpaca()
    counter = Counter(face, Mischief(1, {Mishap.CANCEL_RACE: 1.0}))
    _, said = ask(face, "POST", "/orders", order(type="limit", limit_price="1"))
    call = Call("DELETE", f"/v2/orders/{said['id']}", {}, ALPACA_KEY)
    assert counter.done(call, SMOOTH, NOW_NS).status == 422
    assert face.book.orders[said["id"]].filled_nano == 10 * NANO


def test_the_same_seed_does_the_same_mischief():
    odds = dict.fromkeys(Mishap, 0.1)
    first, second = (Mischief(5, odds) for _ in range(2))
    courses = [first.of_request() for _ in range(400)]
    assert courses == [second.of_request() for _ in range(400)]
    sendings = [first.of_message() for _ in range(400)]
    assert sendings == [second.of_message() for _ in range(400)]
    assert courses != [Mischief(6, odds).of_request() for _ in range(400)]
    assert {course.status for course in courses} == {0, 429, 500, 504}
    assert {course.times for course in courses} == {0, 1, 2}
    assert any(course.act_after_s and course.answer_after_s is None for course in courses)
    assert any(sending.is_dropped for sending in sendings)
    assert any(sending.after_s == () and not sending.is_dropped for sending in sendings)
    assert any(len(sending.after_s) == 2 for sending in sendings)


def test_what_was_done_and_what_was_not():
    face = alpaca()
    counter = Counter(face, Mischief(3, {Mishap.NOBODY_KNOWS: 1.0}))
    call = Call("POST", "/v2/orders", {}, ALPACA_KEY, json.dumps(order()).encode())
    assert counter.done(call, counter.course(), NOW_NS).status == 504
    assert len(face.book.orders) == 1
    counter = Counter(face, Mischief(3, {Mishap.TOO_MANY: 1.0}))
    call = call._replace(body=json.dumps(order("b")).encode())
    assert counter.done(call, counter.course(), NOW_NS).status == 429
    assert len(face.book.orders) == 1
    counter = Counter(face, Mischief(3, {Mishap.TWICE: 1.0}))
    assert counter.done(call, counter.course(), NOW_NS).status == 422
    assert len(face.book.orders) == 2


@pytest.mark.parametrize("texts", [("lost",), ("lost-reply=2",), ("lost-reply=x",), ("429=0.6", "500=0.6")])
def test_odds_that_are_none(texts):
    with pytest.raises(ConfigError, match="mishap"):
        odds_of(texts)


def test_odds_as_people_write_them():
    assert odds_of(("lost-reply=0.25", "drop=1")) == {Mishap.LOST_REPLY: 0.25, Mishap.DROP: 1.0}
