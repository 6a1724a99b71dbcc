"""A whole past day from `ohlcv` files: minute bars of every symbol, daily bars of the weeks before, imported and scanned like a live one."""

import json
from datetime import date
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import databento_dbn as dbn
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.config import moment_ns
from pipeline.log.store import Store
from pipeline.units import DAY_NS, MINUTE_NS, NANO

SYMBOLS, DAYS, MINUTES = 60, 20, 45
DAY_NS_UTC = moment_ns("2026-11-04T00:00:00Z", day_ns=0)
OPEN_NS = moment_ns("2026-11-04T09:30:00", day_ns=0, zone=ZoneInfo("America/New_York"))
NAMES = [f"S{number:03}" for number in range(1, SYMBOLS + 1)]


def written(path, schema, bars):
    """A DBN file of bars as (start_ns, id, (open, high, low, close), volume), in order."""
    first, last = date(2026, 10, 1), date(2026, 11, 6)
    mappings = [
        SimpleNamespace(
            raw_symbol=name, intervals=[SimpleNamespace(start_date=first, end_date=last, symbol=str(number))]
        )
        for number, name in enumerate(NAMES, 1)
    ]
    header = dbn.Metadata(
        dataset="XNAS.ITCH", start=bars[0][0], end=None, limit=None, stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID, schema=schema, symbols=NAMES, partial=[], not_found=[], mappings=mappings, ts_out=False,
    ).encode()  # fmt: skip
    layout = np.dtype(dbn.OHLCVMsg._dtypes)
    records = np.zeros(len(bars), layout)
    records["length"], records["publisher_id"] = layout.itemsize // 4, 2
    records["rtype"] = 35 if schema is dbn.Schema.OHLCV_1D else 33
    records["ts_event"] = [start_ns for start_ns, *_ in bars]
    records["instrument_id"] = [id_ for _, id_, *_ in bars]
    for place, name in enumerate(("open", "high", "low", "close")):
        records[name] = [round(prices[place] * NANO) for _, _, prices, _ in bars]
    records["volume"] = [volume for *_, volume in bars]
    path.write_bytes(header + records.tobytes())
    return str(path)


def market():
    """Daily bars of some weeks, and minute bars of the day behind them, by the number of the symbol."""
    random = np.random.default_rng(5)
    price = random.uniform(2, 50, SYMBOLS).round(2)
    week_days = [day for day in range(40, 0, -1) if (DAY_NS_UTC // DAY_NS - day + 3) % 7 < 5][-DAYS:]
    daily, minute = [], []
    for back in week_days:
        for place in range(SYMBOLS):
            close = round(price[place] * random.uniform(0.97, 1.03), 2)
            bar = (
                price[place],
                round(max(price[place], close) + 0.1, 2),
                round(min(price[place], close) - 0.1, 2),
                close,
            )
            daily.append((DAY_NS_UTC - back * DAY_NS, place + 1, bar, int(random.integers(50_000, 500_000))))
            price[place] = close
    for step in range(MINUTES):
        for place in range(SYMBOLS):
            if step and random.random() < 0.2:
                continue  # nothing traded
            close = round(price[place] * (random.uniform(0.9, 1.3) if step == 0 else random.uniform(0.99, 1.01)), 2)
            bar = (close, round(close + 0.02, 2), round(close - 0.02, 2), close)
            minute.append((OPEN_NS + step * MINUTE_NS, place + 1, bar, int(random.integers(100, 5_000))))
            price[place] = close
    return daily, minute


DEFINITION = """
name = "files"
limit = 10
full_table_every_s = 0
show = ["last", "prev_close", "adv", "atr14", "volume", "hod", "chg_from_open_pct"]
[schedule]
every_s = 60
from = "09:30"
until = "16:00"
[[filters]]
field = "gap_pct"
op = ">="
threshold = 4.0
[[filters]]
field = "vol_pct_adv"
op = ">="
threshold = 5.0
[[rank]]
field = "gap_pct"
"""


def test_a_day_of_minute_bars_behind_weeks_of_daily_bars_is_scanned_at_any_minute(tmp_path):
    daily, minute = market()
    files = [
        written(tmp_path / "days.ohlcv-1d.dbn", dbn.Schema.OHLCV_1D, daily),
        written(tmp_path / "day.ohlcv-1m.dbn", dbn.Schema.OHLCV_1M, minute),
    ]
    store = Store(tmp_path / "data")
    # It looks with the whole minute: the bar that ends there is not received yet, so the one before is the latest it knows.
    made = CliRunner().invoke(main, ["--home", str(store.home), "import", *files, "--name", "past"])
    assert made.exit_code == 0, made.output
    (tmp_path / "files.toml").write_text(DEFINITION)
    for clock, seen in (("09:45:30", 14), ("10:10:30", 39)):
        words = [
            "scan",
            "past",
            "--config",
            str(tmp_path / "files.toml"),
            "--at",
            f"2026-11-04T{clock}",
            "--all",
            "--json",
        ]
        asked = CliRunner().invoke(main, ["--home", str(store.home), *words])
        assert asked.exit_code == 0, asked.output
        found = json.loads(asked.stdout.splitlines()[-1])
        expected = [plain(number, daily, minute, seen) for number in range(1, SYMBOLS + 1)]
        told = {each["symbol"]: each["fields"] for each in found["candidates"]}
        for name, values in zip(NAMES, expected, strict=True):
            assert told[name] == pytest.approx(values), (clock, name)
        passing = [
            name
            for name, values in zip(NAMES, expected, strict=True)
            if values["gap_pct"] >= 4 and values["vol_pct_adv"] >= 5
        ]
        passing.sort(key=lambda name: -told[name]["gap_pct"])
        assert passing
        ranked = [each["symbol"] for each in found["candidates"] if each["rank"]]
        assert sorted(ranked, key=lambda name: told[name]["gap_pct"], reverse=True)[: len(passing)] == passing
        assert found["funnel"][-1]["left"] == len(passing)


def plain(number, daily, minute, seen):
    """The fields of a symbol behind so many minutes, by a loop over its bars."""
    days = [(prices, volume) for _, id_, prices, volume in daily if id_ == number]
    mine = [
        (prices, volume)
        for start_ns, id_, prices, volume in minute
        if id_ == number and start_ns < OPEN_NS + seen * MINUTE_NS
    ]
    close, atr, before = days[-1][0][3], None, None
    for count, ((_, high, low, closed), _) in enumerate(days):
        reach = high - low if before is None else max(high, before) - min(low, before)
        length = min(count + 1, 14)
        atr = reach if atr is None else (atr * (length - 1) + reach) / length
        before = closed
    volume, average = sum(volume for _, volume in mine), sum(volume for _, volume in days) / len(days)
    opened, last = mine[0][0][0], mine[-1][0][3]
    return {
        "last": last, "prev_close": close, "adv": average, "atr14": atr, "volume": volume,
        "hod": max(prices[1] for prices, _ in mine), "chg_from_open_pct": (last / opened - 1) * 100,
        "gap_pct": (opened / close - 1) * 100, "vol_pct_adv": volume / average * 100,
    }  # fmt: skip
