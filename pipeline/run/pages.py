"""Pages written from the code, so that they can't lag behind it: the event layouts, the commands."""

from collections.abc import Iterator
from typing import Any, Final

import click

from pipeline.codes import Kind
from pipeline.events import HEADER, LAYOUTS, Field
from pipeline.provenance import BOTH, ROLE, Mode

_LOOK: Final[dict[str, Any]] = {"terminal_width": 100, "help_option_names": ["-h", "--help"]}
"""Of the help texts, whatever terminal writes them."""

_WRITTEN: Final = "<!-- written by `just docs` from the code: change it there -->\n\n"


def pages(root: click.Group) -> dict[str, str]:
    """File name and text of every page."""
    return {"events.md": events_page(), "commands.md": commands_page(root)}


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
