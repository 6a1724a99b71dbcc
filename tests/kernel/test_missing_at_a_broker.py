"""What is missing at a broker, told step by step: what is closed, what waits, and what protects the rest."""

from brokered_day import Dealt, S
from two_speeds import open_orders

from pipeline.block import Block
from pipeline.codes import AccountAction, Kind, RequestAction, SessionAction, Side
from pipeline.core.carrying import carried
from pipeline.core.dialect import NAN
from pipeline.core.engine import Engine
from pipeline.core.orders import reduces_only, remaining_steps
from pipeline.core.params import param, params
from pipeline.core.settings import BROKERED, EngineSettings
from pipeline.core.state import state
from pipeline.core.strategy import Plan, Strategy
from pipeline.core.verbs import enter, leave
from pipeline.units import NANO

AT_BROKER = EngineSettings(execution=BROKERED, quote_age_ns_max=10**15, short_sales=2)


@params
class Params:
    size: float = param(10.0, help="below 0: sold short")
    stop: float = param(0.0, low=0.0)
    out: float = param(10.5, help="it leaves once the bid is above")


@state
class State:
    has_entered: bool
    has_left: bool


def on_quote(s, quote, p, ctx):
    """In at the first quote, out once the bid is high."""
    if not s.has_entered:
        s.has_entered = True
        side = Side.BUY if p.size > 0.0 else Side.SELL
        limit = quote.ask if p.size > 0.0 else quote.bid
        enter(ctx, side, quantity=abs(p.size), limit=limit, stop=p.stop if p.stop > 0.0 else NAN)
    elif not s.has_left and quote.bid > p.out:
        s.has_left = True
        leave(ctx)


first = Strategy("first", Params, State, on_quote=on_quote)
second = Strategy("second", Params, State, on_quote=on_quote)


class Held(Dealt):
    """What each plan entered is held; a person trades in the same account, and we are told by how much it differs."""

    def __init__(self, *plans):
        super().__init__(plans, AT_BROKER, 1, steps=0)
        self.quote(9.99)

    def quote(self, bid):
        """The market goes there; all that follows is said and done."""
        self.prices[1] = round(bid * 100)
        columns = {"bid_nano": self.prices[1] * NANO // 100, "ask_nano": (self.prices[1] + 1) * NANO // 100}
        self._put(Kind.QUOTE, 1, **columns, bid_size_steps=500, ask_size_steps=500)
        self._settle()

    def tell(self, differs):
        self.held[1] += differs - self.differs[1]
        self.differs[1], self.told_seq[1] = differs, self.seq + 1
        self._put(Kind.ACCOUNT, 1, action=int(AccountAction.POSITION_DIFFERENCE), quantity_steps=differs)
        self._settle()

    def stray(self, side, steps):
        """Something is filled that was no order of ours any more."""
        self.held[1] += side * steps
        columns = {"strategy_id": 1, "side": int(side), "price_nano": 10 * NANO, "quantity_steps": steps}
        self._put(Kind.FILL, 1, order_id=999, fee_nano=0, **columns)
        self._settle()

    def _settle(self):
        for _ in range(20):
            self._deal(0.0)
            self._say_all(1.0)

    @property
    def missing(self):
        return self.engine.world.instruments[1].missing_steps

    @property
    def positions(self):
        return [row.quantity_steps for row in self.engine.world.positions[1:]]

    @property
    def kept(self):
        return sum(remaining_steps(row) for row in open_orders(self.engine) if row.is_kept and reduces_only(row))

    @property
    def closing(self):
        return sum(order.left for order in self.orders.values() if order.reduces)


def test_who_sold_ours_and_more_and_buys_back_the_more_has_brought_nothing_back():
    for size in (10.0, -10.0):
        day = Held(Plan(first, Params(size=size)))
        side = 1 if size > 0 else -1
        day.tell(-20 * side)
        assert day.missing == 10
        day.tell(-10 * side)
        assert (day.held[1], day.missing) == (0, 10)
        day.quote(11)
        assert (day.held[1], day.over_closed) == (0, [])
        day.tell(0)
        assert (day.held[1], day.positions, day.missing) == (0, [0], 0)


def test_what_was_beside_ours_when_we_came_is_not_missing_whatever_became_of_it():
    day = Held(Plan(first, Params(size=10.0)))
    for differs, missing in ((7, 0), (0, 0), (-4, 4), (7, 0), (-30, 10), (-10, 10), (-9, 9), (0, 0)):
        day.tell(differs)
        assert day.missing == missing, differs


def test_a_position_that_turns_misses_nothing_of_its_new_side():
    day = Held(Plan(first, Params(size=10.0)))
    day.tell(-10)
    day.stray(Side.SELL, 15)
    assert (day.held[1], day.positions, day.missing) == (-10, [0], 0)


def test_who_closes_the_smaller_side_waits_for_nothing_that_is_missing_of_the_larger_one():
    day = Held(Plan(first, Params(size=10.0, out=11.5)), Plan(second, Params(size=-5.0)))
    assert day.positions == [10, -5]
    day.tell(-5)
    assert day.missing == 5
    day.quote(11)
    assert (day.positions, day.held[1], day.missing) == ([10, 0], 5, 5)
    day.quote(12)
    assert (day.positions, day.held[1], day.missing) == ([5, 0], 0, 5)


def test_what_went_while_both_sides_were_held_alike_is_missing_once_one_of_them_is_closed():
    day = Held(Plan(first, Params(size=10.0, out=11.5)), Plan(second, Params(size=-10.0)))
    day.tell(-3)
    assert day.missing == 0
    day.quote(11)
    assert (day.positions, day.held[1], day.missing) == ([10, 0], 7, 3)
    day.quote(12)
    assert (day.positions, day.held[1]) == ([3, 0], 0)


def test_who_leaves_without_a_stop_takes_what_there_is_at_once():
    """Nobody has to be asked for room, so nobody would tell that there is some."""
    for size in (10.0, -10.0):
        day = Held(Plan(first, Params(size=size)))
        side = 1 if size > 0 else -1
        day.tell(-4 * side)
        day.quote(11)
        assert (day.positions, day.held[1], day.kept, day.over_closed) == ([4 * side], 0, 0, [])


def test_who_leaves_finds_nothing_and_goes_once_it_is_back():
    day = Held(Plan(first, Params(size=10.0)))
    day.tell(-10)
    day.quote(11)
    assert (day.held[1], day.kept) == (0, 10)
    day.tell(-6)
    assert (day.positions, day.held[1], day.over_closed) == ([6], 0, [])


def test_what_comes_back_is_protected_as_it_was():
    """Also in parts, and gone again: what finds nothing to protect at the broker stands by."""
    for size in (10.0, -10.0):
        day = Held(Plan(first, Params(size=size, stop=9.0 if size > 0 else 11.0)))
        side = 1 if size > 0 else -1
        assert day.closing == 10
        for missing in (4, 7, 10, 2, 5, 0):
            day.tell(-missing * side)
            assert (day.closing, day.kept) == (10 - missing, missing)
        day.quote(8.9 if size > 0 else 11.1)
        assert (day.positions, day.held[1], day.over_closed, day.kept) == ([0], 0, [], 0)


def test_what_stands_by_closes_no_more_than_is_left_to_close():
    day = Held(Plan(first, Params(size=10.0, stop=9.0)))
    day.tell(-4)
    day.quote(11)
    assert (day.positions, day.held[1], day.closing) == ([4], 0, 0)
    day.tell(0)
    assert day.closing == 4
    day.quote(8.9)
    assert (day.positions, day.held[1], day.over_closed, day.kept) == ([0], 0, [], 0)


def test_what_comes_back_to_an_account_that_is_halted_is_closed():
    for stop in (0.0, 9.0):
        day = Held(Plan(first, Params(size=10.0, stop=stop)))
        day.tell(-4)
        day._put(Kind.REQUEST, 0, action=int(RequestAction.HALT))
        day._settle()
        assert (day.positions, day.held[1], day.closing) == ([4], 0, 0)
        day.tell(0)
        assert (day.positions, day.held[1], day.over_closed, day.kept) == ([0], 0, [], 0)


def test_a_stop_at_the_broker_is_not_called_back_as_its_price_is_seen():
    """Beside it one is kept here, of the same price: of what is missing, or because the broker ended it."""
    for is_missed in (True, False):
        day = Held(Plan(first, Params(size=10.0, stop=9.0)))
        if is_missed:
            day.tell(-4)
        else:
            day._end(next(iter(day.orders.values())), S.EXPIRED)
            day._settle()
        since = day.seq
        assert min(day.closing, day.kept) > 0
        day.quote(8.9)
        asked = [row for row in day.derived[Kind.ORDER] if row["seq"] > since and row["state"] == S.CANCEL_PENDING]
        assert asked == []
        assert (day.positions, day.held[1], day.over_closed) == ([4 if is_missed else 0], 0, [])


def gone_on_from(day, plan, settings):
    """An engine that goes on where such a day is now."""
    engine = Engine([plan], settings)
    rows = list(carried(day.engine.snapshot(), [plan]))
    for seq, (key, text) in enumerate(rows, 1):
        row = {"seq": seq, "ts_recv_ns": day.now_ns, "action": int(SessionAction.STATE), "key": key, "text": text}
        engine.reduce([Block.from_rows(Kind.SESSION, [row])])
    return engine.world.instruments[1], engine.world.positions[1]


def test_a_session_that_goes_on_misses_what_was_missing_and_nothing_where_nobody_could_say_that_it_is_back():
    plan = Plan(first, Params(size=10.0))
    day = Held(plan)
    for differs in (3, -4):
        day.tell(differs)
    instrument, position = gone_on_from(day, plan, AT_BROKER)
    assert (position.quantity_steps, instrument.differs_steps, instrument.missing_steps) == (10, -4, 4)
    assert instrument.beside_steps == 3
    instrument, position = gone_on_from(day, plan, EngineSettings())
    assert (position.quantity_steps, instrument.differs_steps, instrument.missing_steps) == (10, 0, 0)


class Refusing(Held):
    """A broker that takes no order which closes."""

    def _deal(self, chaos):
        for order in [order for order in self.orders.values() if order.reduces]:
            self._end(order, S.REJECTED)
        super()._deal(chaos)


def test_a_stop_whose_order_is_refused_is_tried_again_and_not_at_each_quote():
    day = Refusing(Plan(first, Params(size=10.0, stop=9.0)))
    since_ns = day.now_ns
    for _ in range(40):
        day.quote(8.9)
    tries = [row for row in day.derived[Kind.ORDER] if row["state"] == S.SUBMITTED and row["side"] < 0]
    seconds = (day.now_ns - since_ns) / NANO
    assert seconds > 5
    parts = sum(row.is_kept for row in open_orders(day.engine))
    assert parts * seconds / 2 < len(tries) <= parts * (seconds + 2)
    assert day.kept == 10
