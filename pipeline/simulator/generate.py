"""A generated premarket day: gappers, a halt, a feed drop, late prints. Made from a seed, never passed off as real.

Prices are random walks on the tick grid whose pace and drift change in bursts, as thin names move; quotes carry the
spread, prints hit one of its sides. All randomness is numpy's PCG64 seeded with (seed, instrument), so one seed is one
day on one version of numpy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers, cut, row_count
from pipeline.codes import AssetClass, FeedAction, Kind, Mark, Side, StatusReason, TradingStatus
from pipeline.normalize.rows import ranked
from pipeline.units import ABSENT, MINUTE_NS, NANO, SECOND_NS

TICK_NANO: Final = NANO // 100
_HALT_AT: Final = 0.55
_HALT_NS: Final = 5 * MINUTE_NS
_DROP_AT: Final = 0.30
_DROP_NS: Final = 12 * SECOND_NS
_SYMBOLS: Final = ("ABCD", "BRNX", "CRVQ", "DLTA", "EVOK", "FRGO", "GLMR", "HYPX", "INKD", "JOLT", "KRNL", "LUMA")


@dataclass(frozen=True, slots=True)
class Day:
    """What to generate.

    `quotes` counts the quotes of one instrument on average; `starts_ns` is the first moment, UTC;
    `delay_ns` the time from the venue's stamp to ours.
    """

    seed: int = 7
    instruments: int = 6
    quotes: int = 20_000
    starts_ns: int = 1_793_779_200 * NANO  # 2026-11-04T08:00:00Z, three in the morning in New York
    lasts_ns: int = 150 * MINUTE_NS
    delay_ns: int = 40_000_000
    batch_rows: int = 8_192


class GeneratedDay:
    """The day as a feed from no file: batches in receive order, instruments first."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.name = f"generated seed {day.seed}"

    def events(self) -> Iterator[Blocks]:
        """Batches whose `seq` counts from 1 within each; instrument ids are local to the day."""
        day = self.day
        yield [_instruments(day)]
        rows = [row for index in range(day.instruments) for row in _one(day, index)]
        lost_ns = day.starts_ns + int(day.lasts_ns * _DROP_AT)
        rows.append(feed_drop(lost_ns, lost_ns + _DROP_NS))
        yield from in_receive_order(rows, day.batch_rows)


def _instruments(day: Day) -> Block:
    count = day.instruments
    symbols = [_symbol(index) for index in range(count)]
    return Block.of(
        Kind.INSTRUMENT,
        count,
        seq=np.arange(1, count + 1),
        ts_event_ns=day.starts_ns,
        ts_recv_ns=day.starts_ns,
        instrument_id=np.arange(1, count + 1),
        symbol=symbols,
        venue="GENERATED",
        asset_class=int(AssetClass.EQUITY),
        currency="USD",
        tick_nano=TICK_NANO,
        tick_below_one_nano=TICK_NANO // 100,
        size_step_nano=NANO,
        lot_steps=100,
        multiplier_nano=NANO,
        calendar="XNYS",
    )


def _symbol(index: int) -> str:
    round_, place = divmod(index, len(_SYMBOLS))
    return _SYMBOLS[place] + ("" if round_ == 0 else str(round_))


def _one(day: Day, index: int) -> list[Block]:
    """Quotes, prints and statuses of one instrument, each in event order."""
    random = np.random.Generator(np.random.PCG64([day.seed, index]))
    ts_event = _times(day, random)
    mid = _walk(random, len(ts_event), start_ticks=int(random.integers(150, 1_500)))
    half_spread = 1 + random.geometric(0.45, len(ts_event)) // 2
    ts_event, mid, half_spread = _without_holes(day, index, ts_event, mid, half_spread)
    bid, ask = mid - half_spread, mid + half_spread
    crossed = random.random(len(mid)) < 0.0005
    bid = np.where(crossed, ask + 1, bid)
    quotes = Block.of(
        Kind.QUOTE,
        len(mid),
        ts_event_ns=ts_event,
        ts_recv_ns=_received(day, random, ts_event),
        instrument_id=index + 1,
        bid_nano=bid * TICK_NANO,
        ask_nano=ask * TICK_NANO,
        bid_size_steps=100 * random.geometric(0.3, len(mid)),
        ask_size_steps=100 * random.geometric(0.3, len(mid)),
        marks=np.where(crossed, int(Mark.CROSSED), 0),
        vendor_seq=np.arange(len(mid)) * 3 + 1,
    )
    prints = _prints(random, quotes, np.flatnonzero(~crossed & (random.random(len(mid)) < 0.25)))
    return [quotes, prints, *_halt(day, index)]


def _times(day: Day, random: np.random.Generator) -> Numbers:
    """Event times: bursts, so that the pace of a minute may be ten times that of the next."""
    minutes = max(1, day.lasts_ns // MINUTE_NS)
    weight = random.lognormal(0.0, 1.0, minutes) * np.linspace(0.5, 1.5, minutes)
    count = random.poisson(day.quotes * weight / weight.sum())
    minute = np.repeat(np.arange(minutes), count)
    times: Numbers = day.starts_ns + minute * MINUTE_NS + random.integers(0, MINUTE_NS, len(minute))
    return np.sort(times)


def _walk(random: np.random.Generator, count: int, *, start_ticks: int) -> Numbers:
    """Mid prices in ticks: steps of one tick with a drift that holds for stretches of 500 quotes."""
    stretch = np.arange(count) // 500
    drift = random.normal(0.0, 0.08, stretch[-1] + 1 if count else 0)[stretch]
    step = np.where(random.random(count) < 0.35, np.sign(random.normal(drift, 1.0)), 0.0)
    walk: Numbers = start_ticks + np.cumsum(step).astype(np.int64)
    return np.maximum(walk, 110)


def _without_holes(day: Day, index: int, ts_event: Numbers, *columns: Numbers) -> tuple[Numbers, ...]:
    """Nothing arrives while the feed is down, and nothing while the first instrument is halted."""
    drop = day.starts_ns + int(day.lasts_ns * _DROP_AT)
    here = (ts_event < drop) | (ts_event >= drop + _DROP_NS)
    if index == 0:
        halt = day.starts_ns + int(day.lasts_ns * _HALT_AT)
        here &= (ts_event < halt) | (ts_event >= halt + _HALT_NS)
    return ts_event[here], *(column[here] for column in columns)


def _received(day: Day, random: np.random.Generator, ts_event: Numbers) -> Numbers:
    """Receive times: a delay with a tail, in order as a socket delivers."""
    delay = day.delay_ns + (random.exponential(8e6, len(ts_event))).astype(np.int64)
    return np.maximum.accumulate(ts_event + delay) if len(ts_event) else ts_event


def _prints(random: np.random.Generator, quotes: Block, rows: Numbers) -> Block:
    """Prints at one side of the quote in front of them; one in two hundred reported 15 s late."""
    buys = random.random(len(rows)) < 0.52
    late = random.random(len(rows)) < 0.005
    ts_event = quotes.number("ts_event_ns")[rows] + 1_000
    ts_recv = quotes.number("ts_recv_ns")[rows] + np.where(late, 15 * SECOND_NS, 1_000)
    order = np.argsort(ts_recv, kind="stable")
    price = np.where(buys, quotes.number("ask_nano")[rows], quotes.number("bid_nano")[rows])
    return Block.of(
        Kind.PRINT,
        len(rows),
        ts_event_ns=ts_event[order],
        ts_recv_ns=ts_recv[order],
        instrument_id=int(quotes.number("instrument_id")[0]) if len(quotes) else 1,
        price_nano=price[order],
        size_steps=(100 * random.geometric(0.4, len(rows)))[order],
        aggressor=np.where(buys, int(Side.BUY), int(Side.SELL))[order],
        marks=np.where(late, int(Mark.LATE), 0)[order],
        trade_id=np.arange(1, len(rows) + 1),
        vendor_seq=(quotes.number("vendor_seq")[rows] + 1)[order],
    )


def _halt(day: Day, index: int) -> list[Block]:
    if index != 0:
        return []
    halt = day.starts_ns + int(day.lasts_ns * _HALT_AT)
    times = np.array([halt, halt + _HALT_NS])
    return [
        Block.of(
            Kind.STATUS,
            2,
            ts_event_ns=times,
            ts_recv_ns=times + day.delay_ns,
            instrument_id=1,
            status=[int(TradingStatus.PAUSED), int(TradingStatus.TRADING)],
            reason=[int(StatusReason.VOLATILITY), int(StatusReason.NONE)],
        )
    ]


def feed_drop(lost_ns: int, back_ns: int) -> Block:
    """What a feed tells when it was down between two moments."""
    actions = [FeedAction.LOST, FeedAction.GAP_OPENED, FeedAction.CONNECTED, FeedAction.GAP_CLOSED]
    times = np.array([lost_ns, lost_ns, back_ns, back_ns])
    return Block.of(
        Kind.FEED,
        4,
        ts_event_ns=times,
        ts_recv_ns=times,
        action=[int(action) for action in actions],
        from_ns=[ABSENT, lost_ns, ABSENT, lost_ns],
        to_ns=[ABSENT, ABSENT, ABSENT, back_ns],
        text=["connection closed by the server (generated)", "", "", ""],
    )


def in_receive_order(rows: list[Block], batch_rows: int) -> Iterator[Blocks]:
    """All rows by receive time, cut into batches."""
    whole = ranked(block.with_columns(seq=block.number("ts_recv_ns")) for block in rows)
    for start in range(0, row_count(whole), batch_rows):
        yield cut(whole, start, start + batch_rows)
