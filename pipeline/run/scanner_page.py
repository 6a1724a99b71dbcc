"""The page of a scanner's keys and fields, written from the code."""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.scanner.field import Field
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.keys import KEYS, REQUIRED, Key

_HEADS: Final = {
    "": "At the top",
    "schedule": "`[schedule]`",
    "near_miss": "`[near_miss]`",
    "measures": "`[measures]`",
    "filters": "`[[filters]]`, up to 60 of them",
    "rank": "`[[rank]]`, the first key first",
}


def scanner_page() -> str:
    """Every key of a definition with its default, every field with its unit, its source and who has it."""
    lines = ["# Scanners: keys and fields", "", "What they are for is in [scanners.md](scanners.md).", "", "## Keys"]
    for table, keys in KEYS.items():
        lines += ["", f"### {_HEADS[table]}", "", "| key | default | accepted | what it is |", "|---|---|---|---|"]
        lines += map(_key_row, keys)
    lines += [
        "",
        "## Fields",
        "",
        "`%` is a hundredth: 4 is four percent. `price` and `money` are of the quote currency; a size is in shares, contracts or",
        "coins. A class that is not named has no such field: it is absent there, not zero.",
        "",
        "| field | unit | what it is | from | who has it |",
        "|---|---|---|---|---|",
        *map(_field_row, FIELDS.values()),
    ]
    return "\n".join(lines) + "\n"


def _key_row(key: Key) -> str:
    return f"| `{key.name}` | {_default(key.default)} | {'; '.join(_accepted(key))} | {key.help} |"


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "must be there"
    if value is None or value in ("", []):
        return "none"
    return ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def _accepted(key: Key) -> Iterator[str]:
    if key.kind == "number" and not key.high:
        yield "a number, `true` or `false`"
    else:
        yield key.accepted


def _field_row(field: Field) -> str:
    classes = ", ".join(sorted(each.name.lower() for each in field.classes)) or "all"
    return f"| `{field.name}` | {field.unit} | {field.help} | {field.source} | {classes} |"
