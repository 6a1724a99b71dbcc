"""Parity: each difference between what two logs decided and traded, assigned to one cause, with what speaks for it.

    data        a tick is in one recording and not in the other, or says something else there
    gap         one recording has nothing of that stretch, and says so
    timing      both have the same ticks, in another order or received at other times
    fill        a broker filled one side otherwise than the other was filled
    code        the core's or the strategy's source is another
    settings    parameters, engine settings, or what it began with are others
    unexplained none of these differs, or several do and nothing says which it was

A reducer gives the same decisions from the same inputs, code and settings (ARCHITECTURE, invariants 1 and 5), so where only one of
all these differs, it is the cause, and that is no guess. Where several differ, only what lies in the decision's own cause speaks: the
tick or the bar it stood on. What closes or protects a position that only one side has follows from what opened it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from pipeline.reports.explain_matches import Executed, Match, Place, Wish, matched
from pipeline.reports.explain_streams import Apart, Stream
from pipeline.units import iso_from_ns

CAUSES: Final = ("data", "gap", "timing", "fill", "code", "settings", "unexplained")
BEGAN: Final = "begins_anew"
"""The setting of a side that says whether it began without what its session began with: cash, positions, orders, memory."""

_NAMED_MAX: Final = 4
"""Files and settings that are named of those that differ."""


class Gap(NamedTuple):
    """A stretch of which a recording has nothing; `symbol` '' for all."""

    from_ns: int
    to_ns: int
    symbol: str
    says: str


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two logs."""

    id: str
    session: str
    wishes: list[Wish]
    gaps: list[Gap]
    code: Mapping[str, str]
    """blake3 of each source file that reduces."""
    files: Mapping[str, str]
    """Of each strategy the source file among them."""
    params: Mapping[str, Mapping[str, object]]
    """Of each strategy."""
    settings: Mapping[str, object]
    """The engine's, and what it began with."""
    at_broker: bool
    to_seq: int
    """The last input that was reduced."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something the two did not do alike, and why."""

    change: str
    """removed, added, moved, resized, judged (as `tape diff` has them), or filled: executed otherwise."""
    strategy: str
    symbol: str
    action: str
    place_a: Place | None
    place_b: Place | None
    ts_ns: int
    says: str
    cause: str
    evidence: str


class _Found(NamedTuple):
    cause: str
    evidence: str


def differences(a: Side, b: Side, apart_of: Callable[[str], Apart]) -> list[Difference]:
    """Every difference in the order of time. `apart_of` compares the ticks of a symbol; it is asked where inputs differ."""
    judge = _Judge(a, b, apart_of)
    found: list[Difference] = []
    for match in matched(a.wishes, b.wishes, by_seq=a.session == b.session):
        if match.change:
            found.append(_difference(match, match.change, _wish_says(match), judge.wish(match, found)))
        if match.a is not None and match.b is not None:
            for leg in sorted({*match.a.executed, *match.b.executed}):
                one, other = match.a.executed.get(leg), match.b.executed.get(leg)
                if _terms(one) != _terms(other):
                    found.append(
                        _difference(match, "filled", _fill_says(leg, one, other), judge.fill(match, one, other, found))
                    )
    return found


def _difference(match: Match, change: str, says: str, why: _Found) -> Difference:
    wish = match.either
    return Difference(
        change=change,
        strategy=wish.strategy,
        symbol=wish.symbol,
        action=wish.action,
        place_a=match.a.place if match.a else None,
        place_b=match.b.place if match.b else None,
        ts_ns=wish.ts_ns,
        says=says,
        cause=why.cause,
        evidence=why.evidence,
    )


class _Judge:
    """Knows what differs between two sides, and weighs it for each difference."""

    def __init__(self, a: Side, b: Side, apart_of: Callable[[str], Apart]) -> None:
        self._a, self._b = a, b
        self._apart_of = apart_of
        self._has_same_inputs = a.session == b.session

    def wish(self, match: Match, before: Sequence[Difference]) -> _Found:
        """Why a wish is not the same on both sides."""
        wish = match.either
        if wish.action != "enter" and (opened := _last_of_pair(before, wish)) is not None:
            return _follows(opened)
        if ended := self._ended_before(match) or self._only_one_ran_it(wish.strategy):
            return ended
        own = [each for each in before if each.strategy == wish.strategy]
        standing = self._standing(wish.strategy)
        if own and own[0].change == "filled":
            standing = self._standing(wish.strategy, but=BEGAN)  # until then the same was wished, with the same sizes
        fills = [each for each in own if each.change == "filled"]
        is_at_broker = self._a.at_broker or self._b.at_broker
        if fills and is_at_broker:
            standing["fill"] = f"it was filled otherwise before: {fills[-1].says}"
        elif is_at_broker and self._has_same_inputs and not standing:
            standing["fill"] = "but for what a broker said of its orders both had the same inputs, code and settings"
        if self._has_same_inputs:
            return _only_one(standing, "the inputs are the same")
        return self._by_ticks(match, standing)

    def fill(self, match: Match, one: Executed | None, other: Executed | None, before: Sequence[Difference]) -> _Found:
        """Why a wish that both have was executed otherwise."""
        wish = match.either
        if match.change in ("moved", "resized", "judged"):
            return _follows(before[-1])
        if self._a.at_broker or self._b.at_broker:
            sides = [f"{side.id} {'at a broker' if side.at_broker else 'simulated'}" for side in (self._a, self._b)]
            return _Found("fill", f"the same order was executed by {' and by '.join(sides)}")
        standing = self._standing(wish.strategy)
        if self._has_same_inputs:
            return _only_one(standing, "the inputs are the same")
        until_ns = max(each.first_ns for each in (one, other) if each is not None)
        return _only_one(
            self._ticks_in(wish.symbol, wish.at_ns, until_ns) | standing, "no tick up to the fills differs"
        )

    def _by_ticks(self, match: Match, standing: dict[str, str]) -> _Found:
        """Inputs are of two recordings: first what lies in the cause itself, then all that the decision could know."""
        for wish, side, other, is_a in ((match.a, self._a, self._b, True), (match.b, self._b, self._a, False)):
            if wish is None:
                continue
            if hole := _hole(other, wish.symbol, wish.cause_from_ns, wish.at_ns):
                return _Found("gap", f"{other.id}: {hole.says}")
            apart = self._apart_of(wish.symbol)
            seqs = apart.a.seq[apart.only_a] if is_a else apart.b.seq[apart.only_b]
            if wish.cause[1] == 0 and np.isin(wish.cause[0], seqs):
                return _Found(
                    "data", f"{wish.cause_says} is in {side.id} and not in {other.id}{_instead(apart, wish, is_a=is_a)}"
                )
        wish = match.either
        if wish.cause_from_ns < wish.at_ns:  # a bar: what it was made of
            near = self._ticks_in(wish.symbol, wish.cause_from_ns, wish.at_ns)
            if len(near) == 1:
                return _only_one(near, "")
        known = self._ticks_in(wish.symbol, None, wish.at_ns) | standing
        if not known:
            return self._by_receiving(wish)
        return _only_one(known, "no tick of it up to then differs")

    def _by_receiving(self, wish: Wish) -> _Found:
        """Nothing differs but, perhaps, when it was heard."""
        apart = self._apart_of(wish.symbol)
        until = (apart.a.ts_event_ns <= wish.at_ns) & (apart.later_ns != 0)
        if not until.any():
            return _Found("unexplained", "neither ticks of it up to then, nor receive times, code or settings differ")
        most = apart.later_ns[until][np.argmax(np.abs(apart.later_ns[until]))] / 1e6
        return _Found(
            "timing",
            f"the same ticks in the same order, received at other times, by up to {most:+,.3f} ms in {self._b.id}",
        )

    def _ticks_in(self, symbol: str, from_ns: int | None, until_ns: int) -> dict[str, str]:
        """What differs between the ticks of a stretch of event time, both ends included, by cause."""
        apart = self._apart_of(symbol)
        found: dict[str, str] = {}
        for stream, only, side, other in (
            (apart.a, apart.only_a, self._a, self._b),
            (apart.b, apart.only_b, self._b, self._a),
        ):
            times = stream.ts_event_ns[only & _within(stream, from_ns, until_ns)]
            is_in_hole = np.zeros(len(times), np.bool_)
            for gap in _holes(other, symbol):
                is_in_hole |= (times >= gap.from_ns) & (times < gap.to_ns)
            if not is_in_hole.all():
                lacking = times[~is_in_hole]
                last = iso_from_ns(int(lacking[-1]))
                found.setdefault(
                    "data", f"{len(lacking):,} ticks are in {side.id} and not in {other.id}, the last at {last}"
                )
            if is_in_hole.any():
                last_ns = int(times[is_in_hole][-1])
                hole = _hole(other, symbol, last_ns, last_ns)
                assert hole is not None
                found.setdefault("gap", f"{other.id}: {hole.says}, {int(is_in_hole.sum()):,} ticks")
        moved = apart.displaced & _within(apart.a, from_ns, until_ns)
        if moved.any():
            moved_last_ns = int(apart.a.ts_event_ns[moved][-1])
            found["timing"] = (
                f"{int(moved.sum()):,} ticks came in another order, the last of {iso_from_ns(moved_last_ns)}"
            )
        return found

    def _standing(self, strategy: str, but: str = "") -> dict[str, str]:
        """What differs of code and settings, and concerns this strategy; `but` one setting."""
        found: dict[str, str] = {}
        of_others = {name for each in (self._a, self._b) for of, name in each.files.items() if of != strategy}
        in_both = (
            self._a.code.keys() & self._b.code.keys()
        )  # what only one side has is of a strategy that it ran besides
        files = [name for name in _apart(self._a.code, self._b.code) if name in in_both - of_others]
        if files:
            found["code"] = f"another source: {_named(files)}"
        told = [
            f"{name} {one} -> {other}"
            for of_a, of_b in (
                (self._a.settings, self._b.settings),
                (self._a.params.get(strategy, {}), self._b.params.get(strategy, {})),
            )
            for name in _apart(of_a, of_b)
            if name != but
            for one, other in ((of_a.get(name, "-"), of_b.get(name, "-")),)
        ]
        if told:
            found["settings"] = _named(told)
        return found

    def _ended_before(self, match: Match) -> _Found | None:
        """A run that was not to go so far."""
        for wish, other in ((match.a, self._b), (match.b, self._a)):
            if self._has_same_inputs and wish is not None and wish.place[0] > other.to_seq:
                return _Found("settings", f"{other.id} ends behind seq {other.to_seq:,}")
        return None

    def _only_one_ran_it(self, strategy: str) -> _Found | None:
        lacking = [side.id for side in (self._a, self._b) if strategy not in side.params]
        return _Found("settings", f"{strategy} did not run in {' and '.join(lacking)}") if lacking else None


def _only_one(standing: Mapping[str, str], same: str) -> _Found:
    """The one thing that differs; unexplained when there is none, or several."""
    if len(standing) == 1:
        ((cause, evidence),) = standing.items()
        return _Found(cause, evidence)
    if not standing:
        return _Found("unexplained", f"{same}, and neither code nor settings differ")
    told = "; ".join(f"{cause}: {evidence}" for cause, evidence in standing.items())
    return _Found("unexplained", f"several differ, and nothing says which it was: {told}")


def _follows(earlier: Difference) -> _Found:
    return _Found(earlier.cause, f"follows what was {earlier.change} at {iso_from_ns(earlier.ts_ns)}: {earlier.says}")


def _last_of_pair(before: Sequence[Difference], wish: Wish) -> Difference | None:
    return next(
        (each for each in reversed(before) if (each.strategy, each.symbol) == (wish.strategy, wish.symbol)), None
    )


def _holes(side: Side, symbol: str) -> list[Gap]:
    """The holes of a recording that concern a symbol."""
    return [gap for gap in side.gaps if gap.symbol in ("", symbol)]


def _hole(side: Side, symbol: str, from_ns: int, until_ns: int) -> Gap | None:
    """The hole of a recording in which a stretch lies, or that it overlaps."""
    return next((gap for gap in _holes(side, symbol) if gap.from_ns <= until_ns and from_ns < gap.to_ns), None)


def _instead(apart: Apart, wish: Wish, *, is_a: bool) -> str:
    """Whether the other recording has another tick of that kind at that time."""
    own, other, only = (apart.a, apart.b, apart.only_b) if is_a else (apart.b, apart.a, apart.only_a)
    kind, time = own.says[own.seq == wish.cause[0]][0][:2]
    rivals = int((only & (other.says[:, 0] == kind) & (other.ts_event_ns == time)).sum())
    return f", which has {rivals:,} other of that moment" if rivals else ""


def _within(stream: Stream, from_ns: int | None, until_ns: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    times = stream.ts_event_ns
    return (times <= until_ns) & (times >= (from_ns if from_ns is not None else times.min(initial=0)))


def _apart(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more


def _terms(executed: Executed | None) -> tuple[int, float] | None:
    return None if executed is None else (executed.quantity_steps, executed.average)


def _wish_says(match: Match) -> str:
    wish = match.either
    what = " ".join(word for word in (wish.action, wish.side if wish.side != "none" else "", wish.symbol) if word)
    if match.a is None or match.b is None:
        return f"{what}, on {wish.cause_says}"
    if match.change == "moved":
        return f"{what}, {(match.b.ts_ns - match.a.ts_ns) / 1e9:+,.6f} s"
    pairs = [(match.a.terms, match.b.terms), (match.a.judgement, match.b.judgement)]
    told = [f"{name} {one.get(name)} -> {other.get(name)}" for one, other in pairs for name in _apart(one, other)]
    return f"{what}: {', '.join(told)}"


def _fill_says(leg: str, one: Executed | None, other: Executed | None) -> str:
    told = [
        "not at all" if each is None else f"{each.quantity_steps:,} steps at {each.average:,.10g}"
        for each in (one, other)
    ]
    return f"{leg or 'order'} filled {told[0]} -> {told[1]}"
