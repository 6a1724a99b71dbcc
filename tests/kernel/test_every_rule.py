"""Both speeds over whatever may come: drawn streams, every type of order, every refusal, handlers that fail anywhere."""

import random
import re
from pathlib import Path

import dicer
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_speeds import START_NS, Day, Derived, limits_of, packed, rush, stream

from pipeline.block import between, concat
from pipeline.codes import (
    FeedAction,
    IntentOutcome,
    Kind,
    Mark,
    OrderReason,
    OrderState,
    OrderType,
    Origin,
    RequestAction,
    RiskRule,
    Side,
    TimeInForce,
    TradingStatus,
)  # fmt: skip
from pipeline.core.engine import Engine, Plan
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter
from pipeline.kernel import engine, history
from pipeline.kernel.engine import CompiledEngine
from pipeline.units import NANO
from strategies import STRATEGIES

OPEN_S, CLOSE_S, END_S = 3_600, 27_000, 41_400
"""9:30, 16:00 and 20:00 in New York after the first row of these days, at 8:30."""
CORE = Path(__file__).parents[2] / "pipeline" / "core"
TIGHT = EngineSettings(
    order_quantity_max=500.0, order_notional_max=5_000.0, position_notional_max=3_000.0, open_orders_max=6,
    daily_loss_max=60.0, quote_age_ns_max=2 * 10**9, positions_max=2, order_slots=12, latency_ns=200_000_000,
    checkpoint_every=100,
)  # fmt: skip
WIDE = EngineSettings(latency_ns=0, bar_lateness_ns=0, fee_bps=1.0, fee_per_unit=0.01, checkpoint_every=33)
STRICT = EngineSettings(
    drawdown_max=3.0, loss_streak_max=3, cool_down_ns=2 * 10**9, order_rate_max=1, price_collar_percent=0.2,
    cash=1_000.0, buying_power=0.8, short_sales=1, latency_ns=10_000_000, checkpoint_every=100,
)  # fmt: skip
BRISK = EngineSettings(order_rate_max=1, latency_ns=0, checkpoint_every=100)
SHORT_DAY = EngineSettings(entry_from_minute=8 * 60 + 31, entry_until_minute=8 * 60 + 35, loss_streak_max=1)
HOURS = EngineSettings(exchange_hours=1, latency_ns=100_000_000, short_sales=2, checkpoint_every=100)
IN_LINE = EngineSettings(queue=1, latency_ns=10_000_000, checkpoint_every=100)
CHARGED = EngineSettings(
    fee_per_unit=0.005, fee_least=1.0, fee_most_percent=1.0, fee_bps=3.0, maker_discount_bps=5.0, regulatory_fees=1,
    short_sales=2, latency_ns=10_000_000, checkpoint_every=100,
)  # fmt: skip
LINEAR = EngineSettings(impact=1, impact_bps=30.0, latency_ns=10_000_000, checkpoint_every=100)
SQUARE = EngineSettings(impact=2, queue=1, exchange_hours=1, short_sales=2, latency_ns=10_000_000, checkpoint_every=100)
LATE = EngineSettings(latency_back_ns=700_000_000, latency_ns=10_000_000, fee_bps=1.0, checkpoint_every=33)
SYMBOLS = ("AAA", "BBB")


def dice(seed=1, fail_at=10**9):
    return Plan(dicer.strategy, dicer.Params(seed=seed, fail_at=fail_at))


SHIPPED = tuple(Plan(strategy, strategy.Params()) for strategy in STRATEGIES.values())


def whole(day):
    return concat([block for batch in day.batches(None) for block in batch])


def ran(engine_class, plans, batch, limits, cuts=()):
    """What came of a day, cut into batches behind these inputs."""
    made, derived = engine_class(plans, limits), Derived()
    for first, end in zip([0, *cuts], [*cuts, 10**9], strict=True):
        derived.take(made.reduce(between(batch, first + 1, end + 1)))
    return made, derived


def assert_equal(plans, batch, limits, cuts=()):
    plain, plain_rows = ran(Engine, plans, batch, limits)
    fast, fast_rows = ran(CompiledEngine, plans, batch, limits, cuts)
    assert packed(fast_rows) == packed(plain_rows)
    assert fast.decisions_hash() == plain.decisions_hash()
    assert fast.state_hash() == plain.state_hash()
    return plain_rows


TICKS = st.integers(-12, 12)
SIZES = st.one_of(st.integers(0, 60), st.just(10**6))
INPUTS = st.one_of(
    st.tuples(
        st.just("quote"),
        TICKS,
        st.integers(-2, 20),
        SIZES,
        SIZES,
        st.sampled_from([0, Mark.DUPLICATE, Mark.OUT_OF_ORDER]),
    ),
    st.tuples(st.just("half"), TICKS, st.booleans()),
    st.tuples(
        st.just("print"),
        TICKS,
        SIZES,
        st.sampled_from([0, Mark.NO_LAST, Mark.CANCEL, Mark.NO_VOLUME, Mark.NO_HIGH_LOW]),
    ),
    st.tuples(st.just("bar"), TICKS, SIZES),
    st.tuples(st.just("status"), st.sampled_from(list(TradingStatus))),
    st.tuples(st.just("bands"), TICKS, st.integers(0, 12), st.sampled_from([-1, 0, 1])),
    st.tuples(st.just("feed"), st.sampled_from([FeedAction.LOST, FeedAction.CONNECTED, FeedAction.MUTE])),
    st.tuples(st.just("timer")),
    st.tuples(st.just("request"), st.sampled_from([RequestAction.FLATTEN, RequestAction.HALT, RequestAction.RESET])),
)
STREAMS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.2, 1.0, 4.0]), st.integers(1, 2), st.sampled_from([Origin.INPUT] * 5 + [Origin.BACKFILL, Origin.WARMUP]), INPUTS),
    min_size=20, max_size=160,
)  # fmt: skip


def day_of(drawn):
    day, at_s = Day(SYMBOLS, tick=0.01), 0.0
    for step_s, instrument_id, origin, (kind, *facts) in drawn:
        at_s += step_s
        put(day, at_s, instrument_id, origin, kind, facts)
    return whole(day)


def put(day, at_s, instrument_id, origin, kind, facts):
    where = {"instrument_id": instrument_id, "origin": origin}
    price = 10.0 + facts[0] * 0.01 if kind in ("quote", "half", "print", "bar") else 0.0
    if kind == "quote":
        _, spread, bid_size, ask_size, marks = facts
        day.quote(at_s, price, price + spread * 0.01, bid_size, ask_size, marks=int(marks), **where)
    elif kind == "half":
        side = "bid" if facts[1] else "ask"
        day.add(
            Kind.QUOTE,
            at_s,
            marks=int(Mark.ONE_SIDED),
            **where,
            **{f"{side}_nano": round(price * 1e9), f"{side}_size_steps": 5},
        )
    elif kind == "print":
        day.print(at_s, price, facts[1], marks=int(facts[2]), **where)
    elif kind == "bar":
        day.bar(at_s, int(at_s) // 2 * 2, (price, price + 0.1, price - 0.1, price), volume=facts[1], seconds=2, **where)
    elif kind == "status":
        day.status(at_s, facts[0], **where)
    elif kind == "bands":
        low, width, is_restricted = facts
        bands = {
            "limit_down_nano": round((10.0 + low * 0.01) * 1e9),
            "limit_up_nano": round((10.0 + (low + width) * 0.01) * 1e9),
        }
        day.status(at_s, TradingStatus.LIMITS, is_short_restricted=is_restricted, **bands, **where)
    elif kind == "feed":
        day.add(Kind.FEED, at_s, 0, action=facts[0])
    elif kind == "timer":
        day.timer(at_s)
    else:
        day.add(
            Kind.REQUEST, at_s, 0, action=facts[0], target="" if facts[0] is not RequestAction.FLATTEN else SYMBOLS[0]
        )


@given(
    STREAMS,
    st.integers(1, 1_000_000),
    st.sampled_from([TIGHT, WIDE, IN_LINE, LINEAR, LATE]),
    st.sets(st.integers(1, 120), max_size=6),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_drawn_streams_come_out_the_same_however_they_are_cut(drawn, seed, limits, cuts):
    batch = day_of(drawn)
    inputs = sum(map(len, batch))
    assert_equal([dice(seed)], batch, limits, sorted(cut for cut in cuts if cut < inputs))


@pytest.mark.parametrize(
    ("stretch", "rows_max", "kept_for"), [(1, 10_000, 65_536), (13, 1, 1), (100, 8, 50), (65_536, 3, 7)]
)
def test_the_sizes_of_the_kernels_own_chunks_change_nothing(monkeypatch, stretch, rows_max, kept_for):
    monkeypatch.setattr(engine, "STRETCH", stretch)
    monkeypatch.setattr(engine, "ROWS_MAX", rows_max)
    monkeypatch.setattr(history, "KEPT_FOR", kept_for)
    for seed, fail_at in ((1, 10**9), (2, 111), (3, 203)):
        assert_equal([dice(seed, fail_at)], whole(stream(seed, 260)), TIGHT, (90, 91))


@given(STREAMS, st.sets(st.integers(1, 120), max_size=3))
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_shipped_strategies_over_drawn_streams(drawn, cuts):
    batch = day_of(drawn)
    assert_equal(SHIPPED, batch, WIDE, sorted(cut for cut in cuts if cut < sum(map(len, batch))))


_TIMES = ("ts_recv_ns", "ts_event_ns", "ts_close_ns")


def as_shares(batch, later_s=0, pace=1):
    """The same day so much later and slower in shares of New York, one of which can be borrowed from some moment on, until they can't."""
    rows = [(block.kind, row) for block in batch for row in block.rows()]
    rows.sort(key=lambda pair: pair[1]["seq"])
    day = Day((), tick=0.01)
    for kind, kept in rows:
        times = {name: (kept[name] - START_NS) * pace + START_NS + later_s * NANO for name in _TIMES if name in kept}
        row = {**kept, **times, **({"calendar": "XNAS"} if kind is Kind.INSTRUMENT else {})}
        day.rows.append((kind, {**row, "seq": len(day.rows) + 1}))
        if kind is Kind.TIMER and row["seq"] % 7 == 0:
            said = {"field": "shortable", "value": float(row["seq"] % 2), "instrument_id": 1 + row["seq"] % 2}
            times = {name: row[name] for name in ("ts_recv_ns", "ts_event_ns", "origin", "source")}
            day.rows.append((Kind.REFERENCE, {**times, **said, "seq": len(day.rows) + 1}))
            day.rows.append((Kind.REFERENCE, {**times, **said, "seq": len(day.rows) + 1, "field": "float_shares"}))
    return whole(day)


def close_once(s, quote, p, ctx):
    if s.calls == 0:
        enter(ctx, Side.BUY, quantity=5, time_in_force=TimeInForce.CLOSING)
    s.calls += 1


def test_every_type_of_order_and_every_refusal_comes_out_the_same():
    """What the core can say is all said in these days, at both speeds the same."""
    said = {name: set() for name in ("rule", "reason", "state", "outcome", "type")}
    for seed in range(1, 9):
        calm = whole(stream(seed, 400))
        shares = as_shares(calm)
        days = [
            (TIGHT, rough_day(seed)),
            (TIGHT, calm),
            (WIDE, calm),
            (STRICT, shares),
            (SHORT_DAY, shares),
            (BRISK, calm),
            (limits_of(seed), whole(rush(seed, 250))),
        ]
        if seed < 4:
            days += [
                (IN_LINE, calm),
                (LATE, calm),
                (LINEAR, rough_day(seed)),
                (SQUARE, as_shares(calm, OPEN_S)),
                (CHARGED, shares),
                (HOURS, as_shares(calm, OPEN_S - 300, 4)),
                (HOURS, as_shares(calm, END_S - 60)),
                (HOURS, as_shares(rough_day(seed), CLOSE_S - 900, 3)),
                (WIDE, as_shares(rough_day(seed), OPEN_S)),
            ]
        for limits, day in days:
            rows = assert_equal([dice(seed)], day, limits, (100, 101, 350))
            said["rule"] |= set(rows.column(Kind.RISK, "rule"))
            said["outcome"] |= set(rows.column(Kind.INTENT, "outcome"))
            said["reason"] |= set(rows.column(Kind.ORDER, "reason"))
            said["state"] |= set(rows.column(Kind.ORDER, "state"))
            said["type"] |= {(row["order_type"], row["time_in_force"]) for row in rows[Kind.ORDER]}
    closer = Plan(Strategy("closer", dicer.Params, dicer.State, on_quote=close_once), dicer.Params())
    rows = assert_equal([closer], as_shares(whole(Day().quote(0, 10, 10.1).quote(9, 10, 10.1).timer(CLOSE_S))), HOURS)
    said["reason"] |= set(rows.column(Kind.ORDER, "reason"))
    # Sizing finds the first before, test_universe says the second, one strategy is alone, and the others only a broker causes.
    elsewhere = {RiskRule.NOT_FINITE, RiskRule.ALLOW_LIST, RiskRule.INSTRUMENT_STRATEGIES}
    elsewhere |= {RiskRule.UNKNOWN_ORDER, RiskRule.MISSING_POSITION}
    assert said["rule"] >= named("RiskRule", RiskRule, "risk", "arbitration") - elsewhere
    rooms = ("venue", "venue_bars", "filling", "waking", "lifetime", "auction", "desk", "ledger")
    assert said["reason"] >= named("OrderReason", OrderReason, *rooms)
    assert said["state"] >= {OrderState.EXPIRED, OrderState.REFUSED, OrderState.APPROVED, OrderState.SUBMITTED, OrderState.ACCEPTED,
                             OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCEL_PENDING,
                             OrderState.CANCELLED, OrderState.REJECTED}  # fmt: skip
    assert said["outcome"] >= set(IntentOutcome)
    lives = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD)
    kinds = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)
    assert {kind for kind, _ in said["type"]} == set(OrderType)
    assert {life for _, life in said["type"]} == set(TimeInForce)
    assert said["type"] >= {(kind, life) for kind in kinds for life in lives}


def named(name, members, *modules):
    """The members that these modules of the core can say."""
    text = "".join((CORE / f"{module}.py").read_text() for module in modules)
    return {members[found] for found in re.findall(rf"\b{name}\.([A-Z_]+)\b", text)}


def rough_day(seed):
    """A stream with what seldom comes: one side alone, halts of one and of all, an operator who stops and goes on."""
    rng, drawn = random.Random(seed), []
    for i in range(500):
        facts = rng.choice(
            [("quote", rng.randint(-12, 12), rng.randint(-1, 6), rng.randint(0, 60), rng.randint(0, 60), 0)] * 16
            + [("half", rng.randint(-9, 9), rng.random() < 0.5), ("timer",), ("bar", rng.randint(-9, 9), 100)] * 2
            + [("bands", rng.randint(-12, 3), rng.randint(3, 20), rng.randint(-1, 1))]
        )
        if i % 90 == 40:
            facts = ("status", TradingStatus.HALTED)
        elif i % 90 == 50:
            facts = ("status", TradingStatus.TRADING)
        elif i in (330, 360):
            facts = ("request", RequestAction.HALT if i == 330 else RequestAction.RESET)
        origin = rng.choice([Origin.INPUT] * 30 + [Origin.WARMUP])
        drawn.append((rng.choice([0.0, 0.05, 0.3, 3.0]), rng.randint(1, 2), origin, facts))
    return day_of(drawn)


def assert_a_failure_leaves_nothing(seed, fail_at):
    """The step of the failure and what follows, interpreted and compiled; the State before it is the State behind it."""
    batch, plans = whole(stream(seed, 300)), [dice(seed, fail_at)]
    rows = assert_equal(plans, batch, WIDE, (97, 250))
    stops = rows[Kind.SESSION]
    assert [stop["seq"] for stop in stops] in ([], [fail_at])
    if not stops:
        return False
    plain = Engine(plans, WIDE)
    plain.reduce(between(batch, 1, fail_at))
    before = plain.snapshot()
    plain.reduce(between(batch, fail_at, fail_at + 1))
    after = plain.snapshot()
    failed = stops[0]["instrument_id"] - 1
    is_first_round = not any(row["seq"] == fail_at and row["ord"] < stops[0]["ord"] for row in rows[Kind.ORDER])
    if is_first_round:  # else an order of this step was dispatched before, and what led to it stays
        assert after.states[0][failed].tobytes() == before.states[0][failed].tobytes()
    own = [row for kind in (Kind.TRANSITION, Kind.MESSAGE) for row in rows[kind] if row["seq"] == fail_at]
    assert not [row for row in own if row["ord"] > stops[0]["ord"]]
    assert not [row for kind in (Kind.TRANSITION, Kind.MESSAGE) for row in rows[kind] if row["seq"] > fail_at]
    return True


def failures(count, seed):
    rng = random.Random(seed)
    return [(rng.randint(1, 12), rng.randint(4, 303)) for _ in range(count)]


def test_a_handler_that_fails_anywhere_leaves_no_half_of_anything():
    failed = sum(assert_a_failure_leaves_nothing(*place) for place in failures(30, 1))
    assert failed > 15


@pytest.mark.soak
def test_a_handler_that_fails_at_a_thousand_places_leaves_no_half_of_anything():
    failed = sum(assert_a_failure_leaves_nothing(*place) for place in failures(1_000, 2))
    assert failed > 500
