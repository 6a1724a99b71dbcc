import pytest

from pipeline.feeds.holes import MARGIN_NS, REACH_NS, Hole, Holes
from pipeline.ports import Channel, Topic
from pipeline.units import SECOND_NS

A, B = (Topic(Channel.PRINTS, symbol) for symbol in "AB")


def s(seconds):
    return seconds * SECOND_NS


def test_a_hole_lasts_from_the_last_event_to_the_acknowledgement_with_margins():
    holes = Holes(reach_ns={})
    holes.close([A], s(10))
    assert holes.to_fill() == []
    holes.open({A: s(100)})
    assert holes.to_fill() == []
    holes.close([A], s(200))
    assert holes.to_fill() == [Hole(A, s(100) - MARGIN_NS, s(200) + MARGIN_NS)]


def test_it_reaches_back_for_trades_that_were_reported_in_it_and_the_bars_they_revised():
    holes = Holes(margin_ns=0)
    bars, quotes = Topic(Channel.BARS_1M, "A"), Topic(Channel.QUOTES, "A")
    holes.open({A: s(9_000), bars: s(9_000), quotes: s(9_000)})
    holes.close([A, bars, quotes], s(9_100))
    begins = {hole.topic: hole.from_ns for hole in holes.to_fill()}
    assert begins == {
        A: s(9_000) - REACH_NS[Channel.PRINTS],
        bars: s(9_000) - REACH_NS[Channel.BARS_1M],
        quotes: s(9_000),
    }


@pytest.mark.parametrize(("lead", "ends"), [(30, 230), (0, 200), (-900, 200)])
def test_it_ends_later_by_a_clock_that_is_ahead_of_ours(lead, ends):
    lead_ns = s(0)
    holes = Holes(margin_ns=0, reach_ns={}, lead_ns=lambda: lead_ns)
    holes.open({A: s(100)})
    holes.close([A], s(200))
    (hole,) = holes.to_fill()
    assert holes.end_ns(hole) == s(200)
    lead_ns = s(lead)  # what the next connection told
    assert holes.end_ns(hole) == s(ends)


@pytest.mark.parametrize(("lead", "begins"), [(30, 5_000), (-900, 4_100), (-90_000, 1_400)])
def test_where_what_comes_is_old_one_that_was_never_heard_begins_earlier(lead, begins):
    holes = Holes(margin_ns=0, reach_ns={}, lead_ns=lambda: s(lead))
    holes.close([A], s(5_000))
    holes.open({A: None})
    holes.close([A], s(6_000))
    assert [hole.from_ns for hole in holes.to_fill()] == [s(begins)]


def test_a_topic_that_was_never_heard_is_missing_since_its_first_acknowledgement():
    holes = Holes(margin_ns=0, reach_ns={})
    holes.close([A], s(10))
    holes.close([A], s(40))
    holes.open({A: None})
    holes.close([A], s(200))
    assert holes.to_fill() == [Hole(A, s(10), s(200))]


def test_what_is_lost_again_before_it_is_filled_goes_on_from_where_it_began():
    holes = Holes(margin_ns=0, reach_ns={})
    holes.close([A], s(1))
    holes.open({A: s(100)})
    holes.open({A: s(150)})
    holes.close([A], s(200))
    holes.open({A: s(210)})
    assert holes.to_fill() == []
    holes.close([A], s(300))
    assert holes.to_fill() == [Hole(A, s(100), s(300))]


def test_a_filled_hole_is_gone_unless_it_changed_meanwhile():
    holes = Holes(margin_ns=0, reach_ns={})
    holes.close([A], s(1))
    holes.open({A: s(100)})
    holes.close([A], s(200))
    (old,) = holes.to_fill()
    holes.open({A: s(250)})
    assert not holes.filled(old)
    holes.close([A], s(300))
    (new,) = holes.to_fill()
    assert not holes.filled(new)
    assert holes.to_fill() == []


def test_a_failure_is_news_once_and_its_hole_comes_last():
    holes = Holes(margin_ns=0, reach_ns={})
    holes.close([A, B], s(1))
    holes.open({A: s(100), B: s(120)})
    holes.close([A, B], s(200))
    first, second = holes.to_fill()
    assert (first.topic, second.topic) == (A, B)
    assert holes.failed(first)
    assert not holes.failed(first)
    assert [hole.topic for hole in holes.to_fill()] == [B, A]
    assert holes.filled(first)
    assert not holes.filled(second)


@pytest.mark.parametrize("is_closed", [False, True])
def test_what_is_no_longer_wanted_has_no_hole(is_closed):
    holes = Holes()
    holes.close([A, B], s(1))
    holes.open({A: s(100), B: s(100)})
    if is_closed:
        holes.close([A, B], s(150))
    holes.forget({B})
    holes.close([A, B], s(200))
    assert [hole.topic for hole in holes.to_fill()] == [B]


def test_a_hole_ends_where_it_begins_at_the_earliest_whatever_a_clock_shows_that_was_set_back():
    holes = Holes(reach_ns={})
    holes.open({A: s(5_000)})
    holes.close([A], s(1_400))
    assert holes.to_fill() == [Hole(A, s(5_000) - MARGIN_NS, s(5_000))]
