"""The table: environment by session and speed, and whether any hash is another one than was recorded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """What one environment made of one session at one speed; `problem` says why there are no hashes."""

    environment: str
    session: str
    speed: str
    decisions_hash: str = ""
    state_hash: str = ""
    problem: str = ""


def difference(cell: Cell, recorded: dict[str, tuple[str, str]]) -> str:
    """What is wrong with a cell; '' when both hashes are those that were recorded."""
    if cell.problem:
        return cell.problem
    for name, found, expected in zip(
        ("decisions", "state"), (cell.decisions_hash, cell.state_hash), recorded[cell.session], strict=True
    ):
        if found != expected:
            return f"{name} {found[:12]}, recorded {expected[:12]}"
    return ""


def table(cells: list[Cell], recorded: dict[str, tuple[str, str]]) -> tuple[str, bool]:
    """The table as Markdown, and whether there are cells and nothing differs in any of them."""
    lines = ["| environment | session | speed | hashes |", "|---|---|---|---|"]
    found = [difference(cell, recorded) for cell in cells]
    lines += [
        f"| {cell.environment} | {cell.session} | {cell.speed} | {wrong or 'equal'} |"
        for cell, wrong in zip(cells, found, strict=True)
    ]
    return "\n".join(lines), bool(cells) and not any(found)
