"""Views: the same questions through the views and straight on the Parquet, in turn; one-second bars; trades of many sessions."""

import statistics
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.measure import Figure, seconds, slowness
from benchmarks.rows import OPEN_NS, definitions, quotes
from pipeline.block import Block
from pipeline.codes import Kind, OrderState, Origin, Side
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.manifest import StrategyEntry
from pipeline.log.reader import JOURNAL
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.units import NANO
from warehouse import connect, named_in

QUOTES = 10_000_000
SESSIONS = 1_000
FILLS = 1_000
"""Of each session; two make a trade."""

ABSENT = "-9223372036854775808"
QUESTIONS = {
    "spread by symbol": (
        "select symbol, avg(ask - bid), count(*) from quotes group by symbol",
        f"""select symbol, avg((nullif(ask_nano, {ABSENT}) - nullif(bid_nano, {ABSENT})) / 1e9), count(*)
        from quote join instrument using (instrument_id) where quote.origin <> 2 group by symbol""",
    ),
    "highest bid of one symbol": (
        "select max(bid), min(bid), count(*) from quotes where symbol = 'BENCH4'",
        f"""select max(nullif(bid_nano, {ABSENT}) / 1e9), min(nullif(bid_nano, {ABSENT}) / 1e9), count(*)
        from quote join instrument using (instrument_id) where quote.origin <> 2 and symbol = 'BENCH4'""",
    ),
    "quotes by hour": (
        "select ts_event_ns // 3600000000000 as hour, sum(bid_size) from quotes group by hour",
        f"""select quote.ts_event_ns // 3600000000000 as hour, sum(nullif(bid_size_steps, {ABSENT}) * (size_step_nano / 1e9))
        from quote join instrument using (instrument_id) where quote.origin <> 2 group by hour""",
    ),
}
BARS = (
    """select symbol, ts_event_ns // 1000000000 as second, first(bid), max(bid), min(bid), last(bid), count(*)
    from quotes group by symbol, second""",
    f"""select symbol, quote.ts_event_ns // 1000000000 as second, first(nullif(bid_nano, {ABSENT}) / 1e9),
        max(nullif(bid_nano, {ABSENT}) / 1e9), min(nullif(bid_nano, {ABSENT}) / 1e9), last(nullif(bid_nano, {ABSENT}) / 1e9), count(*)
    from quote join instrument using (instrument_id) where quote.origin <> 2 group by symbol, second""",
)
TRADES = "select count(*), sum(profit), avg(r_multiple), max(mfe) from trades where is_closed"


def figures():
    with tempfile.TemporaryDirectory() as home:
        found = _against_parquet(Path(home))
    with tempfile.TemporaryDirectory() as home:
        return found + _trades(Path(home))


def _against_parquet(home):
    store = Store(home)
    folder = _session(store, "day", [definitions()], quotes(QUOTES, first_seq=11), [])
    bare = duckdb.connect()
    for kind in ("quote", "instrument"):
        files = sorted(str(path) for path in folder.glob(f"events/kind={kind}/*.parquet"))
        bare.execute(f"create view {kind} as from read_parquet({files!r}, hive_partitioning = false)")
    views = connect(home, asked=named_in("quotes"))
    shares, beside = [], []
    for name, (ours, theirs) in QUESTIONS.items():
        assert _rows(views, ours) == _rows(bare, theirs), name
        share, ours_s, theirs_s = _dearer(lambda ours=ours: _all(views, ours), lambda theirs=theirs: _all(bare, theirs))
        shares.append(share)
        beside.append(f"{name} {share:.2f} ({ours_s:.2f} s to {theirs_s:.2f})")
    share, ours_s, theirs_s = _dearer(lambda: _all(views, BARS[0]), lambda: _all(bare, BARS[1]))
    connect_s = seconds(lambda: connect(home, asked=named_in("quotes")), runs=3)
    return [
        Figure("views to the same query on the Parquet, the dearest of three", max(shares), "", 1.2, at_least=False, beside="; ".join(beside)),
        Figure(
            f"one-second bars of {QUOTES / 1e6:.0f} M quotes through the view, to bare DuckDB on the Parquet", share, "", 1.2,
            at_least=False, beside=f"{ours_s:.2f} s to {theirs_s:.2f}; to connect, every byte proved, {connect_s:.2f} s",
        ),
    ]  # fmt: skip


def _dearer(ours, theirs):
    """Median of ours/theirs over pairs run in turn, in seconds of CPU of all threads, and both medians."""
    pairs = []
    for _ in range(10):
        pair = []
        for work in (ours, theirs):
            start = time.process_time()
            work()
            pair.append(time.process_time() - start)
        pairs.append(pair)
    del pairs[0]  # the first of each warms up
    return statistics.median(a / b for a, b in pairs), *(statistics.median(each) for each in zip(*pairs, strict=True))


def _all(connection, query):
    return connection.sql(query).to_arrow_table()


def _rows(connection, query):
    """Rounded and in order: an average is not the same to the last bit when threads share the work."""
    rows = connection.sql(query).fetchall()
    return sorted(tuple(round(value, 6) if isinstance(value, float) else value for value in row) for row in rows)


def _trades(home):
    store = Store(home)
    for number in range(SESSIONS):
        _session(store, f"day-{number:04}", [definitions()], *_traded(number))
    query = named_in(TRADES)
    start = time.perf_counter()
    first = connect(home, asked=query).sql(TRADES).fetchall()
    cold_s = time.perf_counter() - start
    assert first[0][0] == SESSIONS * FILLS // 2
    warm_s = seconds(lambda: connect(home, asked=query).sql(TRADES).fetchall(), runs=3)
    slow = slowness()
    return [
        Figure(
            f"trades of {SESSIONS:,} sessions with {SESSIONS * FILLS / 1e6:.0f} M fills, connecting included", warm_s, "s", 2 * slow,
            at_least=False, beside=f"stated for a machine {slow:.1f} times as fast: 2 s; the first time, when nothing is kept, {cold_s:.0f} s",
        ),
    ]  # fmt: skip


def _traded(number):
    """Some quotes of a day, and fills that open and close in turn, with their orders and positions."""
    random = np.random.default_rng(number)
    day = quotes(2_000, first_seq=11, seed=number)
    seq = np.sort(random.choice(np.arange(11, 2_011), FILLS, replace=False))
    instrument = np.repeat(random.integers(1, 11, FILLS // 2), 2)
    side = np.tile([int(Side.BUY), int(Side.SELL)], FILLS // 2)
    price = random.integers(1_000, 2_000, FILLS) * (NANO // 100)
    place = {"seq": seq, "ts_event_ns": OPEN_NS + seq, "ts_recv_ns": OPEN_NS + seq, "instrument_id": instrument}
    place |= {"origin": int(Origin.DERIVED), "strategy_id": 1}
    ids = np.arange(1, FILLS + 1)
    return day, [
        Block.of(
            Kind.ORDER, FILLS, **place, ord=1, order_id=ids, state=int(OrderState.SUBMITTED), side=side, quantity_steps=100,
            filled_steps=0,
        ),
        Block.of(
            Kind.FILL, FILLS, **place, ord=2, order_id=ids, fill_id=ids, side=side, price_nano=price, quantity_steps=100, fee_nano=5,
        ),
        Block.of(Kind.POSITION, FILLS, **place, ord=3, quantity_steps=np.tile([100, 0], FILLS // 2), average_price=1.0, cash=1.0),
    ]  # fmt: skip


def _session(store, name, first, market, decisions):
    manifest = store.create_session(
        name, mode=Mode.PAPER, created_ns=1, strategies=(StrategyEntry("bench", {}, "0"),), settings={}
    )
    folder = store.folder(manifest.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        journal.append(FrameKind.INPUTS, first)
        for start in range(0, len(market), 65_536):
            journal.append(FrameKind.INPUTS, [market.slice(start, min(start + 65_536, len(market)))])
        if decisions:
            journal.append(FrameKind.DERIVED, decisions)
    manifests.update(folder, state="ended")
    seal(folder)
    return folder
