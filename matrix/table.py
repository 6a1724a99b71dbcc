"""The table: an environment a line, and beneath it every hash that is another one than was recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WAYS = ("interpreted", "compiled", "recorded there")
"""Verified there at either speed; recorded there, and verified here."""

_HEAD = ("Python", "numpy", "numba", "pyarrow", "DuckDB", *WAYS)


@dataclass(frozen=True)
class Cell:
    """What one environment (its versions, as in the head) made of one session in one way; `problem` says why there are no hashes."""

    environment: tuple[str, ...]
    session: str
    way: str
    decisions_hash: str = ""
    state_hash: str = ""
    problem: str = ""


def difference(cell: Cell, recorded: Mapping[str, tuple[str, str]]) -> str:
    """What is wrong with a cell; '' when both hashes are those that were recorded."""
    if cell.problem:
        return cell.problem
    for name, found, expected in zip(
        ("decisions", "state"), (cell.decisions_hash, cell.state_hash), recorded[cell.session], strict=True
    ):
        if found != expected:
            return f"{name} {found[:12]}, recorded {expected[:12]}"
    return ""


def table(cells: Sequence[Cell], recorded: Mapping[str, tuple[str, str]]) -> tuple[str, bool]:
    """The table as Markdown, and whether there are cells and every environment has all sessions, equal in every way."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---" * len(_HEAD) + "|"]
    counts: list[str] = []
    for environment in dict.fromkeys(cell.environment for cell in cells):
        mine = [cell for cell in cells if cell.environment == environment]
        told = [_told([cell for cell in mine if cell.way == way], recorded) for way in WAYS]
        names = [*environment, *["-"] * (len(_HEAD) - len(WAYS) - len(environment))]
        lines.append(f"| {' | '.join([*names, *told])} |")
        counts += told
    wrong = [
        f"{' '.join(cell.environment)}: {cell.session}, {cell.way}: {told}"
        for cell in cells
        if (told := difference(cell, recorded))
    ]
    return "\n".join([*lines, *([""] if wrong else []), *wrong]), set(counts) == {"equal"}


def _told(cells: Sequence[Cell], recorded: Mapping[str, tuple[str, str]]) -> str:
    equal = {cell.session for cell in cells if not difference(cell, recorded)}
    return "equal" if equal == set(recorded) else f"{len(equal)} of {len(recorded)} equal"
