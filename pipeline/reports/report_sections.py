"""A report over one set of logs, and beside it over others: which sections there are, in their order."""

from pipeline.reports.report_document import Document, Section
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import moment
from pipeline.reports.report_statistics import statistics_sections


def document_of(material: Material) -> Document:
    """Everything that is to be said."""
    sections: list[Section] = [*statistics_sections(material)]
    return Document(_title(material), _subtitle(material), sections)


def _title(material: Material) -> str:
    names = sorted({strategy.name for log in material.logs for strategy in log.strategies})
    return f"{material.name}: {', '.join(names)}"


def _subtitle(material: Material) -> str:
    first = min(log.first_ts_ns for log in material.logs)
    last = max(log.last_ts_ns for log in material.logs)
    return f"{moment(first)} to {moment(last)} UTC"
