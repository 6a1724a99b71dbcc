"""What a report is made of: a set of logs with all that was worked out of their trades, and what the warehouse holds of them."""

from typing import NamedTuple

from pipeline.log.manifest import Manifest
from pipeline.reports.breakdowns import Breakdown
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Outcome
from pipeline.reports.report_rows import Rows
from pipeline.reports.summary import Summary
from pipeline.reports.trades import Trades


class Material(NamedTuple):
    """Some logs, taken together."""

    name: str
    logs: tuple[Manifest, ...]
    """Those in which somebody decided, oldest first."""
    summary: Summary
    still_open: int
    breakdowns: tuple[Breakdown, ...]
    rows: Rows
    asked: Asked
    """Of Monte Carlo."""
    outcome: Outcome | str
    """What came of it, or why nothing did."""

    @property
    def trades(self) -> Trades:
        """Closed ones, in the order of closing."""
        return self.rows.gathered.trades
