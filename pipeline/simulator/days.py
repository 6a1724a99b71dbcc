"""Days: generated markets by name, whole days of many names with all that a feed must stand. Never passed off as real.

    premarket   twelve thin gappers from 8:30 to 9:50 in New York: a halt for news before the open, names that run into
                their price bands after it
    open        two hundred shares from 9:25 to 9:55
    crypto      twelve coins, four hours over midnight UTC

All have heavy tails, bursts in which spreads widen, late and cancelled prints, bars that are revised, crossed quotes, and
a feed that drops once. All randomness is numpy's PCG64 seeded with (seed, instrument): one seed is one day on one
version of numpy, and a name is the same however many others there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.errors import ConfigError, UnitError
from pipeline.normalize.conditions import in_regular_hours
from pipeline.simulator.bands import Held, held
from pipeline.simulator.generate import feed_drop, in_receive_order
from pipeline.simulator.names import COINS, SHARES_MAX, coin, instruments, share
from pipeline.simulator.paths import Nature, Path, path_of
from pipeline.simulator.standings import statuses_of
from pipeline.simulator.ticks import Seconds, Stock, ticks_of
from pipeline.simulator.vendor_bars import bars_of
from pipeline.units import MINUTE_NS, NANO, SECOND_NS, checked_ts

_NEW_YORK_8_30_NS: Final = 1_793_799_000 * NANO
"""2026-11-04T13:30:00Z, a Wednesday in winter."""

_LOWEST: Final = 1.05
"""Dollars: under one, ticks are a hundredth of a cent."""

_FRIDAY: Final = 5
_NEWS_HALT_S: Final = 600
_GAPPERS: Final = Nature(1.8, 16.0, 9e-4, 0.25, 45.0, 0.4)
_SHARES: Final = Nature(4.0, 420.0, 2.2e-4, 0.12, 6.0, 0.06)
_COIN_NATURE: Final = Nature(1.0, 1.0, 1.2e-4, 0.15, 1.5, 0.0)


@dataclass(frozen=True, slots=True)
class MarketDay:
    """What to generate.

    `quotes` counts the quotes of one name on average; `delay_ns` is the time from the venue's stamp to ours; the feed
    drops once, `drop_at` of the way through, for `drop_s`; `news_halts` is how many of the names are halted for news.
    """

    name: str
    nature: Nature
    is_shares: bool = True
    seed: int = 7
    instruments: int = 12
    quotes: int = 6_000
    starts_ns: int = _NEW_YORK_8_30_NS
    lasts_ns: int = 80 * MINUTE_NS
    bar_ns: int = MINUTE_NS
    news_halts: int = 0
    delay_ns: int = 15_000_000
    drop_at: float = 0.35
    drop_s: float = 12.0
    batch_rows: int = 8_192

    @property
    def drop_ns(self) -> tuple[int, int]:
        """From when to when the feed is down."""
        lost_ns = self.starts_ns + int(self.lasts_ns * self.drop_at) // SECOND_NS * SECOND_NS
        return lost_ns, lost_ns + int(self.drop_s * NANO)


DAYS: Final = {
    "premarket": MarketDay("premarket", _GAPPERS, news_halts=1),
    "open": MarketDay(
        "open",
        _SHARES,
        instruments=200,
        quotes=3_000,
        starts_ns=_NEW_YORK_8_30_NS + 55 * MINUTE_NS,
        lasts_ns=30 * MINUTE_NS,
    ),
    "crypto": MarketDay(
        "crypto",
        _COIN_NATURE,
        is_shares=False,
        quotes=12_000,
        starts_ns=1_793_829_600 * NANO,  # 2026-11-04T22:00:00Z
        lasts_ns=240 * MINUTE_NS,
        bar_ns=5 * MINUTE_NS,
    ),
}


def on_date(day: MarketDay, text: str) -> MarketDay:
    """The same hours by the exchange's clocks on another date, like `2026-11-03`. Raises ConfigError for what is none, or a weekend of shares."""
    zone = ZoneInfo("America/New_York" if day.is_shares else "UTC")
    usual = datetime.fromtimestamp(day.starts_ns // NANO, zone)
    try:
        wanted = datetime.combine(date.fromisoformat(text), usual.timetz())
        starts_ns = int(wanted.timestamp()) * NANO
        checked_ts(starts_ns)
    except (ValueError, OverflowError, UnitError):
        raise ConfigError(f"date {text!r}: accepted is a day, like {usual:%Y-%m-%d}") from None
    if day.is_shares and wanted.isoweekday() > _FRIDAY:
        raise ConfigError(f"date {text}: a {wanted:%A}; accepted are days on which shares trade, Monday to Friday")
    return replace(day, starts_ns=starts_ns)


class GeneratedMarket:
    """A day as a feed from no file: batches in receive order, instruments first, ids local to the day.

    As a recorder hears it, without what went by while the feed was down; `is_whole`: as the venue would serve it.
    """

    def __init__(self, day: MarketDay, *, is_whole: bool = False) -> None:
        """Raises ConfigError for more names than there are, or for none."""
        most = SHARES_MAX if day.is_shares else len(COINS)
        if not 1 <= day.instruments <= most:
            raise ConfigError(f"{day.instruments} symbols of {day.name}: accepted are 1 to {most}")
        if day.lasts_ns < MINUTE_NS:
            raise ConfigError(f"a day of {day.lasts_ns / NANO:g} s: accepted is a minute and more")
        self.day = day
        self.name = f"generated {day.name} seed {day.seed}"
        self._is_whole = is_whole

    def events(self) -> Iterator[Blocks]:
        """Batches whose `seq` counts from 1 within each."""
        day = self.day
        stocks = [share(index) if day.is_shares else coin(index) for index in range(day.instruments)]
        yield [instruments(stocks, day.starts_ns)]
        rows = [row for index, stock in enumerate(stocks) for row in _Name(day, stock, index).rows()]
        if not self._is_whole and day.drop_s:
            rows = [_without(row, *day.drop_ns) for row in rows] + [feed_drop(*day.drop_ns)]
        yield from in_receive_order([row for row in rows if len(row)], day.batch_rows)


class _Name:
    """One name of the day."""

    def __init__(self, day: MarketDay, stock: Stock, index: int) -> None:
        self._day = day
        self._stock = stock
        self._random = np.random.Generator(np.random.PCG64([day.seed, index]))
        self._seconds = day.lasts_ns // SECOND_NS
        self._second_ns = day.starts_ns + np.arange(self._seconds) * SECOND_NS
        self._is_regular = in_regular_hours(self._second_ns) & day.is_shares
        opens = int(np.argmax(self._is_regular)) if self._is_regular.any() else 0
        self._opens = opens
        self._path: Path = path_of(day.nature, self._seconds, self._random, run_after_s=opens + 60)
        start = self._path.start if day.is_shares else COINS[index][1]
        wanted = np.maximum(start * self._path.price, _LOWEST if day.is_shares else start / 5)
        news = (opens // 3 + 97 * index, _NEWS_HALT_S) if index < day.news_halts and opens else None
        is_large = self._path.busy > 2 and start > 50
        self._held: Held = held(wanted, self._is_regular, self._random, is_tier_1=is_large, news=news)

    def rows(self) -> list[Block]:
        """Everything that happens to it."""
        day, profile = self._day, self._profile()
        quotes = day.quotes * self._path.busy
        rate = quotes * self._path.pace * profile / profile.mean() / self._seconds
        seconds = Seconds(day.starts_ns, day.delay_ns)
        made = ticks_of(self._stock, self._held, rate, self._path.spread, seconds, self._random)
        bars = bars_of(made[1], day.bar_ns, self._stock.instrument_id)
        end_ns = day.starts_ns + day.lasts_ns
        bars = bars.take(bars.number("ts_recv_ns") < end_ns + 3 * SECOND_NS)
        return [*made, bars, statuses_of(self._held, self._is_regular, seconds, self._stock.instrument_id)]

    def _profile(self) -> Numbers:
        """How busy the hours are: quiet before the open, five times as busy at it, fading over five minutes."""
        since_open = np.arange(self._seconds) - self._opens
        return np.where(self._is_regular, 1.0 + 4.0 * np.exp(-since_open.clip(0) / 300), 0.6)


def _without(block: Block, lost_ns: int, back_ns: int) -> Block:
    """The rows that are heard though the feed was down between two moments."""
    ts_recv_ns = block.number("ts_recv_ns")
    return block.take((ts_recv_ns < lost_ns) | (ts_recv_ns >= back_ns))
