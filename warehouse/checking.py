"""Checking: rows of a log that must not be, by the statements under `warehouse/checks/`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from warehouse.connection import connect
from warehouse.views import checks

_SHOWN_MAX: Final = 5


class Found(msgspec.Struct, frozen=True):
    """What one check found."""

    check: str
    grain: str
    """What an offender is."""
    count: int
    first: list[dict[str, str | int | float | None]]
    """The first offenders, what is neither number nor text as text."""


def offenders(home: str | Path, names: Sequence[str] = ("all",)) -> list[Found]:
    """Every check over the logs named, in the order of their names, with what it found: nothing, when all is well.

    Raises as `connect` does, and duckdb.Error.
    """
    connection = connect(home, names, asked=checks())
    found = []
    for view in checks():
        rows = connection.sql(f"from {view.name}").to_arrow_table()
        first = [
            {name: value if isinstance(value, str | int | float) else _text(value) for name, value in row.items()}
            for row in rows.slice(0, _SHOWN_MAX).to_pylist()
        ]
        found.append(Found(view.name.removeprefix("checks."), view.grain, rows.num_rows, first))
    return found


def _text(value: object) -> str | None:
    return None if value is None else str(value)
