"""Trades as columns: what is not known is never 0, whatever a table lacks."""

import numpy as np
import pyarrow as pa
import pytest
from made_trades import MONDAY, table_of, trades

from pipeline.errors import ConfigError
from pipeline.reports.trades import NUMBERS, TEXTS, trades_of


def test_what_a_table_lacks_is_unknown():
    found = trades([1.0, -1.0])
    assert all(np.isnan(found.numbers[name]).all() for name in set(NUMBERS) - {"minute"})
    assert all((found.texts[name] == "").all() for name in TEXTS)
    assert np.isnan(found.r).all()
    assert found.numbers["minute"].tolist() == [570.0, 572.0]


def test_open_trades_are_left_out_and_closed_ones_stand_in_the_order_of_closing():
    table = pa.table(
        {
            "profit": pa.array([3.0, None, 1.0]),
            "opened_at": pa.array([0, 0, 0], pa.timestamp("ns")),
            "closed_at": pa.array([30, None, 10], pa.timestamp("ns")),
            "is_after_halt": pa.array([True, None, None], pa.bool_()),
            "setup": pa.array(["gap", None, None]),
            "risk": pa.array([1.5, None, 0.0]),
        }
    )
    found = trades_of(table)
    assert found.profit.tolist() == [1.0, 3.0]
    assert found.texts["setup"].tolist() == ["", "gap"]
    assert np.isnan(found.numbers["is_after_halt"][0])
    assert found.numbers["is_after_halt"][1] == 1.0
    assert np.isnan(found.r[0])  # a risk of 0 is none
    assert found.r[1] == 2.0


def test_days_of_the_table_go_before_those_of_utc():
    table = table_of([1.0], days=[3])
    assert trades_of(table).day.tolist() == [MONDAY + 3]
    assert trades_of(table.drop_columns(["day", "closed_day"])).closed_day.tolist() == [MONDAY + 3]


def test_a_table_without_what_is_asked_for_is_refused():
    with pytest.raises(ConfigError, match="profit; this one has a"):
        trades_of(pa.table({"a": [1]}))
    with pytest.raises(ConfigError, match="closed_at_ns or closed_at"):
        trades_of(pa.table({"profit": [1.0], "opened_at_ns": [1]}))
    with pytest.raises(ConfigError, match="1 trades with a profit have no closed_at"):
        trades_of(pa.table({"profit": [1.0], "opened_at_ns": [1], "closed_at_ns": pa.array([None], pa.int64())}))
