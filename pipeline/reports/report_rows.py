"""What a report reads of the warehouse: trades and the marts about them, each as a table, or None where there is none.

Views and columns are asked for by name, and what is not there is not recorded: a report over an old log is shorter.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.log.manifest import Manifest
from pipeline.reports.gathering import ASKED as TRADES
from pipeline.reports.gathering import Gathered, gathered_in
from pipeline.units import SECOND_NS
from warehouse import connect, named_in
from warehouse.views import views

DRAWN_MAX: Final = 500
"""Trades with a chart of their own."""

POINTS: Final = 60
"""Of a small chart."""

_AROUND: Final = 0.35
"""Of the time a trade was held: so much is drawn before and behind it."""

_AROUND_LEAST_NS: Final = 20 * SECOND_NS

ASKED: Final = {
    "equity": "select * from equity where {chosen} order by ends_at, session, run nulls first",
    "intermediate.int_carried_positions": "select distinct session, run from intermediate.int_carried_positions where {chosen} and signed_steps <> 0",
    "execution_quality": "select * from execution_quality where {chosen} order by session, run nulls first, seq, ord",
    "fills": "select * from fills where {chosen} order by session, run nulls first, seq, ord",
    "latency": "select * from latency where {chosen}",
    "funnel": "select * from funnel where {chosen}",
    "missed_moves": "select * from missed_moves where {chosen} and move_percent > 0 order by move_percent desc, session, run nulls first, symbol, venue limit 20",
    "feed_health": "select * from feed_health where session in (select session from chosen_logs) order by session, feed",
    "gaps": "select * from gaps where session in (select session from chosen_logs) order by session, seq, symbol nulls first",
    "notes": "select * from notes where session in (select session from chosen_logs) and (run is null or {chosen}) order by noted_at, seq, text",
}
_TRADE: Final = ("session", "run", "strategy", "symbol", "venue", "trade_number")
_REMARKS: Final = """
select session, run, strategy, symbol, venue, trade_number, string_agg(text, '; ' order by noted_at, text) as remarks
from trade_notes
group by all
"""

_CHOSEN: Final = "(session, coalesce(run, '')) in (select (session, run) from chosen_logs)"

_PRICES: Final = {
    "quotes": "(bid + ask) / 2",
    "prints": "price",
    "bars": "close",
}
"""Where prices come from, the best first."""

_AROUND_TRADES: Final = """
with seconds as (
    select session, symbol, venue, ts_recv_ns // 1000000000 as second, arg_max({price}, ts_recv_ns) as price
    from {view}
    where run is null and {price} > 0 and (session, symbol, venue) in (select (session, symbol, venue) from windows)
    group by all
)

select
    place,
    least((second * 1000000000 - from_ns) * {points} // (until_ns - from_ns), {points} - 1)::bigint as point,
    arg_max(price, second) as price
from windows
inner join seconds
    on windows.session = seconds.session
    and windows.symbol = seconds.symbol
    and windows.venue = seconds.venue
    and seconds.second * 1000000000 >= windows.from_ns
    and seconds.second * 1000000000 < windows.until_ns
group by all
order by place, point
"""


class Around(NamedTuple):
    """The prices around one trade."""

    from_ns: int
    until_ns: int
    points: Sequence[int]
    """Of `POINTS` between both moments."""
    prices: Sequence[float]


class Rows(NamedTuple):
    """What the warehouse holds of some logs."""

    gathered: Gathered
    """The closed trades for statistics, in the order of closing."""
    tables: dict[str, pa.Table]
    """By the names of `ASKED`, and `trades`: the same trades with every column that their view has, and what was remarked of them."""
    around: dict[int, Around]
    """By the place of a trade."""

    def table(self, name: str, *columns: str) -> pa.Table | None:
        """The rows of a view; None where it is not there, or has not all of these columns, or holds nothing."""
        found = self.tables.get(name)
        if found is None or not len(found) or not set(columns) <= set(found.column_names):
            return None
        return found


def rows_of(home: str | Path, logs: Sequence[Manifest]) -> Rows:
    """Everything that a report says of these logs. Raises CorruptError for a damaged log."""
    known = {view.name: view for view in views()}
    there = [name for name in ASKED if name in known]
    asked = [*named_in(TRADES), *(known[name] for name in (*there, *_PRICES))]
    connection = connect(home, [log.id for log in logs], asked=asked)
    found = gathered_in(connection, logs)
    tables = {name: connection.sql(ASKED[name].format(chosen=_CHOSEN)).arrow().read_all() for name in there}
    tables["trades"] = connection.sql("select * from chosen_trades order by place").arrow().read_all()
    if len(tables["notes"]):  # seldom, and so not among the views that are always made
        tables["trades"] = tables["trades"].append_column("remarks", _remarks(home, logs, tables["trades"]))
    return Rows(found, tables, _around(connection, tables["trades"]))


def _remarks(home: str | Path, logs: Sequence[Manifest], trades: pa.Table) -> pa.Array:
    """What was remarked of each trade; null of those of which nothing was."""
    connection = connect(home, [log.id for log in logs], asked=named_in(_REMARKS))
    told = {tuple(place): remarks for *place, remarks in connection.sql(_REMARKS).fetchall()}
    return pa.array([told.get(tuple(row.values())) for row in trades.select(_TRADE).to_pylist()], pa.utf8())


def drawn(trades: pa.Table) -> list[int]:
    """The places of the trades that are shown one by one: all, or those that won and lost most, in their order."""
    if len(trades) <= DRAWN_MAX:
        return list(range(len(trades)))
    profits = np.abs(trades["profit"].to_numpy())
    return sorted(np.argsort(-profits, kind="stable")[:DRAWN_MAX].tolist())


def moments_of(trades: pa.Table, name: str) -> list[int]:
    """UTC nanoseconds of a column of moments."""
    return [int(each) for each in trades[name].cast(pa.timestamp("ns")).cast(pa.int64()).to_pylist()]


def _around(connection: duckdb.DuckDBPyConnection, trades: pa.Table) -> dict[int, Around]:
    places = drawn(trades)
    if not places:
        return {}
    opened, closed = (np.array(moments_of(trades, name))[places] for name in ("opened_at", "closed_at"))
    room = np.maximum((closed - opened) * _AROUND, _AROUND_LEAST_NS).astype(np.int64)
    windows = trades.select(["session", "symbol", "venue"]).take(places)
    for name, column in (("place", np.array(places)), ("from_ns", opened - room), ("until_ns", closed + room)):
        windows = windows.append_column(name, pa.array(column))
    found: dict[int, Around] = {}
    for view, price in _PRICES.items():
        windows = windows.filter(pa.array([place not in found for place in windows["place"].to_pylist()], pa.bool_()))
        if len(windows):
            found |= _prices(connection, windows, view, price)
    return found


def _prices(connection: duckdb.DuckDBPyConnection, windows: pa.Table, view: str, price: str) -> dict[int, Around]:
    connection.register("windows", windows)
    rows: dict[str, Any] = connection.sql(_AROUND_TRADES.format(view=view, price=price, points=POINTS)).fetchnumpy()
    columns = (windows[name].to_pylist() for name in ("place", "from_ns", "until_ns"))
    windowed = {place: (from_ns, until_ns) for place, from_ns, until_ns in zip(*columns, strict=True)}
    places, at = np.unique(rows["place"], return_index=True)
    if not len(places):  # nothing was recorded around any of them
        return {}
    ends = [*at[1:].tolist(), len(rows["place"])]
    return {
        int(place): Around(*windowed[int(place)], rows["point"][start:end].tolist(), rows["price"][start:end].tolist())
        for place, start, end in zip(places.tolist(), at.tolist(), ends, strict=True)
        if end - start > 1
    }
