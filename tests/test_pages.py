"""Pages: what is written from the code is what stands in docs/, and every link in the docs leads somewhere."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
import yaml

from pipeline.cli import main
from pipeline.core.settings import EngineSettings
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.pages import pages
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day

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


def test_every_command_is_told_by_hand_and_has_an_example():
    """What is written from the code has every command by itself; a reader learns when to use it from somebody's sentence."""
    by_hand = "\n".join(path.read_text() for path in WRITTEN if path.name not in {"commands.md", "CHANGELOG.md"})
    examples = (ROOT / "docs" / "commands.md").read_text()
    context = click.Context(main)
    names = main.list_commands(context)
    assert len(names) >= 40
    groups = {name: each for name in names if isinstance(each := main.get_command(context, name), click.Group)}
    within = [f"{name} {part}" for name, group in groups.items() for part in group.list_commands(context)]
    assert "sessions export" in within
    assert [
        name for name in [*names, *within] if not re.search(rf"\btape (--home \w+ )?{name}(?![\w-])", by_hand)
    ] == []
    alone = [name for name in names if name not in groups]
    assert [name for name in alone if not re.search(rf"^  tape {name}(?![\w-])", examples, re.MULTILINE)] == []


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
