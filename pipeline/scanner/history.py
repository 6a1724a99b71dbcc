"""History: what finished days leave behind: the previous close, the average volume, the average true range."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.hours import Calendar
from pipeline.scanner.clocks import TradingDays
from pipeline.scanner.columns import COUNT, FLOAT, MOMENT, Column, Columns
from pipeline.scanner.facts import Facts, day_of
from pipeline.units import ABSENT, DAY_NS, HOUR_NS

COLUMNS: Final = {
    "done_day": Column("i8", -1),
    "done_close": FLOAT,
    "ts_done_ns": MOMENT,
    "done_days": COUNT,
    "atr": FLOAT,
    "adv": FLOAT,
}
PREVIOUS_CLOSE: Final = "previous_close"
ATR_DAYS: Final = 14
_STALE_DAYS: Final = 5
"""A previous close of shares from further back than a long week-end is none."""


class History:
    """The volumes of the last days; what comes of them stands in the columns."""

    def __init__(self, days: int) -> None:
        self._volumes = np.full((days, 1), np.nan)

    def complete(
        self,
        columns: Columns,
        rows: Numbers,
        day: Numbers,
        bars: Mapping[str, Numbers],
        known_ns: Numbers,
        ratio: Numbers,
    ) -> None:
        """Days that are over, at most one of each instrument; those not later than what is there change nothing.

        rows       (k,) int, which instruments
        day        (k,) int64, days since 1970
        bars       high, low, close (k,) float64 and volume in shares, contracts or coins
        known_ns   (k,) int64, when the close became known
        ratio      (k,) float64, shares at the end of that day for one of the day before: splits between
        """
        is_new = (day > columns["done_day"][rows]) & np.isfinite(bars["close"])
        rows, day, known_ns, ratio = rows[is_new], day[is_new], known_ns[is_new], ratio[is_new]
        high, low, close, volume = (bars[name][is_new] for name in ("high", "low", "close", "volume"))
        self._grow(columns.rows)
        count = columns["done_days"][rows]
        columns["done_close"][rows] /= ratio
        columns["atr"][rows] /= ratio
        self._volumes[:, rows] *= ratio
        self._range(columns, rows, count, high, low)
        self._volumes[count % len(self._volumes), rows] = volume
        kept = self._volumes[:, rows]
        told = np.isfinite(kept).sum(axis=0)
        columns["adv"][rows] = np.where(told > 0, np.nansum(kept, axis=0) / np.maximum(told, 1), np.nan)
        columns["done_day"][rows], columns["done_close"][rows] = day, close
        columns["ts_done_ns"][rows], columns["done_days"][rows] = known_ns, count + 1

    def _range(self, columns: Columns, rows: Numbers, count: Numbers, high: Numbers, low: Numbers) -> None:
        """Wilder's average of the true range, which begins with a plain one over the first days."""
        before = columns["done_close"][rows]
        reach = np.fmax(high, before) - np.fmin(low, before)
        n = np.minimum(count + 1, ATR_DAYS)
        atr = columns["atr"][rows]
        columns["atr"][rows] = np.where(count == 0, reach, (atr * (n - 1) + reach) / n)

    def _grow(self, rows: int) -> None:
        missing = rows - self._volumes.shape[1]
        if missing > 0:
            self._volumes = np.concatenate([self._volumes, np.full((len(self._volumes), missing), np.nan)], axis=1)

    def arrays(self) -> dict[str, Numbers]:
        """All that is kept."""
        return {"volumes": self._volumes}

    def put_back(self, arrays: Mapping[str, Numbers]) -> None:
        """What was kept, in place of what is there."""
        self._volumes = np.array(arrays["volumes"])


def previous_close(columns: Columns, facts: Facts, days: TradingDays) -> tuple[Numbers, Numbers]:
    """The close before today, as today's shares count it, and when it was known.

    Told by a provider or seen in the session, whichever describes the later day before today; divided by the ratios of the
    splits that came in force since. For shares none when that day lies further back than a long week-end; then a vendor's snapshot
    of today tells it, if there is one.
    """
    rows = columns.rows
    today = days.of("number", columns["calendar"])
    told = facts.of(PREVIOUS_CLOSE, rows)
    told_day = np.where(day_of(told["as_of_ns"]) < today, day_of(told["as_of_ns"]), -1)
    is_told = np.isfinite(told["value"]) & (told_day >= columns["done_day"]) & (told_day >= 0)
    day = np.where(is_told, told_day, columns["done_day"])
    close = np.where(is_told, told["value"], columns["done_close"])
    known_ns = np.where(is_told, told["known_ns"], columns["ts_done_ns"])
    is_stale = (columns["calendar"] == Calendar.SHARES) & (day < today - _STALE_DAYS)
    close = np.where(is_stale, np.nan, close / facts.splits.ratio(rows, day))
    is_left = np.isnan(close) & np.isfinite(columns["told_close"])
    of_snapshot = columns["told_close"] / facts.splits.ratio(rows, today - 1)
    return np.where(is_left, of_snapshot, close), np.where(is_left, columns["ts_told_close_ns"], known_ns)


def held_until(block: Block, calendars: Numbers) -> Numbers:
    """(n,) int64: until when rows of kind `reference` are held back: a close is no previous one before its day is over.

    New York's days are over at 4:00 or 5:00 UTC, and nothing trades then.
    """
    is_close = np.array([name == PREVIOUS_CLOSE for name in block.text("field")], np.bool_)
    midnight_ns = (day_of(block.number("as_of_ns")) + 1) * DAY_NS
    over_ns = midnight_ns + np.where(calendars == Calendar.SHARES, 5 * HOUR_NS, 0)
    return np.where(is_close & (block.number("as_of_ns") != ABSENT), over_ns, ABSENT)
