"""One life of two orders, and each thing that can go wrong at each of its steps, one at a time."""

import pytest
from broker_world import World

from pipeline.codes import OrderState, OrderType, Side
from pipeline.execution.jobs import Times
from pipeline.simulator.trading.book import Manners
from pipeline.simulator.trading.mischief import SMOOTH, Course, Mischief, Mishap
from pipeline.units import NANO

OF_REQUESTS = list(Mishap)[: list(Mishap).index(Mishap.CANCEL_RACE)]
OF_MESSAGES = [Mishap.MESSAGE_LOST, Mishap.MESSAGE_LATE, Mishap.MESSAGE_TWICE, Mishap.DROP]
BROKERS = ("alpaca", "coinbase")


class Once(Mischief):
    """One thing goes wrong, at the request or the message of that number."""

    def __init__(self, kind=None, place=0):
        super().__init__(place)
        self.kind, self.place, self.requests, self.messages = kind, place, 0, 0

    def of_request(self):
        self.requests += 1
        is_now = self.kind in OF_REQUESTS and self.requests == self.place
        self.odds = {self.kind: 1.0} if is_now else {}
        return super().of_request()

    def of_message(self):
        self.messages += 1
        is_now = self.kind in OF_MESSAGES and self.messages == self.place
        self.odds = {self.kind: 1.0} if is_now else {}
        return super().of_message()

    def is_race(self):
        return self.kind is Mishap.CANCEL_RACE


def life(broker, mischief, crash_at=()):
    """An order that fills in two parts, and one that is cancelled."""
    manners = Manners(parts=lambda _: 2, step_nano=NANO if broker == "alpaca" else 10_000_000, gap_ns=NANO)
    world = World(broker, mischief.place, mischief=mischief, crash_at=crash_at, manners=manners)
    world.run(1)
    world.submit(Side.BUY, OrderType.LIMIT, 10, 100)
    world.run(3)
    resting = world.submit(Side.SELL, OrderType.LIMIT, 4, 120)
    world.run(2)
    world.cancel(resting)
    world.run(100)
    world.check()
    return world


@pytest.fixture(scope="module", params=BROKERS)
def smooth(request):
    return life(request.param, Once())


def test_nothing_goes_wrong(smooth):
    assert [order.filled_nano // smooth.step_nano for order in smooth.book.orders.values()] == [10, 0]
    assert list(smooth.fold.state.values()) == [OrderState.FILLED, OrderState.CANCELLED]
    assert smooth.fold.differences == []
    assert len(smooth.book.fills) == len(smooth.fold.fill_ids) == 2


@pytest.mark.parametrize("kind", OF_REQUESTS)
def test_a_request_goes_wrong(smooth, kind):
    count = smooth.counter.mischief.requests
    assert count >= 8
    for place in range(1, count + 1):
        world = life(smooth.broker, Once(kind, place))
        assert (
            len(world.book.orders) == 2
            or world.fold.state[2] in {OrderState.REJECTED, OrderState.CANCELLED}
            or (world.fold.state[1] is OrderState.REJECTED)
        )


@pytest.mark.parametrize("kind", OF_MESSAGES)
def test_a_message_goes_wrong(smooth, kind):
    count = smooth.counter.mischief.messages
    assert count >= 5
    for place in range(1, count + 1):
        world = life(smooth.broker, Once(kind, place))
        assert world.fold.state == smooth.fold.state


@pytest.mark.parametrize("broker", BROKERS)
def test_a_cancel_comes_too_late(broker):
    world = life(broker, Once(Mishap.CANCEL_RACE))
    assert list(world.fold.state.values()) == [OrderState.FILLED, OrderState.FILLED]


def test_it_crashes_anywhere(smooth):
    for step in range(1, smooth.count_steps + 1):
        world = life(smooth.broker, Once(), crash_at=[step])
        assert world.generation == 1 or step > world.count_steps


def test_it_crashes_anywhere_again_on_the_way_back(smooth):
    for step in range(1, smooth.count_steps, 3):
        for behind in (1, 3, 5, 8):
            life(smooth.broker, Once(), crash_at=[step, step + behind])


@pytest.mark.parametrize("kind", [Mishap.LOST_REPLY, Mishap.LATE_REQUEST, Mishap.NOBODY_KNOWS, Mishap.TWICE])
def test_it_crashes_while_a_request_is_in_doubt(smooth, kind):
    for place in range(1, smooth.counter.mischief.requests + 1):
        for step in range(place, smooth.count_steps + 1, 9):
            life(smooth.broker, Once(kind, place), crash_at=[step])


class VeryLate(Once):
    """A request comes minutes after anybody waited for it."""

    def of_request(self):
        self.requests += 1
        return Course(act_after_s=150.0, answer_after_s=None) if self.requests == self.place else SMOOTH


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize(("limit", "filled"), [(90, 0), (100, 10)])
def test_an_order_that_comes_after_the_proof_is_ended_and_its_fills_are_told(broker, limit, filled):
    """No request lives that long; if one does, nothing of it is silent."""
    mischief = VeryLate()
    world = World(broker, 3, mischief=mischief, times=Times(proof_s=1.0, reconcile_s=20.0))
    world.run(1)
    mischief.place = mischief.requests + 1
    id_ = world.submit(Side.BUY, OrderType.LIMIT, 10, limit)
    world.run(60)
    assert world.fold.state[id_] is OrderState.REJECTED
    assert not world.book.orders
    world.run(300)
    (order,) = world.book.orders.values()
    assert order.status.value == ("filled" if filled else "canceled")
    assert any("told as not sent" in text for text in world.fold.differences)
    assert world.fold.positions.get(1, 0) == world.position_steps == filled
