"""Windows: which sessions parameters are chosen on, in sample, and which show what the choice is worth, out of sample.

No session is on both sides of a border, none on one side has the content of one on the other, and none overlaps one in time.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from pipeline.errors import ConfigError
from pipeline.log import cache
from pipeline.log.manifest import Manifest


class Window(NamedTuple):
    """Sessions in order of time, on both sides of a border."""

    inside: tuple[Manifest, ...]
    outside: tuple[Manifest, ...]


def windows(sessions: Sequence[Manifest], inside: int, outside: int, step: int) -> list[Window]:
    """So many sessions in sample and those behind them out of sample, each window so many sessions further; the last may have fewer outside.

    Raises ConfigError when there are too few sessions, when a step would count sessions twice, and as `check_apart` does.
    """
    if step < outside:
        raise ConfigError(
            f"--step {step}: sessions out of sample would count twice; accepted is {outside} (--out-of-sample) or more"
        )
    starts = range(0, len(sessions) - inside, step)
    if not starts:
        raise ConfigError(
            f"{len(sessions)} sessions: --in-sample {inside} leaves none out of sample; name at least {inside + 1}"
        )
    made = [
        Window(tuple(sessions[start : start + inside]), tuple(sessions[start + inside : start + inside + outside]))
        for start in starts
    ]
    for window in made:
        check_apart(*window)
    return made


def held_back(sessions: Sequence[Manifest], share: float) -> Window:
    """The last part of the sessions out of sample, at least one, the rest in sample. Raises ConfigError as `check_apart` does."""
    count = max(1, math.floor(len(sessions) * Decimal(str(share))))
    if len(sessions) <= count:
        raise ConfigError(f"--out-of-sample {share:g}: of {len(sessions)} sessions that leaves none in sample")
    window = Window(tuple(sessions[:-count]), tuple(sessions[-count:]))
    check_apart(*window)
    return window


def before_the_last(inside: Sequence[Manifest], outside: Sequence[Manifest]) -> int:
    """How many sessions out of sample lie before the last one in sample."""
    last_ns = max(session.first_ts_ns for session in inside)
    return sum(session.first_ts_ns < last_ns for session in outside)


def check_apart(inside: Sequence[Manifest], outside: Sequence[Manifest]) -> None:
    """Raise ConfigError when a session out of sample is, holds or overlaps what is in sample."""
    contents = {cache.key_of(session): session.id for session in inside}
    for after in outside:
        if same := contents.get(cache.key_of(after)):
            what = "is in sample too" if same == after.id else f"holds the same as {same}, which is in sample"
            raise ConfigError(f"{after.id}: {what}; out of sample is only what parameters were not chosen on")
        for before in inside:
            if before.first_ts_ns <= after.last_ts_ns and after.first_ts_ns <= before.last_ts_ns:
                raise ConfigError(
                    f"{after.id} out of sample overlaps {before.id} in sample in time; "
                    "name sessions that follow one another"
                )
