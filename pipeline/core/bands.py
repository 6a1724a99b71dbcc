"""Bands: prices beyond which nothing trades, as rows of status tell them (limit up, limit down).

Assumption: what a taker would get beyond a band can't be had, at the band it can: a quote at a band may be traded with (limit
state), one beyond it is shown but not to be traded with (straddle state), by the plan to address extraordinary market
volatility (Regulation NMS, "Limit Up-Limit Down"). Danger: bands are as good as the rows that tell them; one that was never
told holds nothing back, and the pause that ends a limit state is another row.

Bands of American shares hold in regular hours, until the close of the day on which they were told.
"""

from pipeline.core.instrument import InstrumentRow
from pipeline.core.market import Status
from pipeline.hours import Calendar, DayPart, end_of_day_ns, part_at
from pipeline.units import ABSENT


def fold_bands(row: InstrumentRow, status: Status) -> None:
    """Take in new bands; a status without any says nothing of them."""
    if status.limit_down_nano != ABSENT or status.limit_up_nano != ABSENT:
        row.band_low_nano = status.limit_down_nano
        row.band_high_nano = status.limit_up_nano
        row.ts_bands_end_ns = end_of_day_ns(row.calendar, status.ts_recv_ns, False)
        row.has_bands = True


def is_beyond(instrument: InstrumentRow, price_nano: int, now_ns: int) -> bool:
    """Whether a price lies beyond the bands in force."""
    if not instrument.has_bands or now_ns >= instrument.ts_bands_end_ns:
        return False
    if instrument.calendar == Calendar.SHARES and part_at(instrument.calendar, now_ns).part != DayPart.REGULAR:
        return False
    is_below = instrument.band_low_nano != ABSENT and price_nano < instrument.band_low_nano
    return is_below or (instrument.band_high_nano != ABSENT and price_nano > instrument.band_high_nano)
