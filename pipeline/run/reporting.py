"""Reporting: what a report needs, of sessions and runs by name, worked out once."""

from collections.abc import Sequence

import pyarrow as pa

from pipeline.errors import ConfigError
from pipeline.log.store import Store
from pipeline.names import listed
from pipeline.reports.bands import SPLITS
from pipeline.reports.breakdowns import Breakdown, breakdown
from pipeline.reports.knobs import Iid, Knobs
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Outcome, outcome_of
from pipeline.reports.report_material import Material
from pipeline.reports.report_rows import rows_of
from pipeline.reports.resampling import Bootstrap
from pipeline.reports.round_trips import trips_of
from pipeline.reports.trades import Trades
from pipeline.run.statistics import Question, answered, chosen

BREAKDOWNS = Bootstrap(resamples=500)
"""Of each part: a report has a hundred of them, and is to be there at once."""


def material_of(store: Store, names: Sequence[str], *, paths: int, seed: int, capital: float | None = None) -> Material:
    """All that is said of these sessions and runs, with so many paths of Monte Carlo, or 0: without it.

    Raises NotFoundError for a name that names nothing, ConfigError when trades would be counted twice or nobody decided
    anything, CorruptError for a damaged log.
    """
    logs = chosen(store, names)
    rows = rows_of(store.home, logs)
    answer = answered(store, logs, rows.gathered, Question(capital=capital))
    asked = Asked(knobs=Knobs(order=Iid()), paths=max(paths, 1), seed=seed, capital=answer.summary.capital)
    return Material(
        name=listed([log.id for log in logs]),
        logs=tuple(logs),
        summary=answer.summary,
        still_open=answer.still_open,
        breakdowns=tuple(_parts(rows.gathered.trades, by) for by in SPLITS),
        rows=rows,
        asked=asked,
        outcome=_outcome(rows.tables["trades"], asked) if paths else "not asked for",
    )


def _parts(trades: Trades, by: str) -> Breakdown:
    """With intervals where there is more than one part: a single one is the whole."""
    plain = breakdown(trades, by)
    return plain if len(plain.parts) < 2 else breakdown(trades, by, BREAKDOWNS)


def _outcome(table: pa.Table, asked: Asked) -> Outcome | str:
    """What else the trades might have come to, drawn again in any order; or why that can't be told."""
    if not len(table):
        return "no trade was closed"
    if len(set(table["currency"].to_pylist())) > 1:
        return "not told of trades in several currencies; `tape montecarlo --where` takes one"
    try:
        return outcome_of(trips_of(table), asked)
    except ConfigError as error:
        return str(error)
