"""Reference providers: what each vendor is asked about symbols, page after page, and how its answers are read."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import pyarrow as pa

from pipeline.errors import FeedError
from pipeline.feeds.vendor import Question, Questions
from pipeline.normalize import reference_bodies as bodies
from pipeline.normalize.reference import Fact

MASSIVE_URL: Final = "https://api.massive.com"
ALPACA_TRADING_URL: Final = "https://api.alpaca.markets"
ALPACA_PAPER_URL: Final = "https://paper-api.alpaca.markets"
ALPACA_DATA_URL: Final = "https://data.alpaca.markets"
DATABENTO_URL: Final = "https://hist.databento.com"

PAGES_MAX: Final = 1_000
"""A vendor whose next page is always another one is not followed for ever."""

_SPLITS_BACK_DAYS: Final = 400
_SPLITS_AHEAD_DAYS: Final = 60
_SYMBOLS_AT_ONCE: Final = 100
_PAPER_KEY_PREFIX: Final = "PK"

Read = Callable[[bytes, int], list[Fact]]
"""An answer's body and the moment it came, as facts. Raises FeedError."""


class Inquiry(NamedTuple):
    """Something to ask, and how the answers are read."""

    about: str
    questions: Questions
    read: Read


Secrets = tuple[str, ...]
Provider = Callable[[Secrets, Iterable[str], date, str | None], Iterator[Inquiry]]
"""Inquiries about symbols: secrets, symbols, today, the address of a simulator or None."""


def massive(secrets: Secrets, symbols: Iterable[str], today: date, url: str | None) -> Iterator[Inquiry]:
    """Details, float, splits and the previous close of each symbol."""
    (key,) = secrets
    headers, base = {"Authorization": f"Bearer {key}"}, (url or MASSIVE_URL).rstrip("/")
    since = (today - timedelta(days=_SPLITS_BACK_DAYS)).isoformat()
    for symbol in symbols:
        name = quote(symbol, safe="")
        asked: tuple[tuple[str, Read], ...] = (
            (f"/v3/reference/tickers/{name}", bodies.massive_details),
            (f"/stocks/vX/float?ticker={name}", bodies.massive_floats),
            (f"/v3/reference/splits?ticker={name}&execution_date.gte={since}&limit=1000", bodies.massive_splits),
            (f"/v2/aggs/ticker/{name}/prev?adjusted=false", bodies.massive_previous),
        )
        for path, read in asked:
            yield Inquiry(f"massive {path.partition('?')[0]} {symbol}", _massive_pages(base, path, headers), read)


def alpaca(secrets: Secrets, symbols: Iterable[str], today: date, url: str | None) -> Iterator[Inquiry]:
    """The asset of each symbol, and the splits of all."""
    key, secret = secrets
    headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
    trading = url or (ALPACA_PAPER_URL if key.startswith(_PAPER_KEY_PREFIX) else ALPACA_TRADING_URL)
    names = list(symbols)
    for symbol in names:
        page = Question(f"{trading.rstrip('/')}/v2/assets/{quote(symbol, safe='')}", headers)
        yield Inquiry(f"alpaca /v2/assets {symbol}", _one(page), bodies.alpaca_asset)
    for some in _chunks(names):
        query = {
            "symbols": ",".join(some),
            "types": "forward_split,reverse_split",
            "start": (today - timedelta(days=_SPLITS_BACK_DAYS)).isoformat(),
            "end": (today + timedelta(days=_SPLITS_AHEAD_DAYS)).isoformat(),
            "limit": "1000",
        }
        address = f"{(url or ALPACA_DATA_URL).rstrip('/')}/v1/corporate-actions"
        yield Inquiry("alpaca /v1/corporate-actions", _alpaca_pages(address, query, headers), bodies.alpaca_splits)


def databento(secrets: Secrets, symbols: Iterable[str], today: date, url: str | None) -> Iterator[Inquiry]:
    """Security master and splits of all symbols; both need a subscription to Databento's reference data."""
    (key,) = secrets
    token = base64.b64encode(f"{key}:".encode()).decode()
    headers, base = {"Authorization": f"Basic {token}"}, f"{(url or DATABENTO_URL).rstrip('/')}/v0"
    for some in _chunks(list(symbols)):
        form = {"symbols": ",".join(some), "stype_in": "raw_symbol", "countries": "US", "compression": "zstd"}
        master = Question(f"{base}/security_master.get_last", headers, form)
        yield Inquiry("databento security_master", _one(master), _unpacked(bodies.databento_securities))
        since = {
            "start": (today - timedelta(days=_SPLITS_BACK_DAYS)).isoformat(),
            "end": (today + timedelta(days=_SPLITS_AHEAD_DAYS)).isoformat(),
            "index": "ex_date",
            "events": "FSPLT,RSPLT",
        }
        splits = Question(f"{base}/corporate_actions.get_range", headers, form | since)
        yield Inquiry("databento corporate_actions", _one(splits), _unpacked(bodies.databento_splits))


PROVIDERS: Final[Mapping[str, Provider]] = {"massive": massive, "alpaca": alpaca, "databento": databento}


def _one(question: Question) -> Questions:
    yield question


def _massive_pages(base: str, path: str, headers: Mapping[str, str]) -> Questions:
    """Page after page; the host of the next one is not followed: the key goes to the configured one."""
    for _ in range(PAGES_MAX):
        body = yield Question(base + path, headers)
        parts = urlsplit(_text_at(body, "next_url"))
        if not parts.path.startswith("/"):
            return
        path = f"{parts.path}?{parts.query}"


def _alpaca_pages(address: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Questions:
    page: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        body = yield Question(f"{address}?{urlencode({**query, **page})}", headers)
        token = _text_at(body, "next_page_token")
        if not token:
            return
        page = {"page_token": token}


def _text_at(body: bytes, name: str) -> str:
    """A text of an answer; '' when it has none, or can't be read, which whoever reads it whole will tell."""
    try:
        found: Any = msgspec.json.decode(body, type=dict[str, Any]).get(name)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _unpacked(read: Read) -> Read:
    def unpack_and_read(body: bytes, known_at_ns: int) -> list[Fact]:
        if body.startswith(b"\x28\xb5\x2f\xfd"):
            try:
                with pa.input_stream(pa.py_buffer(body), compression="zstd") as stream:
                    body = stream.read()
            except OSError as error:
                raise FeedError("databento", "answer", f"damaged or cut compressed data: {error}") from None
        return read(body, known_at_ns)

    return unpack_and_read


def _chunks(symbols: list[str]) -> Iterator[list[str]]:
    left = iter(symbols)
    while some := list(islice(left, _SYMBOLS_AT_ONCE)):
        yield some
