"""The section that sets several sets of logs beside each other: their figures in columns, their accounts in one chart."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from pipeline.reports.metrics import Figure
from pipeline.reports.report_document import Cell, Chart, Part, Role, Section, Series, Table, amount
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import moment, said
from pipeline.reports.report_statistics import thinned
from pipeline.reports.summary import Summary

ROLES: Final[tuple[Role, ...]] = ("main", "other", "third", "fourth", "fifth")
"""Of the lines; so many can be told apart."""

_TOLD: Final[tuple[tuple[str, Callable[[Summary], Mapping[str, Figure]], tuple[str, ...]], ...]] = (
    ("", lambda found: found.money, ("net_profit", "expectancy", "win_rate", "average_win", "average_loss", "payoff", "profit_factor", "system_quality_of_100", "kelly")),
    ("in R: ", lambda found: found.r, ("expectancy", "deviation")),
    ("", lambda found: found.excursion, ("mfe_mean", "mae_mean", "kept")),
    ("", lambda found: found.time, ("held_mean", "held_median", "exposure")),
    ("drawdown: ", lambda found: found.drawdown, ("depth", "depth_share", "length", "recovery", "under_water", "recovery_factor")),
    ("", lambda found: found.daily, ("daily_total_return", "daily_volatility", "daily_sharpe", "daily_sortino", "daily_drawdown")),
)  # fmt: skip
_SIGNED: Final = frozenset({"net_profit", "expectancy", "daily_total_return"})


def comparison_section(materials: Sequence[Material]) -> Section:
    """Figures side by side, profits in one chart; the first of them is the one the report is about."""
    parts: list[Part] = [_table(materials), _chart(materials)]
    return Section("comparison", "Side by side", parts)


def _table(materials: Sequence[Material]) -> Table:
    found = [each.summary for each in materials]
    rows = [
        [Cell("trades"), *(Cell(f"{each.trades:,}") for each in found)],
        [Cell("days traded"), *(Cell(f"{each.days_traded:,}") for each in found)],
        [
            Cell("strategies"),
            *(
                Cell(", ".join(sorted({strategy.name for log in each.logs for strategy in log.strategies})))
                for each in materials
            ),
        ],
    ]
    for before, figures, names in _TOLD:
        for name in names:
            told = [figures(each)[name] for each in found]
            if any(each.value is not None for each in told):
                rows.append([Cell(f"{before}{name.replace('_', ' ')}"), *(_cell(name, each) for each in told)])
    for name, settings in _differing(materials):
        rows.append([Cell(name, "quiet"), *map(Cell, settings)])
    columns = ("", *(each.name for each in materials))
    return Table("figures, and the parameters that differ", columns, rows, frozenset(range(1, len(columns))))


def _cell(name: str, figure: Figure) -> Cell:
    if figure.value is None:
        return Cell("-", "quiet")
    text = said(figure.value, figure.unit)
    return amount(figure.value, text) if name in _SIGNED else Cell(text)


def _differing(materials: Sequence[Material]) -> list[tuple[str, list[str]]]:
    """Parameters of strategies that are not the same in all of them."""
    told: dict[str, list[str]] = {}
    for place, each in enumerate(materials):
        for log in each.logs:
            for strategy in log.strategies:
                for name, value in strategy.params.items():
                    values = told.setdefault(f"{strategy.name}.{name}", ["-"] * len(materials))
                    known = values[place]
                    values[place] = str(value) if known in ("-", str(value)) else "several"
    return [(name, values) for name, values in sorted(told.items()) if len(set(values)) > 1]


def _chart(materials: Sequence[Material]) -> Chart:
    """By time where all of them are of one time, else by the number of the trade."""
    stretches = [
        (int(each.trades.opened_ns.min()), int(each.trades.closed_ns.max()))
        for each in materials
        if len(each.trades.profit)
    ]
    is_one_time = bool(stretches) and max(start for start, _ in stretches) < min(end for _, end in stretches)
    series = [_line(each, role, is_one_time=is_one_time) for each, role in zip(materials, ROLES, strict=False)]
    return Chart("profit, as trades close", series, "steps", "money", "UTC" if is_one_time else "trades", 340)


def _line(material: Material, role: Role, *, is_one_time: bool) -> Series:
    trades = material.trades
    curve = np.append(0.0, np.cumsum(trades.profit))
    kept = thinned(curve)
    if not is_one_time or not len(trades.profit):
        return Series(material.name, kept.astype(np.float64).tolist(), curve[kept].tolist(), role)
    times = np.append(trades.opened_ns.min(), trades.closed_ns)[kept]
    return Series(material.name, [moment(int(each)) for each in times], curve[kept].tolist(), role)
