"""Alpaca's snapshots: `/v2/stocks/snapshots?symbols=A,B`, by symbol the last trade, the last quote, and bars of a minute, today, and the day before.

The bar of the day is today's only from its first trade on: until then it is that of the day before, and says nothing of today. Whether it
holds premarket is not said by the vendor; its volume is taken as if it did. Only what changed since the poll before is made into rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Raw, Struct, field

from pipeline.block import Numbers
from pipeline.hours import new_york_offset_ns
from pipeline.normalize.alpaca_columns import nano_of_floats, ns_of_texts
from pipeline.normalize.alpaca_rows import ROUND_LOT_SHARES, SHARES_SINCE_NS
from pipeline.normalize.alpaca_words import UNREADABLE, Size, Unread
from pipeline.units import ABSENT, DAY_NS


class LastTrade(Struct, gc=False):
    """The last trade."""

    t: str = ""
    p: float = 0.0


class LastQuote(Struct, gc=False):
    """The last quote; a price of 0 is nobody."""

    t: str = ""
    bp: float = 0.0
    bs: Size = 0
    ap: float = 0.0
    as_: Size = field(default=0, name="as")


class DayBar(Struct, gc=False):
    """A bar of a day, `t` its midnight in New York."""

    t: str = ""
    o: float = 0.0
    h: float = 0.0
    low: float = field(default=0.0, name="l")
    c: float = 0.0
    v: Size = ABSENT
    vw: float = float("nan")


class Snapshot(Struct, rename="camel"):
    """What is said of a symbol."""

    latest_trade: LastTrade | None = None
    latest_quote: LastQuote | None = None
    daily_bar: DayBar | None = None
    prev_daily_bar: DayBar | None = None


_PAGE: Final = msgspec.json.Decoder(dict[str, Raw])
_SNAPSHOT: Final = msgspec.json.Decoder(Snapshot | None)
_TRADE, _QUOTE, _DAY = LastTrade(), LastQuote(), DayBar()


def snapshots_of(payload: bytes) -> Iterator[tuple[str, Snapshot | Unread]]:
    """Symbols and what is said of each; symbol '' for an answer that can't be read, or says something else. Never raises."""
    try:
        parts = _PAGE.decode(payload)
        if b'"message"' in payload and (said := parts.get("message")) is not None and bytes(said)[:1] == b'"':
            yield "", Unread(f"the venue says: {msgspec.json.decode(said)}")
            return
    except UNREADABLE as error:
        yield "", Unread(f"a snapshot can't be read: {error}")
        return
    for symbol, part in parts.items():
        try:
            snapshot = _SNAPSHOT.decode(part)
        except UNREADABLE as error:
            yield symbol, Unread(f"snapshot of {symbol[:20]}: {error}")
        else:
            if snapshot is not None:
                yield symbol, snapshot


def columns_of(snapshots: Sequence[Snapshot], ts_recv_ns: int) -> tuple[dict[str, Any], Numbers]:
    """Columns of rows, and which of them hold a price or a time that is none; sizes before 2025-11-03 are lots of 100."""
    trades = [each.latest_trade or _TRADE for each in snapshots]
    quotes = [each.latest_quote or _QUOTE for each in snapshots]
    days = [each.daily_bar or _DAY for each in snapshots]
    is_today = _day_of(_times([each.t for each in days])) == _day_of(np.array([ts_recv_ns]))[0]
    days = [day if today else _DAY for day, today in zip(days, is_today.tolist(), strict=True)]
    # before today's first bar the vendor's "daily" one is the day before, and the one in front of it two days old
    before = [
        (each.prev_daily_bar if today else each.daily_bar) or _DAY
        for each, today in zip(snapshots, is_today.tolist(), strict=True)
    ]
    said = {
        "last_nano": [each.p for each in trades],
        "bid_nano": [each.bp for each in quotes],
        "ask_nano": [each.ap for each in quotes],
        "open_nano": [each.o for each in days],
        "high_nano": [each.h for each in days],
        "low_nano": [each.low for each in days],
        "previous_close_nano": [each.c for each in before],
    }
    prices = {name: np.array(values, np.float64) for name, values in said.items()}
    columns: dict[str, Any] = {
        name: np.where(column == 0, ABSENT, nano_of_floats(column)) for name, column in prices.items()
    }
    is_bad = np.logical_or.reduce([(columns[name] == ABSENT) & (column != 0) for name, column in prices.items()])
    for name, texts in (("ts_trade_ns", [each.t for each in trades]), ("ts_quote_ns", [each.t for each in quotes])):
        columns[name] = _times(texts)
        is_bad |= (columns[name] == ABSENT) & np.array([text != "" for text in texts])
    for side, sizes in (("bid", [each.bs for each in quotes]), ("ask", [each.as_ for each in quotes])):
        shares = np.array(sizes, np.int64) * np.where(columns["ts_quote_ns"] < SHARES_SINCE_NS, ROUND_LOT_SHARES, 1)
        columns[f"{side}_size_steps"] = np.where(columns[f"{side}_nano"] == ABSENT, ABSENT, shares)
    columns["volume_steps"] = np.array([each.v for each in days], np.int64)
    columns["vwap"] = np.array([each.vw for each in days], np.float64)
    latest = np.maximum(columns["ts_trade_ns"], columns["ts_quote_ns"])
    columns["ts_event_ns"] = np.where(latest == ABSENT, ts_recv_ns, latest)
    return columns, is_bad


def _times(texts: list[str]) -> Numbers:
    """(n,) int64, ABSENT for '' and for what is no time."""
    said = np.array([text != "" for text in texts])
    found = np.full(len(texts), ABSENT, np.int64)
    if said.any():
        found[said] = ns_of_texts([text for text in texts if text])
    return found


def _day_of(ts_ns: Numbers) -> Numbers:
    """(n,) int64: the days in New York, in days since 1970."""
    local = [ts + new_york_offset_ns(ts) if ts != ABSENT else -DAY_NS for ts in ts_ns.tolist()]
    return np.array(local, np.int64) // DAY_NS
