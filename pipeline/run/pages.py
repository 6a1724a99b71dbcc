"""Pages written from the code, so that they can't lag behind it: the event layouts, the commands, the indicators, the feeds, what a scanner may hold, what SQL answers."""

import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from pipeline.codes import Kind
from pipeline.events import HEADER, LAYOUTS, Field
from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.indicator import Indicator
from pipeline.provenance import BOTH, ROLE, Mode
from pipeline.run.feeds_page import feeds_page
from pipeline.run.scanner_page import scanner_page
from pipeline.run.settings_page import settings_page
from warehouse.dictionary import dictionary_page

_LOOK: Final[dict[str, Any]] = {"terminal_width": 100, "help_option_names": ["-h", "--help"]}
"""Of the help texts, whatever terminal writes them."""

_WRITTEN: Final = "<!-- written by `just docs` from the code: change it there -->\n\n"


def pages(root: click.Group) -> dict[str, str]:
    """File name and text of every page."""
    return {
        "events.md": events_page(),
        "commands.md": commands_page(root),
        "indicators.md": indicators_page(),
        "feeds.md": _WRITTEN + feeds_page(),
        "scanner_fields.md": _WRITTEN + scanner_page(),
        "data_dictionary.md": _WRITTEN + dictionary_page(),
        "settings.md": _WRITTEN + settings_page(),
    }


def events_page() -> str:
    """Every kind with its grain, its provenance and its fields."""
    lines = [
        "# Events",
        "",
        "One Arrow schema a kind; every row starts with the common header. Prices are int64 in 1e-9, sizes int64 in",
        "steps of the instrument's `size_step_nano`, times int64 UTC nanoseconds. Columns are never null: absent is",
        "the smallest integer of the column's type or NaN, and NULL in the views.",
        "",
        "## Header",
        "",
        *_table(HEADER),
        "## Input or derived",
        "",
        "I: an input, D: derived by the reducer from the input with the same `seq`. The row's `origin` says which.",
        "",
        f"| kind | {' | '.join(mode.value for mode in Mode)} |",
        f"|---|{'---|' * len(Mode)}",
        *(f"| {kind.name.lower()} | {' | '.join(_role(kind, mode) for mode in Mode)} |" for kind in Kind),
        "",
    ]
    for layout in LAYOUTS.values():
        lines += [
            f"## {layout.kind.name.lower()}",
            "",
            f"Kind {int(layout.kind)}, version {layout.version}: {layout.grain}.",
            "",
            *_table(layout.payload),
        ]
    return _WRITTEN + "\n".join(lines).rstrip() + "\n"


def _role(kind: Kind, mode: Mode) -> str:
    first = ROLE[kind][mode].value
    second = BOTH[kind][mode].value if kind in BOTH else first
    return first if first == second else f"{first} or {second}"


def _table(fields: tuple[Field, ...]) -> Iterator[str]:
    yield "| field | type | what it is |"
    yield "|---|---|---|"
    for field in fields:
        codes = ""
        if field.codes:
            codes = f" ({', '.join(f'{int(code)} {code.name}' for code in field.codes)})"
        absent = "" if field.absent is None else "; may be absent"
        yield f"| `{field.name}` | {field.type} | {field.doc}{absent}{codes} |"
    yield ""


def commands_page(root: click.Group) -> str:
    """The help of every command."""
    context = click.Context(root, info_name="tape", **_LOOK)
    parts = ["# Commands", "", *_help(root, context)]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        child = click.Context(command, parent=context, info_name=name, **_LOOK)
        parts += _help(command, child)
        if isinstance(command, click.Group):
            for inner in command.list_commands(child):
                sub = command.get_command(child, inner)
                assert sub is not None
                parts += _help(sub, click.Context(sub, parent=child, info_name=inner, **_LOOK))
    return _WRITTEN + "\n".join(parts).rstrip() + "\n"


def _help(command: click.Command, context: click.Context) -> list[str]:
    return [f"## {context.command_path}", "", "```", command.get_help(context), "```", ""]


def indicators_page() -> str:
    """Every indicator with what it takes, what it gives and whose convention it follows."""
    lines = [
        "# Indicators",
        "",
        "A strategy imports an indicator's module, keeps its group in its State and calls its functions; whoever only",
        "has a name finds the same functions in `pipeline.indicators.catalog.INDICATORS`; `over` runs one over a whole",
        "series. All of them share one interface: the group first, then the inputs, then the parameters, in this order.",
        "",
        "    from pipeline.indicators import rsi",
        "",
        "    rsi.update(s.rsi, bar.close, p.length)       # s.rsi is a member `rsi: Rsi` of the State",
        "    if rsi.ready(s.rsi, p.length):",
        "        show(ctx, Shown.RSI, s.rsi.value)",
        "    rsi.reset(s.rsi)                             # as new",
        "",
        "    import numpy as np",
        "",
        "    from pipeline.indicators.catalog import INDICATORS",
        "    from pipeline.indicators.series import over",
        "",
        "    closes = np.array([10.0, 10.5, 10.25, 11.0])",
        '    over(INDICATORS["rsi"], {"close": closes}, {"length": 2})["value"]   # nan, nan, then numbers',
        "",
        "Values are members of the group, NaN before they mean something, and again while there is nothing to measure: a",
        "window without range, change or volume. An input that is NaN, infinite or absent moves",
        "nothing; a quote without a side has no spread. Inputs are fields of the event named with them; where they are",
        "a bar's, any other series will do: a price may stand for both ends of a bar, a print's price and size for a bar's",
        'vwap and volume. Those with an array take their capacity in the State, like `sma: Sma = group(capacity="window")`.',
        "",
        "What ends with `minute` is a minute of the day by the wall clock of the `zone`. Reference values of LEAN, Skender",
        "and Tulip are met wherever the convention is theirs; compiled and interpreted give the same bytes.",
        "",
        "| indicator | group | fed with | values | ready after | drawn | convention |",
        "|---|---|---|---|---|---|---|",
        *map(_indicator_row, INDICATORS.values()),
        "",
        "Ready after: the least number of updates with the parameters' defaults. Extremes since a reset (`extremes`), the",
        "last values (`window`) and the average that begins with an average (`seeded`) are groups to build upon.",
        "",
        "## Parameters",
        "",
        "| indicator | parameter | default | accepted | what it is |",
        "|---|---|---|---|---|",
        *(row for indicator in INDICATORS.values() for row in _parameter_rows(indicator)),
        "",
        "## Each of them",
        "",
        "With the lines a strategy uses it by: the imports, a member of its State with the capacity that the defaults need,",
        "and the update in a handler. Any of the numbers may be a parameter of the strategy, and a capacity its name: what is",
        "room for its high bound.",
        "",
        *(line for indicator in INDICATORS.values() for line in _section(indicator)),
    ]
    return _WRITTEN + "\n".join(lines).rstrip() + "\n"


def _indicator_row(indicator: Indicator) -> str:
    fed = f"{indicator.event.__name__.lower()}: {_quoted(indicator.inputs)}"
    warm_up = indicator.warm_up(indicator.Params())
    module, group = indicator.State.__module__.rpartition(".")[2], indicator.State.__name__
    held = f"`{group}`" if module == indicator.name else f"`{group}` of `{module}`"
    drawn = indicator.pane.value + f", without {_quoted(indicator.undrawn)}" * bool(indicator.undrawn)
    cells = (held, fed, _quoted(indicator.values), warm_up, drawn, indicator.convention)
    return f"| `{indicator.name}` {indicator.title} | {' | '.join(map(str, cells))} |"


def _parameter_rows(indicator: Indicator) -> Iterator[str]:
    for spec in indicator.Params.specs:
        yield f"| `{indicator.name}` | `{spec.name}` | {spec.default:g} | {spec.accepted} | {spec.help} |"


def _section(indicator: Indicator) -> Iterator[str]:
    """What an indicator's file says of it, and the lines of a strategy that uses it."""
    yield from (f"### `{indicator.name}`", "")
    yield from (inspect.getdoc(sys.modules[indicator.update.__module__]) or "").splitlines()
    given = indicator.Params()
    name, group = indicator.name, indicator.State.__name__
    event = indicator.event.__name__.lower()
    sizes = ", ".join(f"{capacity}={size}" for capacity, size in indicator.capacity(given).items())
    taken = ", ".join([f"s.{name}", *(f"{event}.{each}" for each in indicator.inputs), *map(repr, given)])
    yield ""
    yield f"    from pipeline.indicators import {name}"
    yield f"    from {indicator.State.__module__} import {group}"
    yield f"    {name}: {group}" + f" = group({sizes})" * bool(sizes)
    yield f"    {name}.update({taken})"
    yield ""


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
