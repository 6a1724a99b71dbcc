"""Days and what came of them, as the tests of the core make them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from core_day import START_NS, Day, Derived, open_orders  # the folder of the core's tests is no package
from core_rush import limits_of, rush
from core_streams import BARS, plans, stream

__all__ = ["BARS", "START_NS", "Day", "Derived", "limits_of", "open_orders", "packed", "plans", "rush", "stream"]


def packed(derived):
    return {kind: [tuple(map(str, row.values())) for row in rows] for kind, rows in derived.by_kind.items() if rows}
