"""Vectors of three libraries, each indicator against those that share its convention.

Skender's carry all digits of a float64: what is left is the order of additions, 1e-11 of the value at most (z-scores and
dx cancel digits; everything else stays under 1e-14). Tulip's are printed to three decimals. LEAN's come from charting
sites and spreadsheets, with as many digits as each of those shows.
"""

import csv
import json

import numpy as np
import pytest

from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.series import over


def read_skender_quotes(folder):
    with (folder / "skender/quotes/default.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in ("open", "high", "low", "close", "volume")}


def read_skender(folder, name, column):
    rows = json.loads((folder / f"skender/results/{name}.standard.json").read_text())
    return np.array([np.nan if row[column] is None else float(row[column]) for row in rows])


def read_lean(folder, name):
    with (folder / "lean" / name).open(encoding="utf-8-sig") as file:
        head, *rows = csv.reader(file)
    columns = {}
    for i, title in enumerate(head):
        cells = [row[i].strip() if i < len(row) else "" for row in rows]
        if i:  # the first is the date
            columns[title.strip()] = np.array([float(cell) if cell else np.nan for cell in cells])
    return columns | {title.lower(): column for title, column in columns.items()}


def read_tulip(folder):
    """Every test's arrays, inputs first, by its name and options."""
    made, current = {}, ""
    for line in map(str.strip, (folder / "tulip/untest.txt").read_text().splitlines()):
        if line.startswith("{"):
            made[current].append(np.array([float(cell) for cell in line[1:-1].split(",") if cell]))
        elif line and not line.startswith("#"):
            current = line
            made[current] = []
    return made


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "indicators"


@pytest.fixture(scope="module")
def quotes(folder):
    return read_skender_quotes(folder)


@pytest.fixture(scope="module")
def tulip(folder):
    return read_tulip(folder)


def same(made, expected, **tolerance):
    """Equal where the source has a number, and absent where it has none."""
    np.testing.assert_allclose(made, expected, **({"rtol": 0.0} | tolerance))


def bars(arrays):
    return dict(zip(("high", "low", "close"), arrays, strict=False))


SKENDER = [
    ("sma", {"length": 20}, "value", "sma", "sma"),
    ("seeded_ema", {"length": 20}, "value", "ema", "ema"),
    ("macd", {"fast": 12, "slow": 26, "signal": 9}, "value", "macd", "macd"),
    ("macd", {"fast": 12, "slow": 26, "signal": 9}, "signal", "macd", "signal"),
    ("macd", {"fast": 12, "slow": 26, "signal": 9}, "histogram", "macd", "histogram"),
    ("rsi", {"length": 14}, "value", "rsi", "rsi"),
    ("true_range", {}, "value", "tr", "tr"),
    ("atr", {"length": 14}, "value", "atr", "atr"),
    ("adx", {"length": 14}, "value", "adx", "adx"),
    ("adx", {"length": 14}, "plus", "adx", "pdi"),
    ("adx", {"length": 14}, "minus", "adx", "mdi"),
    ("adx", {"length": 14}, "dx", "adx", "dx"),
    ("deviation", {"length": 14}, "value", "stdev", "stdDev"),
    ("zscore", {"length": 14}, "value", "stdev", "zScore"),
    ("zscore", {"length": 20}, "value", "bb", "zScore"),
    ("bollinger", {"length": 20, "width": 2.0}, "middle", "bb", "sma"),
    ("bollinger", {"length": 20, "width": 2.0}, "upper", "bb", "upperBand"),
    ("bollinger", {"length": 20, "width": 2.0}, "lower", "bb", "lowerBand"),
    ("obv", {}, "value", "obv", "obv"),
    ("wma", {"length": 14}, "value", "wma", "wma"),
    ("hma", {"length": 14}, "value", "hma", "hma"),
    ("roc", {"length": 14}, "value", "roc", "roc"),
    ("momentum", {"length": 14}, "value", "roc", "momentum"),
    ("cci", {"length": 20}, "value", "cci", "cci"),
    ("williams_r", {"length": 14}, "value", "willr", "williamsR"),
    ("stochastic", {"length": 14}, "value", "stoch", "k"),
    ("stochastic", {"length": 14}, "signal", "stoch", "d"),
    ("keltner", {}, "middle", "keltner", "centerline"),
    ("keltner", {}, "upper", "keltner", "upperBand"),
    ("keltner", {}, "lower", "keltner", "lowerBand"),
    ("supertrend", {}, "value", "supertrend", "superTrend"),
    ("cmf", {"length": 20}, "value", "cmf", "cmf"),
    ("mfi", {"length": 14}, "value", "mfi", "mfi"),
]


@pytest.mark.parametrize(
    ("name", "given", "value", "file", "column"), SKENDER, ids=[f"{row[0]}-{row[4]}" for row in SKENDER]
)
def test_skender(folder, quotes, name, given, value, file, column):
    made = over(INDICATORS[name], quotes, given)[value]
    same(made, read_skender(folder, file, column), rtol=5e-11)


@pytest.mark.parametrize(
    ("value", "column"), [("upper", "upperBand"), ("lower", "lowerBand"), ("middle", "centerline")]
)
def test_skenders_donchian_is_ours_one_bar_later(folder, quotes, value, column):
    made = over(INDICATORS["donchian"], quotes, {"length": 20})[value]
    same(np.append(np.nan, made[:-1]), read_skender(folder, "donchian", column))


def test_skenders_vwap_is_ours_of_typical_prices(folder, quotes):
    typical = (quotes["high"] + quotes["low"] + quotes["close"]) / 3.0
    made = over(INDICATORS["vwap"], quotes | {"vwap": typical}, {})["value"]
    same(made, read_skender(folder, "vwap", "vwap"), rtol=1e-14)


LEAN = [
    ("sma", {"length": 14}, "value", "spy_with_indicators.txt", "SMA14", 0.01),
    ("seeded_ema", {"length": 14}, "value", "spy_with_indicators.txt", "EMA14", 0.01),
    ("seeded_ema", {"length": 14}, "value", "spy_ema.csv", "EMA14", 1e-12),
    ("macd", {"fast": 12, "slow": 26}, "value", "spy_with_indicators.txt", "MACD 12 26", 0.001),
    ("rsi", {"length": 14}, "value", "spy_with_indicators.txt", "RSI 14 Wilder", 5.1e-6),
    ("true_range", {}, "value", "spy_tr.txt", "TR", 1e-13),
    ("adx", {"length": 14}, "value", "spy_with_adx.txt", "ADX 14", 5.1e-5),
    ("adx", {"length": 14}, "plus", "spy_with_adx.txt", "+DI14", 5.1e-5),
    ("adx", {"length": 14}, "minus", "spy_with_adx.txt", "-DI14", 5.1e-5),
    ("adx", {"length": 14}, "dx", "spy_with_adx.txt", "DX", 0.0051),
    ("bollinger", {"length": 20}, "middle", "spy_bollinger_bands.txt", "Moving Average 20", 1e-4),
    ("bollinger", {"length": 20}, "upper", "spy_bollinger_bands.txt", "Bollinger Bands® 20 2 Top", 1e-4),
    ("bollinger", {"length": 20}, "lower", "spy_bollinger_bands.txt", "Bollinger Bands® 20 2 Bottom", 1e-4),
    ("dema", {"length": 5}, "value", "spy_dema.txt", "DEMA_5", 1e-11),
    ("tema", {"length": 5}, "value", "spy_tema.txt", "TEMA_5", 1e-11),
    ("trix", {"length": 5}, "value", "spy_trix.txt", "TRIX_5", 1e-11),
    ("hma", {"length": 16}, "value", "spy_hma.txt", "HMA_16", 5.1e-8),
    ("kama", {"length": 5}, "value", "spy_kama.txt", "KAMA_5", 1e-11),
    ("roc", {"length": 50}, "value", "spy_with_rocp50.txt", "Rate of Change % 50", 5.1e-5),
    ("cci", {"length": 14}, "value", "spy_with_cci.txt", "Commodity Channel Index (CCI) 14", 0.0025),
    ("williams_r", {"length": 14}, "value", "spy_with_williamsR14.txt", "Williams %R 14", 5e-4),
    ("stochastic", {"length": 12, "signal": 5}, "value", "spy_with_stoch12k3.txt", "Stochastics 12 %K 3", 5e-4),
    ("stochastic", {"length": 12, "signal": 5}, "signal", "spy_with_stoch12k3.txt", "%D 5", 5e-4),
    ("mfi", {"length": 20}, "value", "spy_mfi.txt", "Money Flow Index 20", 5.1e-5),
]


@pytest.mark.parametrize(
    ("name", "given", "value", "file", "column", "atol"), LEAN, ids=[f"{row[0]}-{row[4]}" for row in LEAN]
)
def test_lean(folder, name, given, value, file, column, atol):
    columns = read_lean(folder, file)
    columns.setdefault("close", columns.get("Close"))
    same(over(INDICATORS[name], columns, given)[value], columns[column], atol=atol)


@pytest.mark.parametrize(("value", "column"), [("value", "MACD"), ("signal", "Signal"), ("histogram", "Histogram")])
def test_leans_macd_of_monthly_closes(folder, value, column):
    columns = read_lean(folder, "spy_with_macd.txt")
    stated = np.isfinite(columns[column])  # the file leaves out its first years
    same(over(INDICATORS["macd"], columns, {})[value][stated], columns[column][stated], atol=1e-5)


@pytest.mark.parametrize(("value", "part"), [("upper", "Top"), ("lower", "Bottom"), ("middle", "Mean")])
def test_leans_donchian_where_its_window_is_full(folder, value, part):
    columns = read_lean(folder, "spy_with_don50.txt")
    made = over(INDICATORS["donchian"], columns, {"length": 50})[value]
    same(made[49:-1], columns[f"Donchian Channels 50 {part}"][49:-1], atol=1e-12)  # the last day is not over


@pytest.mark.parametrize(
    ("value", "file", "column"), [("upper", "spy_max.txt", "MAX_5"), ("lower", "spy_min.txt", "MIN_5")]
)
def test_leans_maximum_and_minimum_are_a_donchian_channel_of_closes(folder, value, file, column):
    columns = read_lean(folder, file)
    closes = {"high": columns["close"], "low": columns["close"]}
    same(over(INDICATORS["donchian"], closes, {"length": 5})[value], columns[column])


def test_leans_variance_is_our_deviation_squared(folder):
    columns = read_lean(folder, "spy_var.txt")
    same(over(INDICATORS["deviation"], columns, {"length": 10})["value"] ** 2, columns["Var"], rtol=1e-9)


def test_leans_normalized_atr_is_ours_over_the_close(folder):
    columns = read_lean(folder, "spy_natr.txt")
    made = over(INDICATORS["atr"], columns, {"length": 5})["value"]
    same(100.0 * made / columns["close"], columns["NATR_5"], rtol=1e-12)


def test_leans_obv_begins_with_the_first_volume(folder):
    columns = read_lean(folder, "spy_with_obv.txt")
    made = over(INDICATORS["obv"], columns, {})["value"] + columns["volume"][0]
    same(made[1:], columns["OBV"][1:], atol=2_000.0)  # of 1e9: volumes and sums have seven digits


def test_leans_wilder_atr_averages_a_first_range_that_ours_leaves_out(folder):
    columns = read_lean(folder, "spy_atr_wilder.txt")
    ranges = over(INDICATORS["true_range"], columns, {})["value"]
    ranges[0] = columns["high"][0] - columns["low"][0]
    same(
        over(INDICATORS["rma"], {"close": ranges}, {"length": 14})["value"], columns["Average True Range 14"], atol=1e-5
    )


def test_leans_simple_atr_is_a_simple_average_of_our_ranges(folder):
    columns = read_lean(folder, "spy_atr.txt")
    ranges = over(INDICATORS["true_range"], columns, {})
    same(
        over(INDICATORS["sma"], {"close": ranges["value"]}, {"length": 14})["value"],
        columns["Average True Range 14"],
        atol=1e-5,
    )


TULIP = [
    ("sma", {"length": 5}, "value", "sma 5", 1),
    ("ema", {"length": 5}, "value", "ema 5", 1),
    ("rma", {"length": 5}, "value", "wilders 5", 1),
    ("rsi", {"length": 5}, "value", "rsi 5", 1),
    ("deviation", {"length": 5}, "value", "stddev 5", 1),
    ("bollinger", {"length": 5, "width": 2.0}, "lower", "bbands 5 2", 1),
    ("bollinger", {"length": 5, "width": 2.0}, "middle", "bbands 5 2", 2),
    ("bollinger", {"length": 5, "width": 2.0}, "upper", "bbands 5 2", 3),
    ("regression", {"length": 5}, "value", "linreg 5", 1),
    ("regression", {"length": 5}, "slope", "linregslope 5", 1),
    ("wma", {"length": 5}, "value", "wma 5", 1),
    ("hma", {"length": 5}, "value", "hma 5", 1),
    ("momentum", {"length": 5}, "value", "mom 5", 1),
    ("williams_r", {"length": 5}, "value", "willr 5", 3),
    ("stochastic", {"length": 5}, "signal", "stoch 5 3 3", 4),
    ("aroon", {"length": 5}, "down", "aroon 5", 2),
    ("aroon", {"length": 5}, "up", "aroon 5", 3),
    ("aroon", {"length": 5}, "value", "aroonosc 5", 2),
    ("psar", {"step": 0.2, "limit": 2.0}, "value", "psar .2 2", 2),
    ("mfi", {"length": 5}, "value", "mfi 5", 4),
    ("accumulation_distribution", {}, "value", "ad", 4),
    ("ultimate_oscillator", {"short": 2, "middle": 3, "long": 5}, "value", "ultosc 2 3 5", 3),
]


@pytest.mark.parametrize(
    ("name", "given", "value", "test", "output"), TULIP, ids=[f"{row[3]}-{row[2]}" for row in TULIP]
)
def test_tulip(tulip, name, given, value, test, output):
    arrays = tulip[test]
    made = over(INDICATORS[name], dict(zip(INDICATORS[name].inputs, arrays, strict=False)), given)[value]
    printed(made, arrays[output])


def printed(made, expected):
    """Tulip prints three decimals, and no values at all before the first."""
    same(made[-len(expected) :], expected, atol=5.1e-4)
    assert np.isnan(made[: -len(expected)]).all()


def test_tulips_macd_is_of_first_valued_averages(tulip):
    closes, expected = {"close": tulip["macd 2 5 9"][0]}, tulip["macd 2 5 9"][1]
    fast, slow = (over(INDICATORS["ema"], closes, {"length": length})["value"] for length in (2, 5))
    same((fast - slow)[-len(expected) :], expected, atol=5.1e-4)


def test_tulips_forecast_is_the_line_one_step_on(tulip):
    made = over(INDICATORS["regression"], {"close": tulip["tsf 5"][0]}, {"length": 5})
    printed(made["value"] + made["slope"], tulip["tsf 5"][1])


def test_tulips_obv(tulip):
    closes, volumes, expected = tulip["obv"]
    printed(over(INDICATORS["obv"], {"close": closes, "volume": volumes}, {})["value"], expected)


def test_tulips_true_range_begins_one_bar_earlier(tulip):
    *arrays, expected = tulip["tr"]
    printed(over(INDICATORS["true_range"], bars(arrays), {})["value"], expected[1:])


def test_tulips_atr_averages_a_first_range_that_ours_leaves_out(tulip):
    *arrays, expected = tulip["atr 5"]
    ranges = over(INDICATORS["true_range"], bars(arrays), {})["value"]
    ranges[0] = arrays[0][0] - arrays[1][0]
    printed(over(INDICATORS["rma"], {"close": ranges}, {"length": 5})["value"], expected)


@pytest.mark.parametrize(("value", "test"), [("upper", "max 5"), ("lower", "min 5")])
def test_tulips_maximum_and_minimum_are_a_donchian_channel(tulip, value, test):
    values, expected = tulip[test]
    printed(over(INDICATORS["donchian"], {"high": values, "low": values}, {"length": 5})[value], expected)


def test_tulips_commodity_channel_index_begins_later(tulip):
    *arrays, expected = tulip["cci 5"]
    made = over(INDICATORS["cci"], bars(arrays), {"length": 5})["value"]
    same(made[-len(expected) :], expected, atol=5.1e-4)


def test_tulips_adaptive_average_states_its_first_price(tulip):
    values, expected = tulip["kama 5"]
    printed(over(INDICATORS["kama"], {"close": values}, {"length": 5})["value"], expected[1:])


def test_tulips_rate_of_change_is_a_hundredth_of_ours(tulip):
    values, expected = tulip["roc 5"]
    printed(over(INDICATORS["roc"], {"close": values}, {"length": 5})["value"] / 100.0, expected)


def test_leans_money_flow_where_our_window_is_full(folder):
    columns = read_lean(folder, "spy_cmf.txt")
    made = over(INDICATORS["cmf"], columns, {"length": 20})["value"]
    same(made[19:-1], columns["CMF_20"][19:-1], atol=1e-12)  # the last day is not over


@pytest.mark.parametrize(
    ("value", "column", "first"),
    [("conversion", "Tenkan", 8), ("base", "Kijun", 25), ("leading_a", "Senkou A", 51), ("leading_b", "Senkou B", 77)],
)
def test_leans_ichimoku_where_its_windows_are_full(folder, value, column, first):
    columns = read_lean(folder, "spy_with_ichimoku.csv")
    made = over(INDICATORS["ichimoku"], columns, {})[value]
    assert np.flatnonzero(np.isfinite(made))[0] == first
    same(made[first:], columns[column][first:], atol=1e-9)
