"""Sweeping: the values that a text names, exactly; every cell of the grid; what is refused, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, OperatorError
from pipeline.run.strategies import strategy_file
from pipeline.run.sweeping import grid_of, is_ordered, parted, space_of

FILES = [strategy_file("ema_cross")]


def swept(*texts, files=FILES, params=()):
    return grid_of(files, params, (), texts)


def values(text):
    (axis,) = swept(text).sweeps.values()
    return axis


def test_steps_hold_the_end_where_one_falls_on_it():
    assert values("fast=5:20:5") == (5, 10, 15, 20)
    assert values("fast=5:19:5") == (5, 10, 15)
    assert values("fast=20:5:-5") == (20, 15, 10, 5)
    assert values("fast=7:7:1") == (7,)


def test_steps_are_decimal():
    assert values("spread_bps=0.1:0.5:0.1") == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert values("spread_bps=1e-3:0.002:0.0005") == (0.001, 0.0015, 0.002)


@given(st.integers(2, 400), st.integers(1, 40), st.integers(0, 20))
def test_integers_are_as_range_has_them(start, step, count):
    end = min(start + step * count, 500)
    assert values(f"fast={start}:{end}:{step}") == tuple(range(start, end + 1, step))


def test_ranges_hold_every_integer_or_a_hundred_steps():
    assert values("fast=5..9") == (5, 6, 7, 8, 9)
    assert values("fast=5..20:5") == (5, 10, 15, 20)
    assert values("spread_bps=0.5..1.5")[:3] == (0.5, 0.51, 0.52)
    assert len(values("spread_bps=0.5..1.5")) == 101


def test_what_has_one_value_is_parted_from_what_has_several():
    assert parted(["notional=5000", "bars=1m", "fast=5..9", "bars=1m,5m"]) == (
        ["notional=5000", "bars=1m"],
        ["fast=5..9", "bars=1m,5m"],
    )


def test_some_sets_of_a_space_are_cells_of_their_own():
    space = space_of(FILES, ["notional=5000"], (), ["fast=5..9", "slow=60,120"])
    assert space.size == 10
    assert list(space.points())[1] == (0, 1)
    grid = space.chosen([(4, 1), (0, 0)])
    assert [grid.params_of(plan)["fast"] for plan in grid.plans] == [9, 5]
    assert space.values_of((4, 1)) == {"fast": 9, "slow": 120}
    assert is_ordered((5, 6, 9))
    assert is_ordered((3, 2.5))
    assert not is_ordered((5, 9, 6))
    assert not is_ordered((False, True))
    assert not is_ordered(("1m", "5m"))


def test_what_is_refused_is_called_by_its_option():
    with pytest.raises(ConfigError, match="--param 'fast=9\\.\\.5': these steps do not lead from 9 to 5"):
        space_of(FILES, (), (), ["fast=9..5"], option="--param")


def test_lists_name_each_value():
    assert values("fast=5, 8,13") == (5, 8, 13)


def test_cells_are_every_combination_the_last_sweep_turning_fastest():
    grid = swept("fast=5,10", "slow=60,120,200", params=["notional=5000"])
    chosen = [(grid.params_of(plan)["fast"], grid.params_of(plan)["slow"]) for plan in grid.plans]
    assert chosen == [(5, 60), (5, 120), (5, 200), (10, 60), (10, 120), (10, 200)]
    assert {grid.params_of(plan)["notional"] for plan in grid.plans} == {5_000.0}


def test_without_a_sweep_there_is_one_cell():
    assert len(swept().plans) == 1


def test_a_name_without_its_strategy_is_meant_for_all_of_them():
    both = [*FILES, strategy_file("opening_range")]
    grid = swept("ema_cross.fast=5,6", files=both)
    assert [grid.params_of(plan)["ema_cross.fast"] for plan in grid.plans] == [5, 6]
    with pytest.raises(ConfigError, match="unknown parameter 'fast'"):
        swept("fast=5,6", files=both)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["fats=5:50:5"], "unknown parameter 'fats'; did you mean fast"),
        (["hold.fast=5,6"], "no strategy 'hold' in this run; there is ema_cross"),
        (["fast=1:50:5"], "fast=1: accepted is an integer from 2 to 500"),
        (["fast=5:50:0"], "a step that is not 0"),
        (["fast=5:50"], "write from:to:step"),
        (["fast=5..x"], "write from:to:step"),
        (["fast=50:5:5"], "do not lead from 50 to 5"),
        (["fast=5:4:2"], "do not lead from 5 to 4"),
        (["fast=5:50:0.5"], "fast=5.0: accepted is an integer"),
        (["fast=5,5"], "stands there twice"),
        (["fast"], "write name=from:to:step or name=a,b,c"),
        (["fast="], "write name=from:to:step or name=a,b,c"),
        (["fast=5", "fast=6"], "fast is given twice"),
        (["spread_bps=0:nan:1"], "write from:to:step"),
        (["spread_bps=0:1:0.0000001"], "are too many"),
        (["fast=2:500:1", "slow=3:2000:1", "notional=1:4:1"], "3,987,... cells|cells; accepted are 1,000,000"),
    ],
)
def test_what_is_refused_says_what_is_accepted(texts, said):
    with pytest.raises(ConfigError, match=said):
        swept(*texts)


@pytest.mark.parametrize(
    ("sweeps", "params"),
    [
        (["fast=5,6"], ["fast=7"]),
        (["ema_cross.fast=5,6"], ["fast=7"]),
        (["fast=5,6"], ["ema_cross.fast=7"]),
        (["fast=5,6", "ema_cross.fast=7,8"], []),
    ],
)
def test_a_parameter_is_not_both_swept_and_given(sweeps, params):
    with pytest.raises(ConfigError, match="fast is given twice; accepted is one --param or --sweep"):
        swept(*sweeps, params=params)


BARRED = [strategy_file("opening_range")]


def test_the_size_of_bars_is_swept_like_a_parameter():
    grid = swept("bars=1m,300s,1m+500t", "minutes=5,10", files=BARRED)
    assert grid.sweeps["bars"] == ("1m", "5m", "1m+500t")
    assert [plan.strategies[0].bars for plan in grid.plans[::2]] == [("1m",), ("5m",), ("1m", "500t")]
    assert [(grid.params_of(plan)["bars"], grid.params_of(plan)["minutes"]) for plan in grid.plans[:3]] == [
        ("1m", 5),
        ("1m", 10),
        ("5m", 5),
    ]
    assert all("bars" not in plan.strategies[0].params for plan in grid.plans)


@pytest.mark.parametrize(
    ("text", "files", "said"),
    [
        ("bars=1m,60s", BARRED, "stands there twice"),
        ("bars=1m,5x", BARRED, "bars '5x': accepted is a number and s, m, h, d"),
        ("bars=1m,", BARRED, "bars '': accepted is"),
        ("bars=1:5:1", BARRED, "bars '1:5:1': accepted is"),
        ("bars=1m,5m", FILES, "ema_cross: it asks for no bars"),
        ("bars=1m,5m", BARRED + FILES, "ema_cross: it asks for no bars"),
        ("hold.bars=1m,5m", BARRED, "no strategy 'hold' in this run"),
    ],
)
def test_bars_that_are_none_are_refused(text, files, said):
    with pytest.raises(OperatorError, match=said):
        swept(text, files=files)


def test_other_bars_stay_in_every_cell():
    grid = swept("minutes=5,10", files=[strategy_file("opening_range")], params=["bars=2m"])
    assert [plan.strategies[0].bars for plan in grid.plans] == [("2m",), ("2m",)]
