"""A random-walk day of quotes: ten symbols, bursts, sizes in hundreds, prices that move by ticks now and then."""

import numpy as np
from store_samples import START_NS

from pipeline.block import Block
from pipeline.codes import Kind

DAY_NS = int(6.5 * 3600e9)
TICK_NANO = 10_000_000


def random_walk_quotes(
    count: int, *, symbols: int = 10, quotes_a_day: int = 15_000_000, seed: int = 7, first_seq: int = 1
) -> Block:
    """The first `count` quotes of the day; one in ten moves the price, the others a size."""
    random = np.random.default_rng(seed)
    is_burst = random.random(count) < 0.75
    pause_ns = (DAY_NS / quotes_a_day - 0.75 * 15_000) / 0.25
    gaps = np.where(is_burst, random.exponential(15_000, count), random.exponential(pause_ns, count)).astype("i8") + 1
    ts_event_ns = START_NS + np.cumsum(gaps)
    delay_ns = (60_000 + random.gamma(2.0, 4_000.0, count)).astype("i8")
    weights = np.arange(symbols, 0, -1.0)
    instrument = random.choice(symbols, count, p=weights / weights.sum()).astype("i4") + 1
    goes_on = is_burst & (random.random(count) < 0.7)
    instrument = instrument[_last_where(~goes_on)]
    bid, ask, bid_size, ask_size = (np.zeros(count, "i8") for _ in range(4))
    for symbol in range(1, symbols + 1):
        rows = np.flatnonzero(instrument == symbol)
        moves = random.random(len(rows)) < 0.1
        price = 2_000 * symbol + np.cumsum(np.where(moves, random.choice([-1, 1], len(rows)), 0))
        spread = 1 + np.repeat(random.random(len(rows) // 5 + 1) < 0.2, 5)[: len(rows)]
        bid[rows], ask[rows] = price * TICK_NANO, (price + spread) * TICK_NANO
        side = random.integers(0, 2, len(rows))
        for sizes, this_side in ((bid_size, 0), (ask_size, 1)):
            drawn = random.geometric(0.25, len(rows)) * 100
            sizes[rows] = drawn[_last_where((side == this_side) | moves)]
    return Block.of(
        Kind.QUOTE,
        count,
        seq=np.arange(first_seq, first_seq + count),
        ts_event_ns=ts_event_ns,
        ts_recv_ns=np.maximum.accumulate(ts_event_ns + delay_ns),
        instrument_id=instrument,
        source=1,
        bid_nano=bid,
        ask_nano=ask,
        bid_size_steps=bid_size,
        ask_size_steps=ask_size,
        bid_venue=2,
        ask_venue=2,
        vendor_seq=np.cumsum(random.geometric(0.5, count)),
    )


def _last_where(mask):
    """For each row the index of the last row at or before it where the mask holds, else 0."""
    return np.maximum.accumulate(np.where(mask, np.arange(len(mask)), 0))
