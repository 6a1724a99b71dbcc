"""Overnight: what a session of a backtest hands to the next one, when positions are carried.

Everything goes on: cash, positions, working orders, the strategies' memory, bars that are being made (`core.carrying`). The
rows of state stand before the first input of the next session, at `seq` 0 and below, so its own keep their places.
Instruments are known by symbol and venue, for ids are a session's own; one that the next session lacks keeps its
position under an id of its own.

A split would turn a position into nonsense in silence. So a held symbol whose price jumps overnight as one does must be
declared: `ABCD@2026-11-05=2`, two shares after it for one before, in force from that day's session on; 1 says that
it was none. Position and average price are converted, and must come out in whole steps. What a strategy remembers of the
instrument, and its half-made bars, are in prices of before, so they begin anew; a working order there is refused.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from pipeline.block import Block, Blocks, concat
from pipeline.codes import Kind, SessionAction
from pipeline.errors import ConfigError
from pipeline.log import hot
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store, day_of
from pipeline.run.fold import Carried
from pipeline.run.replaying import Instruments
from pipeline.run.tally import Holding, Pair
from pipeline.units import ABSENT

JUMP: Final = Fraction(145, 100)
"""A night that moves a price more than this times up or down looks like a split; three for two is the smallest usual one."""

_SPLIT: Final = re.compile(r"(?P<symbol>[^@=]+)@(?P<day>\d{4}-\d{2}-\d{2})=(?P<factor>\d+(?:\.\d+|/[1-9]\d*)?)")
_PRICES: Final = (
    "bid_nano",
    "ask_nano",
    "bid",
    "ask",
    "bid_left_steps",
    "ask_left_steps",
    "bid_taken_steps",
    "ask_taken_steps",
    "has_quotes",
    "last_bar_nano",
    "has_bands",
    "band_low_nano",
    "band_high_nano",
)
"""What is known of an instrument in prices and sizes of before a split."""

_PRICE_COLUMNS: Final = {Kind.QUOTE: ("bid_nano", "ask_nano"), Kind.PRINT: ("price_nano",), Kind.BAR: ("open_nano",)}


class Split(msgspec.Struct, frozen=True):
    """One share before is `numerator / denominator` shares from this UTC day's session on."""

    symbol: str
    day: str
    numerator: int
    denominator: int

    @property
    def factor(self) -> Fraction:
        """Shares after for one before."""
        return Fraction(self.numerator, self.denominator)


class Evening(NamedTuple):
    """What a session left: its last session time, state, instruments, what was held and at which price it was valued."""

    session: str
    now_ns: int
    rows: Carried
    instruments: Instruments
    holdings: Mapping[Pair, Holding]


class Morning(NamedTuple):
    """What the next session begins with, in its own ids: rows of state, instruments it lacks, what is held."""

    state: Block
    instruments: Instruments
    holdings: Mapping[Pair, Holding]


NOTHING: Final = Morning(Block.of(Kind.SESSION, 0), (), {})
"""What a session begins with that nothing is carried into."""


def split_of(text: str) -> Split:
    """A declared split. Raises ConfigError.

    >>> split_of("ABCD@2026-11-05=1/10").factor
    Fraction(1, 10)
    """
    match = _SPLIT.fullmatch(text.strip())
    try:
        if match and (factor := Fraction(match["factor"])) > 0:
            return Split(match["symbol"], date.fromisoformat(match["day"]).isoformat(), *factor.as_integer_ratio())
    except ValueError:
        pass
    raise ConfigError(f"--split {text!r}: write SYMBOL@DAY=FACTOR, e.g. ABCD@2026-11-05=2 or ABCD@2026-11-05=1/10")


def morning(
    store: Store, evening: Evening, session: Manifest, instruments: Instruments, splits: Iterable[Split]
) -> Morning:
    """What the session begins with. Raises ConfigError for a jump nobody declared, and for what can't be converted."""
    if session.first_ts_ns < evening.now_ns:
        raise ConfigError(
            f"{session.id} begins before {evening.session} ends: nothing can be carried from one to the other"
        )
    ids = _ids(evening, session, instruments)
    declared = {(split.symbol, split.day): split.factor for split in splits}
    symbols = {_id(row): str(row["symbol"]) for row in evening.instruments}
    factors = {id_: declared.get((symbol, day_of(session)), Fraction(0)) for id_, symbol in symbols.items()}
    held = {id_ for _, id_ in evening.holdings}
    undeclared = {id_ for id_ in held if not factors[id_]}
    _check_jumps(store, evening, session, {id_: ids[id_] for id_ in undeclared}, symbols)
    factors = {id_: factor or Fraction(1) for id_, factor in factors.items()}
    rows = list(_converted(evening.rows, ids, factors, symbols))
    present = {_id(row) for row in instruments}
    return Morning(
        state=_state(rows, evening.now_ns),
        instruments=tuple(
            {**row, "instrument_id": ids[_id(row)]} for row in evening.instruments if ids[_id(row)] not in present
        ),
        holdings={
            (strategy, ids[id_]): holding.split(factors[id_]) for (strategy, id_), holding in evening.holdings.items()
        },
    )


def _ids(evening: Evening, session: Manifest, instruments: Instruments) -> dict[int, int]:
    """The next session's id of each instrument, by symbol and venue; those it lacks get ids behind its own."""
    there = {_name(row): row for row in instruments}
    free = max(map(_id, instruments), default=0)
    ids: dict[int, int] = {}
    for row in evening.instruments:
        same = there.get(_name(row))
        if same is None:
            free += 1
        elif same.get("size_step_nano") != row.get("size_step_nano"):
            raise ConfigError(f"{session.id}: {row['symbol']} is counted in other steps than in {evening.session}")
        ids[_id(row)] = free if same is None else _id(same)
    return ids


def _id(row: Mapping[str, Any]) -> int:
    return int(row["instrument_id"])


def _name(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("symbol", "")), str(row.get("venue", ""))


def _check_jumps(
    store: Store, evening: Evening, session: Manifest, ids: Mapping[int, int], symbols: Mapping[int, str]
) -> None:
    first = _first_prices(store, session, set(ids.values()))
    for (_, id_), holding in evening.holdings.items():
        opened = first.get(ids.get(id_, 0), 0)
        if opened > 0 and holding.mark_nano > 0 and not 1 / JUMP < Fraction(opened, holding.mark_nano) < JUMP:
            symbol, day = symbols[id_], day_of(session)
            raise ConfigError(
                f"{session.id}: {symbol} is held and opens at {opened / 1e9:g} after {holding.mark_nano / 1e9:g}, as after "
                f"a split: declare it, --split {symbol}@{day}=FACTOR (shares after for one before; 1: it was none)"
            )


def _first_prices(store: Store, session: Manifest, wanted: set[int]) -> dict[int, int]:
    """The first price of each of these instruments in the session, in nanos."""
    found: dict[int, int] = {}
    names = ["instrument_id", *(name for columns in _PRICE_COLUMNS.values() for name in columns)]
    if not wanted:
        return found
    for blocks in hot.batches(store, session.id, kinds=_PRICE_COLUMNS, columns=names, build=False):
        for block in blocks:
            ids = block.number("instrument_id")
            for id_ in wanted - found.keys():
                prices = np.concatenate([block.number(name)[ids == id_][:1] for name in _PRICE_COLUMNS[block.kind]])
                if len(known := prices[(prices != ABSENT) & (prices > 0)]):
                    found[id_] = int(known[0])
        if found.keys() >= wanted:
            break
    return found


def _converted(
    rows: Carried, ids: Mapping[int, int], factors: Mapping[int, Fraction], symbols: Mapping[int, str]
) -> Iterator[tuple[str, str]]:
    """The rows of state in the next session's ids, those of a split instrument in its new shares."""
    for key, text in rows:
        kind, *names = key.split("/")
        if kind not in ("instrument", "bar", "position", "order", "late", "state"):
            yield key, text
            continue
        told = json.loads(text)
        old = int(names[-1]) if kind == "state" else int(told["instrument_id"])
        if factors[old] != 1:
            if kind in ("bar", "state"):
                continue
            told = _split_row(kind, told, factors[old], symbols[old])
        if kind != "state":
            told["instrument_id"] = ids[old]
        place = {"instrument": 0, "bar": 0, "position": 1, "state": 1}.get(kind)
        if place is not None:
            names[place] = str(ids[old])
        yield "/".join([kind, *names]), json.dumps(told, allow_nan=False)


def _split_row(kind: str, told: dict[str, Any], factor: Fraction, symbol: str) -> dict[str, Any]:
    if kind in ("order", "late"):
        raise ConfigError(
            f"{symbol}: order {told['order_id']} works through the night of its split; it can't be converted"
        )
    if kind == "instrument":
        return {name: value for name, value in told.items() if name not in _PRICES}
    steps = told["quantity_steps"] * factor
    if steps.denominator != 1:
        raise ConfigError(f"{symbol}: a split by {factor} leaves a broken share of {told['quantity_steps']} steps")
    return told | {"quantity_steps": int(steps), "average_price": told["average_price"] / float(factor)}


def as_kept(begun: Block) -> Block:
    """What a session began with, as a run keeps it: derived rows before its first input, at `seq` 0."""
    return begun.with_columns(seq=np.zeros(len(begun), np.int64), ord=np.arange(1, len(begun) + 1, dtype=np.int32))


def kept_in(run: LogReader) -> Blocks:
    """What a run began with, to be reduced before its first input; nothing when it began with nothing."""
    rows = concat(block for blocks in run.batches(0, 0, what="derived", kinds=[Kind.SESSION]) for block in blocks)
    return [block.with_columns(seq=np.arange(1 - len(block), 1), ord=np.zeros(len(block), np.int32)) for block in rows]


def _state(rows: Sequence[tuple[str, str]], now_ns: int) -> Block:
    return Block.of(
        Kind.SESSION,
        len(rows),
        seq=range(1 - len(rows), 1),
        ts_event_ns=now_ns,
        ts_recv_ns=now_ns,
        action=int(SessionAction.STATE),
        key=[key for key, _ in rows],
        text=[text for _, text in rows],
    )
