from pipeline.feeds.lateness import LATE_COUNT_MIN, Lateness


def changes(lateness, seconds, *, punctual=0, late=0, begin_s=0):
    """When it began or ceased to lag, with so many events each second."""
    return [
        (at_s, lateness.is_lagging)
        for at_s in range(begin_s, begin_s + seconds)
        if lateness.judge(at_s, punctual_count=punctual, late_count=late)
    ]


def test_a_feed_lags_once_nothing_but_late_events_came_for_long_enough_and_until_most_are_not():
    lateness = Lateness(10)
    assert changes(lateness, 100, late=5) == [(10, True)]
    assert changes(lateness, 50, late=5, punctual=1, begin_s=100) == []
    assert changes(lateness, 50, late=5, punctual=5, begin_s=150) == [(150, False)]


def test_late_reports_among_others_are_no_lag():
    assert changes(Lateness(10), 500, late=50, punctual=1) == []


def test_few_late_events_are_no_lag_however_long_nothing_else_comes():
    lateness = Lateness(10)
    assert changes(lateness, LATE_COUNT_MIN - 1, late=1) == []
    assert changes(lateness, 500, begin_s=LATE_COUNT_MIN) == []


def test_one_that_is_punctual_begins_the_time_anew():
    lateness = Lateness(10)
    for begin_s in range(0, 100, 10):
        assert changes(lateness, 9, late=5, begin_s=begin_s) == []
        assert changes(lateness, 1, punctual=1, begin_s=begin_s + 9) == []
