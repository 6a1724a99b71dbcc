"""Begun late: a strategy that hears a session from the middle on, and how its wishes and values compare with one that heard all.

What it is given of the time before are the rows that say what there is (instruments, trading states, reference data), as a
recorder would have them; of the market it hears nothing but what comes. Wishes are compared instrument by instrument, from
the moment on from which both sides are flat there and nothing of theirs works: what one carries into the comparison is not held against the other.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from pipeline.block import Block, Blocks, between, concat, row_count
from pipeline.codes import IntentAction, Kind, OrderState
from pipeline.core.frozen import parts_of
from pipeline.run.fold import LocalFold
from pipeline.run.moments import indicators_of
from pipeline.run.outline import Outline, StrategyOutline
from pipeline.run.retracing import Track, hollowed

TELLING: Final = (Kind.INSTRUMENT, Kind.STATUS, Kind.FEED, Kind.SESSION, Kind.ACCOUNT, Kind.REQUEST, Kind.REFERENCE)
"""What of the time before is told to who begins late."""

CLOSE: Final = 1e-6
"""Values that are apart by a smaller share are warm: averages that never forget come together without ever meeting."""

_HEARD: Final = frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR))

_TERMS: Final = (
    "strategy_id", "action", "side", "order_type", "time_in_force", "flags", "quantity_steps", "limit_nano",
    "trigger_nano", "stop_loss_nano", "take_profit_nano", "trail_nano", "risk", "notional", "tag",
)  # fmt: skip
"""What a wish says; its place within the input, order ids and what became of it are of the run."""

_OVER: Final = frozenset(
    (OrderState.REFUSED, OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED,
     OrderState.REPLACED)
)  # fmt: skip

Row = dict[str, Any]


class Parting(msgspec.Struct, frozen=True):
    """The first wish that is another where less was heard; None: that side has none at this input.

    With `holds` it is no wish: who began late holds, or works, something there that the other does not.
    """

    seq: int
    instrument_id: int
    whole: Row | None
    late: Row | None
    differs: tuple[str, ...]
    holds: bool = False


class Beginning(NamedTuple):
    """The first input that is heard, and the time before which nothing that happened is."""

    seq: int
    since_ns: int


class Compared(msgspec.Struct, frozen=True):
    """So many wishes were compared, up to the first that parts; in `held` instruments no side was ever free to be."""

    wishes: int
    parting: Parting | None
    held: int


class Apart(msgspec.Struct, frozen=True):
    """A value of a State that is not the same, where it is furthest apart: `share` of the larger, infinite where one is absent."""

    name: str
    symbol: str
    whole: str
    late: str
    share: float


class Wishes:
    """The wishes of a run by instrument, and from when on it is flat there."""

    def __init__(self, derived: Blocks) -> None:
        """`derived` are its rows from its first input on."""
        self.rows: dict[int, list[Row]] = defaultdict(list)
        self._changes: dict[int, list[tuple[int, bool]]] = defaultdict(list)
        for row in _rows(derived, (Kind.INTENT,)):
            if row["action"] != IntentAction.NONE:
                self.rows[row["instrument_id"]].append(row)
        held: dict[int, int] = {}
        working: dict[int, set[int]] = defaultdict(set)
        for row in _rows(derived, (Kind.POSITION, Kind.ORDER)):
            id_ = row["instrument_id"]
            if "state" not in row:
                held[id_] = row["quantity_steps"]
            elif row["state"] in _OVER:
                working[id_].discard(row["order_id"])
            else:
                working[id_].add(row["order_id"])
            self._changes[id_].append((row["seq"], not held.get(id_) and not working[id_]))

    def free_from(self, instrument_id: int, seq: int) -> int | None:
        """The first input from this one on behind which nothing is held there and nothing works; None: there is none."""
        changes = self._changes.get(instrument_id, [])
        at = bisect_right(changes, seq, key=lambda change: change[0])
        if at == 0 or changes[at - 1][1]:
            return seq
        return next((later for later, is_free in changes[at:] if is_free), None)

    def behind(self, instrument_id: int, seq: int, end_seq: int) -> list[Row]:
        """Those behind one input, up to another."""
        return [row for row in self.rows.get(instrument_id, ()) if seq < row["seq"] <= end_seq]


def compared(whole: Wishes, late: Wishes, seq: int, end_seq: int, cold: Collection[int]) -> Compared:
    """The wishes behind an input, up to another, of who heard all and who began late.

    `cold` are the instruments in which their values are not the same: what the latter alone holds there is held against it.
    """
    count, held = 0, 0
    partings: list[Parting] = []
    for id_ in sorted(whole.rows.keys() | late.rows.keys()):
        free, late_free = whole.free_from(id_, seq), late.free_from(id_, seq)
        if free == seq != late_free and id_ in cold:
            partings.append(Parting(seq, id_, None, None, (), holds=True))
            continue
        if free is None or late_free is None:
            held += 1
            continue
        sides = [each.behind(id_, max(free, late_free), end_seq) for each in (whole, late)]
        count += len(sides[0])
        if (parting := _first_parting(id_, *sides)) is not None:
            partings.append(parting)
    return Compared(count, min(partings, key=lambda parting: parting.seq, default=None), held)


def begun_late(track: Track, told: Blocks, begin: Beginning, seq: int, end_seq: int) -> tuple[Blocks, bytes]:
    """What is derived up to input `end_seq` by who hears nothing of before the beginning, and the state behind input `seq`.

    `told` are all rows of the session's kinds TELLING.
    """
    fold = track.fold()
    derived = list(track.reduce(fold, _numbered_up_to(between(told, 1, begin.seq), begin.seq - 1)))
    derived += _reduced(track, fold, begin, begin.seq, seq)
    state = fold.freeze()
    derived += _reduced(track, fold, begin, seq + 1, end_seq)
    return concat(derived), state


def _reduced(track: Track, fold: LocalFold, begin: Beginning, from_seq: int, to_seq: int) -> Iterator[Block]:
    """A stretch without what happened before the beginning and came behind it."""
    for window in track.windows(from_seq, to_seq) if from_seq <= to_seq else ():
        of_before = [
            block.number("seq")[block.number("ts_event_ns") < begin.since_ns]
            for block in window.blocks
            if block.kind in _HEARD
        ]
        left_out = np.concatenate([np.zeros(0, np.int64), *of_before])
        yield from track.reduce(fold, hollowed(window.blocks, left_out, track.columns))


def values_apart(whole: bytes, late: bytes, outline: Outline) -> tuple[list[Apart], set[int]]:
    """The values that are not the same, each where it is furthest apart, the furthest first; and the instruments in which one is by more than CLOSE.

    Those of the indicators in the first strategy's State, by what they have to show; of a State without any its own floats.
    """
    found: dict[str, Apart] = {}
    cold: set[int] = set()
    symbols = parts_of(whole).symbols
    sides = [_values(state, outline.strategies[0]) for state in (whole, late)]
    for id_, (one, other) in enumerate(zip(*sides, strict=False), 1):
        for name in one:
            share = _share(one[name], other[name])
            if share > CLOSE:
                cold.add(id_)
            if share > 0 and (name not in found or share > found[name].share):
                found[name] = Apart(name, symbols.get(id_, ""), repr(one[name]), repr(other[name]), share)
    return sorted(found.values(), key=lambda apart: (-apart.share, apart.name)), cold


def _values(state: bytes, strategy: StrategyOutline) -> list[dict[str, float]]:
    """By instrument the floats of the State that say something."""
    rows = strategy.state.rows(parts_of(state).states[0])
    if not rows:
        return []
    shown = indicators_of(strategy, rows[0]).keys()
    known = tuple(f"{path}." for path in strategy.groups if any(name.startswith(f"{path}.") for name in shown))
    groups = tuple(f"{path}." for path in strategy.groups)
    floats = [number.path for number in strategy.state.numbers if number.code == "d" and not number.count]
    names = [name for name in floats if name in shown or (name.startswith(groups) and not name.startswith(known))]
    return [{name: row[name] for name in names or floats} for row in rows]


def _share(one: float, other: float) -> float:
    if math.isnan(one) or math.isnan(other):
        return 0.0 if math.isnan(one) and math.isnan(other) else math.inf
    if one == other:
        return 0.0
    largest = max(abs(one), abs(other))
    return math.inf if math.isinf(largest) else abs(one - other) / largest


def _first_parting(instrument_id: int, whole: Sequence[Row], late: Sequence[Row]) -> Parting | None:
    for one, other in zip_longest(whole, late):
        if one is None or other is None or one["seq"] != other["seq"]:
            seq = min(row["seq"] for row in (one, other) if row is not None)
            sides = [row if row is not None and row["seq"] == seq else None for row in (one, other)]
            return Parting(seq, instrument_id, sides[0], sides[1], ())
        if differs := tuple(name for name in _TERMS if repr(one[name]) != repr(other[name])):
            return Parting(one["seq"], instrument_id, one, other, differs)
    return None


def _numbered_up_to(batch: Blocks, last_seq: int) -> Blocks:
    """The same rows in their order, their `seq` dense and ending there."""
    seqs = np.sort(np.concatenate([block.number("seq") for block in batch])) if batch else np.zeros(0, np.int64)
    first = last_seq - row_count(batch) + 1
    return [block.with_columns(seq=np.searchsorted(seqs, block.number("seq")) + first) for block in batch]


def _rows(derived: Blocks, kinds: Iterable[Kind]) -> list[Row]:
    rows = [row for block in derived if block.kind in kinds for row in block.rows()]
    return sorted(rows, key=lambda row: (row["seq"], row["ord"]))
