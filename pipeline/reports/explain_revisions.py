"""Revisions: what was seen when it was acted on, and what it became: bars revised by late prints, prints cancelled or corrected.

A wish stood on a bar when the bar caused it, or was the last one of its length by then; on a print when the print lies in
what caused the wish. Only revisions that came behind the wish count: what was known by then was no surprise.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pipeline.codes import Kind, Mark
from pipeline.reports.explain_matches import Place, Wish
from pipeline.reports.explain_rows import Row
from pipeline.reports.explain_words import Teller

_CORRECTS: Final = int(Mark.CANCEL | Mark.CORRECTION)
_SEEN: Final = ("open_nano", "high_nano", "low_nano", "close_nano", "volume_steps")


class Revised(msgspec.Struct, frozen=True, kw_only=True):
    """A bar or a print that became another one behind wishes that stood on it."""

    kind: str
    symbol: str
    seen: Place
    revised: Place
    ts_seen_ns: int
    """Session time, as of all times here."""
    ts_revised_ns: int
    says_seen: str
    says_revised: str
    wishes: list[Place]
    """Of the entries, exits and cancels in between that stood on it."""


class Revisions(msgspec.Struct, frozen=True):
    """All that was revised in a log; `acted_on` with what was wished before."""

    bars: int
    prints: int
    acted_on: list[Revised]


def revisions(bars: Iterable[Row], prints: Iterable[Row], wishes: Sequence[Wish], teller: Teller) -> Revisions:
    """What was revised, by the rows of bars and of prints in their order.

    prints    those that cancel or correct, and those that they speak of; others may be among them
    """
    of_bars, of_prints = list(_bar_pairs(bars)), list(_print_pairs(prints))
    last = _Lasts(of_bars, bars)
    found = [
        *(_revised(seen, now, _on_bar(seen, now, wishes, last, teller), teller) for seen, now in of_bars),
        *(_revised(seen, now, _on_print(seen, now, wishes, teller), teller) for seen, now in of_prints),
    ]
    acted_on = sorted((each for each in found if each.wishes), key=lambda each: each.revised)
    return Revisions(len(of_bars), len(of_prints), acted_on)


class _Lasts:
    """When the next bar of a length closed: until then the one before it was the last."""

    def __init__(self, pairs: Sequence[tuple[Row, Row]], bars: Iterable[Row]) -> None:
        wanted = {_length(seen) for seen, _ in pairs}
        self._places: defaultdict[tuple[int, ...], list[tuple[int, Place]]] = defaultdict(list)
        for bar in bars:
            if _length(bar) in wanted:
                self._places[_length(bar)].append((bar.values["ts_event_ns"], bar.place))

    def until(self, seen: Row) -> Place:
        """The place of the first later bar; none: the end."""
        later = (place for from_ns, place in self._places[_length(seen)] if from_ns > seen.values["ts_event_ns"])
        return min((place for place in later if place > seen.place), default=(2**63, 0))


def _bar_pairs(bars: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Each bar as it was told and as it was told next, where the two are not the same."""
    told: dict[tuple[int, ...], Row] = {}
    for bar in bars:
        key = (*_length(bar), bar.values["ts_event_ns"])
        before = told.get(key)
        if before is not None and any(before.values[name] != bar.values[name] for name in _SEEN):
            yield before, bar
        told[key] = bar


def _print_pairs(prints: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    told: dict[tuple[int, int], Row] = {}
    for each in prints:
        instrument_id, values = each.values["instrument_id"], each.values
        before = told.get((instrument_id, values["corrects_trade_id"]))
        if values["marks"] & _CORRECTS and before is not None:
            yield before, each
        told[instrument_id, values["trade_id"]] = each


def _length(bar: Row) -> tuple[int, ...]:
    return tuple(bar.values[name] for name in ("instrument_id", "bar_unit", "bar_length", "basis"))


def _between(seen: Row, now: Row, wishes: Sequence[Wish], teller: Teller) -> Iterator[Wish]:
    symbol = teller.symbol(seen.values["instrument_id"])
    return (wish for wish in wishes if wish.symbol == symbol and seen.place < wish.place < now.place)


def _on_bar(seen: Row, now: Row, wishes: Sequence[Wish], last: _Lasts, teller: Teller) -> list[Place]:
    until = last.until(seen)
    stood = _between(seen, now, wishes, teller)
    return [wish.place for wish in stood if wish.cause == seen.place or wish.place < until]


def _on_print(seen: Row, now: Row, wishes: Sequence[Wish], teller: Teller) -> list[Place]:
    at_ns = seen.values["ts_event_ns"]
    return [wish.place for wish in _between(seen, now, wishes, teller) if wish.cause_from_ns <= at_ns <= wish.at_ns]


def _revised(seen: Row, now: Row, wishes: list[Place], teller: Teller) -> Revised:
    return Revised(
        kind="bar" if seen.kind is Kind.BAR else "print",
        symbol=teller.symbol(seen.values["instrument_id"]),
        seen=seen.place,
        revised=now.place,
        ts_seen_ns=seen.values["ts_recv_ns"],
        ts_revised_ns=now.values["ts_recv_ns"],
        says_seen=teller.says(seen),
        says_revised=teller.says(now),
        wishes=wishes,
    )
