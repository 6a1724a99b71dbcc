"""Fields of whether and how an instrument may trade: halts, price bands, the short-sale rule. Shares have these."""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.scanner.field import SHARES, Valued, View, field_of
from pipeline.scanner.price_fields import pct
from pipeline.units import ABSENT, NANO

_STATUS: Final = "statuses"


@field_of("halted", "flag", "1: it is halted or paused", _STATUS, SHARES)
def halted(view: View) -> Valued:
    """0 as well where no status was heard: a feed that tells none says nothing."""
    return Valued(view["is_halted"].astype(np.float64), view["ts_status_ns"])


@field_of("halt_code", "code", "why it was halted last, codes.StatusReason", _STATUS, SHARES)
def halt_code(view: View) -> Valued:
    """Absent before the first halt."""
    return Valued(np.where(view["ts_halt_ns"] == ABSENT, np.nan, view["halt_reason"]), view["ts_halt_ns"])


@field_of("halt_age_s", "s", "since the latest halt began", _STATUS, SHARES)
def halt_age_s(view: View) -> Valued:
    """Absent before the first halt."""
    return _since_s(view, "ts_halt_ns")


@field_of("resume_age_s", "s", "since it traded again", _STATUS, SHARES)
def resume_age_s(view: View) -> Valued:
    """Absent while it is halted, and before the first halt."""
    found = _since_s(view, "ts_resume_ns")
    return Valued(np.where(view["is_halted"], np.nan, found.value), found.known_ns)


@field_of("halts_today", "count", "halts and pauses of today", _STATUS, SHARES)
def halts_today(view: View) -> Valued:
    """Those that were heard."""
    return Valued(view["halts"].astype(np.float64), view["ts_status_ns"])


@field_of("luld_lower", "price", "lower price band", _STATUS, SHARES)
def luld_lower(view: View) -> Valued:
    """In regular hours only."""
    return Valued(_in_regular_hours(view, "luld_lower"), view["ts_luld_ns"])


@field_of("luld_upper", "price", "upper price band", _STATUS, SHARES)
def luld_upper(view: View) -> Valued:
    """In regular hours only."""
    return Valued(_in_regular_hours(view, "luld_upper"), view["ts_luld_ns"])


@field_of("dist_luld_pct", "%", "from last to the nearer band", f"{_STATUS}; prints, bars", SHARES)
def dist_luld_pct(view: View) -> Valued:
    """0 at a band; absent outside of regular hours."""
    up, down = pct(view.of("luld_upper").value, view["last"]), -pct(view.of("luld_lower").value, view["last"])
    return Valued(np.minimum(up, down), np.maximum(view["ts_luld_ns"], view["ts_last_ns"]))


@field_of("ssr", "flag", "1: short sales are restricted", f"{_STATUS}; prints, bars; reference previous_close", SHARES)
def ssr(view: View) -> Valued:
    """As told; else by the rule: ten percent under the previous close in regular hours, for that day and the next."""
    return Valued(*view.state.is_short_sale_restricted())


def _since_s(view: View, column: str) -> Valued:
    ts_ns = view[column]
    age_s = (view.now_ns - np.where(ts_ns == ABSENT, view.now_ns, ts_ns)) / NANO
    return Valued(np.where(ts_ns == ABSENT, np.nan, age_s), ts_ns)


def _in_regular_hours(view: View, column: str) -> Numbers:
    is_regular = view.is_open & (view.now_ns < view.day("closes_ns")) & (view["ts_luld_ns"] >= view.day("opens_ns"))
    return np.where(is_regular, view[column], np.nan)


FIELDS: Final = (
    halted,
    halt_code,
    halt_age_s,
    resume_age_s,
    halts_today,
    luld_lower,
    luld_upper,
    dist_luld_pct,
    ssr,
)
