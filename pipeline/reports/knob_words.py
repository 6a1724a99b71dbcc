"""Knob words: knobs as people write them, `lognormal:2,1`, and as they are told again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigError
from pipeline.reports.knobs import (
    Anomalies,
    Blocks,
    FeedDrops,
    Halts,
    Iid,
    Lognormal,
    Misses,
    Normal,
    Order,
    PartialFills,
    Sample,
    Slippage,
)

RECORDED: Final = "recorded"
"""In place of a sample: that of the trades themselves."""

_SLIPPAGE_WORDS: Final = "normal:MEAN,DEVIATION or lognormal:MEDIAN,SIGMA in bps, sample:FILE of bps, or recorded"


def slippage_from(text: str, recorded: Sequence[float] | None) -> Slippage:
    """A distribution of costs; `recorded` are the bps that trades have cost, None where that is not known.

    Raises ConfigError.
    """
    name, _, rest = text.partition(":")
    if name == RECORDED and not rest:
        return Sample(_known(recorded, f"{text}: no slippage is known of these trades"))
    if name == "sample" and rest:
        return Sample(_numbers_in(rest))
    numbers = _numbers(rest, 2)
    if name not in {"normal", "lognormal"} or numbers is None:
        raise ConfigError(f"slippage {text!r}: accepted is {_SLIPPAGE_WORDS}")
    return Normal(*numbers) if name == "normal" else Lognormal(*numbers)


def order_from(text: str) -> Order | None:
    """`traded`, `iid` or `block:TRADES`. Raises ConfigError."""
    name, _, rest = text.partition(":")
    numbers = _numbers(rest, 1)
    if name == "block" and numbers is not None:
        return Blocks(*numbers)
    if text not in {"traded", "iid"}:
        raise ConfigError(f"order {text!r}: accepted is traded, iid or block:TRADES, e.g. block:10")
    return Iid() if text == "iid" else None


def misses_from(text: str) -> Misses:
    """`0.1`. Raises ConfigError."""
    return Misses(*_wanted("miss", text, 1, "PROBABILITY, e.g. 0.1"))


def anomalies_from(text: str, recorded: Sequence[float] | None) -> Anomalies:
    """`0.01,lognormal:100,1`. Raises ConfigError."""
    probability, comma, cost = text.partition(",")
    accepted = "PROBABILITY,SLIPPAGE, e.g. 0.01,lognormal:100,1"
    if not comma:
        raise ConfigError(f"anomalies {text!r}: accepted is {accepted}")
    (number,) = _wanted("anomalies", probability, 1, accepted)
    return Anomalies(number, slippage_from(cost, recorded))


def halts_from(text: str, recorded: Sequence[float] | None) -> Halts:
    """`0.01,FILE`, or `0.01` for gaps of the sizes that were recorded. Raises ConfigError."""
    probability, comma, file = text.partition(",")
    (number,) = _wanted("halts", probability, 1, "PROBABILITY, or PROBABILITY,FILE of gaps in bps")
    gaps = _numbers_in(file) if comma else _known(recorded, f"halts {text}: no halt with a reopening was recorded")
    return Halts(number, gaps)


def drops_from(text: str) -> FeedDrops:
    """`0.005,3,50`. Raises ConfigError."""
    return FeedDrops(*_wanted("drops", text, 3, "PROBABILITY,TRADES,BPS, e.g. 0.005,3,50"))


def partials_from(text: str) -> PartialFills:
    """`0.2,0.1`. Raises ConfigError."""
    return PartialFills(*_wanted("partials", text, 2, "PROBABILITY,LEAST, e.g. 0.2,0.1"))


def told(knob: object) -> str:
    """A knob in a person's words.

    >>> told(Lognormal(2.0, 1.0)), told(FeedDrops(0.005, 3.0, 50.0)), told(None)
    ('lognormal, median 2 bps, sigma 1', '0.5 % of trades, 3 more not seen, leaving late costs 50 bps', 'as recorded')
    """
    match knob:
        case Normal():
            said = f"normal, {knob.mean_bps:g} +- {knob.sd_bps:g} bps"
        case Lognormal():
            said = f"lognormal, median {knob.median_bps:g} bps, sigma {knob.sigma:g}"
        case Sample():
            said = f"one of {len(knob.bps):,} recorded, {sum(knob.bps) / len(knob.bps):.3g} bps in the mean"
        case Iid():
            said = "any trade at any place"
        case Blocks():
            said = f"blocks of {knob.mean_trades:g} trades in the mean"
        case Misses():
            said = f"{_percent(knob.probability)} of entries"
        case Anomalies():
            said = f"{_percent(knob.probability)} of trades, {told(knob.cost)}"
        case Halts():
            said = f"{_percent(knob.probability)} of trades, one of {len(knob.gaps_bps):,} gaps"
        case FeedDrops():
            said = f"{_percent(knob.probability)} of trades, {knob.mean_trades:g} more not seen, leaving late costs {knob.late_bps:g} bps"
        case PartialFills():
            said = f"{_percent(knob.probability)} of entries, {_percent(knob.least)} at the least"
        case _:
            said = "as recorded"
    return said


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _wanted(name: str, text: str, count: int, accepted: str) -> tuple[float, ...]:
    numbers = _numbers(text, count)
    if numbers is None:
        raise ConfigError(f"{name} {text!r}: accepted is {accepted}")
    return numbers


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return numbers if len(numbers) == count else None


def _known(recorded: Sequence[float] | None, otherwise: str) -> tuple[float, ...]:
    if not recorded:
        raise ConfigError(f"{otherwise}; accepted is a FILE with a number of bps a line")
    return tuple(recorded)


def _numbers_in(path: str) -> tuple[float, ...]:
    """A number a line; empty lines count nothing. Raises ConfigError, OSError."""
    numbers = []
    for place, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                numbers.append(float(line))
            except ValueError:
                raise ConfigError(f"{path}: line {place}: {line.strip()[:40]!r} is no number of bps") from None
    return tuple(numbers)
