"""Trading days, parts of days and clocks of exchanges: SQL says what `pipeline.hours` says."""

import numpy as np
import pyarrow as pa

from pipeline import hours
from pipeline.codes import AssetClass
from pipeline.hours import Calendar, DayPart
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS
from warehouse.preparing import prepared

HOURS = {"always": Calendar.ALWAYS, "shares": Calendar.SHARES, "futures": Calendar.FUTURES}


def moments():
    """Random ones since 1987, and those about each turn of the clocks and each border of a day's parts."""
    random = np.random.default_rng(5)
    found = [int(ts) for ts in random.integers(17 * 365 * DAY_NS, 75 * 365 * DAY_NS, 400)]
    turns = [1_143_961_200, 1_162_101_600, 1_174_806_000, 1_173_596_400, 1_194_156_000, 1_772_953_200, 1_793_512_800]
    for second in [*turns, 1_793_779_200]:
        for hour in range(-30, 31):
            found += [second * 10**9 + hour * HOUR_NS + at for at in (-1, 0, 29 * MINUTE_NS, 30 * MINUTE_NS)]
    return found


def test_days_parts_and_minutes_are_those_of_the_core():
    every = moments()
    connection = prepared()
    connection.from_arrow(pa.table({"ts_ns": every})).create_view("moments")
    for name, calendar in HOURS.items():
        said = connection.execute(
            "select trading_day($1, ts_ns) - date '1970-01-01', day_part($1, ts_ns), exchange_minute($1, ts_ns) from moments",
            [name],
        ).fetchall()
        expected = [
            (
                hours._day_of(calendar, ts),
                DayPart(hours.part_at(calendar, ts).part).name.lower(),
                hours.minute_at(calendar, ts),
            )
            for ts in every
        ]
        assert said == expected, name


def test_whose_hours_an_instrument_keeps_is_as_in_the_core():
    connection = prepared()
    for calendar in ("", "24/7", "XNYS", "XNAS", "CMES", "XLON"):
        for asset_class in AssetClass:
            said = connection.execute("select hours_of($1, $2)", [calendar, asset_class.name.lower()]).fetchall()
            assert HOURS[said[0][0]] == hours.calendar_of(calendar, int(asset_class)), (calendar, asset_class)
