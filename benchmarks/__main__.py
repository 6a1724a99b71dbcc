"""Run the benchmarks named, or all, and print a table; exit 1 when a limit is not kept."""

import importlib
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

NAMES = [
    "append",
    "open",
    "seal",
    "imports",
    "hot",
    "replay",
    "sweep",
    "engines",
    "kernel",
    "state",
    "start",
    "live",
    "scan",
    "picked",
    "montecarlo",
    "views",
    "report",
    "charts",
    "dashboards",
    "looked",
    "far",
]


def main() -> int:
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or NAMES
    figures = []
    for name in names:
        print(f"... {name}", file=sys.stderr, flush=True)
        figures += importlib.import_module(f"benchmarks.{name}").figures()
    head = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    table = "\n".join(
        [
            f"## {head}",
            "",
            "| what | measured | limit | kept | beside |",
            "|---|---|---|---|---|",
            *(f.row() for f in figures),
            "",
        ]
    )
    print(table)
    if "--write" in sys.argv:
        results = Path(__file__).with_name("RESULTS.md")
        before = (
            results.read_text()
            if results.exists()
            else "# Results\n\nMedians of several runs on a shared machine: trust the ratios. Newest first.\n"
        )
        title, _, rest = before.partition("\n## ")
        results.write_text(f"{title.rstrip()}\n\n{table}" + (f"\n## {rest}" if rest else ""))
    return 0 if all(figure.is_kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
