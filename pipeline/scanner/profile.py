"""Profile: how much an instrument usually has traded by a time of its day, every five minutes, averaged over days."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.hours import Calendar
from pipeline.scanner.clocks import TradingDays
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS

STEP_NS: Final = 5 * MINUTE_NS
STEPS: Final = (DAY_NS + HOUR_NS) // STEP_NS + 1
"""Of the longest day, that on which clocks go back."""


class Profile:
    """Today's volume by the steps of the day so far, and the mean of the last days, instrument by instrument."""

    def __init__(self, days: int) -> None:
        self._days = days
        self._today = np.zeros((STEPS, 1))
        self._done: dict[int, list[Numbers]] = {calendar: [] for calendar in Calendar}
        self._filled = [0] * len(Calendar)
        self._mean = np.full((STEPS, 1), np.nan)
        self.last_day = np.full(len(Calendar), -1)
        """Of each calendar the day that was over last: all volumes are in shares as of then."""

    def advance(self, days: TradingDays, calendars: Numbers, volume: Numbers, ts_ns: int) -> None:
        """Remember today's volume, (n,), at every step of the day up to a moment."""
        self._grow(len(volume))
        for calendar, day in enumerate(days.by_calendar):
            step = min((ts_ns - day.starts_ns) // STEP_NS, STEPS - 1)
            if step > self._filled[calendar]:
                mine = calendars == calendar
                self._today[self._filled[calendar] + 1 : step + 1, mine] = volume[mine]
                self._filled[calendar] = step

    def turn(self, calendar: int, calendars: Numbers, volume: Numbers, day: int, ratio: Numbers) -> None:
        """The day of a calendar is over: it joins those that the mean is of. A day without volume is none.

        ratio    (n,) float64, shares at its end for one at the end of `last_day`: splits between
        """
        self._grow(len(volume))
        self.last_day[calendar] = day
        if (ratio != 1.0).any():
            self._done[calendar] = [_widened(each, len(volume)) * ratio for each in self._done[calendar]]
        mine = calendars == calendar
        self._today[self._filled[calendar] + 1 :, mine] = volume[mine]
        done = np.where(mine & (volume > 0), self._today, np.nan)
        kept = [*self._done[calendar], done][-self._days :]
        self._done[calendar] = kept
        total, count = np.zeros_like(self._today), np.zeros(len(volume))
        for each in kept:
            wide = _widened(each, len(volume))
            total += np.nan_to_num(wide)
            count += np.isfinite(wide[0])
        with np.errstate(invalid="ignore"):
            self._mean[:, mine] = np.where(count > 0, total / count, np.nan)[:, mine]
        self._today[:, mine] = 0
        self._filled[calendar] = 0

    def at(self, days: TradingDays, calendars: Numbers, ts_ns: int) -> Numbers:
        """(n,) float64: the usual volume by a moment of today, between two steps in proportion; NaN without a day."""
        usual = np.full(len(calendars), np.nan)
        mean = _widened(self._mean, len(calendars))
        for calendar, day in enumerate(days.by_calendar):
            step, rest_ns = divmod(max(ts_ns - day.starts_ns, 0), STEP_NS)
            low, high = mean[min(step, STEPS - 1)], mean[min(step + 1, STEPS - 1)]
            usual = np.where(calendars == calendar, low + (high - low) * (rest_ns / STEP_NS), usual)
        return usual

    def arrays(self) -> dict[str, Numbers]:
        """All that is kept."""
        done = {
            f"done.{calendar}.{place}": each
            for calendar in self._done
            for place, each in enumerate(self._done[calendar])
        }
        return {
            "today": self._today,
            "mean": self._mean,
            "filled": np.array(self._filled, np.int64),
            "last_day": self.last_day,
            **done,
        }

    def put_back(self, arrays: Mapping[str, Numbers]) -> None:
        """What was kept, in place of what is there."""
        self._today, self._mean = np.array(arrays["today"]), np.array(arrays["mean"])
        self._filled, self.last_day = arrays["filled"].tolist(), np.array(arrays["last_day"])
        self._done = {calendar: [] for calendar in Calendar}
        for name in sorted(
            (name for name in arrays if name.startswith("done.")), key=lambda name: int(name.split(".")[2])
        ):
            self._done[int(name.split(".")[1])].append(np.array(arrays[name]))

    def _grow(self, rows: int) -> None:
        missing = rows - self._today.shape[1]
        if missing > 0:
            self._today = np.concatenate([self._today, np.zeros((STEPS, missing))], axis=1)
            self._mean = _widened(self._mean, rows)


def _widened(kept: Numbers, rows: int) -> Numbers:
    missing = rows - kept.shape[1]
    return np.concatenate([kept, np.full((STEPS, missing), np.nan)], axis=1) if missing > 0 else kept
