"""What indicators are tested with: rows that go through several days, in time zones and out of them, with holes."""

import random

import numpy as np

from pipeline.indicators.catalog import INDICATORS
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS

OPEN_NS = 1_730_726_400_000_000_000
"""4 November 2024 13:20 UTC, the morning after New York put its clocks back."""

SMALL = {
    "length": 5,
    "fast": 3,
    "slow": 6,
    "signal": 4,
    "days": 2,
    "bucket_minutes": 30,
    "minutes": 10,
    "seconds": 7,
    "smoothing": 4,
    "short": 3,
    "middle": 5,
    "long": 9,
    "base": 5,
    "span": 8,
    "displacement": 4,
}
"""Parameters small enough to be ready within a test."""

EDGES = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324]


def params_of(indicator):
    return indicator.Params.from_dict({name: SMALL[name] for name in indicator.Params._fields if name in SMALL})


def rows_of(indicator, count, seed, edges=0.0, step_ns=15 * MINUTE_NS):
    """Rows as `update` takes them; each input is, with probability `edges`, something no market says."""
    draw = random.Random(seed)
    price, ts_ns, rows = 100.0, OPEN_NS, []
    for _ in range(count):
        price *= 1.0 + draw.uniform(-0.01, 0.01)
        ts_ns += draw.randrange(2 * step_ns) if draw.random() < 0.97 else draw.randrange(-DAY_NS, DAY_NS)
        low, high = price * draw.uniform(0.99, 1.0), price * draw.uniform(1.0, 1.01)
        row = {"ts_event_ns": ts_ns, "open": low, "high": high, "low": low, "close": price, "vwap": price}
        row |= {"volume": float(draw.randrange(1_000)), "bid": low, "ask": high}
        row |= {"bid_size": float(draw.randrange(50)), "ask_size": float(draw.randrange(50))}
        for name in row:
            if draw.random() < edges:
                row[name] = draw.choice([ABSENT, 0]) if name == "ts_event_ns" else draw.choice(EDGES)
        rows.append(tuple(row[name] for name in indicator.inputs))
    return rows


def folded(indicator, group, rows, given):
    for row in rows:
        indicator.update(group, *row, *given)
    return group


def all_indicators():
    return {"argvalues": list(INDICATORS.values()), "ids": list(INDICATORS)}
