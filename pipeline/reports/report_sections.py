"""A report over one set of logs, and beside it over others: which sections there are, in their order."""

from collections.abc import Callable, Sequence
from typing import Final

from pipeline.reports.report_comparison import comparison_section
from pipeline.reports.report_document import Document, Section
from pipeline.reports.report_manifest import manifest_section
from pipeline.reports.report_market import execution_section, feed_section, funnel_section
from pipeline.reports.report_material import Material
from pipeline.reports.report_montecarlo import montecarlo_section
from pipeline.reports.report_numbers import moment
from pipeline.reports.report_statistics import statistics_sections
from pipeline.reports.report_trades import trades_section

BEYOND: Final[tuple[Callable[[Material], Section], ...]] = (
    trades_section,
    funnel_section,
    execution_section,
    montecarlo_section,
    feed_section,
    manifest_section,
)
"""Behind the statistics, in this order."""


def document_of(material: Material, others: Sequence[Material] = ()) -> Document:
    """Everything that is to be said; of the others what can stand beside it."""
    sections: list[Section] = [comparison_section([material, *others])] if others else []
    sections += statistics_sections(material)
    sections += [each(material) for each in BEYOND]
    return Document(_title(material), _subtitle(material), sections)


def _title(material: Material) -> str:
    names = sorted({strategy.name for log in material.logs for strategy in log.strategies})
    return f"{material.name}: {', '.join(names)}"


def _subtitle(material: Material) -> str:
    first = min(log.first_ts_ns for log in material.logs)
    last = max(log.last_ts_ns for log in material.logs)
    return f"{moment(first)} to {moment(last)} UTC"
