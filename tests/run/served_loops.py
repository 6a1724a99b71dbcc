"""The feeds and what serves them, in days of two seconds: a whole recording against the exchange is a matter of seconds."""

import dataclasses
import time
from typing import NamedTuple

from served_days import MARKET, DayClock, Served

from pipeline.codes import FeedAction, Kind
from pipeline.feeds.backoff import Waits
from pipeline.feeds.line import Times
from pipeline.normalize import alpaca_out, coinbase_advanced_out, databento_out, massive_out
from pipeline.ports import Channel
from pipeline.run.feeds import feed_named
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venues import VENUES
from pipeline.units import MINUTE_NS

TIMES = Times(
    connect_s=5.0,
    ready_s=5.0,
    answer_s=3.0,
    nonsense_s=0.6,
    settle_s=0.2,
    tick_s=0.05,
    waits=Waits(first_s=0.05, longest_s=0.2, data_s=0.2, connects_max=1_000, window_s=1.0),
)
"""Little patience, but for silence: a day of two seconds is as long as any other for a machine that is busy."""
SHARES = dataclasses.replace(
    DAYS["premarket"],
    instruments=4,
    quotes=1_000,
    starts_ns=DAYS["open"].starts_ns + 2 * MINUTE_NS,
    lasts_ns=8 * MINUTE_NS,
    news_halts=0,
)
"""Over the open, so that bands are served too."""
COINS = dataclasses.replace(
    DAYS["crypto"],
    instruments=4,
    quotes=800,
    starts_ns=DAYS["crypto"].starts_ns + MINUTE_NS,
    lasts_ns=16 * MINUTE_NS,
)
_STOCKS = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.STATUSES, Channel.BARS_1M))
_COIN_CHANNELS = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.BARS_5M))


class Loop(NamedTuple):
    """A feed and what serves it: the day, at which speed, what its protocol carries, and of what it has history."""

    day: object
    speed: float
    out: object
    channels: frozenset
    filled: frozenset


LOOPS = {
    "massive": Loop(SHARES, 240.0, massive_out, _STOCKS, frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR))),
    "alpaca": Loop(SHARES, 240.0, alpaca_out, _STOCKS, frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR))),
    "databento": Loop(SHARES, 240.0, databento_out, _STOCKS, frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR))),
    "coinbase": Loop(COINS, 480.0, coinbase_advanced_out, _COIN_CHANNELS, frozenset((Kind.PRINT, Kind.BAR))),
}


def serving(*feeds, faults=(), tape=None, venue=None, speed=None):
    """The exchange with a door for each of these feeds, serving the day of the first, or a tape; `venue` makes another one."""
    loop = LOOPS[feeds[0]]
    tape = tape or GeneratedTape(GeneratedMarket(loop.day, is_whole=True))
    made = {feed: venue or VENUES[feed].make for feed in feeds}
    refusing = {feed: VENUES[feed].refusing for feed in feeds}
    return Served(tape, made, speed=speed or loop.speed, faults=faults, refusing=refusing)


def vendor_of(feed, served, **changes):
    """The feed, at the address where it is served."""
    return dataclasses.replace(feed_named(feed, served.urls[feed], LOOPS[feed].channels), **changes)


def options(served, behind_ns=0):
    """How a recording of a served day is made: by its clock, or one that is behind it, with little patience."""
    return {"symbols": tuple(served.tape.symbols.values()), "clock": DayClock(served, behind_ns), "times": TIMES}


def settled(running, served):
    """Wait until the day is over, every hole is filled, and nothing comes any more; or too much for nothing to come."""
    running.until(lambda _: served.is_served.is_set(), 60)
    seen = None
    over_s = since_s = time.monotonic()

    def is_quiet(recorder):
        nonlocal seen, since_s
        now = {kind: recorder.kinds.get(kind, 0) for kind in (*MARKET, Kind.FEED)}
        if now != seen:
            seen, since_s = now, time.monotonic()
        is_filled = not running.told(FeedAction.GAP_CLOSED) or running.told(FeedAction.BACKFILLED)
        return is_filled and (time.monotonic() - since_s > 0.6 or time.monotonic() - over_s > 3.0)

    running.until(is_quiet, 60)
