"""Statistics over sessions and runs by name: whose trades count, what they are held against, and other costs after the fact."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec
import numpy as np

from pipeline.core.settings import EngineSettings
from pipeline.errors import ConfigError, NotFoundError
from pipeline.hours import Calendar, days_at, exchange_offset_ns
from pipeline.log.manifest import Manifest
from pipeline.log.store import Store
from pipeline.reports.breakdowns import Breakdown, breakdown
from pipeline.reports.charges import Terms
from pipeline.reports.daily import YEAR_DAYS, YEAR_DAYS_ALWAYS
from pipeline.reports.gathering import Gathered, gathered, session_of
from pipeline.reports.repricing import Repriced, repriced
from pipeline.reports.resampling import Bootstrap
from pipeline.reports.slippage import Slippage, own_costs_bps
from pipeline.reports.summary import Summary, Watched, summary
from pipeline.reports.trades import days_since_1970
from pipeline.run.trading_days import ALWAYS, FUTURES, SHARES, trading_days
from pipeline.units import DAY_NS

_DAYS_OF: Final[Mapping[Calendar, str]] = {
    Calendar.ALWAYS: ALWAYS,
    Calendar.SHARES: SHARES,
    Calendar.FUTURES: FUTURES,
}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked."""

    by: tuple[str, ...] = ()
    """Breakdowns, by the words of `reports.bands`."""
    slippage: Slippage | None = None
    terms: Terms | None = None
    capital: float | None = None
    """None: what the account of the first log was worth as it began."""
    bootstrap: Bootstrap = Bootstrap()
    is_by_day: bool = False
    """Intervals draw whole days, not trades."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the trades came to."""

    over: tuple[str, ...]
    still_open: int
    """Trades that are left out since they are open."""
    slippage: float
    """What a model of slippage took; 0 without one. Quote currency, as all money."""
    fees: float
    """By how much other terms made fees higher."""
    unknown: int
    """Fills of which a model of slippage had nothing to say."""
    summary: Summary
    breakdowns: tuple[Breakdown, ...]


def statistics(store: Store, names: Sequence[str], question: Question) -> Answer:
    """Everything that can be said of the trades of these sessions and runs.

    Raises NotFoundError for a name that names nothing, ConfigError when trades would be counted twice or nobody decided
    anything, CorruptError for a damaged log.
    """
    logs = chosen(store, names)
    is_repriced = question.slippage is not None or question.terms is not None
    return answered(store, logs, gathered(store.home, logs, has_executions=is_repriced), question)


def answered(store: Store, logs: Sequence[Manifest], found: Gathered, question: Question) -> Answer:
    """The same of what was gathered of these logs already."""
    told = _repriced(store, found, question)
    watched = _watched(store, logs, found, question.capital)
    return Answer(
        over=tuple(log.id for log in logs),
        still_open=found.still_open,
        slippage=told.slippage,
        fees=told.fees,
        unknown=told.unknown,
        summary=summary(told.trades, watched, question.bootstrap, is_by_day=question.is_by_day),
        breakdowns=tuple(
            breakdown(told.trades, by, question.bootstrap, is_by_day=question.is_by_day) for by in question.by
        ),
    )


def chosen(store: Store, names: Sequence[str]) -> list[Manifest]:
    """The logs that are meant, oldest first and each once; of sessions those in which strategies decided.

    Raises ConfigError when none has a strategy, and when two of one session have the same: its trades would count twice.
    """
    found = {manifest.id: manifest for name in names for manifest in store.find(name)}
    deciding = sorted(
        (each for each in found.values() if each.strategies), key=lambda each: (each.first_ts_ns, each.id)
    )
    if not found:
        raise NotFoundError(f"there is no session in {store.home}")
    if not deciding:
        runs = [run.id for run in store.runs() if set(run.parents) & set(found)]
        hint = f"; its runs are {', '.join(runs)}" if runs else "; `tape replay` makes a run of it"
        raise ConfigError(f"nobody decided anything in {', '.join(found)}{hint}")
    seen: dict[tuple[str, str], str] = {}
    for log in deciding:
        for strategy in log.strategies:
            before = seen.setdefault((session_of(log), strategy.name), log.id)
            if before != log.id:
                raise ConfigError(
                    f"{strategy.name} would count twice: {before} and {log.id} are of one session; name one of them"
                )
    return deciding


def _repriced(store: Store, found: Gathered, question: Question) -> Repriced:
    if found.executions is None:
        return Repriced(found.trades, 0.0, 0.0, 0)
    costs = np.array([])
    if question.slippage is not None and question.slippage.kind == "own":
        own = found.executions
        if question.slippage.log:
            logs = chosen(store, [question.slippage.log])
            own = gathered(store.home, logs, has_executions=True).executions or own
        costs = own_costs_bps(own)
    return repriced(
        found.trades,
        found.executions,
        slippage=question.slippage,
        terms=question.terms,
        costs_bps=costs,
        seed=question.bootstrap.seed,
    )


def _watched(store: Store, logs: Sequence[Manifest], found: Gathered, capital: float | None) -> Watched:
    """From the first to the last input of each session, or to where its run stopped; the trading days in between.

    Where instruments keep different hours, every day of UTC is one.
    """
    there = {manifest.id: manifest for manifest in store.sessions()}
    stretches = [_stretch(log, there.get(session_of(log), log)) for log in logs]
    calendar = next(iter(found.calendars)) if len(found.calendars) == 1 else Calendar.ALWAYS
    days: set[date] = set()
    for from_ns, until_ns in stretches:
        days.update(trading_days(_date(from_ns, calendar), _date(until_ns, calendar), _DAYS_OF[calendar]))
    return Watched(
        np.array([from_ns for from_ns, _ in stretches], dtype=np.int64),
        np.array([until_ns for _, until_ns in stretches], dtype=np.int64),
        days_since_1970(days),
        capital if capital is not None else _began_with(logs[0], found),
        YEAR_DAYS_ALWAYS if calendar == Calendar.ALWAYS else YEAR_DAYS,
    )


def _stretch(log: Manifest, session: Manifest) -> tuple[int, int]:
    is_whole = log.what == "session" or log.settings.get("to_seq") in (None, session.last_seq)
    return session.first_ts_ns, session.last_ts_ns if is_whole else max(log.last_ts_ns, session.first_ts_ns)


def _date(ts_ns: int, calendar: Calendar) -> date:
    """The trading day of a moment: it is named after the day on which it ends."""
    last_ns = days_at(calendar, ts_ns, 1).until_ns - 1
    return date(1970, 1, 1) + timedelta((last_ns + exchange_offset_ns(calendar, last_ns)) // DAY_NS)


def _began_with(log: Manifest, found: Gathered) -> float:
    """What its account was worth: of one that goes on from another, or is a broker's, as that left it; else its settings' cash."""
    if found.began_with is not None and found.began_with > 0.0:
        return found.began_with
    plan = log.settings.get("plan")
    said = plan.get("settings", {}) if isinstance(plan, dict) else {}
    return float(said.get("cash", EngineSettings().cash))
