"""One rule for moments: the exchange's clocks unless a zone is written, whichever command reads them."""

import json

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config import moment_ns
from pipeline.log.store import Store
from pipeline.run.asking import recording_of
from pipeline.run.generating import record_generated
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

FILES = [strategy_file("hold")]
SAME = ["03:40", "08:40 UTC", "08:40Z", "2026-11-04T08:40:00Z", "2026-11-04 03:40 America/New_York"]
"""Of a generated day, which begins at three in the morning in New York."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    record_generated(store, Day(quotes=300, instruments=2), plan_of(FILES, [], []), FILES, created_ns=1)
    return str(store.home)


def told(home, *arguments):
    done = CliRunner().invoke(main, ["--home", home, *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


def test_replay_scan_and_state_read_a_moment_alike(home):
    scanned = ("scan", "last", "--config", "scanners/gappers.toml", "--at")
    stated = ("state", "generated-7", "--strategy", "hold", "--symbol", "ABCD", "--at")
    replayed = [told(home, "replay", "last", "--strategy", "hold", "--until", text)["events"] for text in SAME]
    assert len(set(replayed)) == 1
    assert len({told(home, *scanned, text)["events"] for text in SAME}) == 1
    assert {told(home, *stated, text)["seq"] for text in SAME} == set(replayed)


def until_ns(feeds, text):
    words = {"scanners": [], "channels": None, "watch_channels": None}
    asked = recording_of(
        feeds=feeds, symbols=["A"], strategies=[], params=[], settings=[], watch=[], keeps_raw=False, is_fresh=False,
        until=text, clock="2026-11-04T08:00:00Z@1", **words,
    )  # fmt: skip
    return asked.until_ns


def test_record_reads_it_by_the_exchange_of_its_feeds_and_by_utc_where_they_are_several():
    shares, coins = "massive=ws://127.0.0.1:9/stocks", "coinbase=ws://127.0.0.1:9/"
    nine = moment_ns("2026-11-04T21:00:00Z", day_ns=0)
    for text in ("16:00", "21:00 UTC", "21:00Z", "2026-11-04T16:00:00-05:00"):
        assert until_ns([shares], text) == nine
    assert until_ns([coins], "21:00") == until_ns([shares, coins], "21:00") == nine
