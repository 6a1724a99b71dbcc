"""Fields of what is told about a company and its shares: float, news, splits, kind. Dated, and used from when it was known."""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.hours import exchange_offset_ns
from pipeline.scanner.facts import NEWS, day_of
from pipeline.scanner.field import COMPANIES, SHARES, Field, Valued, View, field_of
from pipeline.units import DAY_NS, NANO


def _told(name: str, unit: str, fact: str, words: str) -> Field:
    """A field that is a fact and nothing else; shares as today's count has them."""

    def of(view: View) -> Valued:
        if unit == "shares":
            return _shares(view, fact)
        told = view.fact(fact)
        return Valued(told["value"].copy(), told["known_ns"])

    return field_of(name, unit, words, f"reference {fact}", COMPANIES if unit != "flag" else SHARES)(of)


def _text(name: str, fact: str, words: str) -> Field:
    """A field of text: its word's number, 0 when there is none."""

    def of(view: View) -> Valued:
        told = view.fact(fact)
        return Valued(np.where(told["word"] > 0, told["word"], np.nan), told["known_ns"])

    return field_of(name, "text", words, f"reference {fact}", SHARES, is_text=True)(of)


def _shares(view: View, fact: str) -> Valued:
    """Shares as today's count has them: splits since then are taken in."""
    told = view.fact(fact)
    return Valued(told["value"] * view.shares_since(day_of(told["as_of_ns"])), told["known_ns"])


@field_of("float", "shares", "shares that trade freely", "reference float_shares, split_ratio", COMPANIES)
def float_(view: View) -> Valued:
    """Providers disagree by factors: `providers` says who is believed."""
    return _shares(view, "float_shares")


@field_of(
    "float_age_days", "days", "how old that number is, by the day it describes", "reference float_shares", COMPANIES
)
def float_age_days(view: View) -> Valued:
    """Whole days."""
    return _days_since(view, "float_shares")


@field_of("float_source", "text", "who says so", "reference float_shares", COMPANIES, is_text=True)
def float_source(view: View) -> Valued:
    """The provider."""
    told = view.fact("float_shares")
    return Valued(np.where(np.isfinite(told["value"]), told["provider"], np.nan), told["known_ns"])


@field_of("shares_out", "shares", "shares outstanding", "reference shares_outstanding, split_ratio", COMPANIES)
def shares_out(view: View) -> Valued:
    """As today's count has them."""
    return _shares(view, "shares_outstanding")


@field_of("float_rotation", "times", "today's volume over the float", "prints, bars; reference float_shares", COMPANIES)
def float_rotation(view: View) -> Valued:
    """It inherits the float's error."""
    free = view.of("float")
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(free.value > 0, view.volume / free.value, np.nan)
    return Valued(value, np.maximum(view["ts_volume_ns"], free.known_ns))


@field_of(
    "mkt_cap",
    "money",
    "market capitalisation: told, else last times shares_out",
    "reference market_cap, shares_outstanding; prints, bars",
    COMPANIES,
)
def mkt_cap(view: View) -> Valued:
    """As told, by the price of then."""
    told, count = view.fact("market_cap"), view.of("shares_out")
    is_told = np.isfinite(told["value"])
    known_ns = np.where(is_told, told["known_ns"], np.maximum(count.known_ns, view["ts_last_ns"]))
    return Valued(np.where(is_told, told["value"], count.value * view["last"]), known_ns)


@field_of(
    "kind",
    "text",
    "common, etf, warrant, unit, right, preferred, adr...",
    "reference security_type; the symbol",
    SHARES,
    is_text=True,
)
def kind(view: View) -> Valued:
    """As told; else funds by their class, warrants, rights and units by how Nasdaq and NYSE spell their symbols."""
    told = view.fact("security_type")
    word = np.where(told["word"] > 0, told["word"], view["spelled_kind"])
    return Valued(np.where(word > 0, word, np.nan), told["known_ns"])


@field_of("news_count_24h", "count", "news first seen in the last 24 hours", "reference news", COMPANIES)
def news_count_24h(view: View) -> Valued:
    """By when they were seen, not by when they say they were published; absent when no news come with the session at all."""
    count = view.facts.news_since(view.now_ns - DAY_NS, view.rows)
    value = count if NEWS in view.facts.names() else np.full(view.rows, np.nan)
    return Valued(value.astype(np.float64), np.where(count > 0, view.fact(NEWS)["known_ns"], view.now_ns))


@field_of("headline_age_s", "s", "since the latest headline was first seen", "reference news", COMPANIES)
def headline_age_s(view: View) -> Valued:
    """Absent without news."""
    known_ns = view.fact(NEWS)["known_ns"]
    return Valued(np.where(known_ns > 0, (view.now_ns - known_ns.clip(0)) / NANO, np.nan), known_ns)


@field_of("days_since_split", "days", "since the latest split came in force", "reference split_ratio", COMPANIES)
def days_since_split(view: View) -> Valued:
    """Forward or reverse."""
    return _days_since(view, "split_ratio")


@field_of("days_since_rsplit", "days", "the same, of the latest reverse split", "reference split_ratio", COMPANIES)
def days_since_rsplit(view: View) -> Valued:
    """The latest of them, whatever other splits came since."""
    return _days_after(view, *view.facts.splits.latest_reverse(view.rows))


@field_of("days_since_ipo", "days", "since the first day it traded", "reference ipo", COMPANIES)
def days_since_ipo(view: View) -> Valued:
    """`as_of` is that day."""
    return _days_since(view, "ipo")


@field_of("atr14", "price", "average true range of 14 days", "reference atr14; daily bars; the session's own days")
def atr14(view: View) -> Valued:
    """Wilder's; over fewer days a plain average, absent without any. As today's shares have it."""
    told = view.fact("atr14")
    is_told = np.isfinite(told["value"])
    day = np.where(is_told, day_of(told["as_of_ns"]), view["done_day"])
    value = np.where(is_told, told["value"], view["atr"]) / view.shares_since(day)
    return Valued(value, np.where(is_told, told["known_ns"], view["ts_done_ns"]))


@field_of(
    "atr_pct", "%", "atr14 of the previous close", "reference atr14, previous_close; daily bars; the session's own days"
)
def atr_pct(view: View) -> Valued:
    """Absent without a previous close."""
    reach, close = view.of("atr14"), view.of("prev_close")
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(close.value > 0, reach.value / close.value * 100.0, np.nan)
    return Valued(value, np.maximum(reach.known_ns, close.known_ns))


def _days_since(view: View, fact: str) -> Valued:
    told = view.fact(fact)
    return _days_after(view, day_of(told["as_of_ns"]), told["known_ns"])


def _days_after(view: View, day: Numbers, known_ns: Numbers) -> Valued:
    local = np.array([(view.now_ns + exchange_offset_ns(calendar, view.now_ns)) // DAY_NS for calendar in range(3)])
    return Valued(np.where(day >= 0, local[view["calendar"]] - day, np.nan), known_ns)


FIELDS: Final = (
    float_,
    float_age_days,
    float_source,
    shares_out,
    float_rotation,
    mkt_cap,
    kind,
    _text("sector", "sector", "sector of the economy"),
    _text("industry", "industry", "industry within it"),
    _text("exchange", "exchange", "exchange it is listed on"),
    _text("country", "country", "country of the company"),
    _text("tier", "tier", "tier of the limit up-limit down plan"),
    _text("last_headline", NEWS, "the latest headline"),
    _text("catalyst", "catalyst", "what moves it, in a word: offering, earnings, fda..."),
    news_count_24h,
    headline_age_s,
    _told("short_interest", "shares", "short_interest", "shares sold short, twice a month"),
    _told("days_to_cover", "days", "days_to_cover", "short interest over average daily volume"),
    _told("short_volume", "shares", "short_volume", "volume sold short on its latest day"),
    _told("easy_to_borrow", "flag", "easy_to_borrow", "1: the broker lends it without a locate"),
    _told("shortable", "flag", "shortable", "1: it can be sold short"),
    _told("locate_fee", "money/share", "locate_fee", "what a locate costs"),
    _told("prior_runner", "flag", "prior_runner", "1: it ran before"),
    days_since_split,
    days_since_rsplit,
    days_since_ipo,
    atr14,
    atr_pct,
)
