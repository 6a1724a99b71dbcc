"""Totals: what the ledger adds up to, as it stands in docs/reliability.md."""

from pathlib import Path

import stints

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- totals: written by the trials -->", "<!-- end of totals -->"

GOALS = {"crash": 1_000_000, "kill": 10_000, "episodes": 100_000}
FUZZ_GOAL = 5_000_000


def table(ledger: Path = stints.LEDGER) -> str:
    """The totals as a table."""
    rows = ["| trial | seeds | executions passed | goal |", "|---|---:|---:|---:|"]
    for name, (seeds, executions) in stints.totals(ledger).items():
        goal = GOALS.get(name, FUZZ_GOAL)
        rows.append(f"| `just {name}` | {seeds:,} | {executions:,} | {goal:,} |")
    return "\n".join(rows)


def written(text: str, ledger: Path = stints.LEDGER) -> str:
    """The page with the totals of this ledger in it."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(ledger)}\n\n{END}{rest.split(END)[1]}"


def write() -> None:
    """Write them anew where they differ."""
    if PAGE.exists() and (made := written(PAGE.read_text())) != PAGE.read_text():
        PAGE.write_text(made)
