"""By which table prints moved what: a session that records prints of shares keeps it, and goes on under no other."""

import dataclasses
import json

import pytest
from click.testing import CliRunner
from live_sessions import Running, live_store, quotes, recording, rows
from words_vendor import Server, Words, vendor

from pipeline.cli import main
from pipeline.codes import Kind, SessionAction
from pipeline.normalize.conditions import CONDITIONS
from pipeline.ports import Channel
from pipeline.run import beginning, renormalizing
from pipeline.run.feeds import FEEDS, feed_named
from pipeline.run.renormalizing import renormalize

__all__ = ["live_store"]

TABLE = {str(each.number): each.moves for each in CONDITIONS}
OTHER = TABLE | {"37": "nothing"}


async def script(number):
    for price in range(1, 6):
        yield f"A {10 * number + price}".encode()


def shares(url):
    """The tiny vendor, as one whose prints carry conditions."""
    return dataclasses.replace(vendor(url), has_conditions=True, channels={Channel.QUOTES, Channel.PRINTS})


def interrupted(store, what):
    """Record until the first quotes are there, and die as by a bug; the session."""
    running = Running(store, what)
    running.until(quotes(5))
    running.session.intake.taken = None
    with pytest.raises(TypeError):
        running.end()
    return running.session.manifest.id


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("channels", [{Channel.PRINTS, Channel.QUOTES}, {Channel.QUOTES}])
def test_feeds_whose_prints_carry_conditions_have_the_table_where_prints_are_recorded(name, channels):
    url = "tcp://127.0.0.1:1" if name == "databento" else "ws://127.0.0.1:1/v2/sip"
    settings = recording(feed_named(name, url, frozenset(channels))).settings
    has_table = Channel.PRINTS in channels and name in ("massive", "alpaca", "alpaca.iex")
    assert settings.get("conditions") == (TABLE if has_table else None)


def test_the_table_is_on_the_tape_and_in_the_manifest_and_outputs_stay_readable(live_store):
    with Server(script) as server:
        running = Running(live_store, recording(shares(server.url), symbols=("A",)))
        running.until(quotes(5))
        manifest = running.end()
    told = {
        r["key"]: r["text"] for r in rows(live_store, manifest, Kind.SESSION) if r["action"] == SessionAction.SETTING
    }
    assert json.loads(told["conditions"]) == manifest.settings["conditions"] == TABLE
    shown = CliRunner().invoke(main, ["--home", str(live_store.home), "sessions", "show", manifest.id])
    assert shown.exit_code == 0
    assert "Odd lot" not in shown.stdout
    assert len(shown.stdout.splitlines()) < 30
    assert max(map(len, shown.stdout.splitlines())) < 200
    as_json = CliRunner().invoke(main, ["--home", str(live_store.home), "sessions", "show", manifest.id, "--json"])
    assert json.loads(as_json.stdout)["settings"]["conditions"] == TABLE


def test_under_another_table_another_session_begins_and_under_the_same_one_it_goes_on(live_store, monkeypatch):
    with Server(script) as server:
        what = recording(shares(server.url), symbols=("A",))
        old = interrupted(live_store, what)
        assert interrupted(live_store, what) == old
        monkeypatch.setattr(beginning, "IN_FORCE", OTHER)
        again = Running(live_store, what)
        again.until(quotes(5))
        manifest = again.end()
    assert again.session.how == f"goes on from {old}"
    assert live_store.manifest(old).settings["conditions"] == TABLE
    assert manifest.settings["conditions"] == OTHER


def test_a_session_made_again_keeps_the_table_it_was_made_again_with(live_store, monkeypatch):
    with Server(script) as server:
        running = Running(live_store, recording(shares(server.url), symbols=("A",), keeps_raw=True))
        running.until(quotes(5))
        manifest = running.end()
    monkeypatch.setattr(renormalizing, "IN_FORCE", OTHER)
    again = renormalize(live_store, manifest.id, {"words": Words}, created_ns=1)
    assert (manifest.settings["conditions"], again.settings["conditions"]) == (TABLE, OTHER)
