"""Bars by ticks, volume, dollars and range, and those cut by the parts of the day, against plain formulas over whole series."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from core_day import START_NS, Day, nano
from core_probe import probe
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codes import AssetClass, BarBasis, BarUnit, Kind, Mark, Origin
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Bars
from pipeline.core.verbs import enter
from pipeline.units import INT64_MAX, NANO

NEW_YORK = ZoneInfo("America/New_York")
MARKS = st.sampled_from(
    [0, 0, 0, 0, Mark.NO_LAST, Mark.NO_HIGH_LOW, Mark.NO_VOLUME, Mark.NO_LAST | Mark.NO_HIGH_LOW, Mark.DUPLICATE]
)
CENTS = st.integers(1, 500)
PRINTS = st.lists(st.tuples(st.integers(0, 3), CENTS, st.integers(1, 90), MARKS), max_size=60)
SIZES = st.sampled_from(["1t", "3t", "20t", "1v", "40v", "200v", "1$", "55.5$", "300$", "0.01r", "0.5r", "3r"])


def seen(s, bar, p, ctx):
    s.calls += 1


def bars_of(day, *sizes, size=None, revisions=False, **more):
    plan = probe(on_bar=seen, bars=tuple(Bars(each, revisions=revisions, **more) for each in sizes))
    return day.run([plan], EngineSettings(bar_lateness_ns=NANO), size)[1][Kind.BAR]


def told(bar):
    names = ("open_nano", "high_nano", "low_nano", "close_nano", "volume_steps", "trade_count")
    return tuple(bar[name] for name in names)


def plain_bars(prints, size):
    """Cut the whole series where a sum over what was gathered reaches the length; all in Python's own integers."""
    length, letter = float(size[:-1]), size[-1]
    bars, gathered = [], []
    for price, steps, marks in prints:
        gathered.append((price, steps, marks))
        lasts = [p for p, _, m in gathered if not m & Mark.NO_LAST]
        edges = [p for p, _, m in gathered if not m & Mark.NO_HIGH_LOW] or [*lasts[:1], *lasts[-1:]]
        counted = [(p, s) for p, s, m in gathered if not m & Mark.NO_VOLUME]
        reached = {
            "t": len(counted),
            "v": sum(s for _, s in counted),
            "$": sum(p * s for p, s in counted) / NANO,
            "r": (max(edges) - min(edges)) / NANO if edges else 0,
        }[letter]
        if lasts and reached >= length:
            volume = sum(s for _, s in counted)
            bars.append((lasts[0], max(edges), min(edges), lasts[-1], volume, len(counted)))
            gathered = []
    return bars, gathered


@settings(max_examples=300, deadline=None)
@given(PRINTS, SIZES, st.sampled_from([None, 1, 7]))
def test_bars_that_count_are_what_a_plain_formula_says(prints, size, batch):
    day, at_s, kept = Day(), 0, []
    for gap_s, cents, steps, marks in prints:
        at_s += gap_s
        day.print(at_s, cents / 100, steps, marks=int(marks))
        if not marks & Mark.DUPLICATE:
            kept.append((nano(cents / 100), steps, marks))
    found = bars_of(day, size, size=batch)
    expected, rest = plain_bars(kept, size)
    assert [told(bar) for bar in found] == expected
    assert all(bar["revision"] == bar["marks"] == 0 for bar in found)
    counted = sum(steps for _, steps, marks in kept if not marks & Mark.NO_VOLUME)
    left = sum(steps for _, steps, marks in rest if not marks & Mark.NO_VOLUME)
    assert sum(bar["volume_steps"] for bar in found) == counted - left
    for before, after in pairwise(found):
        assert before["ts_event_ns"] <= before["ts_close_ns"] <= after["ts_event_ns"]


@settings(max_examples=100, deadline=None)
@given(PRINTS, st.sampled_from(["5s@session", "65m@session", "1d@session", "4h@session", "7t@session", "90v@session"]))
def test_session_bars_share_out_every_print_once_and_lie_in_one_part_of_the_day(prints, size):
    day, at_s = shares_day(), 0
    for gap_s, cents, steps, _ in prints:
        at_s += gap_s * 1_777
        day.print(at_s, cents / 100, steps)
    bars = bars_of(day.timer(at_s + 100_000), size)
    assert sum(bar["volume_steps"] for bar in bars) == sum(steps for _, _, steps, _ in prints)
    assert sum(bar["trade_count"] for bar in bars) == len(prints)
    for bar in bars:
        last_ns = bar["ts_close_ns"] - (1 if bar["bar_unit"] == BarUnit.SESSION_TIME else 0)
        assert part_of(bar["ts_event_ns"]) == part_of(last_ns)
        assert bar["low_nano"] <= min(bar["open_nano"], bar["close_nano"])
        assert bar["high_nano"] >= max(bar["open_nano"], bar["close_nano"])
    by_time = [bar for bar in bars if bar["bar_unit"] == BarUnit.SESSION_TIME]
    assert all(a["ts_close_ns"] <= b["ts_event_ns"] for a, b in pairwise(by_time))


def part_of(ts_ns):
    wall = datetime.fromtimestamp(ts_ns // NANO, NEW_YORK)
    minute = wall.hour * 60 + wall.minute
    return wall.date(), sum(minute >= edge for edge in (240, 570, 960, 1_200))


def shares_day():
    """08:30 in New York, with a share."""
    return Day(()).add(
        Kind.INSTRUMENT, 0, symbol="AAA", asset_class=AssetClass.EQUITY, size_step_nano=NANO, multiplier_nano=NANO
    )


def at(clock, day=0):
    """Seconds from the day's beginning (8:30 in New York) to a time on the wall."""
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return (hours * 60 + minutes) * 60 + seconds - 8 * 3_600 - 1_800 + day * 86_400


def clock_of(ts_ns):
    return f"{datetime.fromtimestamp(ts_ns // NANO, NEW_YORK):%H:%M:%S}"


def test_time_bars_of_a_session_count_from_its_open_and_end_with_it():
    day = shares_day()
    for clock in ("09:29:59", "09:30:00", "13:29:59", "13:30:00", "15:59:59", "16:00:00"):
        day.print(at(clock), 10)
    bars = bars_of(day.timer(at("23:00:00")), "4h@session")
    assert [(clock_of(bar["ts_event_ns"]), clock_of(bar["ts_close_ns"]), bar["marks"]) for bar in bars] == [
        ("08:00:00", "09:30:00", Mark.PARTIAL),
        ("09:30:00", "13:30:00", 0),
        ("13:30:00", "16:00:00", Mark.PARTIAL),
        ("16:00:00", "20:00:00", 0),
    ]
    assert [bar["trade_count"] for bar in bars] == [1, 2, 2, 1]
    assert {bar["bar_unit"] for bar in bars} == {BarUnit.SESSION_TIME}


def test_six_bars_of_65_minutes_fill_a_regular_session():
    day = shares_day()
    for minute in range(0, 480, 5):
        day.print(at("08:30:00") + minute * 60, 10)
    bars = bars_of(day.timer(at("23:00:00")), "65m@regular")
    starts = ["09:30:00", "10:35:00", "11:40:00", "12:45:00", "13:50:00", "14:55:00"]
    assert [clock_of(bar["ts_event_ns"]) for bar in bars] == starts
    assert {(bar["trade_count"], bar["marks"]) for bar in bars} == {(13, 0)}


def test_a_day_of_shares_is_new_yorks_and_its_regular_bar_only_the_session():
    day = shares_day()
    for clock, price in (("09:00:00", 9), ("10:00:00", 10), ("15:00:00", 11), ("17:00:00", 12)):
        day.print(at(clock), price)
    whole, regular = bars_of(day.timer(at("09:00:00", day=1)), "1d", "1d@regular")[::-1]
    assert (whole["open_nano"], whole["close_nano"], whole["trade_count"]) == (9 * NANO, 12 * NANO, 4)
    assert (clock_of(whole["ts_event_ns"]), clock_of(whole["ts_close_ns"])) == ("00:00:00", "00:00:00")
    assert (regular["open_nano"], regular["close_nano"], regular["marks"]) == (10 * NANO, 11 * NANO, 0)
    assert clock_of(regular["ts_close_ns"]) == "16:00:00"


@pytest.mark.parametrize("month_day", [(3, 9), (11, 2)])
def test_a_day_on_which_clocks_change_is_23_or_25_hours(month_day):
    local = datetime(2025, *month_day, 12, tzinfo=NEW_YORK)
    day = shares_day()
    for hours in (0, 24):
        seconds = int((local + timedelta(hours=hours)).timestamp()) - START_NS // NANO
        day.print(seconds, 10)
    first, _ = bars_of(day.timer(seconds + 90_000), "1d")
    hours = (first["ts_close_ns"] - first["ts_event_ns"]) // (3_600 * NANO)
    assert hours == {3: 23, 11: 25}[month_day[0]]
    assert clock_of(first["ts_event_ns"]) == clock_of(first["ts_close_ns"]) == "00:00:00"


def test_clock_bars_count_from_midnight_each_day():
    day = Day()  # no hours known: a UTC day; 13:30
    for hour in (0, 9, 10, 11):
        day.print(hour * 3_600, 10)
    bars = bars_of(day.timer(200_000), "7h")
    assert [(bar["ts_event_ns"] - START_NS) / NANO / 3_600 for bar in bars] == [-6.5, 7.5, 10.5]
    assert [bar["marks"] for bar in bars] == [0, Mark.PARTIAL, 0]


def test_the_end_of_a_session_cuts_what_is_not_full():
    day = shares_day()
    for clock in ("09:28:00", "09:29:00", "09:31:00", "09:32:00", "09:33:00"):
        day.print(at(clock), 10)
    bars = bars_of(day.timer(at("16:00:01")), "3t@session")
    assert [(bar["trade_count"], bar["marks"]) for bar in bars] == [(2, Mark.PARTIAL), (3, 0)]
    assert [(bar["trade_count"], bar["marks"]) for bar in bars_of(day, "3t")] == [(3, 0)]


def test_a_session_without_a_following_print_is_cut_when_its_time_has_come():
    day = shares_day().print(at("15:59:59"), 10).timer(at("16:00:00")).timer(at("16:00:01"))
    day.print(at("16:00:05"), 99, event_s=at("15:59:59"))
    (bar,) = bars_of(day, "3t@session")
    assert (bar["seq"], bar["trade_count"], bar["marks"]) == (4, 1, Mark.PARTIAL)


def test_only_the_parts_that_are_asked_for_are_made_and_delivered():
    day = shares_day()
    for clock in ("09:00:00", "10:00:00", "17:00:00"):
        day.print(at(clock), 10)
    plans = [
        probe(name="a", on_bar=seen, bars=Bars("1t@premarket")),
        probe(name="b", on_bar=seen, bars=(Bars("1t@regular"), Bars("1h@afterhours"))),
    ]
    engine, derived = day.timer(at("19:00:00")).run(plans)
    assert [clock_of(bar["ts_event_ns"]) for bar in derived[Kind.BAR]] == ["09:00:00", "10:00:00", "17:00:00"]
    assert (engine.state_of(1, 1).calls, engine.state_of(2, 1).calls) == (1, 2)


def test_a_gap_across_several_ranges_is_one_bar():
    bars = bars_of(Day().print(1, 10.0).print(2, 10.5).print(3, 10.6).print(4, 10.7), "0.1r")
    assert [(bar["low_nano"], bar["high_nano"]) for bar in bars] == [
        (10 * NANO, nano(10.5)),
        (nano(10.6), nano(10.7)),
    ]


def test_the_print_that_crosses_a_volume_closes_the_bar_and_stays_in_it_whole():
    bars = bars_of(Day().print(1, 10, 90).print(2, 10, 250).print(3, 10, 100), "100v")
    assert [bar["volume_steps"] for bar in bars] == [340, 100]


def test_what_came_late_stays_where_it_was_counted_and_backfilled_or_cancelled_prints_move_nothing():
    day = Day().print(10, 10).print(20, 30, event_s=5)
    day.print(30, 99, origin=Origin.BACKFILL).print(31, 10, marks=int(Mark.CANCEL)).print(40, 20).print(41, 20)
    bars = bars_of(day, "2t", revisions=True)
    assert [told(bar)[:4] for bar in bars] == [
        tuple(price * NANO for price in (30, 30, 10, 10)),
        tuple(price * NANO for price in (20, 20, 20, 20)),
    ]
    assert bars[0]["ts_event_ns"] == START_NS + 5 * NANO


def test_a_volume_past_64_bits_is_left_out_and_the_bar_untrusted():
    day = Day().print(1, 1, INT64_MAX - 5).print(2, 1, 10).print(3, 1, 5)
    for size in ("1m", "1d"):
        (bar,) = bars_of(day.timer(200_000), size)
        assert (bar["volume_steps"], bar["trade_count"], bar["marks"]) == (INT64_MAX, 3, Mark.UNTRUSTED)


def test_dollars_count_the_multiplier_and_a_new_definition_counts_from_then_on():
    day = Day(multiplier_nano=50 * NANO).print(1, 5_000, 1).print(2, 5_000, 1)
    day.add(Kind.INSTRUMENT, 3, symbol="AAA", size_step_nano=NANO, multiplier_nano=NANO).print(4, 5_000, 1)
    bars = bars_of(day.print(5, 5_000, 49).print(6, 5_000, 49), "250000$")
    assert [bar["volume_steps"] for bar in bars] == [1, 1, 50]


def test_quotes_make_bars_by_ticks_and_range():
    day = Day()
    for k in range(6):
        day.quote(k, 10 + k / 100, 10.02 + k / 100)
    bars = bars_of(day, "3t", "0.05r", basis=BarBasis.QUOTES)
    assert [(bar["bar_unit"], bar["trade_count"], bar["basis"]) for bar in bars] == [
        (BarUnit.TICKS, 3, BarBasis.QUOTES),
        (BarUnit.TICKS, 3, BarBasis.QUOTES),
        (BarUnit.RANGE, 6, BarBasis.QUOTES),
    ]


def test_an_instrument_without_quotes_fills_against_its_first_sort_of_bar():
    plan = probe(bars=(Bars("2t"), Bars("3t")), on_quote=None, on_bar=buy_once)
    day = Day()
    for k in range(10):
        day.print(10 * k, 10 + k)
    _, derived = day.run([plan])
    (fill,) = derived[Kind.FILL]
    assert fill["price_nano"] == 12 * NANO  # wished at 10 s; the bar of the next two prints starts at 20 s


def buy_once(s, bar, p, ctx):
    s.calls += 1
    if s.calls == 1:
        enter(ctx, 1, quantity=5.0)
