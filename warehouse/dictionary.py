"""Dictionary: what every answer's columns are, out of the headers of the statements, the layouts of events, and the views themselves.

A header's lines after its grain say what columns are: `-- price, fee: quote currency; quantity: shares`. A piece behind a
semicolon whose first words are no columns goes on with what stands before it; `seconds_*` and `*_bps` mean all that fit.
A line that names no column is said of the whole answer.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from pipeline.codes import Kind
from pipeline.events import FIELD_BY_NAME
from warehouse.connection import connect
from warehouse.views import View, checks, closure, marts

_NAMED: Final = re.compile(r"\s*([a-z_0-9*]+(?:, [a-z_0-9*]+)*): (.+)", re.DOTALL)
_LOGGED: Final = re.compile(r"\blog\.(\w+)")

_COMMON: Final[Mapping[str, str]] = {
    "session": "the session whose `seq` it speaks of",
    "run": "the run that decided it; null: while it was recorded",
    "ts_event": "when the venue says it happened; of what was decided, the session time",
    "ts_recv": "when it was received; of what was decided, the session time",
    "strategy": "name of the strategy",
    "symbol": "the venue's name of the instrument",
    "venue": "dataset or exchange that names it",
    "day": "trading day of its exchange: New York's of shares, from 18:00 there on the next one's of futures, the UTC day of what never closes",
    "scanner": "name of the scanner",
    "feed": "the name it declared",
    "words": "the strategy's own words",
    "backtest": "id of the backtest",
    "filter": "the filter, as the scanner's definition spells it",
    "trade_number": "1, 2, 3 ... of this strategy in this instrument",
    "entry_seq": "place of the first execution",
    "exit_seq": "place of the last execution",
    "entry_order_id": "our number of the order that opened it",
    "count_trades": "round trips that were closed",
    "count_intents": "wishes",
    "count_refused": "wishes that the risk gate refused",
    "count_invalid": "wishes that make no order",
    "count_fills": "executions",
    "count_open_positions": "round trips still open at the end",
    "params": "every parameter as a number",
    "key": "what names the cell: a hash of its session, code, parameters and settings",
    "cell": "number of the cell in its backtest",
    "decisions_hash": "of all that was decided: two runs that decided the same have the same",
    "state_hash": "of the state at the end",
    "worth_per_price": "what a move of the price by 1 is worth",
}


class Column(NamedTuple):
    """One column of one answer."""

    name: str
    type: str
    """As DuckDB has it."""
    unit: str
    text: str
    """What it is; empty: nothing says."""


class Entry(NamedTuple):
    """One answer, or one check."""

    view: View
    remarks: list[str]
    columns: list[Column]


@cache
def entries() -> tuple[Entry, ...]:
    """Every answer and every check, by name, as the views are over a store without logs."""
    every = [*marts(), *checks()]
    with TemporaryDirectory() as nothing:
        connection = connect(nothing, asked=every)
        described_views = [connection.sql(f"describe {view.name}").fetchall() for view in every]
    found = []
    for view, described in zip(every, described_views, strict=True):
        types = {str(name): str(type_) for name, type_, *_ in described}
        named, remarks = _header(view, types)
        columns = [
            Column(name, type_, _unit(name, type_), _text(name, view, named, types)) for name, type_ in types.items()
        ]
        found.append(Entry(view, remarks, columns))
    return tuple(found)


def dictionary_page() -> str:
    """The page: an answer a chapter, a column a line."""
    lines = [
        "# Data dictionary",
        "",
        "Every answer of `tape sql` with its columns: type, unit and what they are. `*_nano` and `*_steps` are the exact integers of",
        "the log, beside them the same as float64; times are UTC. Null: not known, or it does not apply.",
        "",
    ]
    for entry in entries():
        lines += [f"## {entry.view.name}", "", f"One row per {entry.view.grain.removeprefix('one row per ')}."]
        lines += ["", "Kept for each sealed log."] if entry.view.kept else []
        lines += [f"\n{remark[0].upper()}{remark[1:]}." for remark in entry.remarks]
        lines += ["", "| column | type | unit | what it is |", "|---|---|---|---|"]
        lines += [
            f"| `{each.name}` | {each.type.lower()} | {each.unit} | {_cell(each.text)} |" for each in entry.columns
        ]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _header(view: View, types: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """What the header says of names and patterns, and of the whole."""
    named: dict[str, list[str]] = {}
    remarks: list[str] = []
    for line in view.select.splitlines()[1:]:
        if not line.startswith("--"):
            break
        if line.startswith("-- kept:"):
            continue
        last: list[str] = []
        pieces = line.removeprefix("--").split(";")
        for piece in pieces:
            found = _NAMED.fullmatch(piece)
            names = found[1].split(", ") if found else []
            if found and all(any(fnmatchcase(column, name) for column in types) for name in names):
                for name in names:
                    named.setdefault(name, []).append(found[2].strip())
                last = names
            elif last and not found:
                for name in last:
                    named[name][-1] += f";{piece}"
            elif remarks and not last and piece is not pieces[0]:
                remarks[-1] += f";{piece}"
            else:
                remarks.append(piece.strip())
    return named, remarks


def _text(name: str, view: View, named: Mapping[str, list[str]], types: Mapping[str, str]) -> str:
    """What a column is: by the header, the words that all share, the layout of its event, or what it is made of."""
    if name in named:
        return "; ".join(named[name])
    fitting = [text for pattern, texts in named.items() if fnmatchcase(name, pattern) for text in texts]
    if fitting:
        return "; ".join(fitting)
    if name in _COMMON:
        return _COMMON[name]
    return next(_of_layout(name, view), "") or _of_twin(name, named, types)


def _of_layout(name: str, view: View) -> Iterator[str]:
    """The words of an event that the view is made of, of the column, of its exact twin, of its code."""
    for kind in _kinds(view):
        fields = FIELD_BY_NAME[kind]
        for spelled in (
            name,
            f"{name}_nano",
            f"{name}_steps",
            f"{name}_ns",
            f"{name.removesuffix('_at')}_ns",
            f"{name.removesuffix('_price')}_nano",
        ):
            if spelled in fields:
                yield re.split("; (?:1e-9|steps|UTC nano)", fields[spelled].doc)[0]


def _kinds(view: View) -> list[Kind]:
    """The kinds of events beneath a view, those it reads itself first."""
    needed, _ = closure([view], through_kept=True)
    staged = [each for each in needed if each.name.startswith("staging.")]
    staged.sort(key=lambda each: each.name not in view.select)
    logged = [name for each in staged for name in _LOGGED.findall(each.select)]
    return [Kind[name.upper()] for name in logged if name.upper() in Kind.__members__]


def _of_twin(name: str, named: Mapping[str, list[str]], types: Mapping[str, str]) -> str:
    """A column beside another of the same thing: its integer, its number."""
    for suffix in ("_nano", "_ns", "_steps", "_code"):
        twin = name.removesuffix(suffix)
        if twin != name and twin in types:
            said = "; ".join(named.get(twin, [])) or _COMMON.get(twin, "")
            return f"the exact `{twin}`" + (f": {said}" if said else "")
    return ""


def _unit(name: str, type_: str) -> str:
    """By its name, as all columns are named; empty where the text says it, or there is none."""
    for ending, unit in (
        ("_nano", "1e-9"), ("_steps", "steps"), ("_ns", "ns"), ("_bps", "1e-4"), ("_percent", "%"), ("_r", "R"), ("r_multiple", "R"),
    ):  # fmt: skip
        if name.endswith(ending):
            return unit
    if type_.startswith("TIMESTAMP"):
        return "UTC"
    return "s" if "seconds" in name else "rows" if name.startswith("count_") else ""
