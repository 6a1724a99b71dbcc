"""Massive's snapshot of the whole market: `/v2/snapshot/locale/us/markets/stocks/tickers`, every share of it an element.

Of each the last trade, the last quote, its latest minute, its day so far and the day before. Before the open the day is all zero,
behind it its volume holds premarket's and its prices don't; the latest minute's `av` counts from 4:00 on and is taken where it is
there. Without a last trade (plans without trades) the latest minute's close stands in. The vendor clears the day at 3:30 in New York;
a share that has not traded since still shows the day before, which is seen by the time of its last trade.

Only what changed since the poll before is made into rows.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from pipeline.block import Numbers
from pipeline.normalize.massive_columns import displayed, floats, integers, nanos, times_ns, volumes
from pipeline.normalize.massive_frames import UNREADABLE, Refused
from pipeline.normalize.massive_rows import Made
from pipeline.normalize.massive_words import UNSAID, Count, Displayed, Price, Shares
from pipeline.units import ABSENT


class DaySoFar(Struct, gc=False, omit_defaults=True):
    """A day: `v` its volume, `vw` its average price."""

    o: Price = 0.0
    h: Price = 0.0
    low: Price = field(default=0.0, name="l")
    c: Price = 0.0
    v: Shares = UNSAID
    vw: Price = 0.0


class LatestMinute(Struct, gc=False, omit_defaults=True):
    """The latest minute: `av` the volume of the day so far, `t` when it began."""

    c: Price = 0.0
    av: Shares = UNSAID
    t: Count = 0


class LastTrade(Struct, gc=False, omit_defaults=True):
    """The last trade; nanoseconds."""

    p: Price = 0.0
    t: Count = 0


class LastQuote(Struct, gc=False, omit_defaults=True):
    """The last quote: `P` and `S` are asked, `p` and `s` bid; nanoseconds."""

    ask: Price = field(default=0.0, name="P")
    ask_size: Displayed = field(default=0, name="S")
    bid: Price = field(default=0.0, name="p")
    bid_size: Displayed = field(default=0, name="s")
    t: Count = 0


class Ticker(Struct, rename="camel", omit_defaults=True):
    """A share as the snapshot has it."""

    sym: str = field(name="ticker")
    day: DaySoFar | None = None
    min: LatestMinute | None = None
    prev_day: DaySoFar | None = None
    last_trade: LastTrade | None = None
    last_quote: LastQuote | None = None
    updated: Count = 0


class SnapshotPage(Struct):
    """The answer; `error` or `message` is what the vendor says in its place."""

    tickers: list[Raw] | None = None
    status: str = ""
    error: str = ""
    message: str = ""


_PAGE: Final = Decoder(SnapshotPage)
_TICKER: Final = Decoder(Ticker)
_REFUSED_MAX: Final = 50
"""So many refusals of one snapshot are told one by one."""

_DAY, _MINUTE, _TRADE, _QUOTE = DaySoFar(), LatestMinute(), LastTrade(), LastQuote()


class Seen:
    """Every share as it was last told: what comes byte for byte as before is not even decoded, which is most of a market."""

    def __init__(self) -> None:
        self._texts: set[bytes] = set()
        self._shares: dict[str, tuple[bytes, Ticker]] = {}

    def changed(self, payload: bytes) -> list[Any]:
        """The shares of a snapshot that are others than before, Refused in the places of those that can't be read. Never raises."""
        parts = _parts_of(payload)
        if isinstance(parts, Refused):
            return [parts]
        new = [text for text in map(bytes, parts) if text not in self._texts]
        found = [each for text in new if self._is_new(text, each := _decoded(text))]
        refused = [place for place, each in enumerate(found) if type(each) is Refused]
        for place in refused[_REFUSED_MAX:]:
            found[place] = Refused("more of the same snapshot can't be read")
        return found

    def _is_new(self, text: bytes, each: "Ticker | Refused") -> bool:
        if isinstance(each, Refused):
            return True
        before = self._shares.get(each.sym)
        self._shares[each.sym] = (text, each)
        self._texts.add(text)
        if before is not None:
            self._texts.discard(before[0])
        return before is None or before[1] != each


def _decoded(text: bytes) -> Ticker | Refused:
    try:
        return _TICKER.decode(text)
    except UNREADABLE as error:
        return Refused(f"{error}: {text[:60]!r}")


def _parts_of(payload: bytes) -> list[Raw] | Refused:
    try:
        page = _PAGE.decode(payload)
    except UNREADABLE as error:
        return Refused(f"a snapshot can't be read: {error}: {payload[:60]!r}")
    if page.error or page.status in ("ERROR", "NOT_AUTHORIZED", "NOT_FOUND"):
        return Refused(f"the vendor says: {page.status}: {page.error or page.message}")
    return page.tickers or []


def snapshots(tickers: Sequence[Ticker], ts_recv_ns: Numbers) -> Made:
    """Rows of shares that changed."""
    days = [each.day or _DAY for each in tickers]
    minutes = [each.min or _MINUTE for each in tickers]
    trades = [each.last_trade or _TRADE for each in tickers]
    quotes = [each.last_quote or _QUOTE for each in tickers]
    has_trade = np.array([each.p > 0 and each.t > 0 for each in trades])
    prices = [
        trade.p if is_there else minute.c for trade, minute, is_there in zip(trades, minutes, has_trade, strict=True)
    ]
    times = [
        trade.t if is_there else minute.t for trade, minute, is_there in zip(trades, minutes, has_trade, strict=True)
    ]
    named = {
        "last_nano": nanos(prices),
        "bid_nano": nanos([each.bid for each in quotes]),
        "ask_nano": nanos([each.ask for each in quotes]),
        "open_nano": nanos([each.o for each in days]),
        "high_nano": nanos([each.h for each in days]),
        "low_nano": nanos([each.low for each in days]),
        "previous_close_nano": nanos([(each.prev_day or _DAY).c for each in tickers]),
    }
    columns: dict[str, Numbers | int] = {name: _or_absent(column, column) for name, (column, _) in named.items()}
    trade_ns, trade_is_none, _ = times_ns(times, ts_recv_ns)
    quote_ns, quote_is_none, _ = times_ns([each.t for each in quotes], ts_recv_ns)
    updated_ns, updated_is_none, unsaid = times_ns([each.updated for each in tickers], ts_recv_ns)
    columns["ts_trade_ns"] = _or_absent(trade_ns, integers(times))
    columns["ts_quote_ns"] = _or_absent(quote_ns, integers([each.t for each in quotes]))
    columns["ts_event_ns"] = np.where(unsaid, ts_recv_ns, updated_ns)
    bid, ask = (
        displayed([each.bid_size for each in quotes], quote_ns),
        displayed([each.ask_size for each in quotes], quote_ns),
    )
    columns["bid_size_steps"], columns["ask_size_steps"] = (
        _or_absent(bid, columns["bid_nano"]),
        _or_absent(ask, columns["ask_nano"]),
    )
    counted = [minute.av if minute.av > 0 else day.v for minute, day in zip(minutes, days, strict=True)]
    columns["volume_steps"] = volumes(counted)
    vwap = floats([each.vw for each in days])
    columns["vwap"] = np.where(vwap > 0, vwap, np.nan)
    reasons = {
        "a price is finer than 1e-9": np.logical_or.reduce([is_wrong for _, is_wrong in named.values()]),
        "a time is none between 1973 and 2100 in ms, us or ns": (trade_is_none & (integers(times) != 0))
        | (quote_is_none & (columns["ts_quote_ns"] != ABSENT))
        | (updated_is_none & ~unsaid),
    }
    return Made(columns, reasons)


def _or_absent(column: Numbers, said: Numbers | int) -> Numbers:
    """The column, absent where nothing or ABSENT was said."""
    return np.where((np.asarray(said) == 0) | (np.asarray(said) == ABSENT), ABSENT, column)
