"""Round trips as columns: one reading of the view for all who simulate."""

import math

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import ConfigError
from pipeline.reports.round_trips import trips_of

TABLE = pa.table(
    {
        "profit": [1.0, -4.0, 3.0],
        "entry_value": [100.0, 200.0, 300.0],
        "exit_value": [101.0, 196.0, 303.0],
        "side": ["buy", "sell", "buy"],
        "risk": [None, 2.0, 3.0],
        "slippage_bps": [0.5, None, 1.5],
        "closed_day": np.array(["2026-11-05", "2026-11-04", "2026-11-05"], "datetime64[D]"),
        "closed_at_ns": [1_000, 2_000, 3_000],
        **{name: ["x"] * 3 for name in ("session", "strategy", "symbol", "venue")},
        "trade_number": [1, 1, 2],
    }
)
"""A future after 18:00 in New York, of the next day already; a share after it, still of this one; a future again."""


def test_trades_of_one_day_stand_together_whichever_hours_they_keep():
    for table in (TABLE, TABLE.take([2, 1, 0])):
        trips = trips_of(table)
        assert trips.profit.tolist() == [-4.0, 1.0, 3.0]
        assert trips.sign.tolist() == [-1.0, 1.0, 1.0]
        assert np.diff(trips.day).tolist() == [1.0, 0.0]
        assert [math.isnan(each) for each in trips.risk] == [False, True, False]
        assert trips.known_slippage_bps == (0.5, 1.5)


def test_none_and_what_is_no_number_are_refused():
    with pytest.raises(ConfigError, match="no closed trade"):
        trips_of(TABLE.slice(0, 0))
    with pytest.raises(ConfigError, match="trade 3: its profit is no number"):
        trips_of(TABLE.set_column(0, "profit", pa.array([1.0, -4.0, None])))
