"""Bars of every kind, over days that cross the parts of a trading day: the same bytes at both speeds."""

import random
from enum import IntEnum

import pytest
from two_speeds import Day, Derived, packed

from pipeline.codes import AssetClass, BarBasis, BarUnit, Kind, Mark, Origin
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import param, params
from pipeline.core.settings import EngineSettings
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Strategy
from pipeline.core.verbs import enter, leave, show
from pipeline.kernel.engine import CompiledEngine
from pipeline.units import NANO

SIZES = ("5s", "7s", "1h", "1d", "65m@session", "1d@regular", "9t", "7t@session", "90v", "50v@premarket", "60v@session")
SIZES += ("2500$", "1K$@session", "0.07r", "0.05r@regular")
EVERY = tuple(Bars(size, revisions=k % 2 == 0) for k, size in enumerate(SIZES))
EVERY += tuple(Bars(size, BarBasis.QUOTES) for size in ("5s", "11t", "0.05r", "65m@session"))


class Shown(IntEnum):
    WORTH = 1


@params
class BarParams:
    every: int = param(9, low=1)


@state
class BarState:
    bars: int
    hash: int


def on_bar(s, bar, p, ctx):
    s.bars += 1
    s.hash = (s.hash * 31 + bar.bar_unit * 1_000 + bar.trade_count + bar.revision) % 1_000_003
    show(ctx, Shown.WORTH, bar.close * bar.volume)
    if s.bars % p.every == 0:
        enter(ctx, 1, quantity=3.0, stop=bar.low * 0.99)
    if bar.bar_unit == BarUnit.SESSION_TICKS:
        leave(ctx)


BARS = Strategy("bars", BarParams, BarState, on_bar=on_bar, bars=EVERY, outputs=Shown)
PLANS = [Plan(BARS, BarParams())]
SETTINGS = EngineSettings(checkpoint_every=128, bar_lateness_ns=NANO)


def trading_day(seed, count, *, asset=AssetClass.EQUITY, has_quotes=True):
    """From 8:30 in New York on, over more than a day; with late, backfilled, marked and cancelled prints."""
    rng, day, at_s, price = random.Random(seed), Day(()), 0.0, 10.0
    for instrument_id in (1, 2):
        day.add(
            Kind.INSTRUMENT, 0, instrument_id, symbol=f"S{instrument_id}", asset_class=asset,
            tick_nano=NANO // 100, size_step_nano=(NANO, 10)[instrument_id - 1], multiplier_nano=NANO,
        )  # fmt: skip
    for _ in range(count):
        at_s += rng.choice((0.0, 0.2, 1.0, 40.0, 40.0, 700.0))
        price = max(9.0, min(11.0, round(price + rng.choice((-0.02, -0.01, 0.0, 0.01, 0.02, 0.3)), 2)))
        instrument_id, event_s = rng.randint(1, 2), at_s - rng.choice((0.0, 0.0, 0.4, 3.0, 90.0))
        more = {"instrument_id": instrument_id, "event_s": max(0.0, event_s)}
        if has_quotes and rng.random() < 0.4:
            day.quote(at_s, price, price + rng.choice((-0.01, 0.01, 0.02)), 40, 40, **more)
        elif rng.random() < 0.9:
            marks = rng.choice((0, 0, 0, 0, Mark.NO_LAST, Mark.CANCEL, Mark.NO_VOLUME, Mark.NO_HIGH_LOW))
            size = rng.randint(1, 50) * (1, 10**8)[instrument_id - 1]
            origin = rng.choice((Origin.INPUT,) * 8 + (Origin.BACKFILL, Origin.WARMUP))
            day.print(at_s, price, size, marks=int(marks), origin=origin, **more)
        else:
            day.timer(at_s)
    return day.timer(at_s + 2 * 86_400)


def ran(engine_class, day, size=None):
    engine, derived = engine_class(PLANS, SETTINGS), Derived()
    for batch in day.batches(size):
        derived.take(engine.reduce(batch))
    return engine, derived


@pytest.mark.parametrize(
    ("seed", "asset", "has_quotes"),
    [
        (1, AssetClass.EQUITY, True),
        (2, AssetClass.EQUITY, False),
        (3, AssetClass.FUTURE, True),
        (4, AssetClass.CRYPTO, False),
    ],
)
def test_bars_of_every_kind(seed, asset, has_quotes):
    day = trading_day(seed, 600, asset=asset, has_quotes=has_quotes)
    plain, rows = ran(Engine, day)
    fast, fast_rows = ran(CompiledEngine, day, 97)
    assert packed(fast_rows) == packed(rows)
    assert fast.state_hash() == plain.state_hash()
    assert {row["bar_unit"] for row in rows[Kind.BAR]} == set(BarUnit)
    assert any(row["marks"] & Mark.PARTIAL for row in rows[Kind.BAR])
    assert any(row["revision"] for row in rows[Kind.BAR])


def test_values_past_64_bits_are_counted_to_the_last_digit():
    """A coin at 60,000 in steps of 1e-8: one print is worth more than 64 bits of price x steps."""
    day = Day(()).add(
        Kind.INSTRUMENT, 0, symbol="BTC", asset_class=AssetClass.CRYPTO, size_step_nano=10, multiplier_nano=NANO
    )
    for at_s in range(1, 9):
        day.print(at_s, 62_500.0, 999_999 if at_s % 4 == 1 else 1_000_000 if at_s % 4 else 1_000_001)
    for engine_class in (Engine, CompiledEngine):
        plan = Plan(Strategy("d", BarParams, BarState, on_bar=on_bar, bars=Bars("2500$")), BarParams())
        engine, derived = engine_class([plan], SETTINGS), Derived()
        for batch in day.batches():
            derived.take(engine.reduce(batch))
        assert derived.column(Kind.BAR, "trade_count") == [4, 4]
        assert derived.column(Kind.BAR, "volume_steps") == [4_000_000, 4_000_000]


def test_either_goes_on_from_a_snapshot_of_the_other():
    day = trading_day(7, 400)
    whole, _ = ran(Engine, day)
    batches = list(day.batches(150))
    for first, second in ((Engine, CompiledEngine), (CompiledEngine, Engine)):
        before, after = first(PLANS, SETTINGS), second(PLANS, SETTINGS)
        before.reduce(batches[0])
        after.put_back(before.snapshot())
        for batch in batches[1:]:
            after.reduce(batch)
        assert after.state_hash() == whole.state_hash()
