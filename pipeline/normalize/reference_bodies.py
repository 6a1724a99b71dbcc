"""Reference bodies: what Massive, Alpaca and Databento answer about instruments, as facts.

What an answer does not date is as of the moment it came. A field that is missing, null or of no use says nothing. A row
that can't be read is left out, for one odd company must not keep a day's list from being read; a body that can't is refused.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from pipeline.errors import FeedError, UnitError
from pipeline.hours import CLOSE_MINUTE, new_york_offset_ns
from pipeline.instruments import checked_symbol
from pipeline.normalize.reference import FIELDS, IPO, PREVIOUS_CLOSE, SHARES_VENUE, SPLIT_RATIO, Fact, new_york_ns
from pipeline.units import NANO, checked_ts

_KIND_BY_MASSIVE_TYPE: Final[Mapping[str, str]] = {
    "CS": "common",
    "OS": "common",
    "ADRC": "adr",
    "GDR": "adr",
    "ADRP": "preferred",
    "PFD": "preferred",
    "ETF": "etf",
    "ETN": "etf",
    "ETV": "etf",
    "ETS": "etf",
    "FUND": "fund",
    "WARRANT": "warrant",
    "ADRW": "warrant",
    "RIGHT": "right",
    "ADRR": "right",
    "UNIT": "unit",
}
_KIND_BY_DATABENTO_TYPE: Final[Mapping[str, str]] = {
    "EQS": "common",
    "DR": "adr",
    "PRF": "preferred",
    "ETF": "etf",
    "CEF": "fund",
    "MF": "fund",
    "WAR": "warrant",
    "TRT": "right",
    "UNT": "unit",
}
_MIC_BY_ALPACA_EXCHANGE: Final[Mapping[str, str]] = {
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "ARCA": "ARCX",
    "NYSEARCA": "ARCX",
    "AMEX": "XASE",
    "BATS": "BATS",
    "OTC": "OTCM",
}
_SPLITS: Final = ("FSPLT", "RSPLT")
_OTHER: Final = "other"
_CLOSE_SECOND: Final = CLOSE_MINUTE * 60

Row = Mapping[str, Any]


def massive_details(body: bytes, known_at_ns: int) -> list[Fact]:
    """`/v3/reference/tickers/{ticker}`. Raises FeedError."""
    row = _object(body, "massive").get("results")
    if not isinstance(row, dict):
        raise FeedError("massive", "tickers", "the answer has no results")
    said = _Said("massive", row.get("ticker"), known_at_ns)
    said.number("market_cap", row.get("market_cap"))
    said.number("shares_outstanding", row.get("share_class_shares_outstanding"))
    said.text("industry", row.get("sic_description"))
    said.text("exchange", row.get("primary_exchange"))
    said.kind(row.get("type"), _KIND_BY_MASSIVE_TYPE)
    said.flag("is_active", row.get("active"))
    said.text("name", row.get("name"))
    said.listed(row.get("list_date"))
    return said.facts


def massive_splits(body: bytes, known_at_ns: int) -> list[Fact]:
    """`/v3/reference/splits`, one page. Raises FeedError."""
    facts: list[Fact] = []
    for row in _rows(_object(body, "massive").get("results"), "massive"):
        said = _Said("massive", row.get("ticker"), known_at_ns)
        said.split(row.get("execution_date"), row.get("split_to"), row.get("split_from"))
        facts += said.facts
    return facts


def massive_previous(body: bytes, known_at_ns: int) -> list[Fact]:
    """`/v2/aggs/ticker/{ticker}/prev`, asked without adjusting: the close of the bar's day. Raises FeedError."""
    facts: list[Fact] = []
    for row in _rows(_object(body, "massive").get("results"), "massive"):
        said = _Said("massive", row.get("T"), known_at_ns)
        begins_ms = _number(row.get("t"))
        if begins_ms is not None and 0 < begins_ms < 4e12:
            said.number(PREVIOUS_CLOSE, row.get("c"), as_of_ns=_close_of(int(begins_ms) * 1_000_000))
        facts += said.facts
    return facts


def massive_floats(body: bytes, known_at_ns: int) -> list[Fact]:
    """`/stocks/vX/float`, one page. Raises FeedError."""
    facts: list[Fact] = []
    for row in _rows(_object(body, "massive").get("results"), "massive"):
        said = _Said("massive", row.get("ticker"), known_at_ns)
        said.number("float_shares", row.get("free_float"), as_of_ns=_day_ns(row.get("effective_date")))
        facts += said.facts
    return facts


def alpaca_asset(body: bytes, known_at_ns: int) -> list[Fact]:
    """`/v2/assets/{symbol}` of the trading API. Raises FeedError."""
    row = _object(body, "alpaca")
    said = _Said("alpaca", row.get("symbol"), known_at_ns)
    said.text("name", row.get("name"))
    said.text("exchange", _MIC_BY_ALPACA_EXCHANGE.get(str(row.get("exchange"))))
    said.flag("is_active", None if "status" not in row else row["status"] == "active")
    said.flag("shortable", row.get("shortable"))
    said.flag("easy_to_borrow", row.get("easy_to_borrow"))
    return said.facts


def alpaca_splits(body: bytes, known_at_ns: int) -> list[Fact]:
    """`/v1/corporate-actions`, one page: forward and reverse splits. Raises FeedError."""
    actions = _object(body, "alpaca").get("corporate_actions")
    if not isinstance(actions, dict):
        raise FeedError("alpaca", "corporate-actions", "the answer has no corporate_actions")
    facts: list[Fact] = []
    for name in ("forward_splits", "reverse_splits"):
        for row in _rows(actions.get(name), "alpaca"):
            said = _Said("alpaca", row.get("symbol"), known_at_ns)
            said.split(row.get("ex_date"), row.get("new_rate"), row.get("old_rate"))
            facts += said.facts
    return facts


def databento_securities(body: bytes, known_at_ns: int) -> list[Fact]:
    """`security_master.get_last`: JSON lines. Raises FeedError."""
    facts: list[Fact] = []
    for row in _lines(body):
        said = _Said("databento", row.get("symbol"), known_at_ns)
        said.number(
            "shares_outstanding", row.get("shares_outstanding"), as_of_ns=_day_ns(row.get("shares_outstanding_date"))
        )
        said.text("exchange", row.get("operating_mic"))
        said.kind(row.get("security_type"), _KIND_BY_DATABENTO_TYPE)
        said.flag("is_active", None if "listing_status" not in row else row["listing_status"] == "L")
        said.text("name", row.get("issuer_name"))
        said.text("country", row.get("incorporation_country"))
        said.listed(row.get("listing_date"))
        facts += said.facts
    return facts


def databento_splits(body: bytes, known_at_ns: int) -> list[Fact]:
    """`corporate_actions.get_range` of splits: JSON lines. Raises FeedError."""
    facts: list[Fact] = []
    for row in _lines(body):
        if row.get("event") in _SPLITS and row.get("global_status") in (None, "A"):
            said = _Said("databento", row.get("symbol"), known_at_ns)
            said.split(row.get("ex_date"), row.get("ratio_new"), row.get("ratio_old"))
            facts += said.facts
    return facts


class _Said:
    """What one row says of one symbol; nothing when the symbol is none."""

    def __init__(self, provider: str, symbol: Any, known_at_ns: int) -> None:
        self.facts: list[Fact] = []
        self._provider = provider
        self._known_at_ns = known_at_ns
        try:
            self._symbol = checked_symbol(symbol, upper=False) if isinstance(symbol, str) else ""
        except UnitError:
            self._symbol = ""

    def number(self, field: str, value: Any, *, as_of_ns: int | None = None) -> None:
        """A number above zero; anything else says nothing."""
        number = _number(value)
        if number is not None and number > 0:
            self._add(field, number, "", as_of_ns)

    def flag(self, field: str, value: Any) -> None:
        """Yes or no."""
        if isinstance(value, bool):
            self._add(field, float(value), "", None)

    def text(self, field: str, value: Any) -> None:
        """A text that is not empty."""
        if isinstance(value, str) and value.strip():
            self._add(field, math.nan, value.strip()[:200], None)

    def listed(self, day: Any) -> None:
        """The first day it traded."""
        day_ns = _day_ns(day)
        if day_ns is not None:
            self._add(IPO, math.nan, day[:10], day_ns)

    def kind(self, code: Any, kinds: Mapping[str, str]) -> None:
        """What sort of security a vendor's code is; one that is not known here is some other."""
        if isinstance(code, str) and code:
            self.text("security_type", kinds.get(code, _OTHER))

    def split(self, day: Any, new: Any, old: Any) -> None:
        """New shares for old ones on a day."""
        new_count, old_count, day_ns = _number(new), _number(old), _day_ns(day)
        if new_count is not None and old_count is not None and old_count > 0 and day_ns is not None:
            self.number(SPLIT_RATIO, new_count / old_count, as_of_ns=day_ns)

    def _add(self, field: str, value: float, text: str, as_of_ns: int | None) -> None:
        assert field in FIELDS
        if self._symbol:
            of_ns = self._known_at_ns if as_of_ns is None else as_of_ns
            self.facts.append(
                Fact(self._symbol, SHARES_VENUE, field, value, text, self._known_at_ns, of_ns, self._provider)
            )


def _number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _day_ns(text: Any) -> int | None:
    """Midnight in New York of a vendor's date; None when it is none."""
    try:
        return checked_ts(new_york_ns(date.fromisoformat(text[:10]))) if isinstance(text, str) else None
    except (ValueError, UnitError):
        return None


def _close_of(ts_ns: int) -> int:
    """16:00 of the day in New York that a moment lies in; early closes are not known here."""
    wall = datetime.fromtimestamp((ts_ns + new_york_offset_ns(ts_ns)) // NANO, UTC)
    return new_york_ns(wall.date(), _CLOSE_SECOND)


def _object(body: bytes, provider: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FeedError(provider, "answer", f"is no JSON object: {error}") from None


def _rows(rows: Any, provider: str) -> Iterator[Row]:
    """The objects of a list; none where there is no list, for an answer without a result leaves it out."""
    if rows is not None and not isinstance(rows, list):
        raise FeedError(provider, "answer", "results are no list")
    return (row for row in rows or () if isinstance(row, dict))


def _lines(body: bytes) -> Iterator[Row]:
    for number, line in enumerate(body.splitlines(), 1):
        if line.strip():
            try:
                row = msgspec.json.decode(line)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise FeedError("databento", f"line {number}", f"is no JSON: {error}") from None
            if isinstance(row, dict):
                yield row
