"""Fee rates: what regulators take of sales of American shares, by the day on which their rate came into force.

Section 31: of the amount sold, by the SEC's fee rate advisories, which FINRA repeats as information notices (3 March 2014,
25 February 2016, April 2019, 3 February 2020, 16 February 2021, 24 April 2025) and the Federal Register as orders (2020-00423,
2023-01578, 2024-08512, 2025-06214). Trading activity fee: a share sold and at most so much a trade, by section 1 of schedule A
to FINRA's by-laws, as SR-FINRA-2020-032 and SR-FINRA-2024-019 have it, none in the last quarter of 2026 by
SR-FINRA-2026-021. Not verified at those sources: the days on which section 31 rates of 2015 to 2018, 2022 and 2023 came into
force, the trading activity fee of 2022, and whether that holiday of 2026 was more than proposed. A new rate is a new line: what was charged before is part of the code that a log keeps.
"""

from datetime import date
from typing import Final

_EPOCH: Final = date(1970, 1, 1).toordinal()

_SECTION_31: Final = (
    ((2014, 3, 18), 22.10),
    ((2015, 2, 14), 18.40),
    ((2016, 2, 16), 21.80),
    ((2017, 7, 4), 23.10),
    ((2018, 5, 22), 13.00),
    ((2019, 4, 16), 20.70),
    ((2020, 2, 18), 22.10),
    ((2021, 2, 25), 5.10),
    ((2022, 5, 14), 22.90),
    ((2023, 2, 27), 8.00),
    ((2024, 5, 22), 27.80),
    ((2025, 5, 14), 0.00),
    ((2026, 4, 4), 20.60),
)
"""Dollars of a million."""

_TRADING_ACTIVITY: Final = (
    ((2012, 7, 1), 0.000119, 5.95),
    ((2022, 1, 1), 0.000130, 6.49),
    ((2023, 1, 1), 0.000145, 7.27),
    ((2024, 1, 1), 0.000166, 8.30),
    ((2026, 1, 1), 0.000195, 9.79),
    ((2026, 10, 1), 0.0, 0.0),
    ((2027, 1, 1), 0.000232, 11.61),
    ((2028, 1, 1), 0.000240, 12.05),
)
"""Dollars a share, and the most of a trade."""

SECTION_31_DAYS: Final = tuple(date(*day).toordinal() - _EPOCH for day, _ in _SECTION_31)
"""Days since 1970, ascending."""

SECTION_31_RATES: Final = tuple(millionth / 1e6 for _, millionth in _SECTION_31)
"""Of an amount sold, from each of those days on."""

ACTIVITY_DAYS: Final = tuple(date(*day).toordinal() - _EPOCH for day, _, _ in _TRADING_ACTIVITY)
"""Days since 1970, ascending."""

ACTIVITY_RATES: Final = tuple(rate for _, rate, _ in _TRADING_ACTIVITY)
"""Dollars a share sold, from each of those days on."""

ACTIVITY_CAPS: Final = tuple(most for _, _, most in _TRADING_ACTIVITY)
"""The most dollars of one trade."""


def section_31_rate(day: int) -> float:
    """What of an amount sold on a day (since 1970, New York's) is the SEC's; 0 before the table begins."""
    rate = 0.0
    for i in range(len(SECTION_31_DAYS)):
        if day >= SECTION_31_DAYS[i]:
            rate = SECTION_31_RATES[i]
    return rate


def activity_fee(day: int, quantity: float) -> float:
    """What of one sale of so many shares is FINRA's; 0 before the table begins."""
    rate, most = 0.0, 0.0
    for i in range(len(ACTIVITY_DAYS)):
        if day >= ACTIVITY_DAYS[i]:
            rate = ACTIVITY_RATES[i]
            most = ACTIVITY_CAPS[i]
    return min(quantity * rate, most)
