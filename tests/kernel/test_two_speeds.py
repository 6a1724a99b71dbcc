"""Interpreted and compiled give the same bytes: rows, hashes, states, and the place where a strategy stops."""

import math
import random
import re
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from two_speeds import START_NS, Day, Derived, packed, stream

from pipeline.block import between, concat, row_count
from pipeline.codes import Kind, RiskRule, Side
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import param, params
from pipeline.core.settings import EngineSettings
from pipeline.core.state import FloatArray, array, state
from pipeline.core.strategy import Bars, Strategy
from pipeline.core.verbs import enter, leave, passes, say
from pipeline.errors import StrategyError
from pipeline.kernel.build import cache_folder
from pipeline.kernel.engine import CompiledEngine
from pipeline.kernel.few import FEW
from pipeline.run.fold import FoldPlan, LocalFold, Speed, StrategyPlan
from pipeline.units import MINUTE_NS, NANO
from strategies import STRATEGIES

SETTINGS = EngineSettings(checkpoint_every=64, latency_ns=20_000_000, positions_max=3, fee_bps=1.0, fee_per_unit=0.003)


@cache
def shipped():
    return tuple(Plan(strategy, strategy.Params()) for strategy in STRATEGIES.values())


def ran(engine_class, plans, day, size=None, settings=SETTINGS):
    engine, derived = engine_class(plans, settings), Derived()
    for batch in day.batches(size):
        derived.take(engine.reduce(batch))
    return engine, derived


def assert_equal(plans, day, size=None, settings=SETTINGS):
    plain, plain_rows = ran(Engine, plans, day, None, settings)
    fast, fast_rows = ran(CompiledEngine, plans, day, size, settings)
    assert packed(fast_rows) == packed(plain_rows)
    assert fast.decisions_hash() == plain.decisions_hash()
    assert fast.state_hash() == plain.state_hash()
    return plain_rows


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_shipped_strategies_over_generated_days(seed):
    rows = assert_equal(shipped(), stream(seed, 700), (None, 1, 7, 200)[seed % 4])
    assert len(rows[Kind.FILL]) + len(rows[Kind.TRANSITION]) > 5


def test_of_strategies_in_one_instrument_those_that_come_too_late_are_the_same():
    one_each = msgspec.structs.replace(SETTINGS, positions_max=9, instrument_strategies_max=1)
    rows = assert_equal(shipped(), stream(5, 700), 200, one_each)
    assert RiskRule.INSTRUMENT_STRATEGIES in rows.column(Kind.RISK, "rule")


@params
class ProbeParams:
    fail_at: int = param(10**9, low=0)
    size: float = param(20.0, low=0.0)
    window: int = param(3, low=1, high=8)


@state
class ProbeState:
    calls: int
    phase: int
    product: int = 1
    last: FloatArray = array(float, "window")


@state
class ProbeShared:
    fills: int


def on_quote(s, quote, p, ctx):
    s.calls += 1
    s.last[s.calls % p.window] = quote.bid
    if s.calls % 5 == 1 and passes(ctx, 1, ctx.spread_bps, 500.0):
        enter(ctx, Side.BUY if s.calls % 2 == 0 else Side.SELL, quantity=p.size, stop=quote.bid * 0.99, score=quote.ask)
    if s.calls % 7 == 0:
        leave(ctx, quantity=p.size * 0.5)
    if s.calls == p.fail_at:
        s.calls = s.calls // (s.calls - p.fail_at)


def on_bar(s, bar, p, ctx):
    s.product = s.product * 3 + bar.trade_count  # passes 64 bits before long
    say(ctx, 1, bar.close, math.sqrt(bar.high))


def on_fill(s, fill, p, ctx):
    ctx.shared.fills += 1


def probe(fail_at=10**9):
    made = Strategy(
        "probe", ProbeParams, ProbeState, shared=ProbeShared, on_quote=on_quote, on_bar=on_bar, on_fill=on_fill,
        bars=Bars("1s"),
    )  # fmt: skip
    return Plan(made, ProbeParams(fail_at=fail_at))


@pytest.mark.parametrize("fail_at", range(1, 60, 4))
def test_a_handler_that_raises_is_stopped_at_the_same_place(fail_at):
    rows = assert_equal([probe(fail_at)], stream(fail_at, 400), 150)
    assert any("integer division" in row["text"] or "OverflowError" in row["text"] for row in rows[Kind.SESSION])


def test_a_number_that_passes_64_bits_stops_both_at_the_same_place():
    day = stream(3, 1_400)
    rows = assert_equal([probe(), *shipped()[:1]], day)
    assert any("product can't hold" in row["text"] for row in rows[Kind.SESSION])


@pytest.mark.parametrize("at", [1, 40, 333])
def test_either_goes_on_from_a_snapshot_of_the_other(at):
    day = stream(5, 600)
    whole, _ = ran(Engine, shipped(), day)
    batches = list(day.batches(at))
    for first, second in ((Engine, CompiledEngine), (CompiledEngine, Engine)):
        before, after = first(shipped(), SETTINGS), second(shipped(), SETTINGS)
        before.reduce(batches[0])
        after.put_back(before.snapshot())
        for batch in batches[1:]:
            after.reduce(batch)
        assert after.state_hash() == whole.state_hash()


def tell_time(s, quote, p, ctx):
    say(
        ctx,
        1,
        float(ctx.exchange_time_of_day_ns),
        float(ctx.time_of_day_ns),
        float(ctx.exchange_time_of_day_ns // MINUTE_NS),
    )


def test_the_time_of_day_is_that_of_the_instruments_exchange_at_both_speeds():
    """Around the Sunday on which clocks went back in 2023: nine days before this day's beginning."""
    day = Day(("SHARE", "FUTURE", "COIN"))
    for (_, row), calendar in zip(day.rows, ("XNYS", "CMES", "24/7"), strict=True):
        row["calendar"] = calendar
    begin_ns = int(datetime(2023, 11, 4, 20, tzinfo=UTC).timestamp()) * NANO
    for _, row in day.rows:
        row["ts_recv_ns"] = row["ts_event_ns"] = begin_ns
    for half_hours in range(48):
        at_s = (begin_ns - START_NS) // NANO + half_hours * 1_800
        for instrument_id in (1, 2, 3):
            day.quote(at_s, 10.0, 10.1, instrument_id=instrument_id)
    teller = Plan(Strategy("teller", ProbeParams, ProbeState, on_quote=tell_time), ProbeParams())
    rows = assert_equal([teller], day, 7)[Kind.MESSAGE]
    zones = [ZoneInfo(name) for name in ("America/New_York", "America/Chicago", "UTC")]
    assert len(rows) == 48 * 3
    for row in rows:
        moment = datetime.fromtimestamp(row["ts_recv_ns"] // NANO, UTC)
        wall = moment.astimezone(zones[row["instrument_id"] - 1])
        assert row["c"] == wall.hour * 60 + wall.minute
        assert (row["a"], row["b"]) == (row["c"] * MINUTE_NS, (moment.hour * 60 + moment.minute) * MINUTE_NS)


def test_an_instrument_nobody_defined_is_refused_by_both():
    day = Day().quote(1, 10, 10.1, instrument_id=9)
    for engine_class in (Engine, CompiledEngine):
        with pytest.raises(Exception, match="seq 2: quote of instrument 9, which no instrument event defined"):
            ran(engine_class, shipped(), day)


def test_the_rows_of_a_day_are_the_same_however_they_are_cut():
    day = stream(2, 300)
    engine = CompiledEngine(shipped(), SETTINGS)
    blocks = concat([block for batch in day.batches(11) for block in engine.reduce(batch)])
    derived = Derived()
    derived.take(blocks)
    assert packed(derived) == packed(ran(Engine, shipped(), day)[1])
    assert engine.snapshot().tables["clock"]["now_ns"][0] > START_NS


@pytest.mark.parametrize("size", [FEW - 1, FEW, FEW + 1])
def test_as_many_inputs_as_just_fit_where_few_are_put_and_one_more(size):
    """Quotes alone, behind the definition, so that each batch is one call of the kernel with that many inputs."""
    day, dice = Day(), random.Random(size)
    for at in range(3 * size):
        bid = 100 + dice.randrange(-300, 300) / 100
        day.quote(at * 0.1, round(bid, 2), round(bid + dice.randrange(1, 9) / 100, 2))
    definition, *quotes = cuts(day, [1, size, size, size])
    assert [len(block) for (block,) in quotes] == [size] * 3
    plain, plain_rows = ran(Engine, shipped(), day)
    fast, derived = CompiledEngine(shipped(), SETTINGS), Derived()
    for batch in (definition, *quotes):
        derived.take(fast.reduce(batch))
    assert packed(derived) == packed(plain_rows)
    assert plain_rows[Kind.ORDER], "something was decided"
    assert fast.decisions_hash() == plain.decisions_hash()
    assert fast.state_hash() == plain.state_hash()


def cuts(day, sizes):
    """The day in batches of these sizes."""
    (whole,) = day.batches()
    starts = list(accumulate(sizes, initial=1))
    assert starts[-1] == row_count(whole) + 1
    return [between(whole, start, end) for start, end in pairwise(starts)]


def float_in_an_int(s, quote, p, ctx):
    s.calls = quote.bid


def power(s, quote, p, ctx):
    s.product = s.calls**3


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (float_in_an_int, "calls is a int64, and can't be set to a float64"),
        (power, r"test_two_speeds.py: line \d+: \*\*"),
    ],
)
def test_what_would_differ_is_refused(handler, told):
    plan = Plan(Strategy("probe", ProbeParams, ProbeState, on_quote=handler), ProbeParams())
    with pytest.raises(StrategyError, match=told):
        ran(CompiledEngine, [plan], stream(1, 50))


def test_a_strategy_that_can_not_be_compiled_runs_interpreted_and_says_why(tmp_path):
    path = tmp_path / "mine.py"
    text = Path(STRATEGIES["hold"].on_quote.__code__.co_filename).read_text()
    path.write_text(
        text.replace("    if s.phase == Phase.WAITING", "    seen = [quote.ask]\n    if s.phase == Phase.WAITING")
    )
    plan = FoldPlan((StrategyPlan("hold", "strategies/mine.py"),), {})
    fold = LocalFold(plan, [path], speed=Speed.AUTO, inputs=10**7)
    assert fold.speed is Speed.INTERPRETED
    assert re.search(r"mine.py: line \d+: a list can't be compiled", fold.why)
    with pytest.raises(StrategyError, match="a list can't be compiled"):
        LocalFold(plan, [path], speed=Speed.COMPILED)
    assert LocalFold(FoldPlan((), {}), [], speed=Speed.AUTO, inputs=10).speed is Speed.INTERPRETED


def test_a_cache_that_others_may_write_is_not_loaded_from(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPE_CACHE", str(tmp_path))
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    cache_folder().chmod(0o770)
    plan = FoldPlan((StrategyPlan("hold", "strategies/hold.py"),), {})
    file = Path(STRATEGIES["hold"].on_quote.__code__.co_filename)
    fold = LocalFold(plan, [file], speed=Speed.AUTO, inputs=10**7)
    assert fold.speed is Speed.INTERPRETED
    assert "must be yours alone" in fold.why
