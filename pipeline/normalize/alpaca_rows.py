"""Rows of Alpaca's events: many of one sort at once, as a block, and what of them is refused."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import BarBasis, FeedAction, Kind, Mark, Origin, TradingStatus
from pipeline.normalize.alpaca_codes import SaleConditions, is_quoting_at, packed, quote_condition, reason_of, status_of
from pipeline.normalize.alpaca_columns import nano_of_floats
from pipeline.normalize.alpaca_words import (
    Bands,
    Bar,
    Cancel,
    Correction,
    DailyBar,
    Quote,
    Status,
    Trade,
    UpdatedBar,
)
from pipeline.normalize.ignored import Ignored
from pipeline.normalize.marks import bar_marks, quote_marks
from pipeline.normalize.rows import TEXT_LENGTH_MAX, block_of_columns
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS, NANO

SHARES_SINCE_NS: Final = 1_762_146_000 * NANO
"""2025-11-03T05:00:00Z, midnight in New York: quotes of this day and later count shares, earlier ones round lots."""

ROUND_LOT_SHARES: Final = 100

_STARTS_MAX: Final = 2_048
_REVISION_MAX: Final = 32_767
_TAKEN_BACK: Final = ("canceled", "incorrect")

_SPACE: Final = ord(" ")

_NO_TIME: Final = "t is no time between 1970 and 2100"
_NO_SYMBOL: Final = "S is no symbol"
_NO_PRICE: Final = "no price, or one that is no whole number of nanos"


class Found(NamedTuple):
    """Events of one group: their places and receive times, and what makes times and instrument ids of theirs."""

    events: list[Any]
    seq: Numbers
    ts_recv_ns: Numbers
    times: Callable[[Sequence[Any]], Numbers]
    ids_of: Callable[[Sequence[str]], Numbers]
    origin: Origin


class Memory:
    """What must be remembered from message to message."""

    def __init__(self, ignored: Ignored, lot_shares: Mapping[str, int]) -> None:
        self.sales = SaleConditions(ignored)
        self.lot_shares = lot_shares
        self._quotes: dict[tuple[str, ...] | None, int] = {}
        self._ignored = ignored
        self._bars: dict[tuple[int, int], dict[int, tuple[int, tuple[Any, ...]]]] = {}

    def quote_conditions(self, conditions: Sequence[tuple[str, ...] | None]) -> Numbers | int:
        """(n,) int16, or one number for all: the `condition` of quotes."""
        if conditions.count(conditions[0]) == len(conditions):
            return self._quote_condition(conditions[0])
        return np.array([self._quote_condition(each) for each in conditions], np.int16)

    def _quote_condition(self, conditions: tuple[str, ...] | None) -> int:
        found = self._quotes.get(conditions)
        if found is None:
            found = quote_condition(conditions)
            if len(self._quotes) < _STARTS_MAX:
                self._quotes[conditions] = found
        if found < 0:
            self._ignored.note(f"quote conditions {' '.join(conditions or ())[:20]!r}")
            return 0
        return found

    def revision(self, instrument_id: int, length_ns: int, start_ns: int, values: tuple[Any, ...]) -> int:
        """How often a bar was changed: 0 for its first form; the same form again is no change."""
        bars = self._bars.setdefault((instrument_id, length_ns), {})
        known = bars.get(start_ns)
        if known is not None and known[1] == values:
            return known[0]
        revision = 0 if known is None else min(known[0] + 1, _REVISION_MAX)
        bars[start_ns] = (revision, values)
        if len(bars) > _STARTS_MAX:
            for start in sorted(bars)[: _STARTS_MAX // 2]:
                del bars[start]
        return revision


Made = tuple[Block, list[dict[str, Any]]]
"""A block, and the payloads of feed rows REJECTED."""


def _quotes(found: Found, memory: Memory) -> Made:
    quotes: list[Quote[Any]] = found.events
    symbols = [each.S for each in quotes]
    event_ns, ids = found.times([each.t for each in quotes]), found.ids_of(symbols)
    nano = nano_of_floats(np.array(([each.bp for each in quotes], [each.ap for each in quotes])))
    sizes = np.array(([each.bs for each in quotes], [each.as_ for each in quotes]), np.int64)
    if event_ns.min() < SHARES_SINCE_NS:
        sizes *= np.where(event_ns < SHARES_SINCE_NS, _lots(symbols, memory.lot_shares), 1)
    lowest, prices = nano.min(), nano
    if lowest <= 0:
        prices, sizes = np.where(nano > 0, nano, ABSENT), np.where(nano > 0, sizes, ABSENT)
    venues = _venues([each.bx for each in quotes] + [each.ax for each in quotes])
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": event_ns,
        "bid_nano": prices[0],
        "ask_nano": prices[1],
        "bid_size_steps": sizes[0],
        "ask_size_steps": sizes[1],
        "bid_venue": venues[: len(quotes)],
        "ask_venue": venues[len(quotes) :],
        "condition": memory.quote_conditions([each.c for each in quotes]),
        "marks": quote_marks(prices[0], prices[1]),
    }
    checks = [(event_ns, _NO_TIME)]
    if lowest < 0:
        checks += [(nano[0], f"bp: {_NO_PRICE}"), (nano[1], f"ap: {_NO_PRICE}")]
    return _made(Kind.QUOTE, found, ids, columns, checks)


def _lots(symbols: Sequence[str], lot_shares: Mapping[str, int]) -> Numbers | int:
    if not lot_shares:
        return ROUND_LOT_SHARES
    return np.array([lot_shares.get(symbol, ROUND_LOT_SHARES) for symbol in symbols], np.int64)


def _trades(found: Found, memory: Memory) -> Made:
    trades: list[Trade[Any]] = found.events
    columns = _print_columns(found, [each.p for each in trades], [each.s for each in trades])
    columns |= _sale_columns(memory, [each.c for each in trades], [each.z for each in trades], columns)
    trade_ids = np.array([each.i for each in trades], np.int64)
    columns["trade_id"] = trade_ids
    if found.origin is Origin.BACKFILL:  # REST alone says what became of a trade
        is_back = np.array([each.u in _TAKEN_BACK for each in trades])
        columns["trade_id"] = np.where(is_back, ABSENT, trade_ids)
        columns["corrects_trade_id"] = np.where(is_back, trade_ids, ABSENT)
        columns["marks"] = columns["marks"] | np.where(is_back, np.int32(Mark.CANCEL), np.int32(0))
    return _print(found, columns)


def _corrections(found: Found, memory: Memory) -> Made:
    corrections: list[Correction[Any]] = found.events
    columns = _print_columns(found, [each.cp for each in corrections], [each.cs for each in corrections])
    columns |= _sale_columns(memory, [each.cc for each in corrections], [each.z for each in corrections], columns)
    columns["marks"] |= int(Mark.CORRECTION)
    columns["trade_id"] = np.array([each.ci for each in corrections], np.int64)
    columns["corrects_trade_id"] = np.array([each.oi for each in corrections], np.int64)
    return _print(found, columns)


def _cancels(found: Found, memory: Memory) -> Made:  # noqa: ARG001 - as all others
    cancels: list[Cancel[Any]] = found.events
    columns = _print_columns(found, [each.p for each in cancels], [each.s for each in cancels])
    columns |= {"marks": int(Mark.CANCEL), "corrects_trade_id": np.array([each.i for each in cancels], np.int64)}
    return _print(found, columns)


def _print_columns(found: Found, prices: list[float], sizes: list[int]) -> dict[str, Numbers | int]:
    nano = nano_of_floats(np.array(prices))
    if nano.min() <= 0:
        nano = np.where(nano > 0, nano, ABSENT)
    return {
        "ts_event_ns": found.times([each.t for each in found.events]),
        "price_nano": nano,
        "size_steps": np.array(sizes, np.int64),
        "venue": _venues([each.x for each in found.events]),
    }


def _sale_columns(
    memory: Memory, conditions: list[tuple[str, ...] | None], tapes: list[str], columns: Mapping[str, Any]
) -> dict[str, Numbers | int]:
    bits, marks = memory.sales.columns(conditions, tapes, columns["ts_event_ns"])
    return {"conditions": bits, "marks": marks}


def _print(found: Found, columns: dict[str, Any]) -> Made:
    ids = found.ids_of([each.S for each in found.events])
    checks = [(columns["ts_event_ns"], _NO_TIME), (columns["price_nano"], f"p: {_NO_PRICE}")]
    return _made(Kind.PRINT, found, ids, columns, checks)


def _bars(found: Found, memory: Memory) -> Made:
    bars: list[Bar[Any]] = found.events
    event_ns, ids = found.times([each.t for each in bars]), found.ids_of([each.S for each in bars])
    nano = nano_of_floats(np.array([(each.o, each.h, each.l, each.c) for each in bars]).T)
    nano = np.where(nano == 0, ABSENT, nano)
    length_ns = np.array([DAY_NS if type(each) is DailyBar else MINUTE_NS for each in bars], np.int64)
    values = [(each.o, each.h, each.l, each.c, each.v, each.n, each.vw) for each in bars]
    revisions = list(map(memory.revision, ids.tolist(), length_ns.tolist(), event_ns.tolist(), values))
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": event_ns,
        "bar_length": length_ns,
        "ts_close_ns": event_ns + length_ns,
        **dict(zip(("open_nano", "high_nano", "low_nano", "close_nano"), nano, strict=True)),
        "volume_steps": np.array([each.v for each in bars], np.int64),
        "trade_count": np.array([ABSENT if each.n is None else each.n for each in bars], np.int64),
        "vwap": np.array([math.nan if each.vw is None else each.vw for each in bars]),
        "revision": np.array(revisions, np.int16),
        "basis": int(BarBasis.VENDOR),
        "marks": bar_marks(*nano),
    }
    checks = [(event_ns, _NO_TIME), *((row, f"{name}: {_NO_PRICE}") for name, row in zip("ohlc", nano, strict=True))]
    return _made(Kind.BAR, found, ids, columns, checks)


def _statuses(found: Found, memory: Memory) -> Made:  # noqa: ARG001 - as all others
    changes: list[Status[Any]] = found.events
    states = [status_of(each.sc, each.rc, each.z) for each in changes]
    event_ns, ids = found.times([each.t for each in changes]), found.ids_of([each.S for each in changes])
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": event_ns,
        "status": np.array(states, np.int8),
        "reason": np.array([reason_of(each.rc, each.z) for each in changes], np.int8),
        "is_quoting": np.array(list(map(is_quoting_at, states)), np.int8),
        "vendor_action": np.array([packed(each.sc) for each in changes], np.int32),
        "vendor_reason": np.array([packed(each.rc) for each in changes], np.int32),
    }
    return _made(Kind.STATUS, found, ids, columns, [(event_ns, _NO_TIME)])


def _bands(found: Found, memory: Memory) -> Made:  # noqa: ARG001 - as all others
    bands: list[Bands[Any]] = found.events
    event_ns, ids = found.times([each.t for each in bands]), found.ids_of([each.S for each in bands])
    up_nano, down_nano = nano_of_floats(np.array(([each.u for each in bands], [each.d for each in bands])))
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": event_ns,
        "status": int(TradingStatus.LIMITS),
        "limit_up_nano": np.where(up_nano == 0, ABSENT, up_nano),
        "limit_down_nano": np.where(down_nano == 0, ABSENT, down_nano),
        "vendor_action": np.array([packed(each.i) for each in bands], np.int32),
    }
    checks = [(event_ns, _NO_TIME), (up_nano, f"u: {_NO_PRICE}"), (down_nano, f"d: {_NO_PRICE}")]
    return _made(Kind.STATUS, found, ids, columns, checks)


READING: Final[tuple[tuple[tuple[type, ...], Callable[[Found, Memory], Made]], ...]] = (
    ((Quote,), _quotes),
    ((Trade,), _trades),
    ((Bar, UpdatedBar, DailyBar), _bars),
    ((Status,), _statuses),
    ((Bands,), _bands),
    ((Correction,), _corrections),
    ((Cancel,), _cancels),
)
"""The types of each group of events, and what makes rows of them."""


def _venues(letters: list[str]) -> Numbers:
    """(n,) int16: each one's ASCII code, 0 for none; none is longer than a letter."""
    joined = "".join(letters)
    if len(joined) == len(letters) and joined.isascii():
        codes = np.frombuffer(joined.encode(), np.uint8).astype(np.int16)
    else:
        codes = np.array([ord(letter) if letter and letter.isascii() else 0 for letter in letters], np.int16)
    codes[codes == _SPACE] = 0
    return codes


def _made(
    kind: Kind, found: Found, ids: Numbers, columns: dict[str, Numbers | int], checks: list[tuple[Numbers, str]]
) -> Made:
    """The block of those rows whose checked columns and instrument ids are there, that is not negative; why the others are not."""
    columns = {
        "seq": found.seq,
        "ts_recv_ns": found.ts_recv_ns,
        "instrument_id": ids,
        "origin": int(found.origin),
        **columns,
    }
    checks = [(ids, _NO_SYMBOL), *checks]
    if all(column.min() >= 0 for column, _ in checks):
        return block_of_columns(kind, len(ids), columns), []
    reasons = np.full(len(ids), "", object)
    for column, reason in reversed(checks):
        reasons[column < 0] = reason
    is_good = reasons == ""
    kept = {name: column[is_good] if isinstance(column, np.ndarray) else column for name, column in columns.items()}
    refused = [_rejected(found, row, str(reasons[row])) for row in np.flatnonzero(~is_good).tolist()]
    return block_of_columns(kind, int(is_good.sum()), kept), refused


def _rejected(found: Found, row: int, reason: str) -> dict[str, Any]:
    """The payload of a REJECTED row in the place of an event."""
    event, ts_ns = found.events[row], int(found.ts_recv_ns[row])
    return {
        "seq": int(found.seq[row]),
        "ts_event_ns": ts_ns,
        "ts_recv_ns": ts_ns,
        "origin": found.origin,
        "action": FeedAction.REJECTED,
        "text": f"{type(event).__struct_config__.tag}: {reason}: {event}"[:TEXT_LENGTH_MAX],
    }
