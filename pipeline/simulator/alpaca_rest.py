"""Alpaca's REST history: `/v2/stocks/AAPL/trades` for one symbol, `/v2/stocks/trades?symbols=AAPL,SPY` for several.

Quotes and bars (1Min, 1Day) alike, oldest first. A page token names the symbol, the time of the last row and how many rows of
that time were sent. Corrections and cancels have no rows of their own in the vendor's history: a cancel is written as a trade
with `u` canceled, a correction as one with `u` corrected.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.codes import Mark
from pipeline.normalize.alpaca_columns import ns_of_text, text_of_ns
from pipeline.normalize.alpaca_out import message_of
from pipeline.ports import Channel, Topic
from pipeline.simulator.snapshots import Day, Share, price_of
from pipeline.simulator.venue import History, HttpAnswer
from pipeline.units import ABSENT, DAY_NS, NANO, TS_MAX_NS

LIMIT: Final = 1_000
LIMIT_MAX: Final = 10_000

_ONE: Final = re.compile(r"/v2/stocks/([^/]+)/(trades|quotes|bars)")
_SEVERAL: Final = re.compile(r"/v2/stocks/(trades|quotes|bars)")
_SNAPSHOTS: Final = "/v2/stocks/snapshots"
_TIMEFRAMES: Final = {"1Min": Channel.BARS_1M, "1T": Channel.BARS_1M, "1Day": Channel.BARS_1D, "1D": Channel.BARS_1D}
_HEADERS: Final = {"Content-Type": "application/json; charset=UTF-8"}


class _WrongError(Exception):
    """The question is wrong; the text says how."""


class _Asked(NamedTuple):
    """What a GET asks for; the end is exclusive."""

    channel: Channel
    symbols: list[str]
    from_ns: int
    to_ns: int
    limit: int
    token: "_Token | None"


class _Token(NamedTuple):
    """Where the last page ended."""

    symbol: str
    ts_ns: int
    sent: int

    def text(self) -> str:
        """As the client sends it back."""
        return base64.urlsafe_b64encode(f"{self.symbol}|{self.ts_ns}|{self.sent}".encode()).decode()


def page_of(path: str, query: Mapping[str, str], history: History) -> HttpAnswer:
    """A page of what has been served so far."""
    if path == _SNAPSHOTS:
        symbols = [symbol for symbol in query.get("symbols", "").split(",") if symbol]
        if not symbols:
            return _answer(400, {"message": "symbols is required"})
        return _answer(200, {share.symbol: _snapshot(share) for share in history.standing().shares(symbols)})
    if one := _ONE.fullmatch(path):
        name, symbols = one[2], [one[1]]
    elif several := _SEVERAL.fullmatch(path):
        name, symbols = several[1], query.get("symbols", "").split(",")
    else:
        return _answer(404, {"message": "Not Found"})
    try:
        asked = _asked(name, symbols, query)
    except _WrongError as wrong:
        return _answer(400, {"message": str(wrong)})
    rows, token = _rows(asked, history)
    found = {"symbol": symbols[0], name: rows.get(symbols[0])} if one else {name: rows}
    return _answer(200, found | {"next_page_token": token.text() if token else None})


def _answer(status: int, body: Mapping[str, Any]) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(body), _HEADERS)


def _snapshot(share: Share) -> dict[str, Any]:
    """A share as `/v2/stocks/snapshots` has it."""
    said: dict[str, Any] = {"prevDailyBar": None, "dailyBar": None, "latestTrade": None, "latestQuote": None}
    if (trade := share.trade) is not None:
        price, time = price_of(trade["price_nano"]), text_of_ns(trade["ts_event_ns"])
        said["latestTrade"] = {
            "t": time,
            "x": "V",
            "p": price,
            "s": trade["size_steps"],
            "c": ["@"],
            "i": trade["trade_id"],
            "z": "C",
        }
        said["dailyBar"] = _bar(share.day, share.starts_ns)
        said["minuteBar"] = None
    if (quote := share.quote) is not None:
        bid, ask = (
            {"p": price_of(quote[f"{side}_nano"]), "s": max(quote[f"{side}_size_steps"], 0)} for side in ("bid", "ask")
        )
        time = text_of_ns(quote["ts_event_ns"])
        said["latestQuote"] = {
            "t": time, "ax": "V", "ap": ask["p"], "as": ask["s"], "bx": "V", "bp": bid["p"], "bs": bid["s"], "c": ["R"], "z": "C",
        }  # fmt: skip
    if share.before.close:
        said["prevDailyBar"] = _bar(share.before, share.starts_ns - DAY_NS)
    return said


def _bar(day: Day, start_ns: int) -> dict[str, Any]:
    time, vwap = text_of_ns(start_ns), round(day.vwap, 6)
    prices = {"o": day.open, "h": day.high, "l": day.low, "c": day.close}
    return {"t": time, **prices, "v": day.volume, "n": 0, "vw": vwap}


def _asked(name: str, symbols: list[str], query: Mapping[str, str]) -> _Asked:
    channel = {"trades": Channel.PRINTS, "quotes": Channel.QUOTES}.get(name)
    if channel is None:
        channel = _TIMEFRAMES.get(query.get("timeframe", ""))
        if channel is None:
            raise _WrongError(f"invalid timeframe: accepted are {', '.join(_TIMEFRAMES)}")
    if not all(symbols):
        raise _WrongError("symbols is required")
    if query.get("sort", "asc") != "asc":
        raise _WrongError("invalid sort: accepted is asc")
    limit = query.get("limit", str(LIMIT))
    if not limit.isdecimal() or not 0 < int(limit) <= LIMIT_MAX:
        raise _WrongError(f"invalid limit: accepted are 1 to {LIMIT_MAX}")
    from_ns = _moment(query["start"], "start") if query.get("start") else 0
    to_ns = _moment(query["end"], "end") + 1 if query.get("end") else TS_MAX_NS
    return _Asked(channel, sorted(set(symbols)), from_ns, to_ns, int(limit), _token(query.get("page_token", "")))


def _moment(text: str, name: str) -> int:
    """Nanoseconds of RFC 3339 with Z or an offset, or of a day."""
    ts_ns = ns_of_text(text)
    if ts_ns != ABSENT:
        return ts_ns
    try:
        if len(text) == 10:
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        else:
            moment = datetime.fromisoformat(text)
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _WrongError(f"invalid {name}: {text[:40]}") from None
    return (since.days * 86_400 + since.seconds) * NANO + since.microseconds * 1_000


def _token(text: str) -> _Token | None:
    if not text:
        return None
    try:
        symbol, ts_ns, count = base64.urlsafe_b64decode(text).decode().split("|")
        return _Token(symbol, int(ts_ns), int(count))
    except (ValueError, binascii.Error):
        raise _WrongError("invalid page_token") from None


def _rows(asked: _Asked, history: History) -> tuple[dict[str, list[Any]], _Token | None]:
    """A page of rows by symbol, and where it ends if there are more."""
    found: dict[str, list[Any]] = {}
    room = asked.limit
    for symbol in asked.symbols:
        skip, from_ns = 0, asked.from_ns
        if asked.token is not None:
            if symbol < asked.token.symbol:
                continue
            if symbol == asked.token.symbol:
                from_ns, skip = asked.token.ts_ns, asked.token.sent
        rows = list(_of_symbol(asked, history, symbol, from_ns, skip + room + 1))[skip:]
        if room == 0 and rows:
            return found, _Token(symbol, asked.from_ns, 0)
        if rows:
            found[symbol] = [row for _, row in rows[:room]]
        if len(rows) > room:
            last_ns = rows[room - 1][0]
            count = sum(ts_ns == last_ns for ts_ns, _ in rows[:room])
            return found, _Token(symbol, last_ns, count + (skip if last_ns == from_ns else 0))
        room -= len(rows)
    return found, None


def _of_symbol(
    asked: _Asked, history: History, symbol: str, from_ns: int, rows_max: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows and their event times; what the protocol has no words for is never in these channels."""
    for block in history.rows(Topic(asked.channel, symbol), from_ns, asked.to_ns, rows_max):
        for row in block.rows():
            update = ""
            if row["marks"] & (Mark.CANCEL | Mark.CORRECTION):
                update = "canceled" if row["marks"] & Mark.CANCEL else "corrected"
                id_ = row["corrects_trade_id"] if row["marks"] & Mark.CANCEL else row["trade_id"]
                row |= {"trade_id": id_, "marks": 0}
            made = message_of(block.kind, row, symbol, text_of_ns)
            if made:
                message = {
                    name: value for name, value in msgspec.to_builtins(made[1]).items() if name not in ("T", "S")
                }
                yield row["ts_event_ns"], message | ({"u": update} if update else {})
