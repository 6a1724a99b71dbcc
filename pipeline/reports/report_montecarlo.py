"""The section of Monte Carlo: the same trades drawn again in any order, with what was traded marked in it."""

from collections.abc import Iterator

from pipeline.reports.outcomes import QUANTILES, Bands, Chance, Outcome, Spread
from pipeline.reports.report_document import Cell, Chart, Fact, Facts, Line, Section, Series, Table
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import said

_MIDDLE = len(QUANTILES) // 2


def montecarlo_section(material: Material) -> Section:
    """Bands of the profit, distributions, chances; or why there are none."""
    outcome = material.outcome
    if isinstance(outcome, str):
        return Section("montecarlo", "Monte Carlo", [Line(f"Monte Carlo: {outcome}.")])
    asked = material.asked
    told = (
        f"{outcome.paths:,} paths of {outcome.trades:,} trades, each drawn from those that were closed, seed {asked.seed}, "
        "nothing else changed; `tape montecarlo` turns the other knobs. Where losses cluster, drawdowns come out too small."
    )
    chances = Facts("chances", list(_chances(outcome, material)))
    bands = [] if outcome.bands is None else [_chart(outcome.bands)]
    return Section("montecarlo", "Monte Carlo", [Line(told), *bands, chances, _table(outcome)])


def _chart(bands: Bands) -> Chart:
    """From the outermost quantiles to the innermost, each pair filled, then the middle and what was traded."""
    x = bands.after_trades
    series = []
    for place in range(_MIDDLE):
        low, high = place, len(QUANTILES) - 1 - place
        series.append(Series(f"{100 * QUANTILES[low]:g}%", x, bands.quantiles[low], "quiet"))
        series.append(Series(f"{100 * QUANTILES[high]:g}%", x, bands.quantiles[high], "band"))
    series += [
        Series("50%", x, bands.quantiles[_MIDDLE], "other"),
        Series("as traded", x, bands.actual, "main"),
    ]
    return Chart("profit so far", series, "lines", "money", "trades", 340)


def _chances(outcome: Outcome, material: Material) -> Iterator[Fact]:
    ruin = said(material.asked.ruin_share, "fraction")
    chances: list[tuple[str, Chance | None]] = [
        ("of a loss in the end", outcome.loss),
        (f"of losing {ruin} of the capital", outcome.ruin),
        (f"of a day below -{material.asked.bad_day_r:g}R", outcome.any_bad_day),
    ]
    for name, chance in chances:
        if chance is None:
            yield Fact(name, Cell("risk not recorded", "quiet"))
        else:
            beside = f"{said(chance.low, 'fraction')} to {said(chance.high, 'fraction')}"
            yield Fact(name, Cell(said(chance.share, "fraction")), beside)


def _table(outcome: Outcome) -> Table:
    rows = [_spread("profit", outcome.profit, "money"), _spread("deepest fall", outcome.drawdown, "money")]
    rows += [
        _spread("of the peak", outcome.drawdown_share, "fraction"),
        _spread("trades under water", outcome.under_water, "trades"),
    ]
    if outcome.worst_day_r is not None:
        rows.append(_spread("worst day", outcome.worst_day_r, "R"))
    columns = ("", "mean", *(f"{100 * share:g}%" for share in QUANTILES), "as traded", "paths below that")
    return Table("distributions", columns, rows, frozenset(range(1, len(columns))))


def _spread(name: str, spread: Spread, unit: str) -> list[Cell]:
    quantiles = [Cell(said(each, unit)) for each in spread.quantiles]
    below = Cell(f"{spread.percentile:.1f}%", "quiet")
    return [Cell(name), Cell(said(spread.mean, unit)), *quantiles, Cell(said(spread.actual, unit)), below]
