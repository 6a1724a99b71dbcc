"""Scan: a market of 8,000 symbols, one evaluation in steady state, and a whole day of minute bars folded and evaluated.

The market is made here: shares from one to a hundred dollars that walk at random, a tenth of them with a gap, quotes
and prints in between for the steady state. A day is 390 minutes of one bar each, with the facts a premarket scanner asks
for, evaluated every minute.
"""

import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import Figure, slowness
from pipeline.block import Block
from pipeline.codes import AssetClass, BarUnit, Kind
from pipeline.run.scanners import load_scanner
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.reading import definition_from
from pipeline.units import DAY_NS, MINUTE_NS, NANO, SECOND_NS

SYMBOLS = 8_000
MINUTES = 390
SECONDS = 60
OPENS_NS = 1_793_802_600 * NANO
"""2026-11-04T14:30:00Z, 9:30 in New York."""

PRESETS = Path(__file__).resolve().parents[1] / "scanners"
FACTS = ("previous_close", "float_shares", "average_daily_volume", "atr14")


def figures():
    slow = slowness()
    evaluation_ms, second_ms = _steady()
    day_s, rows = _day()
    stated = f"stated for a machine {slow:.1f} times as fast as this one now"
    return [
        Figure("evaluation of 8,000 symbols in steady state, every second", evaluation_ms, "ms", 50 * max(slow, 1.0), at_least=False, beside=f"{stated}; with a second of 8,000 quotes and 1,600 prints {second_ms:.1f} ms"),
        Figure("a day of 8,000 symbols in minute bars, scanned every minute", day_s, "s", 20 * max(slow, 1.0), at_least=False, beside=f"{stated}; {rows:,} bars, {MINUTES} evaluations"),
    ]  # fmt: skip


def opening(random, *, symbols=SYMBOLS):
    """The instruments and their facts, as the first inputs, and yesterday's closes in dollars."""
    ids = np.arange(1, symbols + 1)
    closes = np.round(np.exp(random.uniform(0, np.log(100), symbols)), 2)
    ts_ns = OPENS_NS - 600 * SECOND_NS
    values = {
        "previous_close": closes,
        "float_shares": np.exp(random.uniform(np.log(1e6), np.log(1e9), symbols)),
        "average_daily_volume": np.exp(random.uniform(np.log(5e4), np.log(2e7), symbols)),
        "atr14": closes * 0.05,
    }
    definitions = Block.of(
        Kind.INSTRUMENT,
        symbols,
        seq=ids,
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
        instrument_id=ids,
        symbol=[f"B{number:05}" for number in ids.tolist()],
        asset_class=int(AssetClass.EQUITY),
        size_step_nano=NANO,
        multiplier_nano=NANO,
        calendar="XNYS",
    )
    facts = Block.of(
        Kind.REFERENCE,
        symbols * len(FACTS),
        seq=np.arange(symbols + 1, symbols * (len(FACTS) + 1) + 1),
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
        instrument_id=np.tile(ids, len(FACTS)),
        field=[name for name in FACTS for _ in range(symbols)],
        value=np.concatenate([values[name] for name in FACTS]),
        known_at_ns=ts_ns - 3_600 * SECOND_NS,
        as_of_ns=OPENS_NS - DAY_NS,
        provider="bench",
    )
    return [definitions, facts], closes


def minute_bars(random, closes, minutes):
    """(minutes, symbols) prices walked from a gap, as nanos, and volumes."""
    symbols = len(closes)
    gap = np.where(random.random(symbols) < 0.1, random.uniform(1.03, 1.6, symbols), random.normal(1, 0.01, symbols))
    steps = random.normal(0, 0.002, (minutes, symbols)).cumsum(axis=0)
    prices = np.maximum(np.round(closes * gap * np.exp(steps), 2), 0.01)
    return (prices * NANO).astype(np.int64), random.geometric(1 / 2_000, (minutes, symbols))


def bar_block(seq, start_ns, before, price, volume):
    symbols = len(price)
    return Block.of(
        Kind.BAR,
        symbols,
        seq=np.arange(seq, seq + symbols),
        ts_event_ns=start_ns,
        ts_recv_ns=start_ns + MINUTE_NS + np.arange(symbols) * 100_000,
        instrument_id=np.arange(1, symbols + 1),
        bar_unit=int(BarUnit.TIME),
        bar_length=MINUTE_NS,
        ts_close_ns=start_ns + MINUTE_NS,
        open_nano=before,
        high_nano=np.maximum(before, price),
        low_nano=np.minimum(before, price),
        close_nano=price,
        volume_steps=volume,
        trade_count=volume // 100 + 1,
    )


def timer_block(seq, ts_ns):
    return Block.of(Kind.TIMER, 1, seq=seq, ts_event_ns=ts_ns, ts_recv_ns=ts_ns, interval_ns=SECOND_NS)


def _scanner(every_s):
    text = (PRESETS / "small_cap_momentum.toml").read_text()
    loaded = load_scanner(PRESETS / "small_cap_momentum.toml")
    changed = text.replace(f"every_s = {loaded.definition.schedule.every_s}", f"every_s = {every_s}")
    return FieldScanner(definition_from(changed, "bench", loaded.fields))


def _day():
    random = np.random.default_rng(7)
    first, closes = opening(random)
    prices, volumes = minute_bars(random, closes, MINUTES)
    scanner, seq = _scanner(60), SYMBOLS * (len(FACTS) + 1) + 1
    batches = []
    for minute in range(MINUTES):
        start_ns = OPENS_NS + minute * MINUTE_NS
        bars = bar_block(seq, start_ns, prices[max(minute - 1, 0)], prices[minute], volumes[minute])
        batches.append([bars, timer_block(seq + SYMBOLS, start_ns + 2 * MINUTE_NS - SECOND_NS)])
        seq += SYMBOLS + 1
    scanner.update(first)
    started = time.perf_counter()
    for batch in batches:
        scanner.update(batch)
    taken_s = time.perf_counter() - started
    assert scanner.get_active_stock_list(), "the bench's day has nothing to pick"
    return taken_s, MINUTES * SYMBOLS


def _steady():
    """Milliseconds of the median evaluation, and of a second with all that came in it."""
    random = np.random.default_rng(8)
    first, closes = opening(random)
    scanner, seq = _scanner(1), SYMBOLS * (len(FACTS) + 1) + 1
    prices, volumes = minute_bars(random, closes, 1)
    scanner.update(first)
    scanner.update([bar_block(seq, OPENS_NS, prices[0], prices[0], volumes[0] * 1_000)])
    seq += SYMBOLS
    evaluations, seconds = [], []
    for second in range(SECONDS):
        ts_ns = OPENS_NS + MINUTE_NS + (second + 1) * SECOND_NS
        rows = _second(random, seq, ts_ns - SECOND_NS, prices[0])
        seq += sum(map(len, rows))
        started = time.perf_counter()
        scanner.update(rows)
        between = time.perf_counter()
        scanner.update([timer_block(seq, ts_ns)])
        done = time.perf_counter()
        seq += 1
        evaluations.append((done - between) * 1e3)
        seconds.append((done - started) * 1e3)
    assert scanner.get_active_stock_list(), "the bench's market has nothing to pick"
    return statistics.median(evaluations), statistics.median(seconds)


def _second(random, seq, from_ns, price):
    """A quote of every symbol and a print of every fifth."""
    prints = SYMBOLS // 5
    order = random.permutation(SYMBOLS + prints)
    ids = np.concatenate([np.arange(1, SYMBOLS + 1), random.integers(1, SYMBOLS + 1, prints)])
    ts_ns = from_ns + np.sort(random.integers(0, SECOND_NS - 1, SYMBOLS + prints))
    quoted, traded = np.sort(order[:SYMBOLS]), np.sort(order[SYMBOLS:])
    quotes = Block.of(
        Kind.QUOTE,
        SYMBOLS,
        seq=seq + quoted,
        ts_event_ns=ts_ns[quoted],
        ts_recv_ns=ts_ns[quoted],
        instrument_id=ids[:SYMBOLS],
        bid_nano=price,
        ask_nano=price + NANO // 100,
        bid_size_steps=100,
        ask_size_steps=100,
    )
    printed = Block.of(
        Kind.PRINT,
        prints,
        seq=seq + traded,
        ts_event_ns=ts_ns[traded],
        ts_recv_ns=ts_ns[traded],
        instrument_id=ids[SYMBOLS:],
        price_nano=price[ids[SYMBOLS:] - 1],
        size_steps=100,
    )
    return [quotes, printed]
