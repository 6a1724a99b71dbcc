"""The words with which a strategy asks for history, and what is refused of them when it is loaded."""

import pytest

from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Strategy
from pipeline.core.warm_up import WarmUp
from pipeline.errors import StrategyError
from pipeline.units import DAY_NS, MINUTE_NS


@params
class Params:
    slow: int = param(20, low=2, high=100, help="bars")
    share: float = param(0.5, low=0.0, high=1.0, help="no number of bars")


@state
class State:
    bars: int


def on_bar(s, bar, p, ctx):
    s.bars += 1


def made(words, bars="1m"):
    return Strategy("waiter", Params, State, on_bar=on_bar, bars=Bars(bars), warm_up=words)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", WarmUp(0, 0)),
        ("30 bars", WarmUp(30, 0)),
        ("slow bars", WarmUp(20, 0)),
        ("45m", WarmUp(0, 45 * MINUTE_NS)),
        ("10d", WarmUp(0, 10 * DAY_NS)),
    ],
)
def test_words_are_bars_or_a_time(words, wanted):
    assert made(words).warm_up_with(Params()) == wanted


def test_a_parameter_that_is_set_says_how_many():
    assert made("slow bars").warm_up_with(Params(slow=7)) == WarmUp(7, 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("30", 'accepted is a number or a whole parameter and "bars"'),
        ("0 bars", "0 is 0; accepted are 1 to 10,000 bars"),
        ("fast bars", "fast is None; accepted are 1"),
        ("share bars", "share is 0.5; accepted are 1"),
        ("11d", "accepted is"),
        ("500t", "accepted is"),
        ("30m@regular", "accepted is"),
    ],
)
def test_what_says_nothing_is_refused_when_it_is_loaded(words, why):
    with pytest.raises(StrategyError, match=f"strategy waiter: warm_up='{words}'.*{why}"):
        made(words)


@pytest.mark.parametrize("bars", ["500t", "30m@regular"])
def test_bars_that_no_history_has_are_refused_and_given_in_their_place_wait_for_nothing(bars):
    with pytest.raises(StrategyError, match="history has bars by the clock"):
        made("30 bars", bars)
    assert made("30 bars").with_bars([bars]).warm_up == ""
    assert made("30 bars").with_bars([bars, "5m"]).bars_by_time == (5 * MINUTE_NS,)
