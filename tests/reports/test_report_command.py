"""`tape report` from the tape to the page: a generated day, a run over it, what both say."""

import re

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.notes import remark
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from warehouse import connect, named_in


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small generated day on which a strategy decided, and a run over it with other parameters."""
    made = Store(tmp_path_factory.mktemp("store"))
    files = [strategy_file("ema_cross")]
    day = Day(quotes=700, instruments=2)
    session = record_generated(made, day, plan_of(files, ["fast=5", "slow=20"], []), files, created_ns=1)
    query = "select entry_seq, entry_ord from trades where is_closed order by closed_at limit 1"
    ((seq, ord_),) = connect(made.home, asked=named_in(query)).sql(query).fetchall()
    remark(made, session.id, "<b>chased", tag="t", about=(seq, ord_), now_ns=1)
    replay(made, session.id, plan_of(files, ["fast=3", "slow=9"], []), files, created_ns=2, speed=Speed.INTERPRETED)
    return made


def tape(store, *words):
    return CliRunner().invoke(main, ["--home", str(store.home), "report", *words])


@pytest.fixture(scope="module")
def page(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "deeper" / "one.html"
    done = tape(store, "last", "-o", str(path), "--compare", "last-run")
    assert done.exit_code == 0, done.output
    assert done.output == f"{path}: {path.stat().st_size:,} bytes\n"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(store):
    done = tape(store, "last", "--text", "--compare", "last-run")
    assert done.exit_code == 0, done.output
    return done.output


def trades_of(store, whose):
    query = f"select count(*), sum(profit) from trades where is_closed and {whose}"
    return connect(store.home, ["last"]).sql(query).fetchall()[0]


def test_page_and_text_say_what_the_warehouse_does(store, page, text):
    count, profit = trades_of(store, "run is null")
    others, other_profit = trades_of(store, "run is not null")
    assert min(count, others) > 10
    assert count != others
    assert re.search(rf"^trades +{count}$", text, re.MULTILINE)
    assert re.search(rf"^trades +{count} +{others}$", text, re.MULTILINE)
    assert re.search(
        rf"^net profit +{re.escape(f'{profit:,.2f} +{other_profit:,.2f}'.replace(' +', ' '))}",
        re.sub(" +", " ", text),
        re.MULTILINE,
    )
    assert f">{profit:,.2f}</b>" in page
    assert page.count("<svg ") == count
    titles = (
        "Side by side",
        "Summary",
        "Equity",
        "Drawdown",
        "Calendar",
        "Distributions",
        "Breakdowns",
        "Trades",
        "Scan funnel",
    )
    for title in (*titles, "Execution quality", "Monte Carlo", "Feed health", "Manifest"):
        assert f"<h2>{title}</h2>" in page
        assert f"{title.upper()} ─" in text


def test_the_same_logs_make_the_same_text_and_no_line_leaves_the_window(store, text, tmp_path):
    assert max(len(line) for line in text.splitlines()) <= 110
    path = tmp_path / "report.txt"
    assert tape(store, "last", "--text", "--compare", "last-run", "-o", str(path)).exit_code == 0
    assert path.read_text(encoding="utf-8") == text


def test_a_remark_stands_beside_its_trade_and_among_the_notes(page, text):
    assert page.count("&lt;b&gt;chased") == 2
    assert "<b>chased" not in page
    assert "<b>chased" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing"], "nothing"),
        (["last", *["--compare", "last-run"] * 5], "--compare 5 times: accepted are up to 4"),
        (["last", "--pdf"], "--pdf --text: accepted is one of them"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(store, words, says):
    done = tape(store, *words, "--text")
    assert done.exit_code == 2
    assert says in done.output
    assert len(done.output.splitlines()) == 1


def test_without_a_browser_one_line_says_what_to_install(store, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = tape(store, "last", "--pdf")
    assert done.exit_code == 2
    assert "install Chromium" in done.output
    assert len(done.output.splitlines()) == 1
