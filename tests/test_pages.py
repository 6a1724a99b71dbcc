"""Pages: what is written from the code is what stands in docs/, and every link in the docs leads somewhere."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.core.settings import EngineSettings
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.pages import pages
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day
from warehouse import connect
from warehouse.checking import offenders
from warehouse.views import marts

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize(
    "name",
    ["events.md", "commands.md", "indicators.md", "feeds.md", "scanner_fields.md", "data_dictionary.md", "settings.md"],
)
def test_a_page_is_as_the_code_says(name):
    assert (ROOT / "docs" / name).read_text() == pages(main)[name], "run `just docs`"


@pytest.mark.parametrize("path", WRITTEN, ids=[path.name for path in WRITTEN])
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_strategy_in_the_docs_can_be_copied_and_run(tmp_path):
    text = (ROOT / "docs" / "strategies.md").read_text()
    block = text[text.index('    """Dip:') : text.index("The fields of every event")]
    (tmp_path / "dip.py").write_text(textwrap.dedent(block))
    store = Store(tmp_path / "store")
    path = tmp_path / "dip.py"
    session = record_generated(store, Day(quotes=2_000), plan_of([path], ["ticks=2"], []), [path], created_ns=1)
    assert session.kinds["fill"] > 0
    assert verify(store, session.id).identical


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


def commands_in(page):
    """The commands of a page's indented blocks."""
    lines = re.findall(r"^    tape (.*)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def unnumbered(line):
    """A line without its `seq`: a feed's own rows, of which a busy machine has more, count too."""
    return re.sub(r" +\d{1,3}(,\d{3})+(?= |$)", " #", line)


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory):
    """What `tape demo` leaves behind."""
    home = tmp_path_factory.mktemp("demo")
    assert CliRunner().invoke(main, ["--home", str(home), "demo", "--quick", "--json"]).exit_code == 0
    return home


def test_sql_answers_over_the_recorded_day_and_checks_find_nothing(demo_home):
    connection = connect(demo_home)
    rows = {view.name: connection.sql(f"select count(*) from {view.name}").fetchall()[0][0] for view in marts()}
    assert all(rows[name] for name in ("trades", "equity", "execution_quality", "latency", "daily_pnl", "feed_health"))
    assert [each.first for each in offenders(demo_home) if each.count] == []


def test_the_examples_of_states_and_causes_print_what_stands_there(demo_home, monkeypatch):
    """Over the day that `tape demo` leaves behind; what a page shows of it goes stale otherwise."""
    monkeypatch.setenv("TAPE_HOME", str(demo_home))
    ran, shown = examples("state.md"), 0
    for words, expected in ran:
        told = CliRunner().invoke(main, words)
        assert told.exit_code == 0, (words, told.output)
        printed = [line.strip() for line in told.output.splitlines()]
        assert not expected or list(map(unnumbered, printed)) == list(map(unnumbered, expected)), words
        shown += len(expected)
    assert (len(ran), shown) == (10, 5)
    explained = [words for words in commands_in("explain.md") if words[0] == "explain"]
    moves = "select seq, ord from transitions where run is null order by all limit 1"
    ((seq, ord_),) = connect(demo_home).sql(moves).fetchall()
    for words in explained:
        told = CliRunner().invoke(main, [word.replace("SEQ,ORD", f"{seq},{ord_}") for word in words])
        assert told.exit_code == 0, (words, told.output)
    assert len(explained) == 7


PLACEHOLDERS = re.compile(r"\b(SESSION|RUN_A|RUN_B|ID|LIVE|NAME|COMMAND|REASON|FILES?)\b|\.\.\.")


def all_commands():
    """Every command that a page shows in a block of its own, or quotes whole."""
    for path in WRITTEN:
        if path.name in {"commands.md", "CHANGELOG.md"}:
            continue
        text = path.read_text()
        for pattern, is_whole in ((r"^    tape (.*)$", True), (r"`tape ([a-z][^`]*)`", False)):
            for line in re.findall(pattern, text, re.MULTILINE):
                yield pytest.param(line, is_whole, id=f"{path.name}: {line[:60]}")


@pytest.mark.parametrize(("line", "is_whole"), [*all_commands()])
def test_every_command_of_the_pages_is_one(line, is_whole):
    """Its words are taken by the command they name, and by nobody else; what is meant by a placeholder is left out."""
    words = [word for word in shlex.split(line, comments=True) if not PLACEHOLDERS.search(word)]
    context = main.make_context("tape", [], resilient_parsing=True)
    command = main
    while isinstance(command, click.Group) and words:
        name, found, words = command.resolve_command(context, words)
        assert found is not None, line
        context, command = click.Context(found, parent=context, info_name=name), found
    if "--help" in words or isinstance(command, click.Group):
        return
    known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts} | {
        "--help",
        "-h",
    }
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= known, f"{line}: no option {given - known}"
    if is_whole and not PLACEHOLDERS.search(line):
        try:
            command.make_context(name, words, parent=context.parent)
        except click.BadParameter as error:
            if "does not exist" not in str(error):  # a file of the reader's
                raise


def test_every_setting_is_told():
    text = (ROOT / "docs" / "settings.md").read_text()
    assert all(f"| `{name}` |" in text for name in EngineSettings.__struct_fields__)


def test_every_view_check_and_recipe_is_told():
    pages_ = "\n".join(path.read_text() for path in WRITTEN if path.name != "CHANGELOG.md")
    answers = [path.stem for room in ("marts", "checks") for path in (ROOT / "warehouse" / room).glob("*.sql")]
    assert len(answers) >= 40
    assert [name for name in answers if f"`{name}`" not in pages_] == []
    recipes = re.findall(r"^([a-z]+)(?: [^:=]*)?:(?!=)", (ROOT / "justfile").read_text(), re.MULTILINE)
    assert {"setup", "test", "bench"} <= set(recipes)
    assert [name for name in recipes if name != "default" and f"`just {name}" not in pages_] == []


def test_every_variable_of_the_environment_is_told():
    """On a page that is written by hand: whoever reads help texts alone would have to know which command to ask."""
    rooms = ("pipeline", "dashboards", "warehouse")
    sources = [path.read_text() for room in rooms for path in ROOT.glob(f"{room}/**/*.py")]
    heard = {name for text in sources for name in re.findall(r"""["'](TAPE_[A-Z_]+)["']""", text)}
    pages_ = [path.read_text() for path in WRITTEN if path.name not in {"commands.md", "CHANGELOG.md"}]
    assert {"TAPE_HOME", "TAPE_CACHE", "TAPE_WEBHOOK"} <= heard
    assert {name for name in heard if not any(f"`{name}" in text for text in pages_)} == set()


def test_no_page_carries_a_path_of_a_machine():
    for path in WRITTEN:
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", path.read_text()), path


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages as `just docs` builds them."""
    folder = tmp_path_factory.mktemp("site")
    words = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "-f",
        str(ROOT / "mkdocs.yml"),
        "-d",
        str(folder),
    ]
    built = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_has_every_page_and_asks_no_network(site):
    named = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    listed = {page for section in named for pages_ in section.values() for page in pages_}
    assert listed == {path.name for path in ROOT.glob("docs/*.md")}
    for name in listed:
        text = (site / f"{Path(name).stem}.html").read_text()
        assert not re.search(r"""<(script|link|img|iframe)[^>]+(src|href)=["'](https?:)?//""", text), name
