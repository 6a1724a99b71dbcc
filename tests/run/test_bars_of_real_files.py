"""Bars of recorded trades are what DuckDB makes of the same trades."""

from pathlib import Path

import pytest

from pipeline.feeds.files import feed_of
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.importing import import_files
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of
from warehouse import connect

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FILES = [
    "crypto/hftbacktest/spot/btcusdt_20240808.gz",
    "crypto/nautilus/binance/btcusdt-trades.parquet",
    "databento/nautilus/historical_bars_catalog/databento/futures_trades_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",
]
SIZES = ("5s", "1m", "1h", "10t", "100t", "0.5v", "2v", "60000$", "0.25r", "5r")
STRATEGY = f"""
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Strategy

@params
class Params:
    pass

@state
class State:
    bars: int

def on_bar(s, bar, p, ctx):
    s.bars += 1

strategy = Strategy("every", Params, State, on_bar=on_bar, bars=tuple(Bars(size) for size in {SIZES}))
"""
BY_TIME = """
select
    symbol, time_bucket(interval '{width}', ts_event) as start, arg_min(price_nano, (ts_event_ns, seq)), max(price_nano),
    min(price_nano), arg_max(price_nano, (ts_event_ns, seq)), sum(size_steps), count(*)
from prints group by all order by all
"""
OURS = """
select symbol, ts_event, open_nano, high_nano, low_nano, close_nano, volume_steps, trade_count
from bars where timeframe = '{timeframe}' qualify revision = max(revision) over (partition by symbol, ts_event) order by all
"""


@pytest.fixture(scope="module", params=FILES, ids=lambda name: name.rpartition("/")[2])
def tape(request, tmp_path_factory):
    path = DATA / request.param
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project")
    home = tmp_path_factory.mktemp("tape")
    file = home / "every.py"
    file.write_text(STRATEGY)
    store = Store(home)
    import_files(store, [feed_of(path)], [path], name="x", created_ns=1)
    replay(store, "x", plan_of([file], [], []), [file], created_ns=1, speed=Speed.INTERPRETED)
    return connect(home)


@pytest.mark.parametrize(("timeframe", "width"), [("5s", "5 seconds"), ("1m", "1 minute"), ("1h", "1 hour")])
def test_bars_by_time_are_duckdbs_buckets(tape, timeframe, width):
    expected = tape.sql(BY_TIME.format(width=width)).fetchall()
    found = tape.sql(OURS.format(timeframe=timeframe)).fetchall()
    assert found == expected[: len(found)]
    assert len(expected) - len(found) <= 2  # those that the last input came too early to close


@pytest.mark.parametrize(
    ("timeframes", "reached", "length"),
    [
        ("('10t')", "count(*)", 10),
        ("('0.5v', '1v')", "sum(size_steps::hugeint * size_step_nano)", 500_000_000),
        ("('60000$')", "sum(price_nano::hugeint * size_steps * size_step_nano)", 60_000 * 10**18),
        ("('0.25r')", "max(price_nano) - min(price_nano)", 10**9 // 4),
    ],
)
def test_bars_that_count_share_out_the_prints_and_reach_their_length(tape, timeframes, reached, length):
    cut = tape.sql(f"""
        with traded as (
            select prints.symbol, prints.seq, price_nano, size_steps, size_step_nano
            from prints join intermediate.int_instruments using (session, instrument_id)
        ), cuts as (
            select symbol, seq as last_seq, lag(seq, 1, 0) over (order by seq) as first_seq, volume_steps, trade_count, high_nano
            from bars where timeframe in {timeframes}
        )
        select
            sum(size_steps) = any_value(volume_steps),
            count(*) = any_value(trade_count),
            max(price_nano) = any_value(high_nano),
            {reached},
        from cuts join traded on cuts.symbol = traded.symbol and traded.seq > first_seq and traded.seq <= last_seq
        group by cuts.symbol, cuts.last_seq
    """).fetchall()  # our own words
    assert len(cut) >= 1
    for *same, value in cut:
        assert same == [True, True, True]
        assert value >= length


def test_the_view_says_how_long_bars_are_as_one_asks_for_them(tape):
    found = {word for (word,) in tape.sql("select distinct timeframe from bars").fetchall()}
    assert found <= {*SIZES, "1v"}  # half a contract is reached with a whole one
    assert found >= {"5s", "10t", "0.25r"}
