"""Chains: from a row back through what caused it to the input that began it, by `cause_seq` and `cause_ord`.

Each row names its cause, so a chain is read, not guessed. Beside a step stands what belongs to it and is no cause in the
log: the input at which the venue filled an order, how the strategy moved and what it said with a wish, the values it had
shown by then, the bars that had closed and the ticks that were in force, and of a bar of ours the prints or quotes that made it.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from pipeline.codes import BarBasis, BarUnit, Kind, Mark, Origin
from pipeline.core.closing import AHEAD_NS_MAX
from pipeline.events import LAYOUTS
from pipeline.reports.explain_rows import Place, Row, Rows, row_at
from pipeline.reports.explain_words import Teller
from pipeline.timeframes import SESSION_UNITS
from pipeline.units import ABSENT

_LOOKED_AT_MAX: Final = 1_000
"""Rows of a kind that are gone through backwards for what is in force."""

_UNMOVED: Final = int(Mark.DUPLICATE | Mark.CORRECTION | Mark.CANCEL)
_NO_MIDDLE: Final = int(Mark.CROSSED | Mark.ONE_SIDED | Mark.DUPLICATE)
_MADE_BY_STRATEGY: Final = (Kind.INTENT, Kind.TRANSITION, Kind.MESSAGE)
_MARKET: Final = (Kind.QUOTE, Kind.PRINT, Kind.BAR)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it is told; `role` says what it is to the step it stands beside, '' of a cause."""

    role: str = ""
    seq: int
    ord: int
    ts_ns: int
    """Session time: when it was received, or decided."""
    ts_event_ns: int
    """When it happened, by who sent it; of a bar its beginning."""
    kind: str
    """'missing' for a place of which the log has no row."""
    says: str
    is_input: bool = False
    values: dict[str, Any] = {}
    """Its columns, but for the header and what is at its default; prices in 1e-9, sizes in steps."""
    beside: tuple["Step", ...] = ()

    @property
    def place(self) -> Place:
        """Where the row stands."""
        return self.seq, self.ord


def step_of(row: Row, teller: Teller, role: str = "", beside: Iterable[Step] = ()) -> Step:
    """A row as a step."""
    return Step(
        role=role,
        seq=row.values["seq"],
        ord=row.values["ord"],
        ts_ns=row.values["ts_recv_ns"],
        ts_event_ns=row.values["ts_event_ns"],
        kind=row.kind.name.lower(),
        says=teller.says(row),
        is_input=row.values["origin"] != Origin.DERIVED,
        values=_own_values(row),
        beside=tuple(beside),
    )


def chain(rows: Rows, place: Place, teller: Teller) -> list[Step]:
    """The row at a place and what caused it, one after the other, up to what nothing in the log caused."""
    steps: list[Step] = []
    seen: set[Place] = set()
    below: Row | None = None
    at: Place | None = place
    while at is not None and at not in seen:
        seen.add(at)
        row = row_at(rows, at)
        if row is None:
            told = f"no row stands at ({at[0]:,}, {at[1]}): it is of another log"
            steps.append(Step(seq=at[0], ord=at[1], ts_ns=ABSENT, ts_event_ns=ABSENT, kind="missing", says=told))
            break
        steps.append(step_of(row, teller, beside=_beside(rows, row, below, teller)))
        below, at = row, row.cause
    return steps


def chains_of_order(rows: Rows, states: Iterable[Row], teller: Teller) -> list[list[Step]]:
    """How an order came to each of its states: a chain from its last row, and from each that no chain before led through."""
    found: list[list[Step]] = []
    for row in sorted(states, key=lambda each: each.place, reverse=True):
        if not any(step.place == row.place for steps in found for step in steps):
            found.append(chain(rows, row.place, teller))
    return found


def _own_values(row: Row) -> dict[str, Any]:
    own = [field for field in LAYOUTS[row.kind].payload if field.type != "bytes"]
    values = {field.name: (row.values[field.name], field.default) for field in own}
    return {name: value for name, (value, default) in values.items() if value != default and not _is_nan(value)}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _beside(rows: Rows, row: Row, below: Row | None, teller: Teller) -> Iterator[Step]:
    if row.kind in (Kind.FILL, Kind.ORDER) and row.values["origin"] == Origin.DERIVED and _is_met_later(row):
        yield from _met(rows, row, teller)
    if row.kind in _MADE_BY_STRATEGY and row.pair[0]:
        yield from _doing(rows, row, teller)
    if row.kind is Kind.BAR and row.values["origin"] == Origin.DERIVED:
        yield from _makers(rows, row, teller)
    if below is not None and below.kind in _MADE_BY_STRATEGY and row.kind in (*_MARKET, Kind.TIMER):
        yield from _in_force(rows, row, below, teller)


def _is_met_later(row: Row) -> bool:
    return row.cause is not None and row.cause[0] != row.values["seq"]


def _met(rows: Rows, row: Row, teller: Teller) -> Iterator[Step]:
    """The input at which the venue saw an order; where that is of another instrument, the quote that stood in its own."""
    at = row_at(rows, (row.values["seq"], 0))
    if at is None:
        return
    is_own = at.values["instrument_id"] == row.values["instrument_id"]
    yield step_of(at, teller, "met by" if is_own else "due by")
    standing = None if is_own else next(iter(rows.before([Kind.QUOTE], at.place, row.values["instrument_id"])), None)
    if standing is not None:
        yield step_of(standing, teller, "met by")


def _doing(rows: Rows, row: Row, teller: Teller) -> Iterator[Step]:
    """What the strategy did in the same call, and what it had shown by then, each output's latest."""
    for other in rows.at(row.values["seq"]):
        is_same_call = other.pair == row.pair and other.cause == row.cause and other.place != row.place
        if is_same_call and other.kind in (Kind.TRANSITION, Kind.MESSAGE):
            yield step_of(other, teller, "moved" if other.kind is Kind.TRANSITION else "said")
    outputs = len(teller.strategies[row.pair[0] - 1].words.outputs) if row.pair[0] <= len(teller.strategies) else 0
    shown: dict[int, Row] = {}
    if outputs:
        for number, other in enumerate(rows.before([Kind.INDICATOR], row.place, row.pair[1])):
            if other.pair == row.pair:
                shown.setdefault(other.values["output_id"], other)
            if len(shown) == outputs or number == _LOOKED_AT_MAX:
                break
    for _, other in sorted(shown.items()):
        yield step_of(other, teller, "shown")


def _in_force(rows: Rows, row: Row, below: Row, teller: Teller) -> Iterator[Step]:
    """The last bar of each length, quote and print that the decision `below` could know besides its cause."""
    instrument_id = below.pair[1]
    bars: dict[tuple[int, ...], Row] = {}
    for number, other in enumerate(rows.before([Kind.BAR], below.place, instrument_id)):
        if other.place != row.place:
            bars.setdefault(_length(other), other)
        if number == _LOOKED_AT_MAX:
            break
    for _, other in sorted(bars.items()):
        yield step_of(other, teller, "bar", _makers(rows, other, teller))
    for kind in (Kind.QUOTE, Kind.PRINT):
        found = next(iter(rows.before([kind], (row.values["seq"], 0), instrument_id)), None)
        if found is not None:
            yield step_of(found, teller, f"{kind.name.lower()} before")


def _length(row: Row) -> tuple[int, ...]:
    return tuple(row.values[name] for name in ("bar_unit", "bar_length", "basis"))


def _makers(rows: Rows, bar: Row, teller: Teller) -> Iterator[Step]:
    """Of a bar of ours the ticks that gave it open, high, low and close: those of its stretch that had come by then."""
    if bar.values["origin"] != Origin.DERIVED:
        return
    is_of_quotes = bar.values["basis"] == BarBasis.QUOTES
    ticks = list(_ticks_of(rows, bar, Kind.QUOTE if is_of_quotes else Kind.PRINT))
    taken: dict[Place, list[str]] = {}
    for name, left_out in (
        ("open", Mark.NO_LAST),
        ("high", Mark.NO_HIGH_LOW),
        ("low", Mark.NO_HIGH_LOW),
        ("close", Mark.NO_LAST),
    ):
        wanted = bar.values[f"{name}_nano"]
        in_order = sorted(ticks, key=lambda tick: (tick.values["ts_event_ns"], tick.place), reverse=name == "close")
        fitting = (tick for tick in in_order if _price_nano(tick) == wanted and not tick.values["marks"] & left_out)
        maker = next(fitting, None)
        if maker is not None:
            taken.setdefault(maker.place, []).append(name)
    by_place = {tick.place: tick for tick in ticks}
    for place, names in sorted(taken.items()):
        yield step_of(by_place[place], teller, ", ".join(names))


def _ticks_of(rows: Rows, bar: Row, kind: Kind) -> Iterator[Row]:
    """Latest first. A bar by time has those of its stretch of event time; any other begins behind the one before it."""
    is_by_time = bar.values["bar_unit"] % SESSION_UNITS == BarUnit.TIME
    first_ns, last_ns = bar.values["ts_event_ns"], bar.values["ts_close_ns"] - (1 if is_by_time else 0)
    after = (0, 0) if is_by_time else _bar_before(rows, bar)
    until = (bar.values["seq"] + 1, 0)
    for tick in rows.before([kind], until, bar.pair[1]):
        if tick.place <= after or tick.values["ts_recv_ns"] < first_ns - AHEAD_NS_MAX:
            return
        if first_ns <= tick.values["ts_event_ns"] <= last_ns and _may_move(tick):
            yield tick


def _bar_before(rows: Rows, bar: Row) -> Place:
    found = (other for other in rows.before([Kind.BAR], bar.place, bar.pair[1]) if _length(other) == _length(bar))
    return next((other.place for other in found), (0, 0))


def _may_move(tick: Row) -> bool:
    return not tick.values["marks"] & (_NO_MIDDLE if tick.kind is Kind.QUOTE else _UNMOVED)


def _price_nano(tick: Row) -> int:
    """What a bar is made of: the price of a print, the middle of a quote rounded down."""
    if tick.kind is Kind.PRINT:
        return int(tick.values["price_nano"])
    return int(tick.values["bid_nano"] + tick.values["ask_nano"]) // 2
