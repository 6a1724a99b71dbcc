"""Massive's REST: trades, quotes, bars and the table of conditions, out of what was served so far.

A page names the next one by a cursor. Hosts in it are the vendor's own: clients follow path and query only.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from pipeline.codes import Mark
from pipeline.errors import UnitError
from pipeline.hours import new_york_offset_ns
from pipeline.normalize.conditions import CONDITIONS
from pipeline.normalize.massive_out import Row, channel_of, past_of
from pipeline.normalize.massive_words import Past
from pipeline.ports import Channel, Topic
from pipeline.simulator.snapshots import Day, Share, price_of
from pipeline.simulator.venue import History, HttpAnswer
from pipeline.units import HOUR_NS, MINUTE_NS, NANO, TS_MAX_NS

PAGE_ROWS: Final = 1_000
"""Rows of a page when a client asks for no number; it may ask for 50,000."""
PAGE_ROWS_MAX: Final = 50_000
_HOST: Final = "https://api.massive.com"
_ALL_ROWS: Final = 10_000_000
_MS: Final = 1_000_000

_TICKS: Final = re.compile(r"/v3/(trades|quotes)/([^/]+)")
_BARS: Final = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(second|minute)/([0-9-]+)/([0-9-]+)")
_SNAPSHOT: Final = "/v2/snapshot/locale/us/markets/stocks/tickers"
_CHANNELS: Final = {
    "trades": Channel.PRINTS,
    "quotes": Channel.QUOTES,
    "second": Channel.BARS_1S,
    "minute": Channel.BARS_1M,
}
_encode: Final = msgspec.json.Encoder().encode


class Wish(msgspec.Struct, frozen=True):
    """What a client asks a page of, and what a cursor remembers: of the rows at `from_ns`, `skip` were given already."""

    from_ns: int
    to_ns: int
    is_ascending: bool
    limit: int
    skip: int = 0


def answer(
    path: str, query: Mapping[str, str], headers: Mapping[str, str], history: History, *, key: str
) -> HttpAnswer:
    """Answer a GET; with a `key`, only who shows it is answered."""
    given = {name.lower(): value for name, value in headers.items()}.get("authorization", "").removeprefix("Bearer ")
    if key and key not in (given, query.get("apiKey")):
        return _json(401, {"status": "ERROR", "request_id": "simulated", "error": "Unknown API Key"})
    try:
        found = _found(path, query, history)
    except (UnitError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        return _json(400, {"status": "ERROR", "request_id": "simulated", "error": str(error)})
    message = {"status": "NOT_FOUND", "request_id": "simulated", "message": f"{path} is not served here"}
    return found or _json(404, message)


def _found(path: str, query: Mapping[str, str], history: History) -> HttpAnswer | None:
    """The answer to a good question; None where nothing is at that path."""
    if ticks := _TICKS.fullmatch(path):
        return _ticks(ticks[1], unquote(ticks[2]), path, query, history)
    if bars := _BARS.fullmatch(path):
        return _bars(bars, query, history)
    if path == _SNAPSHOT:
        return _json(200, _snapshot(query.get("tickers", ""), history))
    if path == "/v3/reference/conditions":
        count = len(_CONDITIONS)
        return _json(200, {"results": _CONDITIONS, "status": "OK", "request_id": "simulated", "count": count})
    return None


def _json(status: int, body: Any) -> HttpAnswer:
    return HttpAnswer(status, _encode(body), {"Content-Type": "application/json"})


def _ticks(word: str, symbol: str, path: str, query: Mapping[str, str], history: History) -> HttpAnswer:
    wish = _of_cursor(query["cursor"]) if "cursor" in query else _wish(query)
    topic = Topic(_CHANNELS[word], symbol)
    rows, next_wish = (_oldest if wish.is_ascending else _newest)(wish, topic, history)
    page: dict[str, Any] = {
        "results": _results(rows, topic),
        "status": "OK",
        "request_id": "simulated",
    }
    if next_wish is not None:
        page["next_url"] = f"{_HOST}{path}?cursor={_cursor(next_wish)}"
    return _json(200, page)


def _oldest(wish: Wish, topic: Topic, history: History) -> tuple[list[Row], Wish | None]:
    """A page from the beginning, and what the next one is."""
    given = wish.skip + wish.limit
    found = _rows(history, topic, wish, given + 1)
    page = found[wish.skip : given]
    if len(found) <= given:
        return page, None
    last_ns = page[-1]["ts_event_ns"]
    at_last = sum(row["ts_event_ns"] == last_ns for row in found[:given])
    return page, msgspec.structs.replace(wish, from_ns=last_ns, skip=at_last)


def _newest(wish: Wish, topic: Topic, history: History) -> tuple[list[Row], Wish | None]:
    """A page from the end; `skip` counts from there."""
    found = _rows(history, topic, wish, _ALL_ROWS)[::-1]
    page = found[wish.skip : wish.skip + wish.limit]
    given = wish.skip + len(page)
    return page, msgspec.structs.replace(wish, skip=given) if given < len(found) else None


def _rows(history: History, topic: Topic, wish: Wish, rows_max: int) -> list[Row]:
    """Rows of a topic by time."""
    batch = history.rows(topic, wish.from_ns, wish.to_ns, rows_max)
    rows = [{**row, "kind": block.kind} for block in batch for row in block.rows()]
    return sorted(rows, key=lambda row: (row["ts_event_ns"], row["seq"]))


def _results(rows: list[Row], topic: Topic) -> list[Past]:
    """What Massive has a word for; a page may hold less than was asked for."""
    return [past_of(row["kind"], row) for row in rows if channel_of(row["kind"], row) == topic.channel]


def _bars(match: re.Match[str], query: Mapping[str, str], history: History) -> HttpAnswer:
    """Bars of a stretch, its end inclusive: of one that was revised the last."""
    symbol, limit = unquote(match[1]), _limit(query)
    wish = Wish(
        _bar_time_ns(match[3], is_end=False), _bar_time_ns(match[4], is_end=True) + 1, is_ascending=True, limit=limit
    )
    topic = Topic(_CHANNELS[match[2]], symbol)
    rows = _rows(history, topic, wish, _ALL_ROWS)
    last = list({row["ts_event_ns"]: row for row in rows}.values())
    page = (last if query.get("sort", "asc") == "asc" else last[::-1])[:limit]
    body = {
        "ticker": symbol,
        "queryCount": len(page),
        "resultsCount": len(page),
        "adjusted": query.get("adjusted", "true") == "true",
        "results": _results(page, topic),
        "status": "OK",
        "request_id": "simulated",
        "count": len(page),
    }
    if len(page) < len(last) and query.get("sort", "asc") == "asc":
        rest = last[limit]["ts_event_ns"] // _MS
        body["next_url"] = (
            f"{_HOST}/v2/aggs/ticker/{match[1]}/range/1/{match[2]}/{rest}/{match[4]}?sort=asc&limit={limit}"
        )
    return _json(200, body)


def _snapshot(asked: str, history: History) -> dict[str, Any]:
    """The whole market, or the shares asked for. As the vendor does it a day is all zero until regular trading has begun."""
    shares = history.standing().shares(asked.split(",") if asked else None)
    return {"status": "OK", "request_id": "simulated", "count": len(shares), "tickers": list(map(_ticker, shares))}


def _ticker(share: Share) -> dict[str, Any]:
    day, trade, quote = share.day, share.trade, share.quote
    said: dict[str, Any] = {
        "ticker": share.symbol,
        "day": _day(day, day.volume, day.vwap) if day.open else _day(Day(), 0, 0.0),
        "prevDay": _day(share.before, share.before.volume, share.before.vwap),
        "updated": max(row["ts_event_ns"] for row in (trade, quote) if row),
    }
    if day.open and share.before.close:
        said["todaysChange"] = round(day.close - share.before.close, 6)
        said["todaysChangePerc"] = round((day.close / share.before.close - 1) * 100, 6)
    if trade:
        price, ts_ns = price_of(trade["price_nano"]), trade["ts_event_ns"]
        said["lastTrade"] = {
            "c": [],
            "i": str(trade["trade_id"]),
            "p": price,
            "s": trade["size_steps"],
            "t": ts_ns,
            "x": 0,
        }
        minute_ms = ts_ns // MINUTE_NS * MINUTE_NS // _MS
        said["min"] = {
            "av": day.volume,
            "c": price,
            "h": price,
            "l": price,
            "o": price,
            "v": 0,
            "vw": price,
            "t": minute_ms,
            "n": 0,
        }
    if quote:
        said["lastQuote"] = {
            "P": price_of(quote["ask_nano"]),
            "S": max(quote["ask_size_steps"], 0),
            "p": price_of(quote["bid_nano"]),
            "s": max(quote["bid_size_steps"], 0),
            "t": quote["ts_event_ns"],
        }
    return said


def _day(day: Day, volume: int, vwap: float) -> dict[str, float]:
    return {"c": day.close, "h": day.high, "l": day.low, "o": day.open, "v": volume, "vw": round(vwap, 4)}


def _bar_time_ns(text: str, *, is_end: bool) -> int:
    """Milliseconds, or a day in New York."""
    return int(text) * _MS if text.isdecimal() else _day_ns(text, is_end=is_end)


def _wish(query: Mapping[str, str]) -> Wish:
    from_ns, to_ns = 0, TS_MAX_NS
    for name, bound in _BOUNDS.items():
        if name in query:
            from_ns, to_ns = bound(query[name], from_ns, to_ns)
    return Wish(from_ns, to_ns, is_ascending=query.get("order", "desc") == "asc", limit=_limit(query))


def _limit(query: Mapping[str, str]) -> int:
    limit = int(query.get("limit", PAGE_ROWS))
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise ValueError(f"limit is {limit}; accepted are 1 to {PAGE_ROWS_MAX}")
    return limit


Bound = Callable[[str, int, int], tuple[int, int]]
_BOUNDS: Final[dict[str, Bound]] = {
    "timestamp": lambda text, *_: (_time_ns(text), _time_ns(text, is_end=True) + 1),
    "timestamp.gte": lambda text, _, to_ns: (_time_ns(text), to_ns),
    "timestamp.gt": lambda text, _, to_ns: (_time_ns(text, is_end=True) + 1, to_ns),
    "timestamp.lte": lambda text, from_ns, _: (from_ns, _time_ns(text, is_end=True) + 1),
    "timestamp.lt": lambda text, from_ns, _: (from_ns, _time_ns(text)),
}


def _time_ns(text: str, *, is_end: bool = False) -> int:
    """Nanoseconds, or the first or last one of a day in New York."""
    return int(text) if text.isdecimal() else _day_ns(text, is_end=is_end)


def _day_ns(text: str, *, is_end: bool) -> int:
    day = date.fromisoformat(text)
    wall_ns = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NANO + (
        24 * HOUR_NS if is_end else 0
    )
    return wall_ns - new_york_offset_ns(wall_ns + 5 * HOUR_NS) - is_end


def _cursor(wish: Wish) -> str:
    return urlsafe_b64encode(_encode(wish)).decode().rstrip("=")


def _of_cursor(text: str) -> Wish:
    return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Wish)


def _rules(marks: Mark) -> dict[str, bool]:
    return {
        "updates_high_low": Mark.NO_HIGH_LOW not in marks,
        "updates_open_close": Mark.NO_LAST not in marks,
        "updates_volume": Mark.NO_VOLUME not in marks,
    }


_CONDITIONS: Final = [
    {
        "id": each.number,
        "type": "sale_condition",
        "name": each.name,
        "asset_class": "stocks",
        "sip_mapping": {tape: letter for tape, letter in (("CTA", each.cta), ("UTP", each.utp)) if letter},
        "update_rules": {"consolidated": _rules(each.marks)},
        "data_types": ["trade"],
    }
    for each in CONDITIONS
]
