"""Fields of volume: the day's, the premarket's, relative to what is usual, and how fast the tape runs.

Relative volume is held against this time of other days, never against a whole day: before the open that is nearly
nothing, so the average has a floor and the ratio a cap.
"""

import re
from itertools import pairwise
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.scanner.facts import day_of
from pipeline.scanner.field import SHARES, Field, Valued, View, field_of
from pipeline.scanner.price_fields import window
from pipeline.units import ABSENT, MINUTE_NS, NANO

_TRADES: Final = "prints, bars, snapshots"
_USUAL: Final = "prints, bars; the session's own days, or reference mean_volume_by:0800 and the like"
_ADV: Final = "reference average_daily_volume; daily bars; the session's own days"
_REGULAR_MINUTES: Final = 390
USUAL_FACT: Final = re.compile(r"mean_volume_by:([01]\d|2[0-3])([0-5]\d)")
"""The mean volume of other days from their beginning to this time by the exchange's clocks."""

NEEDS_PROFILE: Final = frozenset({"rvol_tod", "rvol_1m", "rvol_5m"})


@field_of("volume", "size", "today's volume, premarket included", _TRADES)
def volume(view: View) -> Valued:
    """In shares, contracts or coins; 0 before the first trade."""
    return Valued(view.volume, view["ts_volume_ns"])


@field_of("dollar_vol", "money", "price times size of today's trades", _TRADES)
def dollar_vol(view: View) -> Valued:
    """In the quote currency."""
    return Valued(view["total_dollars"] - view["base_dollars"], view["ts_volume_ns"])


@field_of("trades", "count", "today's trades", _TRADES)
def trades(view: View) -> Valued:
    """Absent where bars don't count them."""
    return Valued(_counted(view, view["total_trades"] - view["base_trades"]), view["ts_volume_ns"])


@field_of("vwap", "price", "volume-weighted average price of today", _TRADES)
def vwap(view: View) -> Valued:
    """Of a bar without one, the mean of its high, low and close."""
    return Valued(_average(view, view["total_dollars"] - view["base_dollars"], view.volume), view["ts_volume_ns"])


@field_of("pm_volume", "size", "volume from 4:00 to 9:30", _TRADES, SHARES)
def pm_volume(view: View) -> Valued:
    """Summed here: vendors' daily figures are zero then, or have it mixed with the day's."""
    return Valued(view["pm_steps"] * view["step_size"], view["ts_pm_ns"])


@field_of("pm_dollar_vol", "money", "price times size from 4:00 to 9:30", _TRADES, SHARES)
def pm_dollar_vol(view: View) -> Valued:
    """In the quote currency."""
    return Valued(view["pm_dollars"].copy(), view["ts_pm_ns"])


@field_of("pm_trades", "count", "trades from 4:00 to 9:30", _TRADES, SHARES)
def pm_trades(view: View) -> Valued:
    """Absent where bars don't count them."""
    return Valued(_counted(view, view["pm_trades"]), view["ts_pm_ns"])


@field_of("pm_vwap", "price", "volume-weighted average price from 4:00 to 9:30", _TRADES, SHARES)
def pm_vwap(view: View) -> Valued:
    """It stays what it was at 9:30."""
    return Valued(_average(view, view["pm_dollars"], view["pm_steps"] * view["step_size"]), view["ts_pm_ns"])


@field_of("adv", "size", "average daily volume", _ADV)
def adv(view: View) -> Valued:
    """As today's shares count it: splits since are taken in."""
    told = view.fact("average_daily_volume")
    is_told = np.isfinite(told["value"])
    day = np.where(is_told, day_of(told["as_of_ns"]), view["done_day"])
    value = np.where(is_told, told["value"], view["adv"])
    known_ns = np.where(is_told, told["known_ns"], view["ts_done_ns"])
    return Valued(value * view.shares_since(day), known_ns)


@field_of("vol_pct_adv", "%", "today's volume of the average daily volume", f"{_TRADES}; {_ADV}")
def vol_pct_adv(view: View) -> Valued:
    """What a premarket is gated by: it means the same at any time."""
    average = view.of("adv")
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(average.value > 0, view.volume / average.value * 100.0, np.nan)
    return Valued(value, np.maximum(view["ts_volume_ns"], average.known_ns))


@field_of("rvol_tod", "times", "today's volume over what is usual by this time of day", _USUAL)
def rvol_tod(view: View) -> Valued:
    """Absent under `rvol_volume_min`; the usual is no smaller than `rvol_floor`, the ratio no larger than `rvol_cap`."""
    usual, known_ns = _usual(view, view.now_ns)
    return Valued(_relative(view, view.volume, usual, 1.0), np.maximum(view["ts_volume_ns"], known_ns))


def _recent(view: View, minutes: int) -> Valued:
    """Volume of the last minutes over that of the same minutes of other days, else over their share of the average day."""
    found = window(view, minutes * MINUTE_NS)
    if found is None:
        return Valued(np.full(view.rows, np.nan), view.known_never)
    usual, known_ns = _usual(view, view.now_ns)
    before, _ = _usual(view, view.now_ns - minutes * MINUTE_NS)
    average = view.of("adv")
    share = average.value * minutes / _REGULAR_MINUTES
    typical = np.where(np.isfinite(usual - before), usual - before, share)
    known_ns = np.where(np.isfinite(usual - before), known_ns, average.known_ns)
    value = _relative(view, found[1], typical, minutes / _REGULAR_MINUTES)
    return Valued(value, np.maximum(view["ts_volume_ns"], known_ns))


def _recent_field(name: str, minutes: int, words: str) -> Field:
    made = field_of(name, "times", f"volume of the last {words} over what is usual then", f"{_USUAL}; {_ADV}")
    return made(lambda view: _recent(view, minutes))


rvol_1m: Final = _recent_field("rvol_1m", 1, "minute")
rvol_5m: Final = _recent_field("rvol_5m", 5, "five minutes")


def _window_field(name: str, unit: str, minutes: int, words: str, place: int) -> Field:
    made = field_of(name, unit, words, _TRADES)

    def of(view: View) -> Valued:
        found = window(view, minutes * MINUTE_NS)
        value = view.known_never * np.nan if found is None else found[place]
        return Valued(value, view["ts_volume_ns"])

    return made(of)


WINDOWS: Final = (
    _window_field("volume_1m", "size", 1, "volume of the last minute", 1),
    _window_field("volume_5m", "size", 5, "volume of the last five minutes", 1),
    _window_field("dollar_vol_5m", "money", 5, "price times size of the last five minutes", 3),
    _window_field("volume_24h", "size", 1_440, "volume of the last 24 hours", 1),
    _window_field("dollar_vol_24h", "money", 1_440, "price times size of the last 24 hours", 3),
)


@field_of("trades_per_s", "1/s", "trades a second over the last minute", _TRADES)
def trades_per_s(view: View) -> Valued:
    """Absent where bars don't count them, and in the first minute of a session."""
    found = window(view, MINUTE_NS)
    count = np.full(view.rows, np.nan) if found is None else _counted(view, found[2]) / 60.0
    return Valued(count, view["ts_volume_ns"])


@field_of("tape_age_s", "s", "since the latest trade, by its event time", _TRADES)
def tape_age_s(view: View) -> Valued:
    """0 when the venue's clock is ahead of ours."""
    return Valued(_age_s(view, view["ts_trade_ns"]), view["ts_volume_ns"])


@field_of("quote_age_s", "s", "since the quote in force was received", "quotes, snapshots")
def quote_age_s(view: View) -> Valued:
    """A quiet name has an old quote; a mute feed as well: see the `feed` events."""
    return Valued(_age_s(view, view["ts_quote_ns"]), view["ts_quote_ns"])


def _age_s(view: View, ts_ns: Numbers) -> Numbers:
    age_ns = np.where(ts_ns == ABSENT, 0, view.now_ns - np.where(ts_ns == ABSENT, 0, ts_ns))
    return np.where(ts_ns == ABSENT, np.nan, np.maximum(age_ns, 0) / NANO)


def _counted(view: View, count: Numbers) -> Numbers:
    return np.where(view["is_untold"], np.nan, count)


def _average(view: View, dollars: Numbers, size: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, dollars / (size * view["multiplier"]), np.nan)


def _relative(view: View, size: Numbers, usual: Numbers, share: float) -> Numbers:
    measures = view.measures
    floored = np.maximum(usual, measures.rvol_floor * share)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.minimum(np.where(floored > 0, size / floored, measures.rvol_cap * (size > 0)), measures.rvol_cap)
    is_absent = np.isnan(usual) | (view.volume < measures.rvol_volume_min)
    return np.where(is_absent, np.nan, ratio)


def _usual(view: View, ts_ns: int) -> tuple[Numbers, Numbers]:
    """(n,) usual volume by a moment of today, from the session's own days, else as told; and when that was known."""
    profile = view.state.profile
    own = np.full(view.rows, np.nan)
    if profile is not None:
        own = profile.at(view.state.days, view["calendar"], ts_ns)
        own = own * view.shares_since(profile.last_day[view["calendar"]])
    told, known_ns = _told(view, ts_ns)
    is_own = np.isfinite(own)
    return np.where(is_own, own, told), np.where(is_own, view["ts_done_ns"], known_ns)


def _told(view: View, ts_ns: int) -> tuple[Numbers, Numbers]:
    """By the two told times around this one, in proportion; nothing is usual before the first of them."""
    times = sorted(
        (int(match[1]) * 60 + int(match[2]), name)
        for name in view.facts.names()
        if (match := USUAL_FACT.fullmatch(name))
    )
    usual, known_ns = np.full(view.rows, np.nan), view.known_never
    minute = (ts_ns - view.day("starts_ns")) / MINUTE_NS
    for (low, first), (high, second) in pairwise(times):
        here, there = view.fact(first), view.fact(second)
        inside = (minute >= low) & (minute < high)
        before, behind = (each["value"] * view.shares_since(day_of(each["as_of_ns"])) for each in (here, there))
        between = before + (behind - before) * ((minute - low) / (high - low))
        usual = np.where(inside, between, usual)
        known_ns = np.where(inside, np.maximum(here["known_ns"], there["known_ns"]), known_ns)
    return usual, known_ns


FIELDS: Final = (
    volume, dollar_vol, trades, vwap, pm_volume, pm_dollar_vol, pm_trades, pm_vwap, adv, vol_pct_adv, rvol_tod, rvol_1m,
    rvol_5m, *WINDOWS, trades_per_s, tape_age_s, quote_age_s,
)  # fmt: skip
