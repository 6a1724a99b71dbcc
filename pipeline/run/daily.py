"""Daily: one session after the other, each over a stretch of its trading day, until it is asked to end."""

import dataclasses
from collections.abc import Callable

from pipeline.run.beginning import Recording
from pipeline.run.schedule import Hours, next_stretch
from pipeline.run.turning import Ending
from pipeline.units import iso_from_ns


def every_day(
    recording: Recording,
    ending: Ending,
    hours: Hours,
    record: Callable[[Recording, Ending], None],
    *,
    told: Callable[[str], None],
) -> None:
    """Call `record` for each stretch there is; `told` hears when the next one begins.

    A stretch that ended early is over: a key that is wrong, a disk that is full are so a moment later too, and who told a
    session to end did not wish for another.
    """
    over_ns = 0
    while not ending.asked.is_set():
        now_ns = recording.clock.now_ns()
        stretch = next_stretch(max(now_ns, over_ns), hours, recording.vendors[0].calendar)
        if stretch.from_ns > now_ns:
            told(f"the next session begins at {iso_from_ns(stretch.from_ns)[:16]}Z")
        while recording.clock.now_ns() < stretch.from_ns:
            if ending.asked.wait(1.0 / recording.clock.rate):
                return
        record(dataclasses.replace(recording, until_ns=stretch.until_ns), Ending(asked=ending.asked))
        over_ns = stretch.until_ns
