"""Early: inputs that stand on the tape before they happened, and whether anything was decided by them.

A bar that is received at its start has the minute that follows in it; a fact may have become known after the time at
which it is there. An input is early when what it tells of ends later than the session time at which it is reduced. Whatever is
decided before then must be the same without it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks, Numbers, between, session_times
from pipeline.codes import Kind
from pipeline.run.comparing import Difference, first_difference
from pipeline.run.retracing import START, Place, Track
from pipeline.units import TS_MIN_NS

_OF_THE_WORLD: Final = frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS, Kind.SNAPSHOT, Kind.REFERENCE))
_ENDS: Final = {Kind.BAR: "ts_close_ns", Kind.REFERENCE: "known_at_ns"}
DECISIONS: Final = frozenset(
    (Kind.UNIVERSE, Kind.INDICATOR, Kind.TRANSITION, Kind.INTENT, Kind.RISK, Kind.ORDER, Kind.FILL, Kind.POSITION,
     Kind.MESSAGE, Kind.SESSION)
)  # fmt: skip
"""What is compared where inputs are left out: bars are made of them, and a checkpoint remembers them."""


class Early(NamedTuple):
    """(n,) int64 each: `seq`, rising, when what they tell had happened, and how long that was behind their session time."""

    seq: Numbers
    known_ns: Numbers
    ahead_ns: Numbers

    def more_than(self, skew_ns: int) -> "Early":
        """Those that are early by more."""
        return Early(*(column[self.ahead_ns > skew_ns] for column in self))


class EarlyCut(NamedTuple):
    """A place to look from, and what had not happened by then though it is there."""

    seq: int
    left_out: Numbers


class Noticed:
    """Early inputs, gathered window by window."""

    def __init__(self) -> None:
        self._now_ns = TS_MIN_NS
        self._parts: list[tuple[Numbers, ...]] = []

    def add(self, batch: Blocks) -> None:
        """The next inputs."""
        seq, now_ns = session_times(batch, self._now_ns)
        self._now_ns = int(now_ns[-1])
        for block in batch:
            if block.kind in _OF_THE_WORLD:
                own = block.number("seq")
                known = _known_ns(block)
                ahead = known - now_ns[np.searchsorted(seq, own)]
                at = np.flatnonzero(ahead > 0)
                self._parts.append((own[at], known[at], ahead[at]))

    @property
    def early(self) -> Early:
        """All of them."""
        if not self._parts:
            return Early(*(np.zeros(0, np.int64) for _ in Early._fields))
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        return Early(*(column[order] for column in columns))


def cuts_by(track: Track, early: Early, chosen: Iterable[int], skew_ns: int) -> list[EarlyCut]:
    """For each of the chosen rows of `early` the last input before what it tells had happened; each place once."""
    found = []
    for seq, now_ns in sorted(set(track.last_before(early.known_ns[list(chosen)] - skew_ns))):
        left_out = early.seq[(early.seq <= seq) & (early.known_ns - skew_ns > now_ns)]
        if len(left_out):
            found.append(EarlyCut(seq, left_out))
    return found


def first_by_early(
    track: Track, whole: Blocks, cut: EarlyCut, places: Sequence[Place]
) -> tuple[Difference, int | None] | None:
    """The first decision up to a cut that is another without what had not happened, and the input that makes it so.

    None for the input: the decision is another when nothing is left out, too. `places` are states on the way, by `seq`.
    """
    place = _before(places, int(cut.left_out[0]))
    expected = _decisions(between(whole, place.seq + 1, cut.seq + 1))

    def difference(left_out: Numbers, to_seq: int) -> Difference | None:
        derived = _decisions(track.without(place, to_seq, left_out))
        return first_difference(between(expected, place.seq + 1, to_seq + 1), derived)

    found = difference(cut.left_out, cut.seq)
    if found is None:
        return None
    involved = cut.left_out[cut.left_out <= found.seq]
    if difference(involved[:0], found.seq) is not None:
        return found, None
    count = first_true(0, len(involved), lambda count: difference(involved[:count], found.seq) is not None)
    return found, int(involved[count - 1])


def first_true(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """A number at which something begins to hold: it does not at `low`, and does at `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _before(places: Sequence[Place], seq: int) -> Place:
    """The last of them before an input."""
    return max((place for place in places if place.seq < seq), key=lambda place: place.seq, default=START)


def _known_ns(block: Block) -> Numbers:
    """(n,) int64: when each row had happened, to its end."""
    known: Numbers = np.maximum(block.number("ts_event_ns"), TS_MIN_NS)
    return np.maximum(known, block.number(_ENDS[block.kind])) if block.kind in _ENDS else known


def _decisions(derived: Blocks) -> Blocks:
    """Those rows that are compared, without their places within an input, which other rows move."""
    return [
        block.with_columns(ord=np.zeros(len(block), np.int32), cause_ord=np.zeros(len(block), np.int32))
        for block in derived
        if block.kind in DECISIONS
    ]
