"""Totals: what the ledgers add up to, as it stands in docs/reliability.md."""

import json
from pathlib import Path

import mutants
import stints

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
RECORDED = Path(__file__).with_name("recorded.jsonl")

GOALS = {"crash": 1_000_000, "kill": 10_000, "episodes": 100_000}
FUZZ_GOAL = 5_000_000


def lived(ledger: Path = stints.LEDGER) -> str:
    """What every trial came to."""
    rows = ["| trial | seeds | executions passed | goal |", "|---|---:|---:|---:|"]
    for name, (seeds, executions) in stints.totals(ledger).items():
        goal = GOALS.get(name, FUZZ_GOAL)
        rows.append(f"| `just {name}` | {seeds:,} | {executions:,} | {goal:,} |")
    return "\n".join(rows)


def taken_out() -> str:
    """How many rules were caught when they were taken out, by room."""
    known = mutants.caught()
    rows = ["| rules of | on the list | caught | |", "|---|---:|---:|---|"]
    for room, what in (
        ("risk", "the gate of orders"),
        ("log", "the log"),
        ("order", "orders at a broker"),
        ("far", "stores far away"),
        ("node", "nodes of a cluster"),
        ("cells", "rows of backtests"),
        ("sql", "SQL"),
    ):
        names = [each.name for each in mutants.MUTANTS if each.name.split()[0] == room]
        left = [name.removeprefix(f"{room} ") for name in names if name not in known]
        told = f"not yet: {', '.join(left)}" if left else ""
        rows.append(f"| {what} | {len(names)} | {len(names) - len(left)} | {told} |")
    return "\n".join(rows)


def recorded(ledger: Path = RECORDED) -> str:
    """What long recordings came to."""
    rows = [
        "| day | minutes | messages a second | recorded | lost | memory, MiB | slope, MiB/h | open files | threads |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    for each in map(json.loads, lines):
        pairs = [" to ".join(map(str, each[name])) for name in ("memory_mib", "files", "threads")]
        pace = f"{each['rate']:,}" + (f" at {each['speed']:g} times the clock" if each["speed"] != 1 else "")
        cells = [each["day"], each["minutes"], pace, f"{each['recorded']:,}", each["sent"] - each["recorded"], pairs[0]]
        rows.append("| " + " | ".join(map(str, [*cells, each["slope_mib_per_hour"], *pairs[1:]])) + " |")
    return "\n".join(rows) if lines else "None was kept yet."


SECTIONS = {
    "totals": lived,
    "mutants": taken_out,
    "recorded": recorded,
}


def written(text: str) -> str:
    """The page with all of it as it is now."""
    for name, made in SECTIONS.items():
        begin, end = f"<!-- {name}: written by the trials -->", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{made()}\n\n{end}{rest.split(end)[1]}"
    return text


def write() -> None:
    """Write it anew where it differs."""
    if PAGE.exists() and (made := written(PAGE.read_text())) != PAGE.read_text():
        PAGE.write_text(made)
