"""Pages of Alpaca's REST history as the events of its stream: `/v2/stocks/AAPL/trades`, and quotes and bars alike."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from pipeline.normalize.alpaca_words import UNREADABLE, Bar, DailyBar, Quote, Trade, Unread
from pipeline.ports import Answer, Channel

Rows = list[Raw] | dict[str, list[Raw] | None] | None
"""Of one symbol, or by symbol."""


class Page(Struct):
    """A page whose rows are not looked at yet; `message` is what the server says instead."""

    trades: Rows = None
    quotes: Rows = None
    bars: Rows = None
    next_page_token: str | None = None
    message: str = ""


_PAGE: Final = msgspec.json.Decoder(Page)
_ROWS: Final[dict[Channel, tuple[str, Callable[[Any], Any]]]] = {
    Channel.PRINTS: ("trades", msgspec.json.Decoder(Trade[str]).decode),
    Channel.QUOTES: ("quotes", msgspec.json.Decoder(Quote[str]).decode),
    Channel.BARS_1M: ("bars", msgspec.json.Decoder(Bar[str]).decode),
    Channel.BARS_1D: ("bars", msgspec.json.Decoder(Bar[str]).decode),
}


def next_page(body: bytes) -> str | None:
    """What asks for the next page, None behind the last one. Raises one of UNREADABLE."""
    return _PAGE.decode(body).next_page_token


def events_of_page(answer: Answer) -> Iterable[Any]:
    """The events of a page, Unread in the places of those that can't be read."""
    channel, symbol = answer.topic
    if channel not in _ROWS:
        return [Unread(f"history of {channel}: there is none")]
    name, read = _ROWS[channel]
    try:
        page = _PAGE.decode(answer.payload)
    except UNREADABLE as error:
        return [Unread(f"a page of {name} of {symbol[:20]} can't be read: {error}")]
    if page.message:
        return [Unread(f"the venue says: {page.message}")]
    rows: Rows = getattr(page, name)
    by_symbol = rows if isinstance(rows, dict) else {symbol: rows}
    return [_event(row, read, channel, owner, name) for owner, parts in by_symbol.items() for row in parts or ()]


def _event(row: Raw, read: Callable[[Any], Any], channel: Channel, symbol: str, name: str) -> Any:
    try:
        event = read(row)
    except UNREADABLE as error:
        return Unread(f"history, {name} of {symbol[:20]}: {error}")
    event.S = symbol
    return DailyBar(*astuple(event)) if channel is Channel.BARS_1D else event
