"""Trades for tests of reports: tables as the warehouse gives them, made of a few numbers."""

import numpy as np
import pyarrow as pa

from pipeline.reports.trades import trades_of
from pipeline.units import DAY_NS, SECOND_NS

MONDAY = 19_723
"""2024-01-01, in days since 1970."""

NINE_THIRTY_NS = 570 * 60 * SECOND_NS


def table_of(profits, *, days=None, held_s=60, gap_s=60, **columns):
    """A trade each, on these days from Monday 2024-01-01 on (all on the first unless said), one after the other."""
    count = len(profits)
    days = np.zeros(count, dtype=np.int64) if days is None else np.asarray(days, dtype=np.int64)
    nth = np.array([int((days[:place] == day).sum()) for place, day in enumerate(days)], dtype=np.int64)
    opened = (MONDAY + days) * DAY_NS + NINE_THIRTY_NS + nth * (held_s + gap_s) * SECOND_NS
    dates = pa.array(MONDAY + days, pa.int32()).cast(pa.date32())
    made = {
        "profit": pa.array(list(profits), pa.float64()),
        "opened_at_ns": pa.array(opened, pa.int64()),
        "closed_at_ns": pa.array(opened + held_s * SECOND_NS, pa.int64()),
        "day": dates,
        "closed_day": dates,
    }
    return pa.table(made | {name: pa.array(values) for name, values in columns.items()})


def trades(profits, **columns):
    return trades_of(table_of(profits, **columns))
