"""Indicated: indicators as people choose them for a chart, in words that stand in a URL, and what they come to over its rows.

A word is the name of an indicator in the catalog, with parameters behind it where its own defaults aren't meant: `rsi`,
`sma length=50`, `macd fast=5 slow=20`. Indicators of bars are folded over the candles, from the first one on, by the code
that strategies call; those of quotes over the quote that stood at the end of each candle, which is all they know. What is
counted print by print can't be had of candles, and isn't offered.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from dashboards.charts import Colour
from pipeline.core.market import Bar, Print, Quote
from pipeline.errors import ConfigError
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.series import over
from pipeline.names import did_you_mean
from pipeline.units import NANO

PREMARKET_MINUTE: Final = 240
PRESETS: Final = ("VWAP", "VWAP 9:30", "EMA 9", "EMA 20")
"""What is chosen most, under short names."""

SHOWN: Final = "shown"
"""What strategies showed themselves, as it stands in the log: no indicator, but chosen among them."""

DRAWABLE: Final = tuple(name for name, each in INDICATORS.items() if each.event is not Print)
CHOICES: Final = (*PRESETS, *DRAWABLE)

_COLOURS: Final[dict[str, Colour]] = {"VWAP": "vwap", "VWAP 9:30": "text", "EMA 9": "main", "EMA 20": "faint"}
_OVER_PRICES: Final[tuple[Colour, ...]] = ("teal", "violet", "pink", "olive", "vwap", "text")
_BENEATH: Final[tuple[Colour, ...]] = ("main", "vwap", "faint", "violet")


class Chosen(NamedTuple):
    """An indicator with its parameters."""

    word: str
    indicator: Indicator
    given: Mapping[str, Any]


class Line(NamedTuple):
    """One value of an indicator along a chart. `times` s UTC, `values` None where there is none yet."""

    word: str
    name: str
    pane: int | None
    """0 over the prices; else which of the panes beneath, counted from 1."""
    colour: Colour
    times: list[int]
    values: list[float | None]


def chosen(word: str, hours: str) -> Chosen:
    """What a word means for an instrument of these hours. Raises ConfigError that names what is accepted."""
    if word in PRESETS:
        return _preset(word, hours)
    name, *told = word.split() or [""]
    if name not in DRAWABLE:
        hint = did_you_mean(name, DRAWABLE) or f"; accepted are {', '.join(DRAWABLE)}"
        raise ConfigError(f"line {word!r}: no indicator {name!r} of bars or quotes{hint}")
    given = dict(part.partition("=")[::2] for part in told)
    try:
        INDICATORS[name].Params.from_text(given)
    except ConfigError as error:
        raise ConfigError(f"line {word!r}: {error}") from None
    return Chosen(word, INDICATORS[name], given)


def lines(wanted: Sequence[str], rows: pa.Table, quotes: pa.Table, hours: str) -> list[Line]:
    """Every value that is drawn of these indicators; one that has none anywhere yields no line.

    rows      candles as `market.candles` has them, from the first one on
    quotes    as `market.spreads` has them
    hours     of the instrument, which say when a day's VWAP begins

    Raises ConfigError as `chosen` does.
    """
    found: list[Line] = []
    bars, standing = _bar_columns(rows), _quote_columns(quotes)
    counts = {Pane.OVERLAY: 0, Pane.OWN: 0}
    for each in [chosen(word, hours) for word in wanted]:
        columns = standing if each.indicator.event is Quote else bars
        made = [line for line in _made(each, columns) if any(value is not None for value in line.values)]
        if made:
            place = counts[each.indicator.pane]
            counts[each.indicator.pane] += each.word not in PRESETS
            found += _placed(made, each.indicator.pane, place)
    return found


def colour_over(place: int) -> Colour:
    """Of what is drawn over the prices beside the presets."""
    return _OVER_PRICES[place % len(_OVER_PRICES)]


def _placed(made: Sequence[Line], pane: Pane, place: int) -> Iterator[Line]:
    """Over the prices an indicator has one colour, beneath them each value its own."""
    for number, line in enumerate(made):
        if pane is Pane.OVERLAY:
            colour = _COLOURS.get(line.word) or colour_over(place)
            yield line._replace(pane=0, colour=colour)
        else:
            yield line._replace(pane=place + 1, colour=_BENEATH[number % len(_BENEATH)])


def _made(each: Chosen, columns: Mapping[str, list[Any]]) -> Iterator[Line]:
    folded = over(each.indicator, columns, each.given)
    drawn = [name for name in each.indicator.values if name not in each.indicator.undrawn]
    for name in drawn:
        values = [None if value != value else value for value in folded[name].tolist()]  # noqa: PLR0124 - NaN differs from itself
        told = each.word if len(drawn) == 1 else f"{each.word} {name}"
        yield Line(each.word, told, None, "main", columns["time"], values)


def _preset(word: str, hours: str) -> Chosen:
    """VWAP begins with the premarket of shares, with the day by UTC of what never closes."""
    if word.startswith("EMA"):
        return Chosen(word, INDICATORS["ema"], {"length": int(word.split()[1])})
    zone, first, last = (1, PREMARKET_MINUTE, PREMARKET_MINUTE) if hours == "shares" else (0, 0, 0)
    if word == "VWAP 9:30":
        zone, first, last = 1, OPEN_MINUTE, CLOSE_MINUTE
    return Chosen(word, INDICATORS["anchored_vwap"], {"first_minute": first, "last_minute": last, "zone": zone})


def _bar_columns(rows: pa.Table) -> dict[str, list[Any]]:
    """Columns by the names of a bar's fields, NaN where there is none."""
    columns = {name: _filled(rows, name) for name in Bar._fields if name in rows.column_names}
    times = rows["time"].to_pylist()
    return columns | {"time": times, "ts_event_ns": [time * NANO for time in times]}


def _quote_columns(quotes: pa.Table) -> dict[str, list[Any]]:
    told = {"bid": "low", "ask": "high", "bid_size": "bid_size", "ask_size": "ask_size"}
    return {"time": quotes["time"].to_pylist()} | {name: _filled(quotes, column) for name, column in told.items()}


def _filled(rows: pa.Table, name: str) -> list[Any]:
    return [float("nan") if value is None else value for value in rows[name].to_pylist()]
