"""Bands: into which parts trades can be taken apart, as data: a column, and where one band ends and the next begins.

A band holds its lower edge and not its upper one. Edges are the market's own where it has some (9:30, a price of 1 dollar,
5 million shares of float), else about as far apart as differences that matter. What is not known is a band of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.reports.trades import Integers, Trades

UNKNOWN: Final = "unknown"


class Bands(NamedTuple):
    """A number of a trade, and the edges of its bands, ascending."""

    column: str
    edges: tuple[float, ...]
    word: Callable[[float], str] = "{:,g}".format
    """An edge as people say it."""
    is_counted: bool = False
    """It is a whole number: 4 to 5, and not 4 to 6."""


class Words(NamedTuple):
    """A text of a trade; each is a band of its own."""

    column: str


class Named(NamedTuple):
    """A whole number of a trade that has names, from 0."""

    of: Callable[[Trades], npt.NDArray[np.float64]]
    names: tuple[str, ...]


Split = Bands | Words | Named


class Parts(NamedTuple):
    """A split applied."""

    labels: list[str]
    places: Integers
    """Of each trade, which of the labels."""


def _clock(minute: float) -> str:
    return f"{int(minute) // 60}:{int(minute) % 60:02d}"


def _millions(shares: float) -> str:
    return f"{shares / 1e6:g}M"


def _duration(seconds: float) -> str:
    return f"{seconds:g}s" if seconds < 60 else f"{seconds / 60:g}m" if seconds < 3_600 else f"{seconds / 3_600:g}h"


SPLITS: Final[Mapping[str, Split]] = {
    "strategy": Words("strategy"),
    "setup": Words("setup"),
    "symbol": Words("symbol"),
    "side": Words("side"),
    "exit": Words("exit_kind"),
    "window": Words("session_window"),
    "time": Bands("minute", (240, 420, 480, 570, 585, 600, 630, 690, 840, 930, 960, 1_200), _clock),
    "weekday": Named(lambda trades: ((trades.day + 3) % 7).astype(np.float64), ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")),
    "price": Bands("entry_price", (1, 2, 5, 10, 20, 50, 100)),
    "float": Bands("float_shares", (1e6, 5e6, 1e7, 2e7, 5e7, 1e8), _millions),
    "volume": Bands("relative_volume", (1, 2, 3, 5, 10, 20)),
    "gap": Bands("gap_percent", (-10, 0, 4, 10, 20, 50, 100), "{:g}%".format),
    "spread": Bands("entry_spread_bps", (5, 10, 25, 50, 100, 200), "{:g}bps".format),
    "nth": Bands("nth_of_day", (1, 2, 3, 4, 6, 11), is_counted=True),
    "halt": Named(lambda trades: trades.numbers["is_after_halt"], ("no halt before", "after a halt")),
    "held": Bands("held_s", (10, 60, 300, 900, 3_600, 14_400), _duration),
}  # fmt: skip
"""By the word that asks for it. Times of day are minutes after midnight by the clocks of the exchange."""


def parts(trades: Trades, split: Split) -> Parts:
    """Into which band each trade falls; labels in the order of the edges, of the names, or of the alphabet, what is unknown last."""
    if isinstance(split, Words):
        return _worded(trades.texts[split.column])
    if isinstance(split, Named):
        return _placed(split.of(trades), split.names)
    values = trades.held_s if split.column == "held_s" else trades.numbers[split.column]
    places = np.where(np.isnan(values), np.nan, np.searchsorted(split.edges, values, "right"))
    return _placed(places, labels(split))


def labels(bands: Bands) -> list[str]:
    """What each band is called, one more than there are edges."""
    edges, word = bands.edges, bands.word
    last = [edge - 1 if bands.is_counted else edge for edge in edges]
    between = [
        word(low) if bands.is_counted and low == high else f"{word(low)} to {word(high)}"
        for low, high in zip(edges, last[1:], strict=False)
    ]
    return [f"under {word(edges[0])}", *between, f"{word(edges[-1])} and more"]


def _placed(values: npt.NDArray[np.float64], names: Sequence[str]) -> Parts:
    is_known = ~np.isnan(values)
    return Parts([*names, UNKNOWN], np.where(is_known, np.nan_to_num(values), len(names)).astype(np.int64))


def _worded(values: npt.NDArray[np.object_]) -> Parts:
    found, places = np.unique(values.astype(str), return_inverse=True)
    names = [str(word) for word in found]
    if names and not names[0]:  # an empty text sorts first
        return Parts([*names[1:], UNKNOWN], (places - 1) % len(names))
    return Parts([*names, UNKNOWN], places.astype(np.int64))
