"""The demo, whole: a market in another process, recorded live, proved identical, added up, on a page; and what pages say of it."""

import re
import shlex
import shutil
import textwrap

from click.testing import CliRunner
from page_commands import ROOT

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.run.demonstrating import DAY
from warehouse import connect
from warehouse.checking import offenders
from warehouse.views import marts


def test_the_demo_records_a_market_of_its_own_and_proves_it_identical(demo):
    live = demo.told["live"]
    assert live["session"] == f"{DAY}-massive"
    assert live["verify"]["identical"]
    assert demo.told["verify"]["identical"]
    assert demo.told["sound"]
    manifest = Store(demo.home).manifest(live["session"])
    assert (
        min(manifest.kinds[name] for name in ("quote", "print", "candidate", "universe", "intent", "order", "fill"))
        > 20
    )
    assert manifest.kinds["feed"] > 10, "the feed was lost, and came back"
    page = (demo.folder / demo.told["report"]).read_text()
    assert "<html" in page
    assert demo.told["outcome"]["paths"] == 10_000


def examples(page):
    """The commands of a page's indented blocks, each with the lines that stand beneath it as what it prints."""
    found = []
    for block in re.findall(r"(?:^(?:    .*)?\n)+", (ROOT / "docs" / page).read_text(), re.MULTILINE):
        for line in filter(None, (line.strip() for line in textwrap.dedent(block).splitlines())):
            if line.startswith("tape "):
                found.append((shlex.split(line.removeprefix("tape "), comments=True), []))
            else:
                found[-1][1].append(line)
    return found


def unnumbered(line):
    """A line without its `seq`: a feed's own rows, of which a busy machine has more, count too."""
    return re.sub(r" +\d{1,3}(,\d{3})+(?= |$)", " #", line)


def test_sql_answers_over_the_recorded_day_and_checks_find_nothing(demo):
    connection = connect(demo.home)
    rows = {view.name: connection.sql(f"select count(*) from {view.name}").fetchall()[0][0] for view in marts()}
    assert all(rows[name] for name in ("trades", "equity", "execution_quality", "latency", "daily_pnl", "feed_health"))
    assert [each.first for each in offenders(demo.home) if each.count] == []


def test_the_examples_of_states_print_what_stands_there(demo, tmp_path, monkeypatch):
    """Over the day that `tape demo` leaves behind; what a page shows of it goes stale otherwise."""
    shutil.copytree(demo.home, tmp_path / "data")
    monkeypatch.setenv("TAPE_HOME", str(tmp_path / "data"))
    ran, shown = examples("state.md"), 0
    for words, expected in ran:
        told = CliRunner().invoke(main, words)
        assert told.exit_code == 0, (words, told.output)
        printed = [line.strip() for line in told.output.splitlines()]
        assert not expected or list(map(unnumbered, printed)) == list(map(unnumbered, expected)), words
        shown += len(expected)
    assert (len(ran), shown) == (10, 5)
