"""Breakdowns: on which side of an edge a trade falls, and that the parts are the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_trades import trades

from pipeline.reports.bands import SPLITS, UNKNOWN, Bands, labels, parts
from pipeline.reports.breakdowns import breakdown
from pipeline.reports.resampling import Bootstrap, figures

CASES = {
    "price": ("entry_price", [0.99, 1.0, 4.99, 5.0, 500.0, None], ["under 1", "1 to 2", "2 to 5", "5 to 10", "100 and more", UNKNOWN]),
    "float": ("float_shares", [9e5, 1e6, 4e6, 1e8, None, 5e6], ["under 1M", "1M to 5M", "1M to 5M", "100M and more", UNKNOWN, "5M to 10M"]),
    "volume": ("relative_volume", [0.5, 1.0, 3.0, 25.0, None, 2.0], ["under 1", "1 to 2", "3 to 5", "20 and more", UNKNOWN, "2 to 3"]),
    "gap": ("gap_percent", [-11.0, -1.0, 0.0, 3.9, 4.0, None], ["under -10%", "-10% to 0%", "0% to 4%", "0% to 4%", "4% to 10%", UNKNOWN]),
    "spread": ("entry_spread_bps", [0.0, 5.0, 10.0, 49.0, 300.0, None],
               ["under 5bps", "5bps to 10bps", "10bps to 25bps", "25bps to 50bps", "200bps and more", UNKNOWN]),
    "nth": ("nth_of_day", [1, 3, 4, 5, 6, 12], ["1", "3", "4 to 5", "4 to 5", "6 to 10", "11 and more"]),
    "time": ("minute", [239, 240, 569, 570, 584, 959], ["under 4:00", "4:00 to 7:00", "8:00 to 9:30", "9:30 to 9:45", "9:30 to 9:45", "15:30 to 16:00"]),
    "halt": ("is_after_halt", [True, False, None, True, True, True],
             ["after a halt", "no halt before", UNKNOWN, "after a halt", "after a halt", "after a halt"]),
    "setup": ("setup", ["gap", None, "", "flag", "gap", "gap"], ["gap", UNKNOWN, UNKNOWN, "flag", "gap", "gap"]),
}  # fmt: skip


@pytest.mark.parametrize("by", CASES)
def test_a_trade_falls_where_the_edges_say(by):
    column, values, expected = CASES[by]
    found = parts(trades([1.0] * 6, **{column: values}), SPLITS[by])
    assert [found.labels[place] for place in found.places] == expected


def test_weekdays_and_times_held_are_named():
    made = trades([1.0] * 3, days=[0, 4, 6], held_s=90)
    weekday, held = (parts(made, SPLITS[by]) for by in ("weekday", "held"))
    assert [weekday.labels[place] for place in weekday.places] == ["Mon", "Fri", "Sun"]
    assert [held.labels[place] for place in held.places] == ["1m to 5m"] * 3


def test_every_band_has_a_name_of_its_own():
    for by, split in SPLITS.items():
        if isinstance(split, Bands):
            assert len(set(labels(split))) == len(split.edges) + 1, by
            assert list(split.edges) == sorted(set(split.edges)), by


rows = st.tuples(st.integers(-500, 500).map(float), st.one_of(st.none(), st.floats(0.01, 300.0)), st.integers(0, 9))


@given(st.lists(rows, max_size=25), st.sampled_from(sorted(SPLITS)))
def test_the_parts_are_the_whole(made, by):
    profits, prices, days = zip(*made, strict=True) if made else ((), (), ())
    whole = trades(list(profits), days=list(days), entry_price=np.array(prices, dtype=np.float64))
    found = breakdown(whole, by)
    assert sum(part.trades for part in found.parts) == len(made)
    assert sum(part.money["net_profit"].value for part in found.parts) == pytest.approx(sum(profits))
    for part in found.parts:
        assert part.trades > 0
        assert part.r_mean.absent == "no trade closed whose risk is known"


def test_a_part_is_as_its_trades_by_themselves():
    made = trades(
        [5.0, -2.0, 7.0, -1.0], days=[0, 1, 2, 0], setup=["gap", "gap", "flag", "gap"], risk=[1.0, 2.0, None, 4.0]
    )
    flag, gap = breakdown(made, "setup", Bootstrap(resamples=50)).parts
    assert (flag.label, flag.trades, gap.label, gap.trades) == ("flag", 1, "gap", 3)
    assert gap.money == figures(np.array([5.0, -1.0, -2.0]), Bootstrap(resamples=50))  # by when they were closed
    assert gap.r_mean.value == pytest.approx((5.0 - 1.0 - 0.25) / 3.0)
    assert gap.r_mean.low <= gap.r_mean.value <= gap.r_mean.high
    assert flag.money["net_profit"].low is None
    assert any("3 trades" in caution for caution in gap.cautions)
