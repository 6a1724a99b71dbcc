"""Pages: what is written from the code is what stands in docs/, and every link in the docs leads somewhere."""

import re
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.run.pages import pages

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("name", ["events.md", "commands.md"])
def test_a_page_is_as_the_code_says(name):
    assert (ROOT / "docs" / name).read_text() == pages(main)[name], "run `just docs`"


@pytest.mark.parametrize("path", WRITTEN, ids=[path.name for path in WRITTEN])
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_no_page_carries_a_path_of_a_machine():
    for path in WRITTEN:
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", path.read_text()), path
