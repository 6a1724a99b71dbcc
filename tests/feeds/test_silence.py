from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.feeds.silence import PATIENCE_MAX_S, Change, Nonsense, Silence, is_market_open
from pipeline.ports import Channel
from pipeline.units import SECOND_NS

QUOTES, PRINTS = Channel.QUOTES, Channel.PRINTS
NOBODY = frozenset()
BOTH = frozenset({QUOTES, PRINTS})


def silence(**options):
    return Silence({QUOTES: 10.0, PRINTS: 30.0}, **options)


def judge(state, at_s, *heard, watched=frozenset({QUOTES}), is_open=True):
    return state.judge(at_s, heard=frozenset(heard), watched=watched, is_open=is_open)


def test_a_channel_is_mute_behind_its_seconds_and_heard_again():
    state = silence()
    assert judge(state, 0.0, QUOTES) == []
    assert judge(state, 10.0) == []
    assert judge(state, 11.0) == [Change(QUOTES, is_mute=True, silent_s=11.0)]
    assert judge(state, 20.0) == []
    assert judge(state, 25.0, QUOTES) == [Change(QUOTES, is_mute=False, silent_s=25.0)]
    assert judge(state, 26.0, QUOTES) == []


def test_each_channel_has_its_own_seconds():
    state = silence()
    assert judge(state, 0.0, watched=BOTH) == []
    assert [change.channel for change in judge(state, 12.0, watched=BOTH)] == [QUOTES]
    assert [change.channel for change in judge(state, 31.0, watched=BOTH)] == [PRINTS]


def test_what_is_not_subscribed_or_has_no_seconds_is_not_watched():
    state = silence()
    for at_s in range(0, 1_000, 50):
        assert judge(state, at_s, watched=frozenset({Channel.BARS_1S})) == []
    assert state.is_hopeless(1_000.0) is None


def test_a_channel_that_is_given_back_while_mute_is_no_reason_to_reconnect():
    state = silence()
    judge(state, 0.0)
    assert judge(state, 11.0)
    assert judge(state, 500.0, watched=NOBODY) == []
    assert state.is_hopeless(500.0) is None


def test_silence_counts_from_the_opening_of_the_market_on():
    state = silence()
    for at_s in range(0, 36_000, 60):
        assert judge(state, at_s, is_open=False) == []
        assert state.is_hopeless(at_s) is None
    assert judge(state, 35_945.0) == []
    assert judge(state, 35_951.0) != []


def test_patience_doubles_until_something_is_heard():
    state, at_s, lasted = silence(patience_s=20.0), 0.0, []
    for _ in range(9):
        state.connected()
        begin_s = at_s
        while state.is_hopeless(at_s) is None:
            judge(state, at_s)
            at_s += 1.0
        lasted.append(at_s - begin_s - 11.0)
    assert lasted[:5] == [20.0, 40.0, 80.0, 160.0, 320.0]
    assert lasted[-1] == PATIENCE_MAX_S
    judge(state, at_s, QUOTES)
    judge(state, at_s + 11.0)
    assert state.is_hopeless(at_s + 30.0) is None
    assert state.is_hopeless(at_s + 31.0) == QUOTES


def test_a_mute_channel_is_told_once_over_several_connections():
    state = silence()
    judge(state, 0.0)
    assert judge(state, 11.0)
    state.connected()
    assert judge(state, 12.0) == judge(state, 30.0) == []
    assert judge(state, 31.0, QUOTES) == [Change(QUOTES, is_mute=False, silent_s=31.0)]


@pytest.mark.parametrize(
    ("looks", "verdict"),
    [
        ([(0, 1, 0), (20, 0, 0), (40, 0, 0)], False),
        ([(0, 0, 5), (5, 0, 5), (9, 0, 5)], False),
        ([(0, 0, 5), (5, 0, 5), (10, 0, 5)], True),
        ([(0, 0, 5), (5, 1, 5), (10, 0, 5), (19, 0, 5)], False),
        ([(0, 0, 5), (5, 1, 5), (10, 0, 5), (20, 0, 5)], True),
        ([(0, 0, 1), (60, 0, 0)], False),
    ],
)
def test_nonsense_is_ten_seconds_of_nothing_but_refused_messages(looks, verdict):
    state = Nonsense()
    judged = [state.judge(at_s, good_count=good, bad_count=bad) for at_s, good, bad in looks]
    assert judged[-1] is verdict
    assert not any(judged[:-1])


def at(text, zone="America/New_York"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("2026-03-06T03:59:59", False),
        ("2026-03-06T04:00:00", True),
        ("2026-03-06T19:59:59", True),
        ("2026-03-06T20:00:00", False),
        ("2026-03-07T12:00:00", False),
        ("2026-03-08T12:00:00", False),
        ("2026-03-09T04:00:00", True),
        ("2026-03-09T03:59:59", False),
        ("2026-10-30T12:00:00", True),
        ("2026-11-01T12:00:00", False),
        ("2026-11-02T04:00:00", True),
        ("2026-11-02T03:59:59", False),
    ],
)
def test_american_shares_are_open_from_four_to_eight_on_weekdays_on_both_sides_of_summer_time(text, is_open):
    assert is_market_open("XNYS", at(text)) is is_open
    assert is_market_open("24/7", at(text))


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("2026-03-06T16:59:59", True),
        ("2026-03-06T17:00:00", False),
        ("2026-03-06T18:00:00", False),
        ("2026-03-08T17:59:59", False),
        ("2026-03-08T18:00:00", True),
        ("2026-03-09T17:30:00", False),
        ("2026-03-09T18:00:00", True),
    ],
)
def test_futures_are_open_from_sunday_evening_to_friday(text, is_open):
    assert is_market_open("CMES", at(text)) is is_open
