"""Frozen: the names that a statement may use, from files that people reviewed: a new DuckDB doesn't add to them.

`expressions_*` are functions where a value stands, `tables_*` where a relation stands, each name decided one way or the
other. A function is accepted when all it does is to compute: it reads no file, no setting and no variable, calls no other
by its name, waits for nothing, and is none of the engine's inner ones. What is in no file is refused, and a test fails
for every name of the installed DuckDB of which that is so.
"""

from functools import cache
from pathlib import Path

from warehouse.macros import SHARED
from warehouse.views import views


@cache
def names(which: str) -> frozenset[str]:
    """Those of one file, in lower case: `expressions_accepted`, `tables_refused`, `types_accepted` ..."""
    return frozenset((Path(__file__).parent / f"{which}.txt").read_text().splitlines())


@cache
def macros() -> frozenset[str]:
    """Our own functions, all but those that take a relation's name: `dollars`, `trading_day`, `side_name` ..."""
    heads = [line for text in SHARED for line in text.splitlines() if line.startswith("create macro ")]
    return frozenset(head.removeprefix("create macro ").partition("(")[0] for head in heads if "as table" not in head)


@cache
def relations() -> frozenset[str]:
    """Our views: `trades`, `staging.stg_quotes`, `checks.cash` ..."""
    return frozenset(view.name for view in views())
