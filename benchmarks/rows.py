"""Rows to measure with: quotes that walk at random on the tick grid, as the sealed size and the speeds are promised for."""

import numpy as np

from pipeline.block import Block
from pipeline.codes import AssetClass, Kind
from pipeline.units import NANO

OPEN_NS = 1_793_779_200 * NANO


def quotes(count: int, *, first_seq: int = 1, instruments: int = 10, seed: int = 1) -> Block:
    """Quotes of a random-walk day of some symbols: nanosecond times, one-cent ticks, sizes in hundreds."""
    random = np.random.default_rng(seed)
    instrument = random.integers(1, instruments + 1, count)
    step = random.choice([-1, 0, 0, 0, 1], count)
    mid = np.zeros(count, np.int64)
    for index in range(1, instruments + 1):
        here = instrument == index
        mid[here] = 1_000 * index + np.cumsum(step[here])
    half = random.geometric(0.6, count)
    ts_event = OPEN_NS + np.cumsum(random.exponential(23_400 * NANO / max(count, 2_000_000), count)).astype(np.int64)
    return Block.of(
        Kind.QUOTE,
        count,
        seq=np.arange(first_seq, first_seq + count),
        ts_event_ns=ts_event,
        ts_recv_ns=ts_event + 200_000 + random.integers(0, 100_000, count),
        instrument_id=instrument,
        source=1,
        bid_nano=np.maximum(mid - half, 1) * (NANO // 100),
        ask_nano=(np.maximum(mid, 1) + half) * (NANO // 100),
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
