"""Asking: what a person asks to be recorded, from words to values. Wrong words are one sentence that says which are right."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.config import moment_ns
from pipeline.errors import ConfigError
from pipeline.feeds.vendor import Vendor, watching
from pipeline.instruments import EXCHANGE_ZONES, checked_symbol
from pipeline.ports import Channel
from pipeline.run.beginning import Recording
from pipeline.run.clock import ScaledClock, SystemClock
from pipeline.run.feeds import feed_named
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.units import DAY_NS

_WATCHED_BY: Final = frozenset((Channel.BARS_1M,))
"""What a whole market is scanned by, unless told otherwise."""


def recording_of(
    *,
    feeds: Sequence[str],
    symbols: Sequence[str],
    strategies: Sequence[str],
    scanner: Path | None,
    params: Sequence[str],
    settings: Sequence[str],
    channels: str | None,
    watch: Sequence[str],
    watch_channels: str | None,
    until: str | None,
    clock: str | None,
    keeps_raw: bool,
    is_fresh: bool,
) -> Recording:
    """What to record. Raises ConfigError, NotFoundError, StrategyError naming the word and what is accepted."""
    chosen = _channels(channels) if channels else None
    watched_by = _channels(watch_channels) if watch_channels else _WATCHED_BY
    vendors = tuple(watching(_vendor(text, chosen), watched_by) for text in feeds)
    names = [vendor.name for vendor in vendors]
    if len(set(names)) < len(names):
        raise ConfigError(f"--feed {' '.join(names)}: each vendor allows one connection, name it once")
    if not symbols and not watch:
        raise ConfigError("--symbols or --watch: name what is to be recorded, e.g. --symbols AAPL,NVDA")
    files = tuple(strategy_file(name) for name in strategies)
    ticking = _clock(clock) if clock else SystemClock()
    return Recording(
        vendors=vendors,
        symbols=symbols_of(symbols, names, "--symbols"),
        plan=plan_of(files, params, settings, scanner),
        strategy_files=files,
        clock=ticking,
        until_ns=_until(until, ticking.now_ns(), vendors) if until else None,
        watched=symbols_of(watch, names, "--watch"),
        watch_channels=watched_by,
        keeps_raw=keeps_raw,
        is_fresh=is_fresh,
    )


def _vendor(text: str, channels: frozenset[Channel] | None) -> Vendor:
    name, _, url = text.partition("=")
    return feed_named(name, url or None, channels)


def _channels(text: str) -> frozenset[Channel]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in set(Channel):
            raise ConfigError(f"--channels {word}: accepted are {', '.join(Channel)}")
    return frozenset(map(Channel, words))


def symbols_of(texts: Sequence[str], feeds: Sequence[str], said_by: str) -> tuple[str, ...]:
    """Every symbol once, in order, those of one feed with its name in front. Raises ConfigError, UnitError, after the words `said_by`."""
    found: dict[str, None] = {}
    for text in texts:
        feed, colon, listed = text.rpartition(":")
        feed = feed.strip().lower()
        if colon and feed not in feeds:
            raise ConfigError(f"{said_by} {text}: no feed {feed!r} is recorded; there is {', '.join(feeds)}")
        for word in listed.split(","):
            found[f"{feed}{colon}{checked_symbol(word)}"] = None
    return tuple(found)


def _clock(text: str) -> ScaledClock:
    moment, _, rate = text.rpartition("@")
    try:
        return ScaledClock(moment_ns(moment, day_ns=0), float(rate))
    except ValueError:
        raise ConfigError(f"--clock {text}: write START@RATE, e.g. 2026-11-04T08:00:00Z@60") from None


def _until(text: str, now_ns: int, vendors: Sequence[Vendor]) -> int:
    """The next time the clocks of the first feed's market show this."""
    zone = ZoneInfo(EXCHANGE_ZONES.get(vendors[0].calendar, "UTC"))
    until_ns = moment_ns(text, day_ns=now_ns, zone=zone)
    if until_ns > now_ns:
        return until_ns
    if text.strip()[:4].isdigit() and text.strip()[4:5] == "-":
        raise ConfigError(f"--until {text}: that moment has passed")
    return moment_ns(text, day_ns=now_ns + DAY_NS, zone=zone)
