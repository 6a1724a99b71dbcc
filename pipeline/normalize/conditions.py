"""Sale conditions of American shares: what a print may move, by the rules of the consolidated tapes.

A print carries several; it moves what all of them allow. One that is not in the table leaves volume only. The table is
that of docs/bars.md, which says where it is from.
"""

import re
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import Mark
from pipeline.errors import UnitError
from pipeline.hours import Calendar, part_at
from pipeline.units import DAY_NS, HOUR_NS

_ALL: Final = Mark.NONE
_NOT_LAST: Final = Mark.NO_LAST
_VOLUME: Final = Mark.NO_LAST | Mark.NO_HIGH_LOW
_NOTHING: Final = Mark.NO_LAST | Mark.NO_HIGH_LOW | Mark.NO_VOLUME


class Condition(NamedTuple):
    """One of them: Massive's number, the letters of tapes A and B (CTA) and of tape C (UTP), what a print with it must not move."""

    number: int
    name: str
    cta: str
    utp: str
    marks: Mark

    @property
    def moves(self) -> str:
        """What a print with it moves, in words."""
        named = {Mark.NO_LAST: "open and close", Mark.NO_HIGH_LOW: "high and low", Mark.NO_VOLUME: "volume"}
        return ", ".join(words for mark, words in named.items() if mark not in self.marks) or "nothing"


FORM_T: Final = 12
"""Traded outside of regular hours. Inside of them it is a report that came late, and moves volume only."""

CONDITIONS: Final = (
    Condition(0, "Regular sale", "@", "@", _ALL),
    Condition(1, "Acquisition", "", "A", _ALL),
    Condition(2, "Average price", "B", "W", _VOLUME),
    Condition(3, "Automatic execution", "E", "", _ALL),
    Condition(4, "Bunched", "", "B", _ALL),
    Condition(5, "Bunched, sold out of sequence", "", "G", _NOT_LAST),
    Condition(6, "CAP election", "", "", _ALL),
    Condition(7, "Cash sale", "C", "C", _VOLUME),
    Condition(8, "Closing print", "", "6", _ALL),
    Condition(9, "Cross", "X", "X", _ALL),
    Condition(10, "Derivatively priced", "4", "4", _NOT_LAST),
    Condition(11, "Distribution", "", "D", _ALL),
    Condition(FORM_T, "Form T, extended hours", "T", "T", _VOLUME),
    Condition(13, "Extended hours, sold out of sequence", "U", "U", _VOLUME),
    Condition(14, "Intermarket sweep", "F", "F", _ALL),
    Condition(15, "Market center official close", "M", "M", _NOTHING),
    Condition(16, "Market center official open", "Q", "Q", _NOTHING),
    Condition(17, "Market center opening trade", "O", "", _ALL),
    Condition(18, "Market center reopening trade", "5", "", _ALL),
    Condition(19, "Market center closing trade", "6", "", _ALL),
    Condition(20, "Next day", "N", "N", _VOLUME),
    Condition(21, "Price variation", "H", "H", _VOLUME),
    Condition(22, "Prior reference price", "P", "P", _NOT_LAST),
    Condition(23, "Rule 155", "K", "K", _ALL),
    Condition(24, "Rule 127", "", "", _ALL),
    Condition(25, "Opening print", "", "O", _ALL),
    Condition(27, "Stopped stock", "", "1", _ALL),
    Condition(28, "Reopening print", "", "5", _ALL),
    Condition(29, "Seller", "R", "R", _VOLUME),
    Condition(30, "Sold last", "L", "L", _ALL),
    Condition(31, "Sold last, stopped stock", "", "", _ALL),
    Condition(32, "Sold out", "", "", _NOT_LAST),
    Condition(33, "Sold out of sequence", "Z", "Z", _NOT_LAST),
    Condition(34, "Split trade", "", "S", _ALL),
    Condition(35, "Stock option", "", "", _ALL),
    Condition(36, "Yellow flag", "", "Y", _ALL),
    Condition(37, "Odd lot", "I", "I", _VOLUME),
    Condition(38, "Corrected consolidated close", "9", "9", Mark.NO_VOLUME),
    Condition(41, "Trade-through exempt", "", "", _ALL),
    Condition(52, "Contingent", "V", "V", _VOLUME),
    Condition(53, "Qualified contingent", "7", "7", _VOLUME),
    Condition(55, "Opening or reopening detail", "", "", _ALL),
    Condition(59, "Rule 611 exempt", "8", "8", _ALL),
)

IN_FORCE: Final = {str(each.number): each.moves for each in CONDITIONS}
"""The table as a session keeps it: what a print with a condition moves, by the condition's number."""

_BITS_MAX: Final = 62
_NUMBERS: Final = {
    "massive": {str(each): each for each in range(_BITS_MAX + 1)},
    "cta": {"": 0, **{each.cta: each.number for each in CONDITIONS if each.cta}},
    "utp": {"": 0, **{each.utp: each.number for each in CONDITIONS if each.utp}},
}
SPELLINGS: Final = tuple(_NUMBERS)
"""Who spells them: Massive's numbers, or the letters of a tape."""

_SEPARATORS: Final = re.compile(r"[,;|\s\[\]\"']+")


def bits_of(text: str, spelling: str) -> int:
    """The conditions of a print as the bits of `print.conditions`, from numbers (`12,37`) or a tape's letters (`@ TI`).

    Raises UnitError naming the one that is unknown.
    """
    parts = _SEPARATORS.split(text.strip())
    words = [word for word in parts if word] if spelling == "massive" else list("".join(parts))
    bits = 0
    for word in words:
        number = _NUMBERS[spelling].get(word)
        if number is None:
            raise UnitError(f"condition {word[:20]!r} is unknown; accepted are {_accepted(spelling)}")
        bits |= 1 << number
    return bits


def _accepted(spelling: str) -> str:
    return f"0 to {_BITS_MAX}" if spelling == "massive" else "".join(sorted(_NUMBERS[spelling]))


def condition_marks(conditions: Numbers, ts_event_ns: Numbers) -> Numbers:
    """(n,) int32: what prints with these conditions, (n,) int64 bits, must not move."""
    marks = np.zeros(len(conditions), np.int32)
    known = {each.number: each.marks for each in CONDITIONS}
    for number in range(_BITS_MAX + 1):
        has = conditions >> number & 1 != 0
        if number == FORM_T:
            has &= in_regular_hours(ts_event_ns)
        if (moves_not := known.get(number, _VOLUME)) and has.any():
            marks[has] |= np.int32(moves_not)
    return marks


def in_regular_hours(ts_ns: Numbers) -> Numbers:
    """(n,) bool: between open and close in New York, where a regular session lies in one UTC day and covers its 16:00."""
    days, which = np.unique(ts_ns // DAY_NS, return_inverse=True)
    sessions = [part_at(Calendar.SHARES, day * DAY_NS + 16 * HOUR_NS) for day in days.tolist()]
    from_ns = np.array([session.from_ns for session in sessions], np.int64)[which]
    until_ns = np.array([session.until_ns for session in sessions], np.int64)[which]
    inside: Numbers = (from_ns <= ts_ns) & (ts_ns < until_ns)
    return inside
