"""Gathering: the closed trades of logs, and the executions that made them, out of the warehouse."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa

from pipeline.codes import AssetClass
from pipeline.hours import Calendar, calendar_of
from pipeline.log.manifest import Manifest
from pipeline.reports.executions import QUERY, Executions, executions_of
from pipeline.reports.trades import Trades, trades_of
from warehouse import connect, named_in

ASKED: Final = "trades int_instruments int_opening_worths"
"""The views that are read, and for executions those of their query."""

_CHOSEN: Final = """
create temp table chosen_trades as
select
    row_number() over (order by closed_at, session, run nulls first, entry_seq, strategy, symbol, venue) - 1 as place,
    *
from trades
where is_closed and (session, coalesce(run, '')) in (select (session, run) from chosen_logs)
"""

_OPEN: Final = """
select count(*) from trades
where not is_closed and (session, coalesce(run, '')) in (select (session, run) from chosen_logs)
"""

_CALENDARS: Final = """
select distinct calendar, asset_class from intermediate.int_instruments
where session in (select session from chosen_logs)
"""


_BEGAN: Final = """
select worth from intermediate.int_opening_worths
where session = $session and run is not distinct from $run
"""


class Gathered(NamedTuple):
    """What logs hold."""

    trades: Trades
    """Closed ones, in the order of closing."""
    executions: Executions | None
    """Of these trades; None when they were not asked for."""
    still_open: int
    """Trades that are left out since they are open."""
    calendars: frozenset[Calendar]
    """Whose hours the instruments of these logs keep."""
    began_with: float | None = None
    """What the account was worth as the first log began, where that is not the cash of its settings."""


def session_of(log: Manifest) -> str:
    """The session whose inputs a run went over; a session itself."""
    return log.parents[0] if log.what == "run" else log.id


def gathered(home: str | Path, logs: Sequence[Manifest], *, has_executions: bool = False) -> Gathered:
    """The trades of exactly these sessions and runs: of a session those decided while it was recorded.

    Raises CorruptError for a damaged log.
    """
    asked = named_in(f"{ASKED} {QUERY if has_executions else ''}")
    connection = connect(home, [log.id for log in logs], asked=asked)
    return gathered_in(connection, logs, has_executions=has_executions)


def gathered_in(
    connection: duckdb.DuckDBPyConnection, logs: Sequence[Manifest], *, has_executions: bool = False
) -> Gathered:
    """The same over a connection that has the views `ASKED`; leaves `chosen_logs` and `chosen_trades` in it."""
    runs = [log.id if log.what == "run" else "" for log in logs]
    connection.register("chosen_logs", pa.table({"session": [session_of(log) for log in logs], "run": runs}))
    connection.execute(_CHOSEN)
    trades = trades_of(connection.sql("select * from chosen_trades order by place").arrow().read_all())
    executions = executions_of(connection.sql(QUERY).arrow().read_all()) if has_executions else None
    ((still_open,),) = connection.sql(_OPEN).fetchall()
    calendars = frozenset(
        calendar_of(name or "", AssetClass[asset_class.upper()])
        for name, asset_class in connection.sql(_CALENDARS).fetchall()
    )
    first = {"session": session_of(logs[0]), "run": runs[0] or None} if logs else {"session": None, "run": None}
    began = connection.execute(_BEGAN, first).fetchone()
    return Gathered(trades, executions, int(still_open), calendars, began[0] if began else None)
