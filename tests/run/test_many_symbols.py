"""Many symbols with three strategies each over the exchange: none is lost, and symbols come and go without compiling anew."""

import dataclasses

import pytest
from live_sessions import Running, live_store, recording, rows, rows_of_kind
from served_days import MARKET
from served_loops import SHARES, options, serving, settled, vendor_of

from pipeline.codes import FeedAction, Kind
from pipeline.feeds.vendor import watching
from pipeline.kernel import build
from pipeline.ports import Channel
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.scanner_codes import UniverseAction
from pipeline.simulator.days import GeneratedMarket
from pipeline.simulator.served import GeneratedTape

__all__ = ["live_store"]

STRATEGY = """
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import show

@params
class Params:
    pass

@state
class State:
    heard: int

def on_quote(s, quote, p, ctx):
    s.heard += 1
    if s.heard == 1:
        show(ctx, 1, quote.bid)

strategy = Strategy("NAME", Params, State, on_quote=on_quote)
"""

NEWCOMERS = """
name = "newcomers"
limit = LIMIT
subscriptions_max = LIMIT
retention_s = 60
cool_down_s = 3600
full_table_every_s = 0
show = ["last"]

[schedule]
every_s = 5
from = "09:33"
until = "16:00"

[[filters]]
field = "bid"
op = "<"
threshold = 0.0
absent = "pass"

[near_miss]
filters_max = 0
"""
"""Picks what has no quote yet, which are the symbols that are only watched; when they have one for a minute they are dropped."""


@pytest.mark.parametrize(
    ("count", "more", "quotes", "speed"),
    [(40, 10, 200, 40.0), pytest.param(500, 100, 200, 4.0, marks=pytest.mark.soak)],
)
def test_all_are_heard_by_their_strategies_and_some_come_and_go(live_store, tmp_path, count, more, quotes, speed):
    files = [tmp_path / f"{name}.py" for name in ("one", "two", "three", "fourth")]
    for file in files:
        file.write_text(STRATEGY.replace("NAME", file.stem))
    listed, newcomers = tmp_path / "listed.toml", tmp_path / "newcomers.toml"
    newcomers.write_text(NEWCOMERS.replace("LIMIT", str(more)))
    day = dataclasses.replace(SHARES, instruments=count + more, quotes=quotes)
    with serving("massive", tape=GeneratedTape(GeneratedMarket(day, is_whole=True)), speed=speed) as served:
        symbols = tuple(served.tape.symbols.values())
        listed.write_text(f'name = "listed"\nsymbols = [{", ".join(map(repr, symbols[:count]))}]\n')
        what = recording(
            watching(vendor_of("massive", served), {Channel.BARS_1M}),
            files=tuple(files),
            **options(served) | {"symbols": symbols[:count]},
        )
        what = dataclasses.replace(
            what,
            plan=plan_of(files, [], [], [listed, newcomers], [1, 1, 1, 2]),
            watched=symbols[count:],
            watch_channels=frozenset((Channel.BARS_1M,)),
        )
        running = Running(live_store, what)
        running.until(lambda recorder: recorder.kinds.get(Kind.QUOTE, 0) > 0, 120)
        built = build.kernel_of.cache_info().misses
        settled(running, served)
        assert build.kernel_of.cache_info().misses == built, "nothing was compiled for those who came"
        manifest = running.end()
    assert not [
        row
        for row in rows(live_store, manifest, Kind.FEED)
        if row["action"] in (FeedAction.LOST, FeedAction.GAP_OPENED)
    ]
    assert len(rows(live_store, manifest, *MARKET)) == len(served.sent("massive")) > 10 * count
    names = {row["instrument_id"]: row["symbol"] for row in rows(live_store, manifest, Kind.INSTRUMENT)}
    heard = {}
    for row in rows_of_kind(live_store, manifest, Kind.INDICATOR):
        heard.setdefault(row["strategy_id"], []).append(names[row["instrument_id"]])
    quoted = {names[row["instrument_id"]] for row in rows(live_store, manifest, Kind.QUOTE)}
    for strategy_id in (1, 2, 3):
        assert sorted(heard[strategy_id]) == sorted(set(symbols[:count]) & quoted)
    moves = {UniverseAction.ADDED: [], UniverseAction.DROPPED: []}
    for row in rows_of_kind(live_store, manifest, Kind.UNIVERSE):
        if row["scanner_id"] == 2:
            moves[row["action"]].append(names[row["instrument_id"]])
    assert sorted(moves[UniverseAction.ADDED]) == sorted(symbols[count:])
    assert set(heard[4]) <= set(symbols[count:])
    assert len(heard[4]) >= more // 2
    assert set(moves[UniverseAction.DROPPED]) >= set(heard[4]) - {symbols[-1]}
    assert verify(live_store, manifest.id).identical
