"""Orders at a broker, both speeds: what it says is folded, nothing is closed twice, what is held stays protected."""

import dicer
import msgspec
import pytest
from brokered_day import Dealt, S
from two_speeds import Derived, open_orders, packed

from pipeline.block import concat
from pipeline.codes import AccountAction, Kind, OrderFlag, OrderType, RiskRule, Side
from pipeline.core.desk import room_steps
from pipeline.core.dialect import NAN
from pipeline.core.engine import Engine
from pipeline.core.orders import gives_way
from pipeline.core.params import param, params
from pipeline.core.settings import BROKERED, EngineSettings
from pipeline.core.state import state
from pipeline.core.strategy import Plan, Strategy
from pipeline.core.verbs import enter, leave
from pipeline.execution.alpaca import AlpacaTongue
from pipeline.execution.paper import request_of
from pipeline.instruments import Instrument
from pipeline.kernel.engine import CompiledEngine
from pipeline.units import ABSENT, NANO

AT_BROKER = EngineSettings(execution=BROKERED, quote_age_ns_max=10**15, short_sales=2, checkpoint_every=50)
SEEDS = 24


@params
class Params:
    seed: int = param(1, low=1)


@state
class State:
    dice: int


def throw(s, p, sides):
    if s.dice == 0:
        s.dice = p.seed
    s.dice = (s.dice * 1_103_515_245 + 12_345) % 2_147_483_648
    return s.dice // 65_536 % sides


def on_quote(s, quote, p, ctx):
    """Enters one way at a time, with a stop and perhaps a target, and leaves in whole or in part."""
    what = throw(s, p, 12)
    if ctx.position == 0.0 and ctx.open_orders == 0:
        side = Side.BUY if throw(s, p, 2) == 0 else Side.SELL
        far = quote.ask if side == Side.BUY else quote.bid
        away = 0.04 * float(side)
        target = far + away if throw(s, p, 3) > 0 else NAN
        enter(ctx, side, quantity=float(1 + throw(s, p, 90)), stop=far - away, target=target)
    elif what == 0:
        leave(ctx)
    elif what == 1:
        leave(ctx, quantity=float(1 + throw(s, p, 40)))
    elif what == 2:
        leave(ctx, limit=quote.ask if ctx.position > 0.0 else quote.bid)


careful = Strategy("careful", Params, State, on_quote=on_quote)


def plan(seed):
    return Plan(careful, Params(seed=seed))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_nothing_is_closed_twice_and_what_is_held_stays_protected(seed):
    dealt = Dealt([plan(seed)], AT_BROKER, seed)
    assert dealt.over_closed == []
    engine = dealt.engine
    (position,) = engine.world.positions[1:]
    assert (
        position.quantity_steps
        == dealt.held[1]
        == sum(
            row["quantity_steps"] * row["side"]
            for batch in dealt.inputs
            for block in batch
            if block.kind is Kind.FILL
            for row in block.rows()
        )
    )
    assert not engine.world.account.is_halted
    reducing = [order for order in dealt.orders.values() if order.reduces]
    assert sum(order.left for order in reducing) <= abs(position.quantity_steps)
    kept = [order for order in open_orders(engine) if order.is_kept and order.flags & OrderFlag.BRACKET_STOP]
    protected = sum(order.left for order in reducing) + sum(order.quantity_steps for order in kept)
    assert protected >= abs(position.quantity_steps), (
        "held, and neither at the broker nor here is anything that protects it or leaves"
    )


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_nobody_waits_for_room_that_could_be_made(seed):
    """Once nothing goes wrong any more: who leaves is at the broker, or behind who goes first."""
    engine = Dealt([plan(seed)], AT_BROKER, seed).engine
    orders = open_orders(engine)
    for order in orders:
        if order.is_kept and order.is_triggered:
            assert not any(gives_way(other, order) for other in orders)
            assert not 0 < order.quantity_steps - order.filled_steps <= room_steps(engine.world, order)


@pytest.mark.parametrize("seed", [4, *range(30, 48)])
def test_no_more_is_closed_than_the_broker_has_though_a_person_trades_there(seed):
    """Of orders that were sent before the difference was told nothing is said: they can but be ended."""
    dealt = Dealt([plan(seed)], AT_BROKER, seed, meddles=True)
    assert dealt.over_closed == []
    engine = dealt.engine
    (position,), (instrument,) = engine.world.positions[1:], engine.world.instruments[1:]
    held = position.quantity_steps
    assert held + dealt.differs[1] == dealt.held[1]
    there = max(0, dealt.held[1] * (1 if held > 0 else -1)) if held else 0
    assert abs(held) - instrument.missing_steps >= min(there, abs(held))
    reducing = sum(order.left for order in dealt.orders.values() if order.reduces)
    assert reducing <= abs(held) - instrument.missing_steps
    kept = [order for order in open_orders(engine) if order.is_kept and order.flags & OrderFlag.BRACKET_STOP]
    assert reducing + sum(order.quantity_steps for order in kept) >= abs(held), "what comes back finds its stop"


def test_what_a_person_does_is_met_in_every_way():
    """Stops are taken back and come back, entries are refused while something is missing, both speeds alike."""
    rules, restored = set(), 0
    for seed in range(1, 13):
        plans = [Plan(dicer.strategy, dicer.Params(seed=seed)), plan(seed)]
        dealt = Dealt(plans, AT_BROKER, seed, symbols=2, meddles=True)
        rules |= set(dealt.derived.column(Kind.RISK, "rule"))
        restored += sum(
            block.kind is Kind.ACCOUNT and not block.number("quantity_steps")[0] for (block,) in dealt.inputs
        )
        if seed < 3:
            compiled, derived = CompiledEngine(plans, AT_BROKER), Derived()
            for start in range(0, len(dealt.inputs), 40):
                part = dealt.inputs[start : start + 40]
                derived.take(compiled.reduce(concat([block for batch in part for block in batch])))
            assert packed(derived) == packed(dealt.derived)
            assert compiled.state_hash() == dealt.engine.state_hash()
    assert RiskRule.MISSING_POSITION in rules
    assert restored > 5


def test_what_was_there_beside_ours_holds_nothing_back():
    """Half a coin of a person's own: bought and sold beside it as ever; sold by him, nothing of ours is missing."""
    dealt = Dealt([plan(1)], AT_BROKER, 1, steps=0, meddles=True)
    dealt.held[1], dealt.differs[1] = 500, 500
    instrument = dealt.engine.world.instruments[1]

    def tell(steps):
        dealt._put(Kind.ACCOUNT, 1, action=int(AccountAction.POSITION_DIFFERENCE), quantity_steps=steps)

    tell(500)
    dealt.meddles = False
    while dealt.engine.world.positions[1].quantity_steps <= 0:
        dealt._step(0.0)
        dealt._say_all(1.0)
    held = dealt.engine.world.positions[1].quantity_steps
    assert instrument.missing_steps == 0
    tell(0)
    assert instrument.missing_steps == 0
    tell(-held)
    assert instrument.missing_steps == held
    tell(0)
    assert instrument.missing_steps == 0


def enter_once(s, quote, p, ctx):
    if s.dice == 0:
        s.dice = 1
        enter(ctx, Side.BUY, quantity=10.0, limit=quote.ask, stop=9.0, target=11.0, extended=p.seed > 1)


once = Strategy("once", Params, State, on_quote=enter_once)
OPEN_S = 3_600
"""Behind the start of such a day: 9:30 in New York."""


class Premarket(Dealt):
    """One entry of 10 at 10.00 at half past eight, with a stop at 9.00 and a target at 11.00; told as it happens."""

    def __init__(self, *, extended):
        hours = msgspec.structs.replace(AT_BROKER, exchange_hours=1)
        super().__init__([Plan(once, Params(seed=2 if extended else 1))], hours, 1, steps=0)
        self.at(0, 9.99)
        self.step()
        assert self.held[1] == 10

    def at(self, seconds, bid):
        """A quote so many seconds behind the start; what is said of it comes at once."""
        self.prices[1] = round(bid * 100)
        columns = {"bid_nano": self.prices[1] * NANO // 100, "ask_nano": (self.prices[1] + 1) * NANO // 100}
        self._put(Kind.QUOTE, 1, at_s=seconds, **columns, bid_size_steps=500, ask_size_steps=500)

    def step(self):
        for _ in range(20):
            self._deal(0.0)
            self._say_all(1.0)


def test_what_is_for_regular_hours_sees_no_price_before_the_open():
    """A target that went before would wait there for the open without the stop that made room for it."""
    day = Premarket(extended=False)
    assert {order.type for order in day.orders.values()} == {OrderType.STOP}
    day.at(60, 11.5)
    day.step()
    assert {order.type for order in day.orders.values()} == {OrderType.STOP}
    day.at(OPEN_S + 1, 11.5)
    day.step()
    assert (day.held[1], day.orders) == (0, {})


@pytest.mark.parametrize("bid", [11.5, 8.9])
def test_what_is_for_extended_hours_goes_before_the_open_as_brokers_take_it(bid):
    day = Premarket(extended=True)
    assert day.orders == {}, "a stop for extended hours is kept by us"
    day.at(60, bid)
    day.step()
    assert (day.held[1], day.orders) == (0, {})
    instrument = Instrument("S1", "X", NANO)
    sent = [request_of(row) for row in day.derived[Kind.ORDER] if row["state"] == S.SUBMITTED]
    assert {request.side for request in sent} == {Side.BUY, Side.SELL}
    assert {AlpacaTongue("key", "secret").unsupported(request, instrument) for request in sent} == {""}
    assert all(request.flags & OrderFlag.EXTENDED_HOURS for request in sent)


def test_everything_that_can_happen_happens():
    """Stops fill, targets are reached, exits wait for room, stops come back, cancels are refused, orders are unknown."""
    kept = came_back = targets = stops = unknown = 0
    for seed in range(1, SEEDS + 1):
        dealt = Dealt([plan(seed)], AT_BROKER, seed)
        rows = dealt.derived[Kind.ORDER]
        filled = {
            row["order_id"]
            for batch in dealt.inputs
            for block in batch
            if block.kind is Kind.FILL
            for row in block.rows()
        }
        legs = {row["order_id"]: row["flags"] for row in rows if row["parent_order_id"]}
        targets += sum(bool(legs.get(id_, 0) & OrderFlag.BRACKET_TARGET) for id_ in filled)
        stops += sum(bool(legs.get(id_, 0) & OrderFlag.BRACKET_STOP) for id_ in filled)
        approved = [row["order_id"] for row in rows if row["state"] == S.APPROVED]
        kept += len(approved) - len({row["order_id"] for row in rows if row["state"] == S.SUBMITTED})
        came_back += sum(
            row["flags"] & OrderFlag.BRACKET_STOP != 0 and row["state"] == S.CANCEL_PENDING for row in rows
        )
        unknown += sum(
            row["state"] == S.UNKNOWN
            for batch in dealt.inputs
            for block in batch
            if block.kind is Kind.ORDER
            for row in block.rows()
        )
    assert min(kept, came_back, targets, stops, unknown) > 5


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("cut", [1, 7, 10**6])
def test_what_a_broker_said_is_folded_alike_compiled_and_however_it_comes(seed, cut):
    plans = [Plan(dicer.strategy, dicer.Params(seed=seed)), plan(seed)]
    dealt = Dealt(plans, AT_BROKER, seed, symbols=2, steps=150, withdraws=True)
    compiled, derived = CompiledEngine(plans, AT_BROKER), Derived()
    for start in range(0, len(dealt.inputs), cut):
        derived.take(compiled.reduce(concat([block for batch in dealt.inputs[start : start + cut] for block in batch])))
    assert packed(derived) == packed(dealt.derived)
    assert compiled.state_hash() == dealt.engine.state_hash()
    assert compiled.decisions_hash() == dealt.engine.decisions_hash()


def test_nothing_is_entered_where_nobody_knows_what_became_of_an_order():
    rules = set()
    for seed in range(9, 19):
        plans = [Plan(dicer.strategy, dicer.Params(seed=seed)), plan(seed)]
        rules |= set(Dealt(plans, AT_BROKER, seed, symbols=2).derived.column(Kind.RISK, "rule"))
    assert RiskRule.UNKNOWN_ORDER in rules


def test_at_the_end_entries_are_withdrawn_and_what_protects_stays():
    withdrawn = stayed = 0
    for seed in range(1, SEEDS + 1):
        dealt = Dealt([plan(seed)], AT_BROKER, seed, withdraws=True)
        asked = {
            row["order_id"]
            for row in dealt.derived[Kind.ORDER]
            if row["seq"] == dealt.withdrawn_seq and row["state"] == S.CANCEL_PENDING
        }
        entries = {id_ for id_, state, reduces in dealt.open_before if not reduces and state != S.CANCEL_PENDING}
        by_id = {row["order_id"]: row for row in dealt.derived[Kind.ORDER]}
        assert entries <= asked
        assert all(by_id[id_]["limit_nano"] != ABSENT for id_ in asked - entries), (
            "who leaves at a price in a stop's place"
        )
        assert all(order.reduces for order in dealt.orders.values())
        withdrawn += len(asked)
        stayed += len(dealt.orders)
    assert min(withdrawn, stayed) > 1


def test_without_a_broker_its_words_are_left_out():
    dealt = Dealt([plan(3)], AT_BROKER, 3)
    engine, derived = Engine([plan(3)], EngineSettings(quote_age_ns_max=10**15, short_sales=2)), Derived()
    for batch in dealt.inputs:
        derived.take(engine.reduce(batch))
    assert derived[Kind.FILL], "the simulated venue fills"
