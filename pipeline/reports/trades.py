"""Trades as columns: what statistics look at, taken from the view `trades` or any table that has columns of these names.

Statistics begin with floats, and this is where: exact integers stay in the warehouse. What is not known of a trade is NaN,
or an empty text, and never 0. Of a table that has no days and minutes by the clocks of the exchange, UTC's are taken.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ConfigError
from pipeline.units import DAY_NS, MINUTE_NS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]

NUMBERS: Final = (
    "minute",
    "nth_of_day",
    "entry_price",
    "float_shares",
    "relative_volume",
    "gap_percent",
    "entry_spread_bps",
    "is_after_halt",
    "mfe_r",
    "mae_r",
)
"""Columns that are kept as they are, for breakdowns; a truth is 1 or 0."""

TEXTS: Final = ("strategy", "setup", "symbol", "side", "exit_kind", "session_window", "currency", "asset_class")


class Trades(NamedTuple):
    """Closed trades in the order of closing, (n,) each; money in the quote currency."""

    opened_ns: Integers
    """UTC nanoseconds."""
    closed_ns: Integers
    day: Integers
    """Trading day of the entry, days since 1970."""
    closed_day: Integers
    profit: Floats
    """Fees taken off."""
    fees: Floats
    risk: Floats
    """What a trade was to lose at most; R is profit by this. NaN where it had no stop."""
    numbers: Mapping[str, Floats]
    """Each of `NUMBERS`."""
    texts: Mapping[str, Texts]
    """Each of `TEXTS`."""

    @property
    def r(self) -> Floats:
        """Profits in units of what was risked; NaN where that is not known or not above 0."""
        return self.profit / np.where(self.risk > 0.0, self.risk, np.nan)

    @property
    def held_s(self) -> Floats:
        """Seconds from the first entry to the last exit."""
        return (self.closed_ns - self.opened_ns) / 1e9

    def where(self, is_chosen: npt.NDArray[np.bool_]) -> "Trades":
        """Those chosen, (n,) of bool."""
        return Trades(
            self.opened_ns[is_chosen],
            self.closed_ns[is_chosen],
            self.day[is_chosen],
            self.closed_day[is_chosen],
            self.profit[is_chosen],
            self.fees[is_chosen],
            self.risk[is_chosen],
            {name: column[is_chosen] for name, column in self.numbers.items()},
            {name: column[is_chosen] for name, column in self.texts.items()},
        )


def trades_of(table: pa.Table) -> Trades:
    """The closed trades of a table; rows whose profit is null are open ones, and left out.

    Asked for are `profit` and the times of both ends, `opened_at_ns` and `closed_at_ns` in UTC nanoseconds, or `opened_at`
    and `closed_at` as timestamps. Every other column may be missing. Raises ConfigError naming what is not there.
    """
    table = table.filter(pc.is_valid(_asked(table, ("profit",))))
    opened, closed = (_moments(table, name) for name in ("opened_at", "closed_at"))
    order = np.argsort(closed, kind="stable")
    opened, closed = opened[order], closed[order]
    numbers = {name: _floats(table, name)[order] for name in NUMBERS}
    if "minute" not in table.column_names:
        numbers["minute"] = (opened % DAY_NS // MINUTE_NS).astype(np.float64)
    return Trades(
        opened,
        closed,
        _days(table, "day", order, opened),
        _days(table, "closed_day", order, closed),
        _floats(table, "profit")[order],
        np.nan_to_num(_floats(table, "fees")[order]),
        _floats(table, "risk")[order],
        numbers,
        {name: _texts(table, name)[order] for name in TEXTS},
    )


def days_since_1970(days: Iterable[Any]) -> Integers:
    """Dates as numbers, ascending and each once."""
    return np.unique(np.array(list(days), dtype="datetime64[D]").astype(np.int64))


def _asked(table: pa.Table, names: tuple[str, ...]) -> Any:
    for name in names:
        if name in table.column_names:
            return table[name]
    raise ConfigError(
        f"a table of trades has a column {' or '.join(names)}; this one has {', '.join(table.column_names)}"
    )


def _moments(table: pa.Table, name: str) -> Integers:
    column = _asked(table, (f"{name}_ns", name))
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns")).cast(pa.int64())
    if column.null_count:
        raise ConfigError(f"{column.null_count} trades with a profit have no {name}: accepted are closed ones")
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _days(table: pa.Table, name: str, order: Integers, moments: Integers) -> Integers:
    """Of a table without this column, the day of UTC."""
    if name not in table.column_names:
        return moments // DAY_NS
    return np.asarray(table[name].cast(pa.date32()).cast(pa.int32()).to_numpy(), dtype=np.int64)[order]


def _floats(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    column = table[name]
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _texts(table: pa.Table, name: str) -> Texts:
    if name not in table.column_names:
        return np.full(len(table), "", dtype=np.object_)
    return np.asarray(pc.fill_null(table[name].cast(pa.utf8()), "").to_numpy(zero_copy_only=False), dtype=np.object_)
