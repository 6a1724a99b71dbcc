"""A page in a real browser: charts are drawn, hostile words stay words, and it prints. Skipped where there is none."""

import pytest
from test_report_page import HOSTILE, document_of

from pipeline.errors import ConfigError
from pipeline.reports import report_printing
from pipeline.reports.report_document import seen
from pipeline.reports.report_page import page_of
from pipeline.reports.report_printing import printed


def has_browser():
    try:
        return bool(report_printing.browser())
    except ConfigError:
        return False


pytestmark = pytest.mark.skipif(not has_browser(), reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def page():
    return page_of(document_of(HOSTILE))


def test_charts_are_drawn_and_hostile_words_stay_words(page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    dom = report_printing._run(report_printing.browser(), str(tmp_path), ["--dump-dom", path.as_uri()])
    assert "<title>taken" not in dom
    assert "<img" not in dom
    assert dom.count('class="main-svg"') >= 4  # two layers a chart
    assert 'class="chart bare"' not in dom
    assert report_printing._height(dom) > 800
    drawn = seen(HOSTILE).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert drawn in dom


@pytest.mark.parametrize(
    ("form", "begins"), [("pdf", b"%PDF-"), pytest.param("png", b"\x89PNG", marks=pytest.mark.soak)]
)
def test_a_page_is_printed(page, tmp_path, form, begins):
    path = tmp_path / f"page.{form}"
    printed(page, form, path)
    made = path.read_bytes()
    assert made.startswith(begins)
    assert len(made) > 10_000


def test_a_browser_that_fails_says_why(page, tmp_path, monkeypatch):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho no room >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ConfigError, match="chromium failed: no room"):
        printed(page, "pdf", tmp_path / "page.pdf")
