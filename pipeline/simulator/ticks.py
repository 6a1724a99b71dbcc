"""Ticks: the quotes and prints of one generated name, as its path and the rules let them be.

Events cluster: how many fall into a second is a negative binomial draw. Prints hit the side of the quote that the price
is moving to, some of shares lie in the middle; four in ten are odd lots, a few are large. A few are reported late, and a few of
all are taken back. Sale conditions are those of the tapes: 12 outside of regular hours, 37 under a round lot, 14 for
sweeps, 13 and 33 for those sold out of sequence.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Block, Numbers, concatenated
from pipeline.codes import Kind, Mark, Side
from pipeline.normalize.conditions import FORM_T, condition_marks, in_regular_hours
from pipeline.normalize.marks import quote_marks
from pipeline.simulator.bands import Held, Standing
from pipeline.units import ABSENT, NANO, SECOND_NS

ODD_LOT: Final = 37
SWEEP: Final = 14
SOLD_LATE: Final = 33
SOLD_LATE_FORM_T: Final = 13

_PRINTS_SHARE: Final = 0.28
_LATE_SHARE: Final = 0.003
_CANCELLED_SHARE: Final = 0.0008
_CROSSED_SHARE: Final = 0.0005
_MIDDLE_SHARE: Final = 0.04


@dataclass(frozen=True, slots=True)
class Stock:
    """How prices and sizes of a name are counted: `is_share` with round lots and sale conditions, else a coin."""

    instrument_id: int
    tick_nano: int
    size_step_nano: int
    is_share: bool


@dataclass(frozen=True, slots=True)
class Seconds:
    """The day's seconds: when it begins and how late what happens is heard, both UTC nanoseconds."""

    starts_ns: int
    delay_ns: int


def ticks_of(
    stock: Stock, path: Held, rate: Numbers, spread: Numbers, seconds: Seconds, random: np.random.Generator
) -> tuple[Block, Block]:
    """Quotes and prints in the order in which they are received.

    rate     (n,) float64, quotes expected in each second
    spread   (n,) float64, of the price
    """
    second = _seconds_of(path, rate, random)
    ts_event_ns = seconds.starts_ns + second * SECOND_NS + random.integers(0, SECOND_NS, len(second))
    order = np.argsort(ts_event_ns, kind="stable")
    ts_event_ns, second = ts_event_ns[order], second[order]
    bid, ask = _best(stock, path, spread, second, (ts_event_ns - seconds.starts_ns) % SECOND_NS / SECOND_NS, random)
    quotes = _quotes(stock, bid, ask, ts_event_ns, _heard(ts_event_ns, seconds, random), random)
    hit = np.flatnonzero((bid < ask) & (path.standing[second] != Standing.QUOTING) & _shares(second, random))
    prints = _prints(stock, quotes, hit, path, second[hit], random)
    return _sequenced(quotes, prints, random)


def _seconds_of(path: Held, rate: Numbers, random: np.random.Generator) -> Numbers:
    """The second of every quote: none while nothing is quoted."""
    is_open = (path.standing != Standing.PAUSED) & (path.standing != Standing.HALTED)
    busy = random.gamma(0.6, 1 / 0.6, len(rate))
    return np.repeat(np.arange(len(rate)), random.poisson(rate * busy) * is_open)


def _best(
    stock: Stock, path: Held, spread: Numbers, second: Numbers, part: Numbers, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Bids and asks in ticks, within the bands; `part` of the second is over."""
    following = np.minimum(second + 1, len(path.price) - 1)
    is_same = path.standing[following] == path.standing[second]
    next_price = np.where(is_same, path.price[following], path.price[second])
    middle = (path.price[second] * (1 - part) + next_price * part) * NANO / stock.tick_nano
    middle += random.choice((-1.0, 0.0, 1.0), len(second), p=(0.15, 0.7, 0.15))
    width = np.maximum(1, np.rint(spread[second] * middle)).astype(np.int64) + random.geometric(0.7, len(second)) - 1
    bid = np.maximum(np.floor(middle - width / 2).astype(np.int64), 1)
    low, high = _ticks(path.low[second], stock, 1), _ticks(path.high[second], stock, 2**50)
    standing = path.standing[second]
    bid = np.where(standing == Standing.LIMIT_UP, high, np.clip(bid, low - width, high))
    bid = np.where(standing == Standing.LIMIT_DOWN, low - width, bid)
    ask = np.maximum(bid + width, low)  # in a limit state the other side stands outside of the band
    is_crossed = (random.random(len(second)) < _CROSSED_SHARE) & (standing == Standing.TRADING)
    return np.where(is_crossed, ask + 1, bid), ask


def _ticks(price: Numbers, stock: Stock, otherwise: int) -> Numbers:
    return np.where(np.isnan(price), otherwise, np.nan_to_num(np.rint(price * NANO / stock.tick_nano))).astype(np.int64)


def _quotes(
    stock: Stock, bid: Numbers, ask: Numbers, ts_event_ns: Numbers, ts_recv_ns: Numbers, random: np.random.Generator
) -> Block:
    count = len(bid)
    bid_nano, ask_nano = bid * stock.tick_nano, ask * stock.tick_nano
    return Block.of(
        Kind.QUOTE,
        count,
        ts_event_ns=ts_event_ns,
        ts_recv_ns=ts_recv_ns,
        instrument_id=stock.instrument_id,
        bid_nano=bid_nano,
        ask_nano=ask_nano,
        bid_size_steps=_displayed(stock, bid_nano, random),
        ask_size_steps=_displayed(stock, ask_nano, random),
        marks=quote_marks(bid_nano, ask_nano),
    )


def _displayed(stock: Stock, price_nano: Numbers, random: np.random.Generator) -> Numbers:
    if stock.is_share:
        return 100 * random.geometric(0.3, len(price_nano))
    return _coins(stock, price_nano, random.lognormal(8.0, 1.2, len(price_nano)))


def _coins(stock: Stock, price_nano: Numbers, dollars: Numbers) -> Numbers:
    """Whole steps of a coin that cost about so much; one at least."""
    return np.maximum(1, np.rint(dollars * NANO / price_nano * (NANO / stock.size_step_nano))).astype(np.int64)


def _heard(ts_event_ns: Numbers, seconds: Seconds, random: np.random.Generator) -> Numbers:
    """Receive times: a delay with a tail, in order as a socket delivers."""
    late_ns = seconds.delay_ns + random.exponential(4e6, len(ts_event_ns)).astype(np.int64)
    return np.maximum.accumulate(ts_event_ns + late_ns) if len(ts_event_ns) else ts_event_ns


def _shares(second: Numbers, random: np.random.Generator) -> Numbers:
    return random.random(len(second)) < _PRINTS_SHARE


def _prints(
    stock: Stock, quotes: Block, hit: Numbers, path: Held, second: Numbers, random: np.random.Generator
) -> Block:
    """A print at each of these quotes, and those that are taken back once more."""
    count = len(hit)
    moves = np.sign(path.price[np.minimum(second + 1, len(path.price) - 1)] - path.price[second])
    buys = random.random(count) < 0.5 + 0.22 * moves
    standing = path.standing[second]
    buys = np.where(standing == Standing.LIMIT_UP, False, np.where(standing == Standing.LIMIT_DOWN, True, buys))
    bid_nano, ask_nano = quotes.number("bid_nano")[hit], quotes.number("ask_nano")[hit]
    is_middle = (random.random(count) < _MIDDLE_SHARE * stock.is_share) & (standing == Standing.TRADING)
    price_nano = np.where(is_middle, (bid_nano + ask_nano) // 2, np.where(buys, ask_nano, bid_nano))
    price_nano = _within(price_nano, path, second, stock)
    size_steps = _traded(stock, price_nano, random)
    is_late = random.random(count) < _LATE_SHARE
    late_ns = np.where(is_late, random.integers(11, 90, count) * SECOND_NS, 0)
    ts_event_ns = quotes.number("ts_event_ns")[hit] + random.integers(1_000, 400_000, count)
    conditions = _conditions(stock, ts_event_ns, size_steps, is_late, random)
    prints = Block.of(
        Kind.PRINT,
        count,
        ts_event_ns=ts_event_ns,
        ts_recv_ns=quotes.number("ts_recv_ns")[hit] + 1_000 + late_ns,
        instrument_id=stock.instrument_id,
        price_nano=price_nano,
        size_steps=size_steps,
        aggressor=np.where(is_middle, int(Side.NONE), np.where(buys, int(Side.BUY), int(Side.SELL))),
        conditions=conditions,
        marks=condition_marks(conditions, ts_event_ns) | np.where(is_late, np.int32(Mark.LATE), np.int32(0)),
        trade_id=np.arange(1, count + 1),
    )
    return _in_order([prints, _taken_back(prints, random)] if stock.is_share else [prints])


def _within(price_nano: Numbers, path: Held, second: Numbers, stock: Stock) -> Numbers:
    low, high = _ticks(path.low[second], stock, 1), _ticks(path.high[second], stock, 2**50)
    return np.clip(price_nano, low * stock.tick_nano, np.minimum(high, 2**62 // stock.tick_nano) * stock.tick_nano)


def _traded(stock: Stock, price_nano: Numbers, random: np.random.Generator) -> Numbers:
    count = len(price_nano)
    if not stock.is_share:
        return _coins(stock, price_nano, random.lognormal(5.5, 1.6, count))
    lots = 100 * random.geometric(0.45, count)
    sizes = np.where(random.random(count) < 0.4, random.integers(1, 100, count), lots)
    blocks = (5_000 * (1 + random.pareto(1.5, count))).astype(np.int64) // 100 * 100
    return np.where(random.random(count) < 0.003, np.minimum(blocks, 2_000_000), sizes)


def _conditions(
    stock: Stock, ts_event_ns: Numbers, size_steps: Numbers, is_late: Numbers, random: np.random.Generator
) -> Numbers:
    if not stock.is_share:
        return np.zeros(len(size_steps), np.int64)
    is_regular = in_regular_hours(ts_event_ns)
    bits = np.where(size_steps < 100, 1 << ODD_LOT, 0)
    bits |= np.where(is_regular, np.where(random.random(len(bits)) < 0.25, 1 << SWEEP, 0), 1 << FORM_T)
    late = np.where(is_regular, 1 << SOLD_LATE, 1 << SOLD_LATE_FORM_T)
    return bits | np.where(is_late, late, 0)


def _taken_back(prints: Block, random: np.random.Generator) -> Block:
    """The rows that cancel a few of the prints, half a minute to two minutes later."""
    back = prints.take(random.random(len(prints)) < _CANCELLED_SHARE)
    later_ns = random.integers(30, 120, len(back)) * SECOND_NS
    return back.with_columns(
        ts_event_ns=back.number("ts_event_ns") + later_ns,
        ts_recv_ns=back.number("ts_recv_ns") + later_ns,
        corrects_trade_id=back.number("trade_id"),
        trade_id=np.full(len(back), ABSENT),
        conditions=np.zeros(len(back), np.int64),
        marks=np.full(len(back), int(Mark.CANCEL), np.int32),
    )


def _in_order(blocks: list[Block]) -> Block:
    joined = concatenated(blocks)
    return joined.take(np.argsort(joined.number("ts_recv_ns"), kind="stable"))


def _sequenced(quotes: Block, prints: Block, random: np.random.Generator) -> tuple[Block, Block]:
    """Both with the vendor's numbers: rising in the order they are received, not without holes."""
    ts_recv_ns = np.concatenate([quotes.number("ts_recv_ns"), prints.number("ts_recv_ns")])
    numbers = np.empty(len(ts_recv_ns), np.int64)
    numbers[np.argsort(ts_recv_ns, kind="stable")] = np.cumsum(random.integers(1, 5, len(ts_recv_ns)))
    return (
        quotes.with_columns(vendor_seq=numbers[: len(quotes)]),
        prints.with_columns(vendor_seq=numbers[len(quotes) :]),
    )
