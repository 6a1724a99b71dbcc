"""Matches: which wish of one log is which of another, and what of the two is not the same.

As the view `diffs` has it: of one strategy, symbol, action and side, wishes at the same place go with each other, and
between two of these the first that is left on one side goes with the first that is left on the other. A place is a `seq`
where both logs have the same inputs, and the event time of what caused the wish where they have not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

Place = tuple[int, int]


class Executed(msgspec.Struct, frozen=True):
    """What was filled of a wish's order, or of what protects its position."""

    quantity_steps: int
    average: float
    """Price in the quote currency."""
    first_ns: int
    """Session time of the first fill."""
    at_broker: bool


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One wish and what came of it."""

    strategy: str
    symbol: str
    action: str
    side: str
    place: Place
    ts_ns: int
    """Session time."""
    at_ns: int
    """Event time of the tick that caused it; of a bar its end."""
    cause: Place
    cause_from_ns: int
    """Where the stretch begins that its cause speaks of: a bar's beginning, a tick's own time."""
    cause_says: str
    terms: Mapping[str, int]
    judgement: Mapping[str, str]
    executed: Mapping[str, Executed] = {}
    """By leg: '' its own order, 'stop' and 'target' what protected it."""


class Match(NamedTuple):
    """A wish in both logs, or in one of them; `change` is '' where nothing of it differs."""

    a: Wish | None
    b: Wish | None
    change: str

    @property
    def either(self) -> Wish:
        """The wish, as a has it where it does."""
        found = self.a or self.b
        assert found is not None
        return found


def matched(a: Sequence[Wish], b: Sequence[Wish], *, by_seq: bool) -> list[Match]:
    """Every wish of both, each once, in the order of their times."""
    groups: defaultdict[tuple[str, ...], tuple[list[Wish], list[Wish]]] = defaultdict(lambda: ([], []))
    for number, wishes in enumerate((a, b)):
        for wish in wishes:
            groups[wish.strategy, wish.symbol, wish.action, wish.side][number].append(wish)
    found = [match for one, other in groups.values() for match in _matched(one, other, by_seq=by_seq)]
    return sorted(found, key=lambda match: (match.either.ts_ns, match.either.place))


def _matched(a: list[Wish], b: list[Wish], *, by_seq: bool) -> Iterator[Match]:
    keys_a, keys_b = (_keys(wishes, by_seq=by_seq) for wishes in (a, b))
    shared = sorted(keys_a.keys() & keys_b.keys())
    rest_a, rest_b = (sorted(keys.keys() - set(shared)) for keys in (keys_a, keys_b))
    for key in shared:
        yield _match(keys_a[key], keys_b[key], is_moved=False)
    for anchor in (*shared, None):
        ahead_a, rest_a = _split(rest_a, anchor)
        ahead_b, rest_b = _split(rest_b, anchor)
        for key_a, key_b in zip(ahead_a, ahead_b, strict=False):
            yield _match(keys_a[key_a], keys_b[key_b], is_moved=True)
        yield from (Match(keys_a[key], None, "removed") for key in ahead_a[len(ahead_b) :])
        yield from (Match(None, keys_b[key], "added") for key in ahead_b[len(ahead_a) :])


def _keys(wishes: Sequence[Wish], *, by_seq: bool) -> dict[Place, Wish]:
    """By where it was wished, and the how manieth there."""
    keyed: dict[Place, Wish] = {}
    for wish in sorted(wishes, key=lambda each: each.place):
        at, nth = wish.place[0] if by_seq else wish.at_ns, 0
        while (at, nth) in keyed:
            nth += 1
        keyed[at, nth] = wish
    return keyed


def _split(keys: list[Place], anchor: Place | None) -> tuple[list[Place], list[Place]]:
    ahead = keys if anchor is None else [key for key in keys if key < anchor]
    return ahead, keys[len(ahead) :]


def _match(a: Wish, b: Wish, *, is_moved: bool) -> Match:
    if is_moved:
        return Match(a, b, "moved")
    if a.terms != b.terms:
        return Match(a, b, "resized")
    return Match(a, b, "judged" if a.judgement != b.judgement else "")
