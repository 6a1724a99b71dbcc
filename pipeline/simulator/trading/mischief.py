"""Mischief: what goes wrong between a broker and its client, drawn from a seed.

    refused          nobody takes the connection: the request never left
    lost-request     the request never comes; nobody answers
    late-request     it comes seconds late, when nobody waits any more
    lost-reply       it is done; nobody answers
    late-reply       it is done at once and answered late
    twice            the request comes twice, and is answered the second time
    429, 500         refused by something in front of the broker; nothing is done
    504              it is done, and answered as if nobody knew
    cancel-race      an order that is to be cancelled fills first
    partial-fills    an order fills in two to four parts
    message-lost, message-late, message-twice          what the stream tells, alone or behind others
    drop             the stream ends

Each has a probability from 0 to 1, of a request, an order or a message. Nothing is drawn but from the seed, so that the same calls
in the same order go wrong alike.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from pipeline.errors import ConfigError


class Mishap(StrEnum):
    """What goes wrong."""

    REFUSED = "refused"
    LOST_REQUEST = "lost-request"
    LATE_REQUEST = "late-request"
    LOST_REPLY = "lost-reply"
    LATE_REPLY = "late-reply"
    TWICE = "twice"
    TOO_MANY = "429"
    BROKEN = "500"
    NOBODY_KNOWS = "504"
    CANCEL_RACE = "cancel-race"
    PARTIAL_FILLS = "partial-fills"
    MESSAGE_LOST = "message-lost"
    MESSAGE_LATE = "message-late"
    MESSAGE_TWICE = "message-twice"
    DROP = "drop"


_ALL: Final[tuple[Mishap, ...]] = tuple(Mishap)
_OF_REQUESTS: Final = _ALL[: _ALL.index(Mishap.CANCEL_RACE)]
_OF_MESSAGES: Final = _ALL[_ALL.index(Mishap.MESSAGE_LOST) :]


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of a request: done `times`, `act_after_s` late, and answered `answer_after_s` behind that, or never.

    `status` is what it is answered with in the place of what the broker says; 0: what it says. `is_refused`: nobody takes the connection.
    """

    times: int = 1
    act_after_s: float = 0.0
    answer_after_s: float | None = 0.0
    status: int = 0
    is_refused: bool = False


SMOOTH: Final = Course()
_COURSES: Final = {
    Mishap.REFUSED: Course(times=0, is_refused=True),
    Mishap.LOST_REQUEST: Course(times=0, answer_after_s=None),
    Mishap.LOST_REPLY: Course(answer_after_s=None),
    Mishap.TWICE: Course(times=2),
    Mishap.TOO_MANY: Course(times=0, status=429),
    Mishap.BROKEN: Course(times=0, status=500),
    Mishap.NOBODY_KNOWS: Course(status=504),
}


class Sending(NamedTuple):
    """When a message is sent, seconds from now, once or more; [] never. `is_dropped`: the stream ends instead."""

    after_s: tuple[float, ...] = (0.0,)
    is_dropped: bool = False


@dataclass(slots=True)
class Mischief:
    """Draws what goes wrong. `late_s` is how late something is at most, `request_late_s` a request that nobody waits for."""

    seed: int = 0
    odds: Mapping[Mishap, float] = field(default_factory=dict)
    late_s: float = 15.0
    request_late_s: float = 20.0
    stream_late_s: float = 3.0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - what goes wrong is no secret

    def of_request(self) -> Course:
        """What becomes of the next request."""
        draw, late = self._chance.random(), self._chance.random()
        kind = self._drawn(draw, _OF_REQUESTS)
        if kind is Mishap.LATE_REQUEST:
            return Course(act_after_s=late * self.request_late_s, answer_after_s=None)
        if kind is Mishap.LATE_REPLY:
            return Course(answer_after_s=late * self.late_s)
        return SMOOTH if kind is None else _COURSES[kind]

    def of_message(self) -> Sending:
        """What becomes of the next message of a stream."""
        draw, late = self._chance.random(), self._chance.random() * self.stream_late_s
        match self._drawn(draw, _OF_MESSAGES):
            case Mishap.MESSAGE_LOST:
                return Sending(())
            case Mishap.MESSAGE_LATE:
                return Sending((late,))
            case Mishap.MESSAGE_TWICE:
                return Sending((0.0, late))
            case Mishap.DROP:
                return Sending((), is_dropped=True)
        return Sending()

    def is_race(self) -> bool:
        """Whether an order fills in front of its cancel."""
        return self._chance.random() < self.odds.get(Mishap.CANCEL_RACE, 0.0)

    def parts(self, number: int) -> int:
        """In how many parts the order of that number fills."""
        chance = random.Random(f"{self.seed}/{number}")  # noqa: S311 - what goes wrong is no secret
        return chance.randint(2, 4) if chance.random() < self.odds.get(Mishap.PARTIAL_FILLS, 0.0) else 1

    def _drawn(self, draw: float, kinds: tuple[Mishap, ...]) -> Mishap | None:
        for kind in kinds:
            draw -= self.odds.get(kind, 0.0)
            if draw < 0:
                return kind
        return None


def odds_of(texts: tuple[str, ...]) -> dict[Mishap, float]:
    """What a person writes: `lost-reply=0.1`, one or more. Raises ConfigError."""
    odds: dict[Mishap, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in set(Mishap) or not _is_share(number):
            names = ", ".join(map(str, Mishap))
            raise ConfigError(f"mishap {text!r}: write NAME=PROBABILITY, from 0 to 1; names are {names}")
        odds[Mishap(name)] = float(number)
    for kinds in (_OF_REQUESTS, _OF_MESSAGES):
        if sum(odds.get(kind, 0.0) for kind in kinds) > 1:
            raise ConfigError(f"mishaps {', '.join(map(str, kinds))}: their probabilities are more than 1 together")
    return odds


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
