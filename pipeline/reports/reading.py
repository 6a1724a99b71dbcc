"""Reading: the closed trades of logs, and the reopening gaps in what they recorded, out of the warehouse."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from pipeline.errors import ConfigError
from pipeline.log.store import Store
from pipeline.names import listed
from pipeline.reports.round_trips import COLUMNS, RoundTrips, trips_of
from warehouse import connect, named_in

_TRADES: Final = """
select {columns}
from trades
where is_closed and coalesce(run, session) in (select unnest($logs::varchar[]))
    and ({where})
"""

_OTHERS: Final = "select distinct run from trades where is_closed and run is not null order by run"

_GAPS: Final = """
with changes as (
    select
        session,
        symbol,
        venue,
        seq,
        status = 'trading' as is_trading,
        count(*) filter (status = 'trading') over (
            partition by session, symbol, venue order by seq rows between unbounded preceding and 1 preceding
        ) as stretch
    from statuses
    where run is null and status in ('halted', 'paused', 'quoting', 'suspended', 'trading')
),

-- a stretch ends with the row that says that it trades
halts as (
    select
        session,
        symbol,
        venue,
        min(seq) filter (not is_trading) as halted_seq,
        min(seq) filter (is_trading) as reopened_seq
    from changes
    group by session, symbol, venue, stretch
    having halted_seq is not null and reopened_seq is not null
),

printed as (
    select session, symbol, venue, seq, price from prints where run is null and price > 0
)

select (behind.price / before.price - 1) * 1e4 as gap_bps
from halts
asof join printed as before
    on halts.session = before.session
    and halts.symbol = before.symbol
    and halts.venue = before.venue
    and halts.halted_seq > before.seq
asof join printed as behind
    on halts.session = behind.session
    and halts.symbol = behind.symbol
    and halts.venue = behind.venue
    and halts.reopened_seq < behind.seq
order by halts.session, halts.reopened_seq
"""


def logs_meant(home: str, over: Sequence[str]) -> tuple[str, ...]:
    """The ids of the sessions and runs that are named, each once. Raises NotFoundError."""
    store = Store(Path(home))
    return tuple(dict.fromkeys(manifest.id for name in over for manifest in store.find(name)))


def trips_in(home: str, logs: Sequence[str], where: str = "true") -> RoundTrips:
    """The closed trades that these logs decided, and of them those of which a condition in SQL over `trades` holds.

    Raises ConfigError when there are none, when one session was traded twice, in two currencies or when the condition
    can't be asked; NotFoundError, CorruptError.
    """
    text = _TRADES.format(columns=", ".join(("run", "currency", *COLUMNS)), where=where)
    connection = connect(home, logs, asked=named_in(text))
    try:
        rows = connection.sql(text, params={"logs": list(logs)}).to_arrow_table()
    except duckdb.Error as error:
        raise ConfigError(f"where {where!r}: {str(error).splitlines()[0]}") from None
    if not len(rows):
        others = [run for (run,) in connection.execute(_OTHERS).fetchall() if run not in logs]
        hint = f"; there are some of {listed(others)}" if others else ""
        raise ConfigError(f"{listed(logs)}: no closed trade{'' if where == 'true' else f' where {where}'}{hint}")
    _check_is_one(rows)
    return trips_of(rows)


def reopening_gaps_bps(home: str, logs: Sequence[str]) -> tuple[float, ...]:
    """Of each halt in the inputs of these logs: the first print behind it against the last one before, signed, 1e-4."""
    found = connect(home, logs, asked=named_in(_GAPS)).execute(_GAPS).fetchall()
    return tuple(float(gap) for (gap,) in found)


def _check_is_one(rows: pa.Table) -> None:
    """That profits may be added: in one currency, and of no session twice."""
    currencies = sorted({str(each) for each in rows["currency"].to_pylist()})
    if len(currencies) > 1:
        raise ConfigError(f"trades in {' and '.join(currencies)}: choose, e.g. where currency = '{currencies[0]}'")
    deciders: dict[str, set[str]] = {}
    for session, run in zip(rows["session"].to_pylist(), rows["run"].to_pylist(), strict=True):
        deciders.setdefault(session, set()).add(run or session)
    for session, logs in deciders.items():
        if len(logs) > 1:
            raise ConfigError(
                f"{session} was traded by {' and by '.join(sorted(logs))}: its day can't count twice, name one"
            )
