"""A report as a page: whatever strangers call their symbols, nothing of it is more than a text, and the page asks no network."""

import json
import re
from html.parser import HTMLParser

import pytest

from pipeline.reports.report_document import (
    Calendar,
    Cell,
    Chart,
    Document,
    Drawing,
    Fact,
    Facts,
    Heads,
    Line,
    Section,
    Series,
    Table,
    seen,
)
from pipeline.reports.report_drawings import short, svg_of
from pipeline.reports.report_page import json_of, page_of
from pipeline.reports.report_text import text_of

HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">'\"&<!--\x1b[2J\u202e\u2028"
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "div", "span", "b", "i", "p", "a"),
    *("small", "h1", "h2", "button", "figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("script", "svg", "rect", "line", "polyline", "path"),
}  # fmt: skip


def document_of(word):
    """Every kind of part, with a stranger's word wherever there is a text."""
    cell = Cell(word)
    drawing = Drawing([0.0, 0.5, 1.0], [1.0, 2.0, 1.5], (0.2, 1.2), (0.8, 1.4), is_long=True, stop=0.9, target=2.1)
    parts = [
        Heads([Fact(word, cell, word)]),
        Facts(word, [Fact(word, cell, word)]),
        Table(word, (word, word), [(cell, cell)], frozenset({1}), [drawing], is_sortable=True),
        Chart(word, [Series(word, [word, "b"], [1.0, 2.0])], "bars", word, word),
        Chart(word, [Series(word, ["2026-01-05 10:00:00", "2026-01-05 11:00:00"], [1.0, 2.0])], "steps"),
        Calendar(word, ["2026-01-05"], [-3.0], [word]),
        Line(word, is_warning=True),
    ]
    return Document(word, word, [Section("one", word, parts)])


class Elements(HTMLParser):
    """What a browser would make of it: elements with their attributes, texts of scripts."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes, self.scripts = [], set(), {}
        self.inside = None

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.inside = dict(attrs).get("id", "own")
            self.scripts[self.inside] = ""

    def handle_endtag(self, tag):
        if tag == "script":
            self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.scripts[self.inside] += data


@pytest.fixture(scope="module")
def hostile_page():
    return page_of(document_of(HOSTILE))


@pytest.fixture(scope="module")
def elements(hostile_page):
    found = Elements()
    found.feed(hostile_page)
    return found


def test_a_hostile_word_makes_no_element_and_no_attribute(elements, hostile_page):
    assert set(elements.names) <= KNOWN
    assert not any(name.startswith("on") for name in elements.attributes)
    assert set(elements.scripts) == {"charts", "plotly", "own"}
    assert "\x1b" not in hostile_page
    assert "\u202e" not in hostile_page


def test_the_numbers_of_charts_come_through_whole(elements):
    charts = json.loads(elements.scripts["charts"])
    assert [chart["form"] for chart in charts] == ["bars", "steps"]
    assert charts[0]["series"][0]["name"] == seen(HOSTILE)
    assert charts[0]["series"][0]["y"] == [1.0, 2.0]
    assert json.loads(json_of({"a": HOSTILE})) == {"a": HOSTILE}


def test_a_page_brings_everything_along_and_forbids_itself_the_rest(hostile_page, elements):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', hostile_page)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline' 'sha" not in policy
    assert "unsafe-eval" not in policy
    assert not {"src", "srcset", "action"} & elements.attributes
    assert not re.search(r"url\(|@import|https?:", hostile_page.replace(elements.scripts["plotly"], ""))


def test_the_same_document_makes_the_same_bytes(hostile_page):
    assert page_of(document_of(HOSTILE)) == hostile_page


def test_what_is_not_seen_is_written_out():
    assert seen("plain") == "plain"
    assert seen("Größe 株") == "Größe 株"
    assert seen("a\x1b[2J\u202eb\n\ud800") == r"a\x1b[2J\u202eb\n\ud800"


def test_text_steers_no_terminal_and_fits_its_window():
    text = text_of(document_of(HOSTILE * 3), 72)
    assert "\x1b" not in text
    assert all(len(line) <= 72 for line in text.splitlines())
    assert "[2J" in text


def test_the_columns_of_a_text_stand_beneath_each_other():
    rows = [(Cell("AB"), Cell("1.00")), (Cell("株株"), Cell("1,234.00"))]
    text = text_of(Document("t", "s", [Section("k", "one", [Table("", ("what", "sum"), rows, frozenset({1}))])]), 80)
    assert text.splitlines()[5:] == ["what       sum", "AB        1.00", "株株  1,234.00"]


def test_a_small_chart_keeps_its_marks_inside_and_leaves_out_levels_far_away():
    drawing = Drawing([0.0, 1.0], [10.0, 10.1], (0.1, 10.0), (0.9, 10.1), is_long=False, stop=10.15, target=2.0)
    svg = svg_of(drawing)
    assert 'class="stop"' in svg
    assert 'class="target"' not in svg
    flat = svg_of(Drawing([0.0, 1.0], [5.0, 5.0], (0.0, 5.0), (1.0, 5.0), is_long=True))
    assert "nan" not in flat
    assert "inf" not in flat


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "+0.00"), (9.996, "+10"), (999.6, "+1.0k"), (99_960, "+100k"), (-999_600, "-1.0M")]
)
def test_money_in_few_characters(value, said):
    assert short(value) == said
