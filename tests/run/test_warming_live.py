"""Strategies that wait for history, over the exchange: what they hear of a symbol is the whole of its day, in order, once."""

import dataclasses

import pytest
from live_sessions import WAITING, Running, live_store, recording, rows, rows_of_kind
from served_loops import options, serving, settled, vendor_of

from pipeline.codes import FeedAction, Kind, Origin, RiskRule
from pipeline.run.control import Request, ask
from pipeline.run.fold import Speed
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.run.warming import Warming
from pipeline.units import MINUTE_NS

__all__ = ["live_store"]

STRATEGY = """
from enum import IntEnum

from pipeline.codes import Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Messages, Strategy
from pipeline.core.verbs import enter, say


class Message(Messages):
    QUOTE = 1, "{a} {b} {c}"
    PRINT = 2, "{a} {b} {c}"
    BAR = 3, "{a} {b} {c}"


@params
class Params:
    count: int = param(3, low=1, high=50, help="bars of the warm-up")


@state
class State:
    heard: int


def on_quote(s, quote, p, ctx):
    say(ctx, Message.QUOTE, quote.bid, quote.ask, float(quote.origin))
    s.heard += 1
    enter(ctx, Side.BUY, quantity=1.0, limit=quote.bid)


def on_print(s, seen, p, ctx):
    say(ctx, Message.PRINT, seen.price, seen.size, float(seen.origin))


def on_bar(s, bar, p, ctx):
    say(ctx, Message.BAR, float(bar.ts_event_ns), bar.close, float(bar.origin))


strategy = Strategy(
    "NAME", Params, State, on_quote=on_quote, on_print=on_print, on_bar=on_bar, bars=Bars("1m"), messages=Message, warm_up="WARM_UP"
)
"""
QUOTE, PRINT, BAR = 1, 2, 3


@pytest.fixture
def strategy(tmp_path):
    def written(name, warm_up):
        path = tmp_path / f"{name}.py"
        path.write_text(STRATEGY.replace("NAME", name).replace("WARM_UP", warm_up))
        return path

    return written


def heard(store, manifest, code, symbol, strategy_id=1):
    """What a strategy was told of a symbol: (a, b, origin) in order."""
    ids = {row["symbol"]: row["instrument_id"] for row in rows(store, manifest, Kind.INSTRUMENT)}
    return [
        (row["a"], row["b"], Origin(int(row["c"])))
        for row in rows_of_kind(store, manifest, Kind.MESSAGE)
        if (row["code"], row["instrument_id"], row["strategy_id"]) == (code, ids[symbol], strategy_id)
    ]


def rows_of_the_day(served, kind, symbol):
    """The market's rows of a symbol over the whole day."""
    ids = {name: id_ for id_, name in served.tape.symbols.items()}
    found = []
    for portion in served.tape.portions():
        for block in portion.blocks:
            if block.kind is kind:
                found += [row for row in block.rows() if row["instrument_id"] == ids[symbol]]
    return found


def of_the_day(served, kind, symbol):
    """The same as handlers see them."""
    found = rows_of_the_day(served, kind, symbol)
    if kind is Kind.QUOTE:
        return [(row["bid_nano"] / 1e9, row["ask_nano"] / 1e9) for row in found]
    return [(row["price_nano"] / 1e9, float(row["size_steps"])) for row in found]


def warmed(store, manifest):
    return [row for row in rows(store, manifest, Kind.FEED) if row["action"] == FeedAction.WARMED]


def joined_late(store, feed, path, strategies=(), speed=60.0):
    """A recording that a symbol is added to in the middle of its day; the symbol."""
    with serving(feed, speed=speed) as served:
        first, late, *_ = served.tape.symbols.values()
        what = dataclasses.replace(
            recording(vendor_of(feed, served), files=(path, *strategies), **options(served)), symbols=(first,)
        )
        running = Running(store, what)
        running.until(lambda recorder: recorder.kinds.get(Kind.PRINT, 0) > 60)
        assert ask(store.folder(running.session.manifest.id), Request("ADD_SYMBOL", target=late)).ok
        settled(running, served)
        manifest = running.end()
        return manifest, late, served


@pytest.mark.parametrize("feed", ["massive", "alpaca"])
def test_a_symbol_that_is_added_is_heard_whole_from_its_history_on(live_store, strategy, feed):
    manifest, late, served = joined_late(live_store, feed, strategy("whole", "1d"))
    told = {row["text"] for row in warmed(live_store, manifest)}
    assert told == {late, *served.tape.symbols.values()} & told
    assert late in told
    for code, kind in ((QUOTE, Kind.QUOTE), (PRINT, Kind.PRINT)):
        said = heard(live_store, manifest, code, late)
        assert [each[:2] for each in said] == of_the_day(served, kind, late)
        origins = [origin for *_, origin in said]
        assert origins == sorted(origins, reverse=True)
        assert set(origins) == {Origin.WARMUP, Origin.INPUT}
    starts = [start for start, *_ in heard(live_store, manifest, BAR, late)]
    assert starts == sorted(set(starts))
    assert starts == [
        row["ts_event_ns"] for row in rows_of_the_day(served, Kind.BAR, late) if row["bar_length"] == MINUTE_NS
    ]
    assert verify(live_store, manifest.id).identical
    assert verify(live_store, manifest.id, always_apart=True).identical
    refused = [row["rule"] for row in rows_of_kind(live_store, manifest, Kind.RISK)]
    assert RiskRule.BACKFILLED in refused
    fills = {(row["seq"]) for row in rows_of_kind(live_store, manifest, Kind.FILL)}
    origins = {row["seq"]: row["origin"] for row in rows(live_store, manifest, Kind.QUOTE, Kind.PRINT)}
    assert not [seq for seq in fills if origins.get(seq) == Origin.WARMUP]


def test_it_is_replayed_at_both_speeds_to_the_same_bytes(live_store, strategy):
    path = strategy("whole", "1d")
    manifest, *_ = joined_late(live_store, "massive", path)
    plan = plan_of([path], [], WAITING)
    done = [
        replay(live_store, manifest.id, plan, [path], created_ns=number, speed=speed)
        for number, speed in enumerate((Speed.INTERPRETED, Speed.COMPILED), 1)
    ]
    assert [each.decisions_hash for each in done] == [manifest.decisions_hash] * 2
    assert [each.state_hash for each in done] == [manifest.state_hash] * 2


def test_so_many_bars_come_first_and_of_a_feed_without_them_it_is_told(live_store, strategy):
    manifest, late, _ = joined_late(live_store, "massive", strategy("some", "count bars"))
    bars = heard(live_store, manifest, BAR, late)
    assert 1 <= [origin for *_, origin in bars].count(Origin.WARMUP) <= 4
    assert [row["text"] for row in warmed(live_store, manifest) if row["text"].startswith(late)] == [late]
    manifest, late, _ = joined_late(live_store, "coinbase", strategy("some", "count bars"), speed=120.0)
    assert {row["text"].partition(": ")[2] for row in warmed(live_store, manifest)} == {"no history of bars of 60 s"}
    assert verify(live_store, manifest.id).identical


def test_a_session_that_is_interrupted_while_a_strategy_waits_asks_again_and_gives_all_of_it(live_store, strategy):
    path = strategy("whole", "1d")
    with serving("massive", speed=30.0) as served:
        first, late, *_ = served.tape.symbols.values()
        vendor = vendor_of("massive", served)
        what = dataclasses.replace(recording(vendor, files=(path,), **options(served)), symbols=(first,))
        running = Running(live_store, what)
        running.until(lambda recorder: recorder.kinds.get(Kind.PRINT, 0) > 60)
        given = Warming.given
        Warming.given = lambda *_: iter(())  # what was asked for never comes to be given
        try:
            assert ask(live_store.folder(running.session.manifest.id), Request("ADD_SYMBOL", target=late)).ok
            running.until(lambda recorder: len(running.told(FeedAction.SUBSCRIBED)) >= 2 * 4)
            running.session.intake.taken = None  # the next turn of its loop fails as a bug would
            with pytest.raises(TypeError):
                running.end()
        finally:
            Warming.given = given
        again = Running(live_store, what)
        settled(again, served)
        manifest = again.end()
    assert again.session.how == "resumed"
    assert late in {row["text"] for row in warmed(live_store, manifest)}
    said = heard(live_store, manifest, PRINT, late)
    assert [each[:2] for each in said] == of_the_day(served, Kind.PRINT, late)
    assert Origin.WARMUP in {origin for *_, origin in said}  # and what of the day was still to come came live
    assert verify(live_store, manifest.id).identical
