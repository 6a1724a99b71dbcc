"""Snapshots: what a vendor's answer to a poll says of an instrument, where no stream says it sooner or better.

Streams go before: a price or a quote counts when it is of a later moment than what is there, by the venue's times. Today's volume is
the larger one of what streams brought and what the snapshot says, so what traded before a stream began is in it and nothing counts
twice. Open, high and low are those of the vendor's day: they count from the open on, for before it vendors have none, or another
day's. Assumed, for no vendor says it: that the volume holds premarket, and that the close before is in shares of then.
"""

from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.scanner.clocks import TradingDays
from pipeline.scanner.columns import FLOAT, MOMENT, Columns
from pipeline.scanner.quotes import put_quotes
from pipeline.scanner.trades import Trades, fold_parts, is_of_today, worth
from pipeline.units import ABSENT, INT64_MAX, NANO

DAILY: Final = {"told_close": FLOAT, "ts_told_close_ns": MOMENT}
"""The close before today, as a snapshot of today tells it."""


def fold_snapshots(columns: Columns, days: TradingDays, block: Block) -> None:
    """Take in snapshots, of each instrument the last one alone: each says all there is to say."""
    ids = block.number("instrument_id")
    _, last = np.unique(ids[::-1], return_index=True)
    block = block.take(len(ids) - 1 - last)
    _fold_quotes(columns, block)
    _fold_trades(columns, days, block)


def _fold_quotes(columns: Columns, block: Block) -> None:
    ts_quote_ns = block.number("ts_quote_ns")
    is_later = (ts_quote_ns != ABSENT) & (ts_quote_ns > columns["ts_quote_event_ns"][block.number("instrument_id")])
    put_quotes(columns, block.take(is_later), ts_quote_ns[is_later])


def _fold_trades(columns: Columns, days: TradingDays, block: Block) -> None:
    made = _trades(columns, block)
    is_today = is_of_today(columns, days, made)
    made, block = made.where(is_today), block.take(is_today)
    fold_parts(columns, days, made)
    opens_ns = days.of("opens_ns", columns["calendar"][made.id])
    is_open = made.start_ns >= opens_ns
    _fold_day(columns, block.take(is_open), opens_ns[is_open])
    close = _prices(block, "previous_close_nano")
    told = np.isfinite(close)
    columns["told_close"][made.id[told]] = close[told]
    columns["ts_told_close_ns"][made.id[told]] = made.recv_ns[told]


def _trades(columns: Columns, block: Block) -> Trades:
    """The last trade of each, and as its size what the snapshot counts above what is known."""
    ids, ts_trade_ns = block.number("instrument_id"), block.number("ts_trade_ns")
    price, volume, vwap = _prices(block, "last_nano"), block.number("volume_steps"), block.number("vwap")
    known_steps = columns["total_steps"][ids] - columns["base_steps"][ids]
    known_dollars = columns["total_dollars"][ids] - columns["base_dollars"][ids]
    steps = np.maximum(np.where(volume == ABSENT, 0, volume) - known_steps, 0)
    step_worth = worth(columns, ids)
    by_vwap = np.where(np.isfinite(vwap), np.maximum(volume * vwap * step_worth - known_dollars, 0.0), np.nan)
    dollars = np.where(np.isfinite(by_vwap), by_vwap, np.nan_to_num(price) * steps * step_worth)
    columns["is_untold"][ids[(steps > 0) & (columns["basis_ns"][ids] == INT64_MAX)]] = True
    is_price = (price > 0) & (ts_trade_ns != ABSENT)
    return Trades(
        id=ids,
        start_ns=np.where(ts_trade_ns == ABSENT, 0, ts_trade_ns),
        end_ns=np.where(ts_trade_ns == ABSENT, 0, ts_trade_ns),
        recv_ns=block.number("ts_recv_ns"),
        open=price,
        high=price,
        low=price,
        close=price,
        steps=steps,
        trades=np.zeros(len(ids), np.int64),
        dollars=np.where(steps > 0, dollars, 0.0),
        moves_last=is_price,
        moves_range=is_price,
    )


def _fold_day(columns: Columns, block: Block, opens_ns: Numbers) -> None:
    """Open, high and low of the regular session, known from the snapshot on where no stream has them."""
    ids, recv_ns = block.number("instrument_id"), block.number("ts_recv_ns")
    opened = _prices(block, "open_nano")
    is_new = np.isfinite(opened) & (columns["ts_rth_open_ns"][ids] == ABSENT)
    columns["rth_open"][ids[is_new]], columns["ts_rth_open_ns"][ids[is_new]] = opened[is_new], opens_ns[is_new]
    columns["ts_open_known_ns"][ids[is_new]] = recv_ns[is_new]
    high, low = _prices(block, "high_nano"), _prices(block, "low_nano")
    above = ~(high <= columns["high"][ids]) & np.isfinite(high)
    columns["ts_high_ns"][ids[above]] = recv_ns[above]
    for name in ("high", "rth_high"):
        columns[name][ids] = np.fmax(columns[name][ids], high)
    for name in ("low", "rth_low"):
        columns[name][ids] = np.fmin(columns[name][ids], low)


def _prices(block: Block, name: str) -> Numbers:
    nano = block.number(name)
    return np.where(nano == ABSENT, np.nan, nano / NANO)
