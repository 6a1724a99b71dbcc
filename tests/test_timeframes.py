"""Words for the length of a bar: what is understood, how it is said again, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import BarBasis, BarUnit
from pipeline.core.strategy import Bars
from pipeline.errors import StrategyError, UnitError
from pipeline.timeframes import Timeframe, timeframe_of
from pipeline.units import HOUR_NS, MINUTE_NS, NANO, SECOND_NS
from warehouse import connect


@pytest.mark.parametrize(
    ("word", "unit", "length", "bar_unit"),
    [
        ("5s", BarUnit.TIME, 5 * SECOND_NS, BarUnit.TIME),
        ("1m", BarUnit.TIME, MINUTE_NS, BarUnit.TIME),
        ("0.5h", BarUnit.TIME, 30 * MINUTE_NS, BarUnit.TIME),
        ("65m@session", BarUnit.TIME, 65 * MINUTE_NS, BarUnit.SESSION_TIME),
        ("1d", BarUnit.TIME, 24 * HOUR_NS, BarUnit.TIME),
        ("500t", BarUnit.TICKS, 500, BarUnit.TICKS),
        ("10Kt@regular", BarUnit.TICKS, 10_000, BarUnit.SESSION_TICKS),
        ("10000v", BarUnit.VOLUME, 10_000 * NANO, BarUnit.VOLUME),
        ("0.25v@premarket", BarUnit.VOLUME, NANO // 4, BarUnit.SESSION_VOLUME),
        ("1M$", BarUnit.DOLLARS, 10**6 * NANO, BarUnit.DOLLARS),
        ("0.05r", BarUnit.RANGE, NANO // 20, BarUnit.RANGE),
        ("0.05r@afterhours", BarUnit.RANGE, NANO // 20, BarUnit.SESSION_RANGE),
    ],
)
def test_a_word_names_a_timeframe(word, unit, length, bar_unit):
    found = timeframe_of(word)
    assert (found.unit, found.length, found.bar_unit) == (unit, length, bar_unit)
    assert timeframe_of(str(found)) == found


@given(
    st.sampled_from([BarUnit.TICKS, BarUnit.VOLUME, BarUnit.DOLLARS, BarUnit.RANGE]),
    st.integers(1, 10**17),
    st.sampled_from(["", "@session", "@regular", "@premarket", "@afterhours"]),
)
def test_what_a_timeframe_is_called_names_it_again(unit, length, hours):
    made = Timeframe(unit, length, timeframe_of(f"1t{hours}").parts)
    assert timeframe_of(str(made)) == made


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("", "accepted is a number and s, m, h, d"),
        ("1", "accepted is a number"),
        ("m", "accepted is a number"),
        ("-5m", "accepted is a number"),
        ("1e3t", "accepted is a number"),
        ("٣m", "accepted is a number"),
        ("5m@lunch", "@session, @premarket, @regular, @afterhours or nothing"),
        ("5x", "accepted is a number"),
        ("0s", "whole seconds, up to 1000 days"),
        ("0.5s", "whole seconds"),
        ("1001d", "whole seconds, up to 1000 days"),
        ("36h", "whole days"),
        ("2d@session", "whole days, without @"),
        ("1Mm", "K, M and B are for ticks, volume and dollars; a minute is 1m"),
        ("0t", "whole ticks"),
        ("2.5t", "whole ticks"),
        ("0v", "from 1e-9 to 9.2e9"),
        ("10B$", "from 1e-9 to 9.2e9"),
        ("0.0000000001r", "accepted is a number"),
    ],
)
def test_nonsense_is_refused_in_one_line(word, told):
    with pytest.raises(UnitError, match=told) as caught:
        timeframe_of(word)
    assert "\n" not in str(caught.value)
    with pytest.raises(StrategyError, match=told):
        Bars(word)


@pytest.mark.parametrize("word", ["100v", "1M$"])
def test_quotes_have_no_volume_to_make_bars_of(word):
    with pytest.raises(StrategyError, match="quotes have no volume"):
        Bars(word, BarBasis.QUOTES)


def test_bars_are_made_of_prints_or_quotes():
    with pytest.raises(StrategyError, match="accepted as basis are PRINTS and QUOTES"):
        Bars("1m", BarBasis.VENDOR)


def test_the_warehouse_says_the_same_words(tmp_path):
    connection = connect(tmp_path)
    words = ["1s", "90s", "1m", "65m", "2h", "1d", "30d", "1t", "1500t", "2Mt", "0.5v", "100v", "3Mv", "0.01$", "1M$"]
    words += ["0.05r", "12.25r", "65m@session", "7t@session", "50v@session", "1M$@session", "0.1r@session"]
    for word in words:
        found, step_nano = timeframe_of(word), 10
        length = found.length // step_nano if found.unit == BarUnit.VOLUME else found.length
        query = f"select timeframe_word('{found.bar_unit.name.lower()}', {length}, {step_nano})"
        assert connection.sql(query).fetchall() == [(str(found),)]
