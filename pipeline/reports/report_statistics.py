"""The sections that trades alone are enough for: summary, equity, drawdown, calendar, distributions, breakdowns."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from pipeline.reports.bands import UNKNOWN
from pipeline.reports.breakdowns import Breakdown
from pipeline.reports.drawdowns import drawdowns, lengths, recoveries
from pipeline.reports.metrics import Figure, Floats
from pipeline.reports.report_document import (
    Calendar,
    Cell,
    Chart,
    Fact,
    Facts,
    Heads,
    Line,
    Part,
    Section,
    Series,
    Table,
    amount,
)
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import duration, interval, moment, said, short, value_of
from pipeline.reports.summary import R_EDGES
from pipeline.reports.trades import Integers
from pipeline.units import NANO

POINTS_MAX: Final = 4_000
"""Of a line: more is not seen."""

FALLS_SHOWN: Final = 5
PARTS_SHOWN: Final = 25
"""Of a breakdown: those that won and lost most."""

_BARS: Final = 40
_NO_R: Final = "R: not recorded; no trade has a stop or another risk."


def summary_section(material: Material) -> Section:
    """The numbers that are looked at first, then all of them."""
    found = material.summary
    heads = [
        ("net profit", found.money["net_profit"]),
        ("trades", Figure(float(found.trades), "trades")),
        ("won", found.money["win_rate"]),
        ("profit factor", found.money["profit_factor"]),
        ("a trade", found.money["expectancy"]),
        ("a trade, in R", found.r["expectancy"]),
        ("deepest fall", found.drawdown["depth"]),
        ("Sharpe of days", found.daily["daily_sharpe"]),
    ]
    still_open = f"; {material.still_open:,} still open and left out" if material.still_open else ""
    days = f"{found.trades:,} closed trades on {found.days_traded:,} of {found.days:,} days{still_open}"
    parts: list[Part] = [
        Heads([Fact(name, _toned(name, each, short(each)), interval(each)) for name, each in heads]),
        Line(f"{days}. Money in {', '.join(found.currencies) or 'the quote currency'}, fees taken off."),
        *([] if found.distribution.known else [Line(_NO_R)]),
        *(Line(caution, is_warning=True) for caution in found.cautions),
        figures("of trades", found.money),
    ]
    if found.distribution.known:
        told = {**found.distribution.quantiles, "beyond_risk": found.distribution.beyond_risk}
        parts += [figures("of trades, in R", found.r), figures(f"R, {found.distribution.known:,} known", told)]
    if any(each.value is not None for each in found.excursion.values()):
        parts.append(figures("while open, in R", found.excursion))
    row = {"won_in_a_row": found.streaks.won_most, "lost_in_a_row": found.streaks.lost_most}
    streaks = {name: Figure(float(count), "trades") for name, count in row.items()}
    parts += [
        figures("in time", {**found.time, **streaks}),
        figures(f"of daily returns, on {found.capital:,.0f}", found.daily),
    ]
    return Section("summary", "Summary", parts)


def figures(title: str, told: Mapping[str, Figure]) -> Facts:
    """Statistics by their names, each with its interval, or why there is none."""
    rows = [
        Fact(name.replace("_", " "), Cell(value_of(each), "quiet" if each.value is None else ""), interval(each))
        for name, each in told.items()
    ]
    return Facts(title, rows)


def equity_section(material: Material) -> Section:
    """What the account was worth."""
    trades, capital = material.trades, material.summary.capital
    if not len(trades.profit):
        return Section("equity", "Equity", [Line("No trade was closed.")])
    series = [closed_line(material, "as trades close")]
    marked = _marked(material)
    lines: list[Part] = []
    if marked is not None:
        series.insert(0, marked)
    else:
        lines.append(Line("With what was open: not recorded of these logs, or they overlap in time."))
    curve = capital + np.cumsum(trades.profit)
    heads = {
        "begins with": Cell(said(capital, "money")),
        "ends with": amount(float(curve[-1]) - capital, said(float(curve[-1]), "money")),
        "highest": Cell(said(max(capital, float(curve.max())), "money")),
        "lowest": Cell(said(min(capital, float(curve.min())), "money")),
    }
    parts: list[Part] = [
        Chart("account", series, "steps", "money", "UTC", 320),
        Facts("account, as trades close", [Fact(name, cell) for name, cell in heads.items()]),
        *lines,
    ]
    return Section("equity", "Equity", parts)


def closed_line(material: Material, name: str) -> Series:
    """The account as trades close; it begins as the first one is opened."""
    trades, capital = material.trades, material.summary.capital
    curve = capital + np.append(0.0, np.cumsum(trades.profit))
    times = np.append(trades.opened_ns.min(initial=np.iinfo(np.int64).max), trades.closed_ns)
    kept = thinned(curve)
    return Series(name, [moment(int(each)) for each in times[kept]], curve[kept].tolist())


def _marked(material: Material) -> Series | None:
    """The account with what is open, minute by minute, where one log follows the other."""
    table = material.rows.table("equity", "ends_at", "profit", "open_profit", "session", "run")
    if table is None:
        return None
    ends = table["ends_at"].cast("timestamp[ns]").cast("int64").to_numpy()
    names = _logs_of(table)
    holding = material.rows.table("intermediate.int_carried_positions", "session", "run")
    goes_on = frozenset(_logs_of(holding) if holding is not None else [])
    profit, open_profit = (np.nan_to_num(table[name].to_numpy()) for name in ("profit", "open_profit"))
    begins = [0, *(place for place in range(1, len(names)) if names[place] != names[place - 1])]
    if len(begins) != len(set(names)):
        return None
    carried, curve = 0.0, np.empty(len(profit))
    for start, end in zip(begins, [*begins[1:], len(names)], strict=True):
        if start and names[start] in goes_on:
            carried -= float(open_profit[start - 1])  # what was open then is open still, and in the next log's profit
        curve[start:end] = carried + profit[start:end]
        carried = float(curve[end - 1])
    kept = thinned(curve)
    worth = material.summary.capital + curve[kept]
    return Series("with what is open", [moment(int(each)) for each in ends[kept]], worth.tolist(), "quiet")


def _logs_of(table: pa.Table) -> list[str]:
    columns = (table[name].to_pylist() for name in ("session", "run"))
    return [f"{session}/{run}" for session, run in zip(*columns, strict=True)]


def thinned(values: Floats, most: int = POINTS_MAX) -> Integers:
    """Places of so many values that a line through them has every peak and every low of the whole one."""
    count = len(values)
    if count <= most:
        return np.arange(count, dtype=np.int64)
    edges = np.linspace(0, count, most // 2 + 1).astype(np.int64)
    kept = {0, count - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        kept |= {start + int(values[start:end].argmin()), start + int(values[start:end].argmax())}
    return np.array(sorted(kept), dtype=np.int64)


def drawdown_section(material: Material) -> Section:
    """How far the account was below its peak, and the deepest falls."""
    trades = material.trades
    if not len(trades.profit):
        return Section("drawdown", "Drawdown", [Line("No trade was closed.")])
    parts: list[Part] = [
        Chart(
            "below the peak, as trades close",
            [under_line(material, "below")],
            "steps",
            "money",
            "UTC",
            200,
            is_filled=True,
        ),
        figures("account, as trades close", material.summary.drawdown),
    ]
    falls = _falls(material)
    if falls is not None:
        parts.append(falls)
    return Section("drawdown", "Drawdown", parts)


def under_line(material: Material, name: str) -> Series:
    """How far below its peak, 0 or less."""
    trades = material.trades
    curve = np.append(0.0, np.cumsum(trades.profit))
    under = curve - np.maximum.accumulate(curve)
    times = np.append(trades.opened_ns.min(initial=np.iinfo(np.int64).max), trades.closed_ns)
    kept = thinned(under)
    return Series(name, [moment(int(each)) for each in times[kept]], under[kept].tolist(), "loss")


def _falls(material: Material) -> Table | None:
    trades, capital = material.trades, material.summary.capital
    moments = np.append(trades.opened_ns.min(), trades.closed_ns)
    falls = drawdowns(capital + np.append(0.0, np.cumsum(trades.profit)))
    order = np.argsort(-falls.depth, kind="stable")[:FALLS_SHOWN].tolist()
    if not order:
        return None
    long, back = lengths(falls, moments) / NANO, recoveries(falls, moments) / NANO
    rows = [
        [
            Cell(said(float(falls.depth[each]), "money"), "loss"),
            Cell(said(float(falls.share[each]), "fraction")),
            Cell(moment(int(moments[falls.peak[each]]))),
            Cell(f"{int(falls.end[each] - falls.peak[each]):,}"),
            Cell(duration(float(long[each]))),
            Cell(
                duration(float(back[each])) if falls.is_over[each] else "not yet",
                "" if falls.is_over[each] else "quiet",
            ),
        ]
        for each in order
    ]
    return Table(
        "the deepest falls",
        ("depth", "of the peak", "from, UTC", "trades", "length", "recovery"),
        rows,
        frozenset({0, 1, 3, 4, 5}),
    )


def calendar_section(material: Material) -> Section:
    """Profit of every day on which a trade was closed."""
    trades = material.trades
    if not len(trades.profit):
        return Section("calendar", "Calendar", [Line("No trade was closed.")])
    days, places = np.unique(trades.closed_day, return_inverse=True)
    profits, counts = np.bincount(places, trades.profit), np.bincount(places)
    names = [_day(int(each)) for each in days]
    words = [
        f"{name}: {said(float(profit), 'money')}, {int(count):,} trade{'' if count == 1 else 's'}"
        for name, profit, count in zip(names, profits, counts, strict=True)
    ]
    best, worst = int(profits.argmax()), int(profits.argmin())
    rows = [
        Fact("days that won", Cell(f"{int((profits > 0).sum()):,} of {len(days):,}")),
        Fact("best day", amount(float(profits[best]), said(float(profits[best]), "money")), names[best]),
        Fact("worst day", amount(float(profits[worst]), said(float(profits[worst]), "money")), names[worst]),
        Fact("mean of a day", amount(float(profits.mean()), said(float(profits.mean()), "money"))),
    ]
    return Section(
        "calendar",
        "Calendar",
        [Calendar("profit by the day of the exit", names, profits.tolist(), words), Facts("days", rows)],
    )


def _day(day: int) -> str:
    return f"{date(1970, 1, 1) + timedelta(day)}"


def distribution_section(material: Material) -> Section:
    """How profits, R, holding times and excursions are spread."""
    trades, found = material.trades, material.summary
    if not len(trades.profit):
        return Section("distributions", "Distributions", [Line("No trade was closed.")])
    parts: list[Part] = [_histogram("profit of a trade", trades.profit, "money")]
    if found.distribution.known:
        labels = [
            f"under {R_EDGES[0]:g}",
            *(f"{low:g} to {high:g}" for low, high in pairwise(R_EDGES)),
            f"{R_EDGES[-1]:g} and more",
        ]
        won = [count if place > R_EDGES.index(0.0) else 0 for place, count in enumerate(found.distribution.counts)]
        lost = [count - other for count, other in zip(found.distribution.counts, won, strict=True)]
        parts.append(
            Chart(
                "R",
                [Series("lost", labels, lost, "loss"), Series("won", labels, won, "gain")],
                "bars",
                "trades",
                "R",
                240,
            )
        )
    parts.append(_held(trades.held_s, trades.profit))
    ahead, behind = trades.numbers["mfe_r"], trades.numbers["mae_r"]
    is_known = np.isfinite(ahead) & np.isfinite(behind)
    if is_known.any():
        parts.append(_excursions(-behind[is_known], ahead[is_known], trades.profit[is_known]))
    else:
        parts.append(Line("How far trades were ahead and behind while open, in R: not recorded."))
    if not found.distribution.known:
        parts.append(Line(_NO_R))
    return Section("distributions", "Distributions", parts)


def _histogram(title: str, values: Floats, unit: str) -> Chart:
    """Bars of one width between the 1st and the 99th percentile, one edge at 0; what lies beyond is in the outermost."""
    low, high = (float(each) for each in np.percentile(values, [1.0, 99.0]))
    width = max((max(high, 0.0) - min(low, 0.0)) / _BARS, 1e-9)
    first, last = int(np.floor(min(low, 0.0) / width)), int(np.ceil(max(high, 0.0) / width))
    places = np.clip(np.floor(values / width).astype(np.int64), first, max(last - 1, first))
    counts = np.bincount(places - first, minlength=max(last - first, 1))
    middles = ((np.arange(len(counts)) + first + 0.5) * width).tolist()
    lost = [int(count) if middle < 0.0 else 0 for middle, count in zip(middles, counts, strict=True)]
    won = [int(count) - other for count, other in zip(counts, lost, strict=True)]
    across = "the outermost bars hold all that lies beyond the 1st and the 99th percentile"
    return Chart(
        title,
        [Series("lost", middles, lost, "loss"), Series("won or even", middles, won, "gain")],
        "bars",
        "trades",
        f"{unit}; {across}",
        240,
    )


def _held(held_s: Floats, profit: Floats) -> Chart:
    edges = np.array([1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400], dtype=np.float64)
    labels = [
        f"under {duration(edges[0])}",
        *(f"{duration(low)} to {duration(high)}" for low, high in pairwise(edges)),
        f"{duration(edges[-1])} and more",
    ]
    places = np.searchsorted(edges, held_s, "right")
    counts = [np.bincount(places[chosen], minlength=len(labels)).tolist() for chosen in (profit < 0.0, profit >= 0.0)]
    kept = [place for place in range(len(labels)) if counts[0][place] or counts[1][place]]
    shown = range(kept[0], kept[-1] + 1)
    shown_labels = [labels[place] for place in shown]
    series = [
        Series("lost", shown_labels, [counts[0][place] for place in shown], "loss"),
        Series("won or even", shown_labels, [counts[1][place] for place in shown], "gain"),
    ]
    return Chart("time in trade", series, "bars", "trades", "", 240)


def _excursions(behind: Floats, ahead: Floats, profit: Floats) -> Chart:
    kept = (
        np.arange(len(profit))
        if len(profit) <= POINTS_MAX
        else np.linspace(0, len(profit) - 1, POINTS_MAX).astype(np.int64)
    )
    behind, ahead, is_won = behind[kept], ahead[kept], profit[kept] > 0.0
    series = [
        Series("lost", behind[~is_won].tolist(), ahead[~is_won].tolist(), "loss"),
        Series("won", behind[is_won].tolist(), ahead[is_won].tolist(), "gain"),
    ]
    return Chart("most behind and most ahead while open", series, "points", "R ahead", "R behind", 320)


def breakdown_section(material: Material) -> Section:
    """The trades taken apart; what is not known of any trade is named in one line."""
    if not len(material.trades.profit):
        return Section("breakdowns", "Breakdowns", [Line("No trade was closed.")])
    labels = {each.by: [part.label for part in each.parts] for each in material.breakdowns}
    parts: list[Part] = [_breakdown(each) for each in material.breakdowns if len(each.parts) > 1]
    alike = [f"{by} ({names[0]})" for by, names in labels.items() if len(names) == 1 and names != [UNKNOWN]]
    absent = [by for by, names in labels.items() if names == [UNKNOWN]]
    if alike:
        parts.append(Line(f"The same of all trades: {', '.join(alike)}."))
    if absent:
        parts.append(Line(f"Not recorded of any trade: {', '.join(absent)}."))
    parts.append(
        Line(
            "Of many parts one looks good by luck: with intervals at 95 %, one part in twenty lies outside of what it truly is."
        )
    )
    return Section("breakdowns", "Breakdowns", parts)


def _breakdown(found: Breakdown) -> Table:
    has_r = any(part.r_mean.value is not None for part in found.parts)
    columns = ("", "trades", "profit", "a trade", "95% interval", "won", "factor", *(["R"] if has_r else []))
    chosen = found.parts
    if len(chosen) > PARTS_SHOWN:
        by_size = sorted(chosen, key=lambda part: -abs(part.money["net_profit"].value or 0.0))[:PARTS_SHOWN]
        chosen = tuple(part for part in chosen if part in by_size)
    rows = [
        [
            Cell(part.label),
            Cell(f"{part.trades:,}", "quiet" if part.cautions else ""),
            amount(part.money["net_profit"].value, short(part.money["net_profit"])),
            amount(part.money["expectancy"].value, short(part.money["expectancy"])),
            Cell(interval(part.money["expectancy"]), "quiet"),
            Cell(short(part.money["win_rate"])),
            Cell(short(part.money["profit_factor"])),
            *([amount(part.r_mean.value, short(part.r_mean))] if has_r else []),
        ]
        for part in chosen
    ]
    left = (
        f"; {len(chosen)} of {len(found.parts):,} are shown, those that won or lost most"
        if len(chosen) < len(found.parts)
        else ""
    )
    return Table(f"by {found.by}{left}", columns, rows, frozenset(range(1, len(columns))))


def _toned(name: str, figure: Figure, text: str) -> Cell:
    if name in {"net profit", "a trade", "a trade, in R", "Sharpe of days"}:
        return amount(figure.value, text)
    return Cell(text, "quiet" if figure.value is None else "")


def statistics_sections(material: Material) -> Iterator[Section]:
    """All of these, in their order."""
    for section in (
        summary_section,
        equity_section,
        drawdown_section,
        calendar_section,
        distribution_section,
        breakdown_section,
    ):
        yield section(material)
