from pipeline.feeds.unheard import Unheard


def told(unheard, seconds, sent, *, heard=(), is_open=True, begin_s=0):
    """What is told in so many seconds, looked at once a second: (second, symbols)."""
    found = []
    for at_s in range(begin_s, begin_s + seconds):
        due = unheard.judge(at_s, frozenset(sent), is_open=is_open, is_heard=set(heard).__contains__)
        found += [(at_s, due)] if due else []
    return found


def test_what_is_silent_for_long_enough_is_told_once():
    unheard = Unheard(60)
    assert told(unheard, 60, "ABC", heard="B") == []
    assert told(unheard, 200, "ABC", heard="B", begin_s=60) == [(60, ["A", "C"])]


def test_time_counts_while_the_market_is_open_and_the_connection_lives():
    unheard = Unheard(60)
    assert told(unheard, 41, "A") == []
    assert told(unheard, 1_000, "A", is_open=False, begin_s=41) == []
    unheard.connected()
    assert told(unheard, 16, "A", begin_s=5_000) == []
    assert told(unheard, 30, "A", begin_s=5_016) == [(5_020, ["A"])]


def test_each_symbol_has_its_whole_time_from_when_it_is_sent():
    unheard = Unheard(60)
    told(unheard, 50, "A")
    assert told(unheard, 100, "AB", begin_s=50) == [(60, ["A"]), (110, ["B"])]


def test_one_that_is_left_and_asked_for_again_begins_anew():
    unheard = Unheard(60)
    told(unheard, 50, "A")
    told(unheard, 50, "", begin_s=50)
    assert told(unheard, 100, "A", begin_s=100) == [(160, ["A"])]


def test_one_that_was_heard_once_is_never_looked_for_again():
    unheard = Unheard(60)
    told(unheard, 10, "A", heard="A")
    assert told(unheard, 500, "A", begin_s=10) == []
