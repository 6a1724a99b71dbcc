"""A day on which everybody wants everything: six instruments, what is told of them, and limits that are tight in another way each time."""

import random

from core_day import Day

from pipeline.codes import Kind, RequestAction, TradingStatus
from pipeline.core.settings import EngineSettings

SYMBOLS = tuple("ABCDEF")
SECTORS = dict(enumerate(("tech", "tech", "energy", "energy", "", ""), 1))
THEMES = dict(enumerate(("quantum", "bitcoin", "quantum", "", "bitcoin", ""), 1))


def limits_of(seed):
    """Of each limit a tight one, a wide one, or none."""
    rng = random.Random(seed)
    return EngineSettings(
        short_sales=2, quote_age_ns_max=10**15, latency_ns=rng.choice((0, 50_000_000, 700_000_000)), fee_per_unit=0.003,
        daily_loss_max=1e12, checkpoint_every=10_000,
        positions_max=rng.choice((4, 9, 1_000)), order_rate_max=rng.choice((1, 5, 100)),
        buying_power=rng.choice((0.02, 0.1, 4.0)), open_entries_max=rng.choice((0, 1, 2, 3)),
        instrument_strategies_max=rng.choice((0, 1, 2)), sector_instruments_max=rng.choice((0, 1, 2)),
        theme_instruments_max=rng.choice((0, 1, 2)), instrument_notional_max=rng.choice((0.0, 700.0, 2_000.0)),
        sector_notional_max=rng.choice((0.0, 1_000.0, 2_500.0)), theme_notional_max=rng.choice((0.0, 1_000.0, 2_500.0)),
        total_notional_max=rng.choice((0.0, 2_000.0, 5_000.0)),
    )  # fmt: skip


def rush(seed, count):
    """Quotes, timers on which all wish at once, halts, and an operator who flattens, stops and goes on."""
    rng, day, at_s, prices = random.Random(seed), Day(SYMBOLS), 0.0, [10.0] * len(SYMBOLS)
    for field, texts in (("sector", SECTORS), ("theme", THEMES)):
        for instrument_id, text in texts.items():
            day.add(Kind.REFERENCE, 0, instrument_id, field=field, text=text)
    for i in range(count):
        at_s += rng.choice((0.0, 0.01, 0.2, 1.0))
        instrument_id, roll = rng.randint(1, len(SYMBOLS)), rng.random()
        if i < len(SYMBOLS) or roll < 0.8:
            instrument_id = i + 1 if i < len(SYMBOLS) else instrument_id
            price = prices[instrument_id - 1] = max(5.0, prices[instrument_id - 1] + rng.uniform(-0.1, 0.1))
            spread = rng.choice((-0.01, 0.0, 0.01, 0.02, 0.1))
            sizes = rng.randint(0, 80), rng.randint(0, 80)
            day.quote(at_s, round(price, 2), round(price + spread, 2), *sizes, instrument_id=instrument_id)
        elif roll < 0.97:
            day.timer(at_s)
        elif roll < 0.985:
            status = rng.choice((TradingStatus.HALTED, TradingStatus.TRADING, TradingStatus.TRADING))
            day.status(at_s, status, instrument_id=instrument_id)
        else:
            action = rng.choice((RequestAction.FLATTEN, RequestAction.HALT, *[RequestAction.RESET] * 3))
            target = SYMBOLS[instrument_id - 1] if action is RequestAction.FLATTEN else ""
            day.add(Kind.REQUEST, at_s, 0, action=action, target=target)
    return day
