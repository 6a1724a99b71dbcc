"""Fields of prices: quotes, the gap, changes, highs and lows. Percent is a hundredth: 4 is four percent."""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.scanner.field import CLOSING, SHARES, Field, Valued, View, field_of
from pipeline.scanner.history import previous_close
from pipeline.units import HOUR_NS, MINUTE_NS

_QUOTES: Final = "quotes, snapshots"
_TRADES: Final = "prints, bars, snapshots"
_CLOSES: Final = "reference previous_close, split_ratio; daily bars; the session's own days; snapshots"


def pct(now: Numbers, before: Numbers) -> Numbers:
    """How far it is from before to now, in percent."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change: Numbers = np.where(before > 0, (now / before - 1.0) * 100.0, np.nan)
    return change


@field_of("last", "price", "price of the latest trade that may move it, by event time", _TRADES)
def last(view: View) -> Valued:
    """As of the latest event time: a print that comes late moves nothing."""
    return Valued(view["last"], view["ts_last_ns"])


@field_of("bid", "price", "best bid", _QUOTES)
def bid(view: View) -> Valued:
    """Of the quote in force."""
    return Valued(view["bid"], view["ts_quote_ns"])


@field_of("ask", "price", "best offer", _QUOTES)
def ask(view: View) -> Valued:
    """Of the quote in force."""
    return Valued(view["ask"], view["ts_quote_ns"])


@field_of("bid_size", "size", "size displayed at the bid", _QUOTES)
def bid_size(view: View) -> Valued:
    """In shares, contracts or coins."""
    return Valued(view["bid_size"], view["ts_quote_ns"])


@field_of("ask_size", "size", "size displayed at the offer", _QUOTES)
def ask_size(view: View) -> Valued:
    """In shares, contracts or coins."""
    return Valued(view["ask_size"], view["ts_quote_ns"])


@field_of("spread", "price", "offer less bid", _QUOTES)
def spread(view: View) -> Valued:
    """Of one venue or of several, as the feed has it."""
    return Valued(view["ask"] - view["bid"], view["ts_quote_ns"])


@field_of("spread_pct", "%", "the same over the middle", _QUOTES)
def spread_pct(view: View) -> Valued:
    """Absent without both sides."""
    middle = (view["ask"] + view["bid"]) * 0.5
    return Valued(np.where(middle > 0, (view["ask"] - view["bid"]) / middle * 100.0, np.nan), view["ts_quote_ns"])


@field_of("prev_close", "price", "close before today, as today's shares count it", _CLOSES)
def prev_close(view: View) -> Valued:
    """Divided by the ratio of a split since; else the morning of a reverse split is a gap of 1000 %."""
    return Valued(*previous_close(view.state.columns, view.facts, view.state.days))


@field_of("change_pct", "%", "last against the previous close, at any time of day", f"{_TRADES}; {_CLOSES}")
def change_pct(view: View) -> Valued:
    """What markets that never close have in place of a gap."""
    return _against(view.of("last"), view.of("prev_close"))


@field_of(
    "gap_pct",
    "%",
    "before the open last, from the open on the open, against the previous close",
    f"{_TRADES}; {_CLOSES}",
    CLOSING,
)
def gap_pct(view: View) -> Valued:
    """Until the regular session has its first trade the gap is the one in the making: see `gap_basis`."""
    opened = np.isfinite(view["rth_open"])
    price = np.where(opened, view["rth_open"], view["last"])
    known_ns = np.where(opened, view["ts_open_known_ns"], view["ts_last_ns"])
    return _against(Valued(price, known_ns), view.of("prev_close"))


@field_of("gap_basis", "code", "what gap_pct is of: 1 the last price, 2 the open", _TRADES, CLOSING)
def gap_basis(view: View) -> Valued:
    """Stored beside the gap, since the definition changes in the middle of the day."""
    opened = np.isfinite(view["rth_open"])
    known_ns = np.where(opened, view["ts_open_known_ns"], view["ts_last_ns"])
    return Valued(np.where(opened, 2.0, np.where(np.isfinite(view["last"]), 1.0, np.nan)), known_ns)


@field_of("open", "price", "first trade of the regular session", _TRADES, CLOSING)
def open_(view: View) -> Valued:
    """Absent before it."""
    return Valued(view["rth_open"], view["ts_open_known_ns"])


@field_of("chg_from_open_pct", "%", "last against the open", _TRADES, CLOSING)
def chg_from_open_pct(view: View) -> Valued:
    """Absent before the open."""
    return Valued(pct(view["last"], view["rth_open"]), np.maximum(view["ts_last_ns"], view["ts_open_known_ns"]))


def window(view: View, length_ns: int) -> "tuple[Numbers, Numbers, Numbers, Numbers] | None":
    """Last price before a stretch that ends now; volume, trades and dollars in it. None when it is not remembered that far back.

    A stretch begins at a whole step at or before the moment: 10 s up to five minutes, a minute up to an hour, 15 min a day.
    """
    name = "short" if length_ns <= 5 * MINUTE_NS else "long" if length_ns <= HOUR_NS else "day"
    then = view.state.rings[name].at(view.now_ns - length_ns, view.rows)
    if then is None:
        return None
    steps = (view["total_steps"] - then["total_steps"]) * view["step_size"]
    return (
        then["last"],
        steps,
        view["total_trades"] - then["total_trades"],
        view["total_dollars"] - then["total_dollars"],
    )


def _change(view: View, length_ns: int) -> Valued:
    """A thin tape has no change: it needs some trades in the window, or any volume where nobody counts trades."""
    found = window(view, length_ns)
    if found is None:
        return Valued(np.full(view.rows, np.nan), view.known_never)
    before, volume, trades, _ = found
    is_thick = np.where(view["is_untold"], volume > 0, trades >= view.measures.trades_min)
    return Valued(np.where(is_thick, pct(view["last"], before), np.nan), view["ts_last_ns"])


def _change_field(name: str, words: str, length_ns: int) -> Field:
    made = field_of(name, "%", f"last against what it was {words} ago", _TRADES)
    return made(lambda view: _change(view, length_ns))


CHANGES: Final = tuple(
    _change_field(name, words, minutes * MINUTE_NS)
    for name, words, minutes in (
        ("chg_1m_pct", "a minute", 1),
        ("chg_5m_pct", "five minutes", 5),
        ("chg_15m_pct", "15 minutes", 15),
        ("chg_30m_pct", "30 minutes", 30),
        ("chg_60m_pct", "an hour", 60),
        ("chg_24h_pct", "24 hours", 1_440),
    )
)


@field_of("hod", "price", "high of the day, premarket and after hours included", _TRADES)
def hod(view: View) -> Valued:
    """Of prints that may move highs."""
    return Valued(view["high"], view["ts_high_ns"])


@field_of("lod", "price", "low of the day, premarket and after hours included", _TRADES)
def lod(view: View) -> Valued:
    """Of prints that may move lows."""
    return Valued(view["low"], view["ts_range_ns"])


@field_of("rth_high", "price", "high of the regular session alone", _TRADES, CLOSING)
def rth_high(view: View) -> Valued:
    """The other high of the day."""
    return Valued(view["rth_high"], view["ts_range_ns"])


@field_of("rth_low", "price", "low of the regular session alone", _TRADES, CLOSING)
def rth_low(view: View) -> Valued:
    """The other low of the day."""
    return Valued(view["rth_low"], view["ts_range_ns"])


@field_of("dist_hod_pct", "%", "last against hod: 0 at the high, below it negative", _TRADES)
def dist_hod_pct(view: View) -> Valued:
    """Of the whole day's high."""
    return Valued(pct(view["last"], view["high"]), np.maximum(view["ts_last_ns"], view["ts_high_ns"]))


@field_of("dist_rth_high_pct", "%", "last against rth_high", _TRADES, CLOSING)
def dist_rth_high_pct(view: View) -> Valued:
    """Of the regular session's high."""
    return Valued(pct(view["last"], view["rth_high"]), np.maximum(view["ts_last_ns"], view["ts_range_ns"]))


@field_of("new_high", "flag", "1: hod rose since the last evaluation", _TRADES)
def new_high(view: View) -> Valued:
    """The first high of a day is one."""
    rose = np.isfinite(view["high"]) & ~(view["high"] <= view["high_looked"])
    return Valued(np.where(np.isfinite(view["high"]), rose.astype(np.float64), np.nan), view["ts_high_ns"])


@field_of("pm_high", "price", "high from 4:00 to 9:30", _TRADES, SHARES)
def pm_high(view: View) -> Valued:
    """It stays what it was at 9:30."""
    return Valued(view["pm_high"], view["ts_pm_ns"])


@field_of("pm_low", "price", "low from 4:00 to 9:30", _TRADES, SHARES)
def pm_low(view: View) -> Valued:
    """It stays what it was at 9:30."""
    return Valued(view["pm_low"], view["ts_pm_ns"])


@field_of("dist_pm_high_pct", "%", "last against pm_high", _TRADES, SHARES)
def dist_pm_high_pct(view: View) -> Valued:
    """Above it positive."""
    return Valued(pct(view["last"], view["pm_high"]), np.maximum(view["ts_last_ns"], view["ts_pm_ns"]))


def _against(price: Valued, before: Valued) -> Valued:
    return Valued(pct(price.value, before.value), np.maximum(price.known_ns, before.known_ns))


FIELDS: Final = (
    last, bid, ask, bid_size, ask_size, spread, spread_pct, prev_close, change_pct, gap_pct, gap_basis, open_,
    chg_from_open_pct, *CHANGES, hod, lod, rth_high, rth_low, dist_hod_pct, dist_rth_high_pct, new_high,
    pm_high, pm_low, dist_pm_high_pct,
)  # fmt: skip
