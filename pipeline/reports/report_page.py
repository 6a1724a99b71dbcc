"""A report as one HTML file that needs nothing else: style, script, plotly and numbers are in it, and it asks no network.

Every text is escaped where it is put in, and the page forbids itself whatever it did not bring along: a policy names its two
scripts by their hashes, so markup that slipped through would be dead all the same, and nothing may be fetched.
plotly.js stands in it compressed, 2 MB instead of 5; the browser unpacks it. The same document makes the same bytes.
"""

import gzip
import hashlib
import importlib.util
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final, assert_never

import msgspec

from pipeline.errors import ConfigError
from pipeline.reports.report_document import (
    Calendar,
    Cell,
    Chart,
    Document,
    Fact,
    Facts,
    Heads,
    Line,
    Part,
    Section,
    Table,
    seen,
)
from pipeline.reports.report_drawings import calendar_of, svg_of

_HERE: Final = Path(__file__).resolve().parent
_WIDE_FROM: Final = 300
"""Charts of this height have the whole width."""

_LONG: Final = 28
"""Letters from which on a text may be broken into lines; a number never is."""

_PAIRED: Final = frozenset({"wide", "charts"})
"""What a single table of facts stands beside."""


def page_of(document: Document) -> str:
    """The whole file. Raises ConfigError where plotly is not installed."""
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    plotly, plotly_hash = _plotly()
    policy = (
        f"default-src 'none'; script-src '{_hash(script.encode())}' '{plotly_hash}'; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    charts: list[Chart] = []
    sections = "".join(_section(each, charts) for each in document.sections)
    links = "".join(f'<a href="#{_text(each.key)}">{_text(each.title)}</a>' for each in document.sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(document.title)}</title>\n"
        f"<style>\n{(_HERE / 'report.css').read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        f"<header><div><h1>{_text(document.title)}</h1><p>{_text(document.subtitle)}</p></div>"
        '<button id="theme" type="button" title="dark or light">dark</button></header>\n'
        f"<nav>{links}</nav>\n<main>\n{sections}</main>\n"
        f'<script type="application/json" id="charts">{json_of([_told(each) for each in charts])}</script>\n'
        f'<script type="text/plain" id="plotly">{plotly}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def json_of(value: object) -> str:
    r"""JSON that can stand in a script element: nothing in it ends one, opens one, or begins a comment.

    >>> json_of(["</script>"])
    '["\\u003c/script\\u003e"]'
    """
    told = msgspec.json.encode(msgspec.to_builtins(value)).decode()
    for mark in "<>&\u2028\u2029":
        told = told.replace(mark, f"\\u{ord(mark):04x}")
    return told


@cache
def _plotly() -> tuple[str, str]:
    """plotly.js, compressed, in letters; and its hash as a policy names it."""
    found = importlib.util.find_spec("plotly")  # not imported: a page needs this one file of it
    folders = list(found.submodule_search_locations or ()) if found else []
    path = Path(folders[0], "package_data", "plotly.min.js") if folders else None
    if path is None or not path.is_file():
        raise ConfigError("a report needs the package plotly, which is in requirements.lock: `just setup` installs it")
    source = path.read_bytes()
    return b64encode(gzip.compress(source, 6, mtime=0)).decode(), _hash(source)


def _told(chart: Chart) -> dict[str, object]:
    series = [
        {**each._asdict(), "name": seen(each.name), "x": [seen(x) if isinstance(x, str) else x for x in each.x]}
        for each in chart.series
    ]
    return {
        **chart._asdict(),
        "title": seen(chart.title),
        "across": seen(chart.across),
        "unit": seen(chart.unit),
        "series": series,
    }


def _hash(script: bytes) -> str:
    return f"sha256-{b64encode(hashlib.sha256(script).digest()).decode()}"


def _text(text: str) -> str:
    return escape(seen(text))


def _section(section: Section, charts: list[Chart]) -> str:
    """Parts of one kind that follow each other stand beside each other."""
    groups = [(name, list(parts)) for name, parts in groupby(section.parts, key=_group)]
    told, place = "", 0
    while place < len(groups):
        (name, parts), behind = groups[place], groups[place + 1 : place + 2]
        is_pair = (
            name in _PAIRED and len(parts) == 1 and bool(behind) and behind[0][0] == "facts" and len(behind[0][1]) == 1
        )
        if is_pair:
            name, parts, place = "pair", [*parts, *behind[0][1]], place + 1
        told += f'<div class="{name}">{"".join(_part(part, charts) for part in parts)}</div>'
        place += 1
    return f'<section id="{_text(section.key)}"><h2>{_text(section.title)}</h2>{told}</section>\n'


def _group(part: Part) -> str:
    match part:
        case Heads():
            return "heads"
        case Facts():
            return "facts"
        case Chart():
            return "wide" if part.height >= _WIDE_FROM else "charts"
        case Table():
            return "wide" if part.is_wide or len(part.columns) > 8 else "tables"
        case Calendar():
            return "wide"
        case Line():
            return "lines"
        case _:
            assert_never(part)


def _part(part: Part, charts: list[Chart]) -> str:
    match part:
        case Heads():
            return "".join(_head(fact) for fact in part.rows)
        case Facts():
            has_more = any(fact.beside for fact in part.rows)
            rows = "".join(_fact(fact, has_more=has_more) for fact in part.rows)
            return f"<figure><figcaption>{_text(part.title)}</figcaption><table>{rows}</table></figure>"
        case Chart():
            charts.append(part)
            place = f'<div class="chart" data-chart="{len(charts) - 1}" style="height:{part.height}px"></div>'
            return f"<figure><figcaption>{_text(part.title)}</figcaption>{place}</figure>"
        case Table():
            return _table(part)
        case Calendar():
            return f"<figure><figcaption>{_text(part.title)}</figcaption>{calendar_of(part)}</figure>"
        case Line():
            return f"<p{' class=warning' if part.is_warning else ''}>{_text(part.text)}</p>"
        case _:
            assert_never(part)


def _head(fact: Fact) -> str:
    beside = f"<small>{_text(fact.beside)}</small>" if fact.beside else ""
    return (
        f'<div><span>{_text(fact.name)}</span><b class="{fact.value.tone}">{_text(fact.value.text)}</b>{beside}</div>'
    )


def _fact(fact: Fact, *, has_more: bool) -> str:
    why = "why " if fact.value.tone == "quiet" or len(fact.value.text) > _LONG else ""
    more = f'<td class="n quiet">{_text(fact.beside)}</td>' if has_more else ""
    return (
        f'<tr><th>{_text(fact.name)}</th><td class="n {why}{fact.value.tone}">{_text(fact.value.text)}</td>{more}</tr>'
    )


def _table(table: Table) -> str:
    title = f"<figcaption>{_text(table.title)}</figcaption>" if table.title else ""
    heads = [*table.columns, *([""] if table.drawings else [])]
    head = "".join(
        f"<th{' class=n' if place in table.numbers else ''}>{_text(name)}</th>" for place, name in enumerate(heads)
    )
    rows = "".join(f"<tr>{line}</tr>" for line in _rows(table))
    sorts = " data-sorts" if table.is_sortable else ""
    is_even = len(table.columns) > 5 and table.numbers == frozenset(range(1, len(table.columns)))
    return f'<figure>{title}<div class="scroll"><table class="rows{" even" if is_even else ""}"{sorts}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></figure>'


def _rows(table: Table) -> Iterable[str]:
    for place, row in enumerate(table.rows):
        cells = "".join(_cell(cell, is_number=column in table.numbers) for column, cell in enumerate(row))
        if table.drawings:
            drawing = table.drawings[place]
            cells += f"<td>{svg_of(drawing) if drawing else ''}</td>"
        yield cells


def _cell(cell: Cell, *, is_number: bool) -> str:
    is_long = not is_number and len(cell.text) > _LONG
    names = " ".join(filter(None, ("n" if is_number else "", "long" if is_long else "", cell.tone)))
    order = "" if cell.order is None else f' data-v="{cell.order!r}"'
    shape = f' class="{names}"' if names else ""
    return f"<td{shape}{order}>{_text(cell.text)}</td>"
