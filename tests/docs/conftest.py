"""What `tape demo` leaves behind, made once for all that is shown of it, and the servers that pages have their readers ask."""

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.normalize.reference_tables import moment_of

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
sys.path.insert(0, str(Path(__file__).parents[1] / "far"))
import history_server
import reference_server
from desk import Terminal, market_of
from object_server import ENVIRONMENT, serving_objects, uri_of

FROM_NS = moment_of("2026-11-20T13:00:00Z")
YOUNG_S = 120
"""Within it the scanners' window of a generated premarket, an hour at ten times its speed, is not over."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder it was given in, `data` and `reports` inside, and what it said at last."""
    folder, before = tmp_path_factory.mktemp("demo"), Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(main, ["demo", "--json"])
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.output
    return SimpleNamespace(folder=folder, home=folder / "data", told=json.loads(done.output.splitlines()[-1]))


@pytest.fixture(scope="session")
def objects(tmp_path_factory):
    """The port of an S3 server."""
    with serving_objects(tmp_path_factory.mktemp("objects")) as (_, port):
        yield port


@pytest.fixture
def bucket(objects, tmp_path, monkeypatch):
    """The URI of an empty place in a bucket."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return uri_of(objects, tmp_path.name)


@pytest.fixture(scope="session")
def history():
    """The address of a server that sells trades of two shares, as Databento does."""
    rows = [
        row
        for number, symbol in enumerate(("ABCD", "WXYZ"), 7)
        for row in history_server.trades(symbol, number, FROM_NS, 50)
    ]
    with history_server.serving(history_server.History(rows), key="simulated") as url:
        yield url


@pytest.fixture(scope="session")
def provider():
    """The address of a server that says of two shares what Massive does."""
    massive = reference_server.MASSIVE
    others = {path.replace("ABCD", "WXYZ"): answer for path, answer in massive.items()}
    with reference_server.serving(massive | others) as (_, url):
        yield url


@pytest.fixture(scope="session")
def markets(tmp_path_factory):
    """The addresses of a market for what is recorded by these words, by vendor; opened anew when most of its day is over."""
    folder, opened, current = tmp_path_factory.mktemp("markets"), [], {}

    def addresses(words):
        serving = tuple(market_of(words, "--wait", "0", "--stay"))
        market, at_s = current.get(serving, (None, float("-inf")))
        if time.monotonic() - at_s > YOUNG_S:
            market = Terminal("a market", folder, serving)
            opened.append(market)
            current[serving] = market, time.monotonic()
        return market.addresses

    yield addresses
    assert [ended for ended in (market.end() for market in opened) if ended.code != 0] == []
