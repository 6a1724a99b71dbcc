"""The section of trades, one by one: when, what, how much, why it ended, and the prices around it as a small chart."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pipeline.reports.report_document import Cell, Drawing, Line, Part, Section, Table, amount
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import duration, moment, price, said
from pipeline.reports.report_rows import DRAWN_MAX, POINTS, Around, drawn
from pipeline.units import NANO


class Trade(NamedTuple):
    """One closed trade: the columns of the view that are there."""

    row: dict[str, Any]
    opened_ns: int
    closed_ns: int

    def number(self, name: str) -> float | None:
        """What a column says; None where it is not there or nothing is known."""
        value = self.row.get(name)
        return None if value is None else float(value)

    def text(self, name: str) -> str:
        """The same of a text; empty where nothing is known."""
        return str(self.row.get(name) or "")


class _Column(NamedTuple):
    name: str
    cell: Callable[[Trade], Cell]
    is_number: bool = False
    asks: str = ""
    """The column of the view without which it is left out; empty: it is always there."""


def _priced(name: str) -> Callable[[Trade], Cell]:
    return lambda trade: Cell("" if trade.number(name) is None else price(trade.number(name) or 0.0))


def _said(name: str) -> Callable[[Trade], Cell]:
    return lambda trade: Cell("" if trade.number(name) is None else said(trade.number(name) or 0.0, "money"))


def _signed(name: str, unit: str) -> Callable[[Trade], Cell]:
    def cell(trade: Trade) -> Cell:
        value = trade.number(name)
        return amount(value, "" if value is None else said(value, unit))

    return cell


def _worded(name: str) -> Callable[[Trade], Cell]:
    return lambda trade: Cell(trade.text(name).replace("_", " "))


def _held(trade: Trade) -> Cell:
    seconds = (trade.closed_ns - trade.opened_ns) / NANO
    return Cell(duration(seconds), order=seconds)


def _marks(trade: Trade) -> Cell:
    """What makes it an odd one."""
    words = {"has_gap": "gap", "count_halts": "halted", "is_after_halt": "after a halt", "is_carried": "carried"}
    return Cell(", ".join(word for name, word in words.items() if trade.row.get(name)), "quiet")


_COLUMNS: Final = (
    _Column("opened", lambda trade: Cell(moment(trade.opened_ns))),
    _Column("symbol", lambda trade: Cell(trade.text("symbol"))),
    _Column("strategy", lambda trade: Cell(trade.text("strategy"))),
    _Column("setup", _worded("setup"), asks="setup"),
    _Column("side", lambda trade: Cell("long" if trade.text("side") == "buy" else "short")),
    _Column("quantity", lambda trade: Cell(f"{trade.number('quantity') or 0.0:,g}"), is_number=True),
    _Column("entry", _priced("entry_price"), is_number=True),
    _Column("exit", _priced("exit_price"), is_number=True),
    _Column("held", _held, is_number=True),
    _Column("profit", _signed("profit", "money"), is_number=True),
    _Column("R", _signed("r_multiple", "R"), is_number=True, asks="r_multiple"),
    _Column("ahead", _said("mfe"), is_number=True, asks="mfe"),
    _Column("behind", _said("mae"), is_number=True, asks="mae"),
    _Column("slippage", _said("slippage"), is_number=True, asks="slippage"),
    _Column("ended by", _worded("exit_kind"), asks="exit_kind"),
    _Column("", _marks, asks="is_carried"),
    _Column("remarks", lambda trade: Cell(trade.text("remarks")), asks="remarks"),
)  # fmt: skip


def trades_section(material: Material) -> Section:
    """Every trade; of very many those that won and lost most."""
    table = material.rows.tables["trades"]
    if not len(table):
        return Section("trades", "Trades", [Line("No trade was closed.")])
    places = sorted(drawn(table), key=lambda place: (int(material.trades.opened_ns[place]), place))
    rows = table.take(places).to_pylist()
    trades = [
        Trade(row, int(material.trades.opened_ns[place]), int(material.trades.closed_ns[place]))
        for place, row in zip(places, rows, strict=True)
    ]
    columns = [each for each in _COLUMNS if _is_told(each, trades)]
    lines = [[column.cell(trade) for column in columns] for trade in trades]
    around = material.rows.around
    drawings = [_drawing(trade, around.get(place)) for trade, place in zip(trades, places, strict=True)]
    numbers = frozenset(place for place, column in enumerate(columns) if column.is_number)
    parts: list[Part] = []
    if len(places) < len(table):
        parts.append(
            Line(f"{DRAWN_MAX:,} of {len(table):,} are shown, those that won or lost most; all are in the view trades.")
        )
    shown = drawings if any(drawings) else ()
    parts.append(
        Table(_undated(lines), [each.name for each in columns], lines, numbers, shown, is_sortable=True, is_wide=True)
    )
    missing = sum(each is None for each in drawings)
    if missing:
        parts.append(Line(f"Prices around {missing:,} of these trades: not recorded."))
    return Section("trades", "Trades", parts)


def _undated(lines: Sequence[list[Cell]]) -> str:
    """What the table is called: with the day, or the year, that all of its moments share and that is taken from them."""
    moments = [line[0].text for line in lines]
    for length in (len("2026-01-31"), len("2026")):
        if len({each[:length] for each in moments}) == 1:
            for line, each in zip(lines, moments, strict=True):
                line[0] = Cell(each[length + 1 :])
            return f"opened in UTC, {moments[0][:length]}"
    return "opened in UTC"


def _is_told(column: _Column, trades: Sequence[Trade]) -> bool:
    """Whether any trade has something to say in it."""
    if column.name == "strategy":
        return len({trade.text("strategy") for trade in trades}) > 1
    if not column.asks:
        return True
    return any(column.cell(trade).text for trade in trades)


def _drawing(trade: Trade, around: Around | None) -> Drawing | None:
    entry, exit_ = trade.number("entry_price"), trade.number("exit_price")
    if around is None or entry is None or exit_ is None:
        return None
    whole = around.until_ns - around.from_ns
    return Drawing(
        times=[(point + 0.5) / POINTS for point in around.points],
        prices=around.prices,
        entry=((trade.opened_ns - around.from_ns) / whole, entry),
        exit=((trade.closed_ns - around.from_ns) / whole, exit_),
        is_long=trade.text("side") == "buy",
        stop=trade.number("stop_price"),
        target=trade.number("target_price"),
    )
