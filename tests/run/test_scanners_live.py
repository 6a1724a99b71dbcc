"""Scanners and their strategies in sessions that are recorded: picked, warmed, dropped, stopped, interrupted, gone on with."""

import asyncio
import dataclasses
import json

import pytest
from live_sessions import FILES, Running, actions, live_store, quotes, recording, rows, rows_of_kind
from words_vendor import Server, vendor

from pipeline.codes import FeedAction, Kind, SessionAction
from pipeline.feeds.vendor import watching
from pipeline.log.reader import LogReader
from pipeline.ports import Channel
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.scanner_codes import UniverseAction

__all__ = ["live_store"]

SCANNER = """
name = "NAME"
limit = LIMIT
subscriptions_max = 500
show = ["bid"]

[schedule]
every_s = 1
from = "00:00"
until = "00:00"
calendar = "24/7"

[[filters]]
field = "bid"
op = ">="
threshold = THRESHOLD

[[rank]]
field = "bid"
"""

FAILING = """
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Messages, Strategy
from pipeline.core.verbs import say

class Message(Messages):
    HEARD = 1, "{a}"

@params
class Params:
    pass

@state
class State:
    heard: int

def on_quote(s, quote, p, ctx):
    s.heard += 1
    say(ctx, Message.HEARD, quote.bid)
    if ctx.instrument_id == 7 and s.heard == 3:
        raise RuntimeError("this one")

strategy = Strategy("NAME", Params, State, on_quote=on_quote, messages=Message)
"""


@pytest.fixture
def scanner(tmp_path):
    def written(name, threshold, limit=20):
        path = tmp_path / f"{name}.toml"
        text = SCANNER.replace("NAME", name).replace("LIMIT", str(limit)).replace("THRESHOLD", str(threshold))
        path.write_text(text)
        return path

    return written


@pytest.fixture
def strategy(tmp_path):
    def written(name, text=FAILING):
        path = tmp_path / f"{name}.py"
        path.write_text(text.replace("NAME", name))
        return path

    return written


def scanned(server, files, scanners, symbols, behind=(), settings=()):
    """A recording of the tiny vendor, all of it watched."""
    what = recording(watching(vendor(server.url), {Channel.QUOTES}), symbols=(), files=files)
    plan = plan_of(files, [], settings, scanners, behind)
    return dataclasses.replace(what, plan=plan, watched=symbols, watch_channels=frozenset((Channel.QUOTES,)))


def broken_off(running):
    """Interrupt it as a bug of the loop would."""
    running.session.intake.taken = None
    with pytest.raises(TypeError):
        running.end()


def picked(store, manifest):
    """(scanner, instrument) that are in a list at the end."""
    found = set()
    for row in rows_of_kind(store, manifest, Kind.UNIVERSE):
        pair = row["scanner_id"], row["instrument_id"]
        (found.add if row["action"] == UniverseAction.ADDED else found.discard)(pair)
    return found


def many(count):
    """A script that quotes so many symbols round and round."""

    async def script(_):
        for turn in range(1, 10_000):
            for number in range(count):
                yield f"S{number:03d} {1_000 + number + turn}".encode()
                if number % 50 == 0:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)

    return script


def test_a_strategy_that_fails_is_stopped_everywhere_and_the_others_go_on_over_hundreds_of_symbols(
    live_store, scanner, strategy
):
    symbols = tuple(f"S{number:03d}" for number in range(300))
    files = (strategy("fails"), strategy("goes_on", FAILING.replace("== 7", "== -1")))
    with Server(many(300)) as server:
        what = scanned(server, files, [scanner("all", 1e-7, limit=300)], symbols)
        running = Running(live_store, what)
        running.until(lambda recorder: recorder.kinds.get(Kind.UNIVERSE, 0) >= 300, 60)
        running.until(quotes(6_000), 60)
        broken_off(running)
        again = Running(live_store, what)
        again.until(quotes(9_000), 60)
        manifest = again.end()
    assert again.session.how == "resumed"
    stops = [
        row for batch in LogReader(live_store.folder(manifest.id)).batches(what="derived", kinds=[Kind.SESSION])
        for block in batch for row in block.rows()
    ]  # fmt: skip
    assert [(row["action"], row["key"], row["instrument_id"]) for row in stops] == [(SessionAction.STOPPED, "fails", 7)]
    said = {1: [], 2: []}
    for row in rows_of_kind(live_store, manifest, Kind.MESSAGE):
        said[row["strategy_id"]].append((row["seq"], row["instrument_id"]))
    assert max(seq for seq, _ in said[1]) <= stops[0]["seq"]
    resumed = [row["seq"] for row in rows(live_store, manifest, Kind.SESSION) if row["action"] == SessionAction.RESUMED]
    assert len({instrument for seq, instrument in said[2] if seq > resumed[0]}) == 300
    assert verify(live_store, manifest.id).identical


@pytest.mark.parametrize("files", [FILES, ()], ids=["hold", "nobody"])
def test_a_session_that_goes_on_with_another_scanner_begins_its_list_anew_and_keeps_what_is_held(
    live_store, scanner, files
):
    """`hold` buys what it hears first; the second scanner picks nothing of what the first one did."""

    async def script(_):
        for turn in range(1, 10_000):
            for symbol, price in (("B", 300), ("A", 500), ("C", 100)):
                yield f"{symbol} {price + turn % 3}".encode()
            await asyncio.sleep(0.05)

    with Server(script) as server:
        first = scanned(server, files, [scanner("first", 4e-7)], ("A", "B", "C"))
        running = Running(live_store, first)
        running.until(lambda recorder: recorder.kinds.get(Kind.UNIVERSE, 0) >= 1, 60)
        broken_off(running)
        server.wanted.clear()
        second = scanned(server, files, [scanner("second", 2e-7, limit=2)], ("A", "B", "C"))
        again = Running(live_store, second)
        again.until(lambda recorder: recorder.kinds.get(Kind.UNIVERSE, 0) >= 2, 60)
        manifest = again.end()
    old = running.session.manifest.id
    assert again.session.how == f"goes on from {old}, its scanners anew"
    settings = {
        row["key"]: row["text"]
        for row in rows(live_store, manifest, Kind.SESSION)
        if row["action"] == SessionAction.SETTING
    }
    assert json.loads(settings["scanners"]) == "begun anew"
    names = {}
    for row in rows(live_store, manifest, Kind.INSTRUMENT):
        assert names.setdefault(row["instrument_id"], row["symbol"]) == row["symbol"]
    assert {names[id_] for _, id_ in picked(live_store, manifest)} == {"A", "B"}
    before = {
        row["instrument_id"]: row["symbol"] for row in rows(live_store, live_store.manifest(old), Kind.INSTRUMENT)
    }
    assert names == before
    assert verify(live_store, manifest.id).identical
    assert live_store.manifest(old).state == "sealed"
    assert verify(live_store, old).identical
    assert actions(live_store, manifest).count(FeedAction.DECLARED) == 1
