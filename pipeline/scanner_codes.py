"""Scanner codes: the closed sets that a scanner's events name; what holds for `codes` holds for them."""

from enum import IntEnum


class CandidateVerdict(IntEnum):
    """What a scanner made of an instrument: NOT_RANKED passed and is not in the list; COUNTED and FAILED are of none: what a filter left, a field of one's own that failed."""

    DROPPED = 0
    PICKED = 1
    NEAR_MISS = 2
    NOT_RANKED = 3
    COUNTED = 4
    FAILED = 5


class UniverseAction(IntEnum):
    """A change of what is traded."""

    ADDED = 0
    DROPPED = 1


class UniverseReason(IntEnum):
    """Why a scanner added or dropped an instrument; from FILTER on, less FILTER, the number of the filter that failed it."""

    RANKED = 1
    LISTED = 2
    UNLISTED = 3
    OUTRANKED = 4
    WINDOW_ENDED = 5
    DAY_ENDED = 6
    FILTER = 100
