"""One session a day, on a clock on which a day is a tenth of a second."""

from dataclasses import replace

from live_sessions import recording
from words_vendor import START_NS, vendor

from pipeline.run.clock import ScaledClock
from pipeline.run.daily import every_day
from pipeline.run.schedule import hours_of
from pipeline.run.turning import Ending
from pipeline.units import DAY_NS


def test_who_asked_for_the_end_is_known_to_the_session_that_ends():
    daily = replace(recording(vendor("ws://127.0.0.1:1")), clock=ScaledClock(START_NS, 1e6))
    ending, asked = Ending(), []

    def record(_what, day):
        asked.append(day.asked)
        if len(asked) == 2:
            ending.asked.why = "of SIGTERM"
            ending.asked.set()

    every_day(daily, ending, hours_of("00:00-00:00"), record, told=lambda _: None)
    assert [(each.is_set(), each.why) for each in asked] == [(True, "of SIGTERM")] * 2
    assert Ending().asked.why == "it was asked to"


def test_a_session_that_ended_before_its_time_is_not_begun_again_on_its_day():
    clock = ScaledClock(START_NS, 1e6)
    daily = replace(recording(vendor("ws://127.0.0.1:1")), clock=clock)
    ending, recorded, said = Ending(), [], []

    def record(what, _ending):
        recorded.append((clock.now_ns() // DAY_NS, what.until_ns // DAY_NS))
        if len(recorded) == 3:
            ending.asked.set()

    every_day(daily, ending, hours_of("00:00-00:00"), record, told=said.append)
    first = START_NS // DAY_NS
    assert recorded == [(first + n, first + n + 1) for n in range(3)]
    assert said == ["the next session begins at 2026-11-05T00:00Z", "the next session begins at 2026-11-06T00:00Z"]
