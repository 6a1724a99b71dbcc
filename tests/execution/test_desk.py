"""The desk: when orders go out, what is asked when nobody knows, and what differs between the broker and the log."""

import json

import pytest
from broker_world import START_NS, SYMBOLS, World
from test_every_step import BROKERS, Once

from pipeline.codes import FeedAction, Kind, OrderFlag, OrderReason, OrderState, OrderType, Side, TimeInForce
from pipeline.execution.alpaca import AlpacaTongue
from pipeline.execution.calls import Answer, Pause
from pipeline.execution.identity import Identity
from pipeline.execution.jobs import Jobs, Times
from pipeline.execution.orders import Orders
from pipeline.execution.paper import Paper
from pipeline.instruments import Instrument
from pipeline.intents import OrderRequest
from pipeline.simulator.trading.book import Quote
from pipeline.simulator.trading.face import Call
from pipeline.simulator.trading.mischief import Mischief, Mishap
from pipeline.simulator.trading.orders import Ticket
from pipeline.units import ABSENT, NANO, SECOND_NS

S = OrderState


@pytest.fixture(params=BROKERS)
def broker(request):
    return request.param


def ours(world):
    return [order.ticket.client_order_id for order in world.book.orders.values()]


def test_orders_wait_until_the_stream_tells_of_orders_and_all_was_compared(broker):
    world = World(broker, 1)
    id_ = world.submit()
    assert not world.desk.is_ready
    while not world.desk.is_listening:
        world.run(0.01)
    assert not world.desk.is_ready, "nothing was compared yet"
    assert ours(world) == []
    world.run(2)
    assert world.desk.is_ready
    assert world.fold.state[id_] is S.FILLED
    assert world.fold.feed == [FeedAction.CONNECTED]


def test_what_is_cancelled_while_it_waits_is_never_sent(broker):
    world = World(broker, 1)
    id_ = world.submit()
    world.cancel(id_)
    assert world.fold.state[id_] is S.CANCELLED
    world.run(5)
    assert ours(world) == []


def test_an_entry_that_waited_too_long_for_its_broker_is_not_sent_and_an_exit_is(broker):
    world = World(broker, 1)
    entry, exit_ = world.submit(), world.submit(flags=OrderFlag.REDUCE_ONLY, side=Side.BUY)
    world.desk._waiting = [(since - 6 * SECOND_NS, tracked) for since, tracked in world.desk._waiting]
    world.run(2)
    assert world.fold.state[entry] is S.REJECTED
    assert [id_.rpartition("-")[2] for id_ in ours(world)] == [str(exit_)]


def test_an_order_that_the_broker_does_not_have_is_refused_here(broker):
    world = World(broker, 1)
    world.run(2)
    rows = []
    world.fold.row, row = lambda kind, each: (rows.append(each), row(kind, each)), world.fold.row
    id_ = world.submit(type_=OrderType.TRAILING_STOP)
    assert world.fold.state[id_] is S.REJECTED
    assert rows[-1]["reason"] == OrderReason.UNSUPPORTED
    assert broker.capitalize() in rows[-1]["text"]
    world.run(2)
    assert ours(world) == []


def test_an_order_that_the_broker_refuses(broker):
    world = World(broker, 1)
    world.run(2)
    id_ = world.submit(type_=OrderType.LIMIT, steps=10**9, limit=10**4)
    world.run(2)
    assert world.fold.state[id_] is S.REJECTED
    world.check()


def test_orders_go_out_and_are_known_while_there_is_no_stream(broker):
    world = World(broker, 1)
    world.run(2)
    world._connect = lambda _: None  # no stream comes back
    world.counter.leave(world._listener)
    world._listener = None
    world._lost(world.generation)
    id_ = world.submit(Side.BUY, OrderType.LIMIT, 5, 100)
    resting = world.submit(Side.BUY, OrderType.LIMIT, 5, 90)
    world.run(5)
    assert (world.fold.state[id_], world.fold.state[resting]) == (S.FILLED, S.ACCEPTED)
    world.quote(90)
    world.run(5)
    assert world.fold.state[resting] is S.FILLED
    assert world.fold.feed == [FeedAction.CONNECTED, FeedAction.LOST]
    assert world.fold.differences == []


def test_what_the_account_holds_besides_is_told_once(broker):
    world = World(broker, 1)
    world.run(2)
    for symbol, told in (("OTHER", 1), ("THIRD", 2)):
        other = symbol if broker == "alpaca" else f"{symbol}-USD"
        ticket = Ticket(symbol, other, Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 2 * NANO, 90 * NANO)
        placed = world.book.place(ticket, world.now_ns)
        world.book.trade(placed.id, 2 * NANO, 90 * NANO, world.now_ns)
        world.run(200)
        found = [text for text in world.fold.differences if "no instrument of this session" in text]
        assert len(found) == told
        assert f"2 {symbol}" in found[-1]


def test_somebody_elses_order_and_position_are_told_once(broker):
    world = World(broker, 1)
    world.run(2)
    symbol = SYMBOLS[broker]
    ticket = Ticket("stranger", symbol, Side.BUY, OrderType.LIMIT, TimeInForce.GTC, 2 * NANO, 90 * NANO)
    world.book.place(ticket, world.now_ns)
    filled = world.book.place(ticket._replace(client_order_id="another", quantity_nano=3 * NANO), world.now_ns)
    world.book.trade(filled.id, 3 * NANO, 90 * NANO, world.now_ns)
    world.run(200)
    name = symbol.partition("-")[0]
    assert [text for text in world.fold.differences if "somebody else's" in text] == [
        text for text in world.fold.differences if "is open at the broker" in text
    ]
    assert world.fold.differences.count(f"{name}: the broker's position less ours is 3") == 1
    assert len(world.fold.differences) <= 3  # both orders may have been open when they were seen
    world.book.positions[symbol].quantity_nano = 0
    world.run(100)
    assert world.fold.differences[-1] == f"{name}: the broker's position is ours again"
    world.book.positions[symbol].quantity_nano = 3 * NANO
    world.run(130)
    assert world.fold.differences.count(f"{name}: the broker's position less ours is 3") == 2


def test_an_order_that_vanishes_is_loud_and_never_believed_absent(broker):
    world = World(broker, 1, times=Times(proof_s=1.0))
    world.run(2)
    id_ = world.submit(Side.BUY, OrderType.LIMIT, 5, 90)
    world.run(2)
    (order,) = world.book.orders.values()
    kept = world.book.orders.pop(order.id)
    world.book.by_client_id.clear()
    world.book._open.clear()
    world.run(200)
    assert world.fold.state[id_] is S.UNKNOWN
    assert f"order {id_} is not at the broker any more" in world.fold.differences
    assert any("is unknown for 30 s" in text for text in world.fold.differences)
    world.book.orders[kept.id] = kept
    world.book.by_client_id[kept.ticket.client_order_id] = kept.id
    world.book._open[kept.id] = None
    world.run(60)
    assert world.fold.state[id_] is S.ACCEPTED


def test_an_order_that_never_left_is_told_as_not_sent_only_after_a_proof(broker):
    mischief = Once(Mishap.LOST_REQUEST)
    world = World(broker, 1, mischief=mischief)
    world.run(2)
    mischief.place = mischief.requests + 1
    id_ = world.submit()
    world.run(11)
    assert world.fold.state[id_] is S.UNKNOWN
    world.run(28)
    assert world.fold.state[id_] is S.UNKNOWN
    world.run(30)
    assert world.fold.state[id_] is S.REJECTED
    world.check()


def test_a_list_that_did_not_come_proves_nothing():
    """The order is not found by its id, long after it was sent: only a list of all orders without it says that it never was."""
    paper = Paper("paper")
    orders = Orders(Identity("paper", "day"), {1: Instrument("ABCD", "XNAS", NANO)}, paper)
    asked = OrderRequest(7, 1, Side.BUY, OrderType.MARKET, TimeInForce.DAY, OrderFlag.NONE, 5, ABSENT, ABSENT, ABSENT)
    tracked = orders.take(asked, START_NS)
    tracked.unknown("no answer", paper)
    talk = Jobs(orders, AlpacaTongue("key", "secret"), Times(), lambda: 100 * SECOND_NS).finding(tracked)
    assert "by_client_order_id" in next(talk).path
    assert talk.send(Answer(404, b"")).path == "/v2/orders"
    assert isinstance(talk.send(Answer(503, b"")), Pause)
    assert tracked.is_unknown
    assert "by_client_order_id" in talk.send(None).path
    assert talk.send(Answer(404, b"")).query["status"] == "open"
    assert talk.send(Answer(200, b"[]")).query["status"] == "all"
    with pytest.raises(StopIteration):
        talk.send(Answer(200, b"[]"))
    assert tracked.state is S.REJECTED


def test_a_busy_broker_is_asked_again_under_the_same_id(broker):
    mischief = Once(Mishap.TOO_MANY)
    world = World(broker, 1, mischief=mischief)
    world.run(2)
    mischief.place = mischief.requests + 1
    id_ = world.submit()
    world.run(3)
    assert world.fold.state[id_] is S.FILLED
    mischief.odds = {}
    mischief.of_request = Mischief(1, {Mishap.TOO_MANY: 1.0}).of_request
    refused = world.submit()
    world.run(5)
    assert world.fold.state[refused] is S.REJECTED
    assert len(world.book.orders) == 1


def test_a_cancel_goes_out_as_soon_as_the_order_is_known(broker):
    mischief = Once(Mishap.LOST_REPLY)
    world = World(broker, 1, mischief=mischief)
    world.run(2)
    mischief.place = mischief.requests + 1
    id_ = world.submit(Side.BUY, OrderType.LIMIT, 5, 90)
    world.cancel(id_)
    world.run(1)  # the stream knows it before the answer that never comes
    assert world.fold.state[id_] is S.CANCELLED
    world.run(60)
    world.check()


def test_a_broker_that_keeps_an_order_is_told(broker):
    world = World(broker, 1)
    world.run(2)
    id_ = world.submit(Side.BUY, OrderType.LIMIT, 5, 90)
    world.run(2)
    answer = world.counter.face.answer

    def stubborn(call, now_ns):
        if world.counter.face.cancels(call):
            said = {"results": [{"success": False, "failure_reason": "NO"}]}
            status = 422 if broker == "alpaca" else 200
            return answer(Call("GET", "/nothing", {}, {}), now_ns)._replace(
                status=status, body=json.dumps(said).encode()
            )
        return answer(call, now_ns)

    world.counter.face.answer = stubborn
    world.cancel(id_)
    world.run(10)
    assert world.fold.state[id_] is S.ACCEPTED
    world.counter.face.answer = answer
    world.cancel(id_)
    world.run(5)
    assert world.fold.state[id_] is S.CANCELLED


def test_an_order_is_not_sent_twice():
    world = World("alpaca", 1)
    id_ = world.submit()
    with pytest.raises(AssertionError, match="submitted before"):
        world.desk.submit(world.fold.requests[id_], world.now_ns)


def test_what_nobody_asked_is_not_listened_to(broker):
    world = World(broker, 1)
    world.run(2)
    world.desk.said(10**6, None, world.now_ns)
    assert world.desk.paper.is_empty


def test_what_fills_between_two_questions_brings_nothing_back(broker):
    """Half of what is held was sold by somebody; the exit of the rest fills while the broker's answer from before is on its way."""
    world = World(broker, 1)
    world.submit()
    world.run(5)
    world.book.positions[SYMBOLS[broker]].quantity_nano -= 5 * world.step_nano
    world.run(70)
    id_ = world.submit(Side.SELL, OrderType.LIMIT, steps=5, limit=200)
    world.run(5)
    answered, counter = world.counter.done, world.counter

    def done(call, course, now_ns):
        answer = answered(call, course, now_ns)
        if call.path.endswith(("/positions", "/accounts")):
            counter.done = answered
            world.quote(300)
            world._tell()
        return answer

    counter.done = done
    world.run(120)
    assert world.fold.state[id_] is S.FILLED
    assert world.position_steps == 0
    assert len([text for text in world.fold.differences if "position less ours" in text]) == 1
    assert not any("is ours again" in text for text in world.fold.differences)


def test_opening_positions_that_the_broker_does_not_have(broker):
    world = World(broker, 1)
    world.fold.positions[1] = 7
    world.crash()
    world.run(10)
    name = SYMBOLS[broker].partition("-")[0]
    (text,) = [each for each in world.fold.differences if "position" in each]
    assert text.startswith(f"{name}: the broker's position less ours is -")


def test_rows_become_blocks_in_their_order(broker):
    world = World(broker, 1)
    world.run(2)
    world._enter = lambda what: what(world.desk)
    world.submit(Side.BUY, OrderType.LIMIT, 5, 100)
    for asked in world.desk.take_calls():
        world._send(asked)
    world.run(1)
    blocks = world.desk.paper.take()
    assert [block.kind for block in blocks] == [Kind.ORDER, Kind.FILL]
    orders, fills = blocks
    assert [S(state) for state in orders.number("state").tolist()] == [S.ACCEPTED, S.FILLED]
    assert orders.number("seq").tolist() == [1, 3]
    assert fills.number("seq").tolist() == [2]
    assert set(fills.number("origin").tolist()) == {0}
    assert START_NS < fills.number("ts_recv_ns")[0] < START_NS + 4 * SECOND_NS
    assert world.desk.paper.take() == []


def test_a_quote_moves_the_market_of_the_world():
    world = World("alpaca", 1)
    world.quote(50)
    assert world.book.quotes["ABCD"] == Quote(49 * NANO, 50 * NANO)
