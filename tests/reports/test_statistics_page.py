"""The page of statistics names every statistic and every breakdown."""

import re
from pathlib import Path

import numpy as np
import pytest
from made_trades import trades

from pipeline.reports.bands import SPLITS
from pipeline.reports.charges import Terms
from pipeline.reports.daily import OF_A_YEAR, OF_RETURNS
from pipeline.reports.metrics import FORMULAS
from pipeline.reports.summary import Watched, summary

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text()


def test_the_page_names_everything_that_is_shown():
    empty = np.array([], dtype=np.int64)
    told = summary(trades([]), Watched(empty, empty, empty, 1.0))
    shown = {
        *FORMULAS,
        *OF_RETURNS,
        *OF_A_YEAR,
        *told.drawdown,
        *told.excursion,
        *SPLITS,
        "exposure",
        "held_at_once",
        "beyond_risk",
    }
    assert sorted(name for name in shown if f"`{name}`" not in PAGE) == []
    assert sorted(name for name in Terms._fields if f"`{name}:" not in PAGE) == []


@pytest.mark.parametrize("by", ["price", "volume", "gap", "spread", "float"])
def test_the_page_has_the_edges_of_a_band(by):
    """As numbers, in the order in which they stand in the row of the word; a float's are in millions."""
    row = re.search(rf"^\| `{by}` \| (.*) \|$", PAGE, re.MULTILINE)[1]
    edges = [edge / 1e6 if by == "float" else edge for edge in SPLITS[by].edges]
    assert [float(number) for number in re.findall(r"-?\d+", row)] == edges
