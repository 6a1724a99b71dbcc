"""Rows to measure with: quotes that walk at random on the tick grid, as the sealed size and the speeds are promised for."""

import numpy as np

from pipeline.block import Block
from pipeline.codes import AssetClass, Kind
from pipeline.units import NANO

OPEN_NS = 1_793_779_200 * NANO


def quotes(
    count: int, *, first_seq: int = 1, instruments: int = 10, quotes_a_day: int = 15_000_000, seed: int = 1
) -> Block:
    """Quotes of a random-walk day of some symbols: bursts, nanosecond times, one-cent ticks, sizes in hundreds.

    Three of four follow the one before within some microseconds, most of them of the same symbol; one in ten moves
    the price; the capture delay is
    60 us and a little, as of a machine beside the venue.
    """
    random = np.random.default_rng(seed)
    pause_ns = (23_400 * NANO / quotes_a_day - 0.75 * 15_000) / 0.25
    is_burst = random.random(count) < 0.75
    gaps = np.where(is_burst, random.exponential(15_000, count), random.exponential(pause_ns, count))
    ts_event = OPEN_NS + np.cumsum(gaps.astype(np.int64) + 1)
    delay = (60_000 + random.gamma(2.0, 4_000.0, count)).astype(np.int64)
    is_same = is_burst & (random.random(count) < 0.7)
    drawn = random.integers(1, instruments + 1, count)
    instrument = drawn[np.maximum.accumulate(np.where(is_same, 0, np.arange(count)))]
    mid = np.zeros(count, np.int64)
    for index in range(1, instruments + 1):
        here = instrument == index
        steps = random.choice([-1, 0, 1], int(here.sum()), p=[0.05, 0.9, 0.05])
        mid[here] = 2_000 * index + np.cumsum(steps)
    return Block.of(
        Kind.QUOTE,
        count,
        seq=np.arange(first_seq, first_seq + count),
        ts_event_ns=ts_event,
        ts_recv_ns=np.maximum.accumulate(ts_event + delay),
        instrument_id=instrument,
        source=1,
        bid_nano=mid * (NANO // 100),
        ask_nano=(mid + 1 + (random.random(count) < 0.2)) * (NANO // 100),
        bid_size_steps=100 * random.geometric(0.3, count),
        ask_size_steps=100 * random.geometric(0.3, count),
        vendor_seq=np.arange(count) + 10**6,
    )


def definitions(instruments: int = 10) -> Block:
    """The instruments of `quotes`, as the first inputs of a session."""
    ids = np.arange(1, instruments + 1)
    return Block.of(
        Kind.INSTRUMENT,
        instruments,
        seq=ids,
        ts_event_ns=OPEN_NS,
        ts_recv_ns=OPEN_NS,
        instrument_id=ids,
        source=1,
        symbol=[f"BENCH{index}" for index in ids],
        venue="GENERATED",
        asset_class=int(AssetClass.EQUITY),
        currency="USD",
        tick_nano=NANO // 100,
        size_step_nano=NANO,
        multiplier_nano=NANO,
    )
