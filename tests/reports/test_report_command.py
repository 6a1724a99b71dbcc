"""`tape report` from the tape to the page: a generated day, a run over it, what both say."""

import re

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from warehouse import connect


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small generated day that nobody decided on, and two runs over it."""
    made = Store(tmp_path_factory.mktemp("store"))
    session = record_generated(made, Day(quotes=1_200), plan_of([], [], []), [], created_ns=1)
    files = [strategy_file("ema_cross")]
    for slow in (20, 40):
        plan = plan_of(files, ["fast=5", f"slow={slow}"], ["daily_loss_max=1e9"])
        replay(made, session.id, plan, files, created_ns=2, speed=Speed.INTERPRETED)
    return made


@pytest.fixture(scope="module")
def runs(store):
    return [run.id for run in store.runs()]


def tape(store, *words):
    return CliRunner().invoke(main, ["--home", str(store.home), "report", *words])


@pytest.fixture(scope="module")
def page(store, runs, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "one.html"
    done = tape(store, runs[0], "-o", str(path))
    assert done.exit_code == 0, done.output
    assert done.output == f"{path}: {path.stat().st_size:,} bytes\n"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(store, runs):
    done = tape(store, runs[0], "--text")
    assert done.exit_code == 0, done.output
    return done.output


def closed(store, run):
    query = "select count(*), sum(profit) from trades where is_closed"
    return connect(store.home, [run]).sql(query).fetchall()[0]


def test_page_and_text_say_what_the_warehouse_does(store, runs, page, text):
    count, profit = closed(store, runs[0])
    assert count > 30
    assert re.search(rf"^trades +{count}$", text, re.MULTILINE)
    assert re.search(rf"^net profit +{re.escape(f'{profit:,.2f}')} ", text, re.MULTILINE)
    assert f'<span>net profit</span><b class="loss">{profit:,.2f}</b>' in page


def test_the_window_is_not_left(text):
    assert max(len(line) for line in text.splitlines()) <= 110


def test_a_name_that_names_nothing_is_refused(store):
    done = tape(store, "nothing", "--text")
    assert done.exit_code == 2
    assert "nothing" in done.output
