import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.backoff import JITTER, Backoff, Waits

MIDDLE = 0.5
draws = st.floats(0.0, 1.0, exclude_max=True)


def waits_of(backoff, count, *, floor_s=0.0):
    """The waits of so many connections, each of which fails at once."""
    now_s, waits = 0.0, []
    for _ in range(count):
        backoff.connecting(now_s)
        waits.append(backoff.failed(now_s, floor_s))
        now_s += waits[-1]
    return waits


def test_a_wait_is_twice_the_last_one_up_to_the_longest():
    assert waits_of(Backoff(lambda: MIDDLE), 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@given(draws, st.integers(1, 80))
def test_jitter_stays_within_a_quarter(draw, count):
    plain, jittered = waits_of(Backoff(lambda: MIDDLE), count), waits_of(Backoff(lambda: draw), count)
    for wait, spread in zip(plain, jittered, strict=True):
        assert wait * (1 - JITTER) <= spread <= wait * (1 + JITTER)


@given(draws)
def test_a_server_that_refuses_for_thirty_seconds_is_asked_six_times_at_most(draw):
    at_s, connects = 0.0, 0
    for wait in waits_of(Backoff(lambda: draw), 20):
        connects += at_s <= 30.0
        at_s += wait
    assert connects <= 6


def test_weeks_of_outage_overflow_nothing():
    assert max(waits_of(Backoff(lambda: MIDDLE), 20_000)) == 60.0


@given(st.floats(0.0, 600.0), draws)
def test_the_vendors_floor_is_kept(floor_s, draw):
    assert min(waits_of(Backoff(lambda: draw), 12, floor_s=floor_s)) >= floor_s


def fights(backoff, count, *, every_s=0.0, floor_s=10.0):
    """The waits of so many connections that have data for a minute, and are thrown out as our place is taken."""
    now_s, waits = 0.0, []
    for _ in range(count):
        backoff.connecting(now_s)
        for data_s in (now_s, now_s + 30.0, now_s + 60.0):
            backoff.data(data_s)
        now_s += 60.0
        waits.append(backoff.failed(now_s, floor_s))
        now_s += max(waits[-1], every_s)
    return waits


def test_who_took_our_place_is_fought_less_and_less_though_data_flow_between():
    assert fights(Backoff(lambda: MIDDLE), 8) == [10, 20, 40, 80, 160, 300, 300, 300]


def test_a_place_that_is_taken_once_an_hour_is_no_fight():
    assert fights(Backoff(lambda: MIDDLE), 20, every_s=3_700.0) == [10] * 20


@pytest.mark.parametrize("floor_s", [0.0, 1.0, 2.0])
def test_a_polite_floor_stays_as_it_is(floor_s):
    assert fights(Backoff(lambda: MIDDLE), 20, floor_s=floor_s) == [max(1.0, floor_s)] * 20


@pytest.mark.parametrize(
    ("data_at_s", "wait_s"),
    [
        ([], 8.0),
        ([101.0], 8.0),
        ([101.0, 110.9], 8.0),
        ([101.0, 111.0], 1.0),
        ([101.0, 105.0, 160.0], 1.0),
    ],
)
def test_only_seconds_of_data_make_a_wait_short_again(data_at_s, wait_s):
    backoff = Backoff(lambda: MIDDLE)
    waits_of(backoff, 3)
    backoff.connecting(100.0)
    for now_s in data_at_s:
        backoff.data(now_s)
    assert backoff.failed(200.0) == wait_s


def test_data_of_the_last_connection_do_not_count_for_this_one():
    backoff = Backoff(lambda: MIDDLE)
    waits_of(backoff, 2)
    backoff.connecting(10.0)
    backoff.data(11.0)
    backoff.failed(12.0)
    backoff.connecting(20.0)
    backoff.data(22.0)
    assert backoff.failed(23.0) == 8.0


def test_connections_that_prove_themselves_and_end_again_are_held_to_a_budget():
    backoff = Backoff(lambda: MIDDLE, Waits(first_s=0.1, data_s=0.0, connects_max=3, window_s=60.0))
    now_s, connects = 0.0, []
    for _ in range(12):
        connects.append(now_s)
        backoff.connecting(now_s)
        backoff.data(now_s)
        now_s += 1.0 + backoff.failed(now_s + 1.0)
    for first, fourth in zip(connects, connects[3:], strict=False):
        assert fourth - first >= 59.999


def test_no_budget_lasts_for_life():
    backoff = Backoff(lambda: MIDDLE)
    for hour in range(24 * 365):
        backoff.connecting(3_600.0 * hour)
        backoff.data(3_600.0 * hour + 1)
        backoff.data(3_600.0 * hour + 3_000)
        assert backoff.failed(3_600.0 * hour + 3_599) == 1.0
