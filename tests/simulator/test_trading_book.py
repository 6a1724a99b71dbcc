"""The book: what orders fill at, what money moves, what is refused, and that nothing is lost or made."""

import random

import pytest

from pipeline.codes import OrderType, Side, TimeInForce
from pipeline.simulator.trading.book import Book, Manners, Quote, taken
from pipeline.simulator.trading.orders import Event, RefusedError, Status, Ticket, Wrong
from pipeline.units import NANO, SECOND_NS, TS_MAX_NS

MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP
DAY, IOC, FOK = TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK


def ticket(number, side=Side.BUY, type_=MARKET, quantity=10, in_force=DAY, **prices):
    words = {name: round(value * NANO) if "nano" in name else value for name, value in prices.items()}
    return Ticket(f"c{number}", "ABCD", side, type_, in_force, quantity * NANO, **words)


def book(quote=(10, 11), cash=10_000, **manners):
    made = Book(cash_nano=cash * NANO, manners=Manners(**manners))
    if quote:
        made.quote("ABCD", Quote(*(round(price * NANO) for price in quote)))
    return made


def placed(made, *args, now_ns=0, **words):
    order = made.place(ticket(len(made.orders) + 1, *args, **words), now_ns)
    made.settle(now_ns)
    return made.orders[order.id]


def test_a_market_order_gets_the_far_side_and_pays_for_it():
    made = book(taker_ppm=1_000)
    order = placed(made)
    assert (order.status, order.average_nano, order.fees_nano) == (Status.FILLED, 11 * NANO, 110_000_000)
    assert (made.cash_nano, made.position_nano("ABCD")) == (10_000 * NANO - 110 * NANO - 110_000_000, 10 * NANO)
    placed(made, Side.SELL, quantity=4)
    assert made.position_nano("ABCD") == 6 * NANO
    assert made.positions["ABCD"].cost_nano == 66 * NANO
    placed(made, Side.SELL, quantity=8)
    assert (made.position_nano("ABCD"), made.positions["ABCD"].cost_nano) == (-2 * NANO, 20 * NANO)


def test_it_tells_what_happened_in_order():
    made = book(parts=lambda _: 3, gap_ns=SECOND_NS)
    order = placed(made)
    assert made.due_ns() == SECOND_NS
    made.settle(SECOND_NS - 1)
    assert made.orders[order.id].filled_nano == 4 * NANO
    made.settle(SECOND_NS)
    made.settle(2 * SECOND_NS)
    assert made.due_ns() == TS_MAX_NS
    told = taken(made.changes)
    assert [change.event for change in told] == [Event.NEW, Event.PARTIAL_FILL, Event.PARTIAL_FILL, Event.FILL]
    assert [change.fill.cumulative_nano // NANO for change in told[1:]] == [4, 8, 10]
    assert [change.position_nano // NANO for change in told] == [0, 4, 8, 10]
    assert not made.changes


def test_a_limit_rests_until_the_other_side_comes_to_it():
    made = book()
    order = placed(made, type_=LIMIT, limit_nano=10.5)
    assert order.status is Status.NEW
    made.quote("ABCD", Quote(9 * NANO, 10 * NANO))
    made.settle(1)
    filled = made.orders[order.id]
    assert (filled.status, filled.average_nano) == (Status.FILLED, 10_500_000_000)
    assert made.fills[0].is_maker
    crossing = placed(made, type_=LIMIT, limit_nano=12, now_ns=2)
    assert crossing.average_nano == 10 * NANO


def test_no_more_than_is_displayed_is_filled_at_once():
    made = book(quote=None)
    made.quote("ABCD", Quote(10 * NANO, 11 * NANO, 3 * NANO, 4 * NANO))
    assert placed(made, in_force=FOK).status is Status.CANCELED
    partial = placed(made, in_force=IOC)
    assert (partial.status, partial.filled_nano) == (Status.CANCELED, 4 * NANO)
    working = placed(made)
    assert (working.status, working.filled_nano) == (Status.PARTIALLY_FILLED, 4 * NANO)


def test_a_stop_waits_for_its_price():
    made = book()
    placed(made)
    stop = placed(made, Side.SELL, STOP, stop_nano=9.5)
    assert stop.status is Status.NEW
    made.quote("ABCD", Quote(round(9.4 * NANO), 10 * NANO))
    made.settle(1)
    assert (made.orders[stop.id].status, made.orders[stop.id].average_nano) == (Status.FILLED, round(9.4 * NANO))


def test_an_order_without_a_quote_waits_for_one():
    made = book(quote=None)
    order = placed(made)
    made.settle(5)
    assert (order.status, made.due_ns()) == (Status.NEW, TS_MAX_NS)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ({"quantity": 0}, Wrong.QUANTITY),
        ({"quantity": 1_000}, Wrong.BUYING_POWER),
        ({"side": Side.SELL}, Wrong.POSITION),
        ({"type_": LIMIT, "limit_nano": 11, "is_post_only": True}, Wrong.WOULD_CROSS),
    ],
)
def test_what_it_does_not_take_leaves_no_trace(words, wrong):
    made = book(allows_short=False)
    with pytest.raises(RefusedError) as refused:
        made.place(ticket(1, **words), 0)
    assert refused.value.wrong is wrong
    assert not made.orders
    assert not made.changes


def test_open_orders_hold_the_money_and_the_shares_they_wait_for():
    made = book(allows_short=False)
    placed(made, quantity=900)
    placed(made, Side.SELL, LIMIT, quantity=900, limit_nano=20)
    with pytest.raises(RefusedError, match="position"):
        placed(made, Side.SELL, quantity=1)
    placed(made, type_=LIMIT, quantity=100, limit_nano=1)
    with pytest.raises(RefusedError, match="buying power"):
        placed(made, type_=LIMIT, quantity=100, limit_nano=0.5)


def test_a_cancel_that_takes_its_time_may_come_too_late():
    made = book(cancel_ns=SECOND_NS)
    order = placed(made, type_=LIMIT, limit_nano=10)
    made.cancel(order.id, 0)
    made.cancel(order.id, 0)
    assert made.orders[order.id].is_cancel_pending
    made.quote("ABCD", Quote(9 * NANO, 10 * NANO))
    made.settle(SECOND_NS // 2)
    assert made.orders[order.id].status is Status.FILLED
    made.settle(SECOND_NS)
    assert made.orders[order.id].status is Status.FILLED
    with pytest.raises(RefusedError, match="over"):
        made.cancel(order.id, SECOND_NS)


def test_time_runs_out():
    made = book()
    order = placed(made, type_=LIMIT, limit_nano=10, expires_ns=SECOND_NS)
    assert made.due_ns() == SECOND_NS
    made.settle(SECOND_NS)
    assert made.orders[order.id].status is Status.EXPIRED


def test_a_replacement_is_another_order():
    made = book()
    order = placed(made, type_=LIMIT, limit_nano=10)
    successor = made.replace(order.id, ticket(7, type_=LIMIT, quantity=3, limit_nano=9), 1)
    assert (made.orders[order.id].status, made.orders[order.id].replaced_by) == (Status.REPLACED, successor.id)
    assert successor.replaces == order.id
    assert [each.id for each in made.open_orders()] == [successor.id]


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_or_made(seed):
    draw, refusals = random.Random(seed), set()
    made = Book(
        cash_nano=1_000 * NANO,
        manners=Manners(parts=lambda number: 1 + number % 3, cancel_ns=draw.choice([0, 2]), gap_ns=3, taker_ppm=2_500),
    )
    for now_ns in range(300):
        bid = draw.randrange(8, 12)
        made.quote("ABCD", Quote(bid * NANO, (bid + 1) * NANO, draw.randrange(5) * NANO, draw.randrange(5) * NANO))
        if draw.random() < 0.3:
            side, type_ = draw.choice([Side.BUY, Side.SELL]), draw.choice([MARKET, LIMIT, STOP])
            prices = {LIMIT: {"limit_nano": draw.randrange(8, 13)}, STOP: {"stop_nano": draw.randrange(8, 13)}}
            try:
                made.place(ticket(now_ns, side, type_, draw.randrange(1, 9), **prices.get(type_, {})), now_ns)
            except RefusedError as refused:
                refusals.add(refused.wrong)
        if draw.random() < 0.1 and made.open_orders():
            made.cancel(draw.choice(made.open_orders()).id, now_ns)
        made.settle(now_ns)
    assert len(made.fills) > 20
    assert refusals <= {Wrong.BUYING_POWER}
    for order in made.orders.values():
        own = [fill for fill in made.fills if fill.order_id == order.id]
        assert sum(fill.quantity_nano for fill in own) == order.filled_nano <= order.ticket.quantity_nano
        assert sum(fill.fee_nano for fill in own) == order.fees_nano
        assert (order.status is Status.FILLED) == (order.open_nano == 0)
    assert made.position_nano("ABCD") == sum(fill.side * fill.quantity_nano for fill in made.fills)
    paid = sum(fill.side * fill.price_nano * fill.quantity_nano // NANO + fill.fee_nano for fill in made.fills)
    assert made.cash_nano == 1_000 * NANO - paid
    told = taken(made.changes)
    assert [change.fill.id for change in told if change.fill] == [fill.id for fill in made.fills]
