"""What holds for every indicator of the catalog: its interface, its start, its holes and its reset."""

import inspect
import math
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from indicator_rows import all_indicators, folded, params_of, rows_of

from pipeline.core.record import record_of
from pipeline.errors import ConfigError
from pipeline.indicators import catalog, sma, spread, tick_rate, window
from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.indicator import Pane
from pipeline.indicators.series import over
from pipeline.units import ABSENT, SECOND_NS

WITHOUT_MEMORY = {"spread", "imbalance"}
BY_THE_CLOCK = {"anchored_vwap", "session_extremes", "opening_range", "gap", "relative_volume", "tick_rate"}
BY_THE_CLOCK |= {"pivots", "fibonacci_pivots", "camarilla_pivots"}


def values_of(indicator, group):
    return [attrgetter(path)(group) for path in indicator.values]


@pytest.mark.parametrize("indicator", **all_indicators())
def test_it_says_what_it_is(indicator):
    assert INDICATORS[indicator.name] is indicator
    assert indicator.pane in Pane
    assert set(indicator.inputs) <= set(indicator.event._fields)
    assert set(indicator.undrawn) < set(indicator.values)
    assert indicator.convention
    group = indicator.record(indicator.Params()).new()
    assert all(isinstance(value, float) for value in values_of(indicator, group))
    taken = len(indicator.inputs), len(indicator.Params._fields)
    assert len(inspect.signature(indicator.update).parameters) == 1 + sum(taken)
    assert len(inspect.signature(indicator.ready).parameters) == 1 + taken[1]
    assert len(inspect.signature(indicator.reset).parameters) == 1


def test_the_catalog_holds_every_file_that_declares_one():
    files = Path(catalog.__file__).parent.glob("*.py")
    assert {path.stem for path in files if "\nINDICATOR = " in path.read_text()} == set(INDICATORS)


@pytest.mark.parametrize("indicator", **all_indicators())
def test_a_new_one_has_no_value_and_is_not_ready(indicator):
    given_ = params_of(indicator)
    group = indicator.record(given_).new()
    assert not indicator.ready(group, *given_)
    if indicator.name != "relative_volume":  # its volume so far is none, and that is known
        assert all(math.isnan(value) for value in values_of(indicator, group))


@pytest.mark.parametrize("indicator", **all_indicators())
def test_it_is_ready_after_its_warm_up_and_has_values_then(indicator):
    given_ = params_of(indicator)
    group = indicator.record(given_).new()
    for count, row in enumerate(rows_of(indicator, 400, seed=7), 1):
        indicator.update(group, *row, *given_)
        if indicator.name not in BY_THE_CLOCK:
            assert indicator.ready(group, *given_) == (count >= indicator.warm_up(given_))
        elif indicator.ready(group, *given_):
            assert count >= indicator.warm_up(given_)
    values = over_rows(indicator, given_)
    assert np.isfinite(values).any(axis=0).all(), "400 rows of several days are enough for each"
    if indicator.pane is Pane.OVERLAY:
        drawn = values[:, [path not in indicator.undrawn for path in indicator.values]]
        assert (np.nanmin(drawn), np.nanmax(drawn)) == pytest.approx((100.0, 100.0), rel=0.35), "prices, as the rows'"


def over_rows(indicator, given_):
    rows = rows_of(indicator, 400, seed=7)
    columns = {name: np.array(column) for name, column in zip(indicator.inputs, zip(*rows, strict=True), strict=True)}
    return np.array(list(over(indicator, columns, given_.as_dict()).values())).T


@pytest.mark.parametrize("indicator", **all_indicators())
def test_reset_leaves_the_bytes_of_a_new_one(indicator):
    given_ = params_of(indicator)
    record = indicator.record(given_)
    for count in (1, 3, 50, 400):
        group = folded(indicator, record.new(), rows_of(indicator, count, seed=2, edges=0.02), given_)
        indicator.reset(group)
        assert record.pack(group) == record.pack(record.new())


@pytest.mark.parametrize("indicator", **all_indicators())
def test_more_capacity_than_needed_changes_nothing(indicator):
    given_ = params_of(indicator)
    tight = indicator.record(given_)
    roomy = record_of(indicator.State, {name: size + 9 for name, size in tight.capacities.items()})
    left, right = tight.new(), roomy.new()
    for row in rows_of(indicator, 300, seed=3):
        indicator.update(left, *row, *given_)
        indicator.update(right, *row, *given_)
        np.testing.assert_array_equal(values_of(indicator, left), values_of(indicator, right))
        assert indicator.ready(left, *given_) == indicator.ready(right, *given_)


@pytest.mark.parametrize("indicator", **all_indicators())
def test_what_is_absent_moves_nothing(indicator):
    given_ = params_of(indicator)
    record = indicator.record(given_)
    group = record.new()
    for row in [] if indicator.name in WITHOUT_MEMORY else rows_of(indicator, 60, seed=4):
        indicator.update(group, *row, *given_)
        before = record.pack(group)
        for i, name in enumerate(indicator.inputs):
            for hole in [ABSENT] if name == "ts_event_ns" else [math.nan, math.inf, -math.inf]:
                indicator.update(group, *row[:i], hole, *row[i + 1 :], *given_)
                assert record.pack(group) == before, (row, name, hole)


@pytest.mark.parametrize("indicator", **all_indicators())
def test_nothing_begins_with_what_is_absent(indicator):
    given_ = params_of(indicator)
    record = indicator.record(given_)
    group = record.new()
    holes = [ABSENT if name == "ts_event_ns" else math.nan for name in indicator.inputs]
    for _ in range(20):
        indicator.update(group, *holes, *given_)
    assert record.pack(group) == record.pack(record.new())


@pytest.mark.parametrize("indicator", **all_indicators())
def test_it_goes_on_from_its_bytes_as_if_nothing_had_been(indicator):
    given_ = params_of(indicator)
    record = indicator.record(given_)
    rows = rows_of(indicator, 150, seed=6, edges=0.01)
    through = record.new()
    for stretch in (rows[:1], rows[1:5], rows[5:12], rows[12:60], rows[60:]):
        resumed = record.unpack(record.pack(through))
        folded(indicator, through, stretch, given_)
        assert record.pack(folded(indicator, resumed, stretch, given_)) == record.pack(through)


def test_a_quote_that_lacks_a_side_has_no_spread():
    group = record_of(spread.Spread).new()
    spread.update(group, 9.0, 11.0)
    assert (group.value, group.bps) == (2.0, 2_000.0)
    spread.update(group, 11.0, 9.0)
    assert group.value == -2.0, "crossed"
    spread.update(group, math.nan, 11.0)
    assert math.isnan(group.value)
    assert math.isnan(group.bps)
    assert not spread.ready(group)


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.integers(1, 9))
def test_a_window_holds_the_last_values_in_order(values, length):
    group = record_of(window.Window, {"capacity": 9}).new()
    for count, value in enumerate(values, 1):
        window.push(group, value, length)
        held = values[:count][-length:]
        assert sorted(group.values[: group.filled]) == sorted(held)
        if window.is_full(group, length):
            assert [window.aged(group, i) for i in range(length)] == held


def test_one_huge_value_leaves_the_average_with_the_window():
    group = record_of(sma.Sma, {"capacity": 3}).new()
    for value in (1e300, 1.0, 2.0, 3.0):
        sma.update(group, value, 3)
    assert group.value == 2.0


def test_a_flat_window_deviates_by_nothing_and_has_no_score():
    for value in (0.1, 1e-9, 123.456):
        columns = {"close": np.full(30, value)}
        assert over(INDICATORS["deviation"], columns, {"length": 7})["value"][-1] == 0.0
        assert math.isnan(over(INDICATORS["zscore"], columns, {"length": 7})["value"][-1])
        assert over(INDICATORS["regression"], columns, {"length": 7})["slope"][-1] == 0.0
        assert over(INDICATORS["rsi"], columns, {"length": 7})["value"][-1] == 100.0


def test_a_market_without_range_has_no_direction():
    columns = dict.fromkeys(("high", "low", "close"), np.full(30, 5.0))
    made = over(INDICATORS["adx"], columns, {"length": 3})
    assert [column[-1] for column in made.values()] == [0.0] * 4


def test_the_two_seeds_of_an_ema_come_together():
    closes = 100.0 + np.cumsum(np.random.default_rng(1).normal(size=400))
    first, averaged = (
        over(INDICATORS[name], {"close": closes}, {"length": 10})["value"] for name in ("ema", "seeded_ema")
    )
    assert abs(first[20] - averaged[20]) > 1e-6
    assert abs(first[-1] - averaged[-1]) < 1e-12


def test_time_without_prints_empties_the_tick_rate():
    group = record_of(tick_rate.TickRate, {"seconds": 5}).new()
    for i in range(50):
        tick_rate.update(group, SECOND_NS + i * SECOND_NS // 10, 5)
    assert group.value == 10.0
    tick_rate.advance(group, 8 * SECOND_NS, 5)
    assert group.value == 4.0
    tick_rate.advance(group, 9_000 * SECOND_NS, 5)
    assert (group.value, group.total) == (0.0, 0)


def test_a_value_that_may_not_be_is_told_with_what_is_accepted():
    closes = {"close": np.array([1.0])}
    with pytest.raises(ConfigError, match="length=0: accepted is an integer from 1 to 1000"):
        over(INDICATORS["sma"], closes, {"length": 0})
    with pytest.raises(ConfigError, match="unknown parameter 'lenght'; did you mean length"):
        over(INDICATORS["sma"], closes, {"lenght": 3})
    with pytest.raises(ConfigError, match="atr: no column high, low; it takes high, low, close, given are close"):
        over(INDICATORS["atr"], closes, {})
    with pytest.raises(ConfigError, match="obv: its columns differ in length: close 1, volume 2"):
        over(INDICATORS["obv"], closes | {"volume": np.array([1.0, 2.0])}, {})


def test_a_series_of_nothing_is_nothing():
    assert over(INDICATORS["sma"], {"close": np.array([])}, {})["value"].shape == (0,)
