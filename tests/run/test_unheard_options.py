"""No option is left out in silence: what can't be heard in a combination is refused in one line that says what is accepted."""

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan
from pipeline.run.generating import record_generated
from pipeline.simulator.generate import Day

FEED = ("record", "--feed", "massive=ws://127.0.0.1:9/stocks")
A = (*FEED, "--symbols", "A")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    record_generated(store, Day(quotes=20, instruments=1), FoldPlan((), {}), [], created_ns=1)
    return str(store.home)


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "picks.csv").write_text("date,symbol\n2026-11-04,ABCD\n")
    return str(tmp_path / "picks.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*A, "--param", "fast=5"), "--param fast=5: it is of a strategy, and none is named; add --strategy"),
        ((*A, "--set", "fee_bps=1"), "--set fee_bps=1: it is of what strategies do, and none is named; add --strategy"),
        ((*A, "--channels", ""), "--channels '': accepted are quotes,"),
        ((*A, "--channels", "quotes,"), "--channels '': accepted are quotes,"),
        ((*A, "--watch-channels", "bars_1m"), "--watch-channels is of the symbols that are watched"),
        ((*FEED, "--watch", "A", "--watch-channels", ""), "--watch-channels '': accepted are quotes,"),
        ((*A, "--compiled", "--interpreted"), "--compiled and --interpreted: accepted is one of them, or neither"),
        ((*A, "--until", ""), "moment ''"),
        ((*A, "--clock", ""), "--clock : write served"),
        ((*A, "--schedule", "09:30-16:00", "--clock", "served"), "leave out --schedule"),
        (("replay", "last", "--strategy", "hold", "--until", ""), "moment ''"),
        (("backtest", "last", "--strategy", "hold", "--show", "3", "--json"), "--show is of the printed table"),
        (("scan", "last", "--config", "scanners/gappers.toml", "--at", ""), "moment ''"),
        (
            ("scan", "last", "--config", "scanners/gappers.toml", "--symbol", "ABCD", "--funnel"),
            "--symbol and --funnel",
        ),
        (("scan", "last", "--config", "scanners/gappers.toml", "--symbol", "ABCD", "--all"), "--symbol and --all"),
        (("scan", "last", "--config", "scanners/gappers.toml", "--funnel", "--all"), "--funnel and --all"),
        (("tell", "last", "end", "ABCD"), "a session ends whole; leave out ABCD"),
        (("halt", "enough", "--reset", "--reduce"), "--reset and --reduce: leave one of them out"),
    ],
)
def test_it_is_refused_in_one_line(home, arguments, said):
    done = CliRunner().invoke(main, ["--home", home, *arguments])
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.startswith("tape: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", [("--delay", "1s"), ("--resume", "x"), ("--no-seal",), ("--timer", "2s")])
def test_what_is_of_sessions_is_refused_of_lists(home, lists, option):
    done = CliRunner().invoke(main, ["--home", home, "import", lists, "--as", "candidates", *option])
    assert done.exit_code == 2
    assert "is of sessions: a list of candidates has nothing of it; leave it out" in done.stderr
