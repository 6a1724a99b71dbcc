"""Wanting: what a person asks for of a vendor's history, as symbols of days with the moments between which they are wanted."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from pipeline.errors import ConfigError, UnitError
from pipeline.instruments import checked_symbol
from pipeline.log.store import Store
from pipeline.normalize.reference_tables import moment_of
from pipeline.run.picking import days_of, picked
from pipeline.run.purchasing import Wanted
from pipeline.run.trading_days import ALWAYS, SHARES, day_ns, day_of, parts_of_day, trading_days

_FUTURES: Final = ("GLBX", "IFEU", "IFUS", "IFLL", "NDEX", "XEUR", "XEEE", "XCBF")
"""How datasets of futures begin; their days are those of UTC. All others are of American shares."""

_DAY_CHARS: Final = len("2026-11-20")


def calendar_of(dataset: str) -> str:
    """By whose days a dataset is asked for."""
    return ALWAYS if dataset.startswith(_FUTURES) else SHARES


def wanted_of_scans(store: Store, days: str, dataset: str, names: Collection[str] = ()) -> list[Wanted]:
    """What was picked on a day or on each of a range, by lists and scanners of these names or by all; from premarket until after hours.

    Raises ConfigError when nothing was.
    """
    first, last = days_of(days)
    found = picked(store, first, last, names=names)
    if not found:
        raise ConfigError(
            f"--from-scan {days}: nothing was picked then; `tape import FILE --as candidates` brings lists in"
        )
    wanted = [each for day, symbols in found.items() for each in _of_day(day, symbols, calendar_of(dataset))]
    if not wanted:
        raise ConfigError(f"--from-scan {days}: the market was closed on {', '.join(map(str, found))}")
    return wanted


def wanted_of_symbols(symbols: Iterable[str], start: str, end: str, dataset: str) -> list[Wanted]:
    """These symbols on each trading day from the first to the last, both included; or between two moments, the end exclusive.

    Raises ConfigError.
    """
    names = [_symbol(text) for text in symbols if text.strip()]
    calendar = calendar_of(dataset)
    if not names:
        raise ConfigError("--symbols: name at least one")
    if (len(start) == _DAY_CHARS) != (len(end) == _DAY_CHARS):
        raise ConfigError(f"--start {start} --end {end}: write two days, or two moments")
    wanted = list(
        _days(names, start, end, calendar) if len(start) == _DAY_CHARS else _moments(names, start, end, calendar)
    )
    if not wanted:
        raise ConfigError(f"--start {start} --end {end}: there is no trading day between them")
    return wanted


def _days(names: list[str], start: str, end: str, calendar: str) -> Iterator[Wanted]:
    first, last = days_of(f"{start}..{end}")
    for day in trading_days(first, last, calendar):
        yield from _of_day(day, names, calendar)


def _of_day(day: date, symbols: Iterable[str], calendar: str) -> Iterator[Wanted]:
    if parts := parts_of_day(day, calendar):
        yield Wanted(day.isoformat(), tuple(sorted(set(symbols))), parts[0].from_ns, parts[-1].until_ns)


def _moments(names: list[str], start: str, end: str, calendar: str) -> Iterator[Wanted]:
    """The stretch, cut where days begin."""
    try:
        from_ns, until_ns = moment_of(start), moment_of(end)
    except UnitError as error:
        raise ConfigError(f"--start, --end: {error}") from None
    day = day_of(from_ns, calendar)
    while from_ns < until_ns:
        next_ns = day_ns(day + timedelta(days=1), calendar)
        yield Wanted(day.isoformat(), tuple(sorted(set(names))), from_ns, min(next_ns, until_ns))
        day, from_ns = day + timedelta(days=1), next_ns


def _symbol(text: str) -> str:
    try:
        return checked_symbol(text, upper=False)
    except UnitError as error:
        raise ConfigError(f"--symbols: {error}") from None
