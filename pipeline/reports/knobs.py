"""Knobs: what may go otherwise than it was recorded. Each says first what it assumes, and what is dangerous about that.

All of them assume that trades come to the same whatever came of the others: sizes do not follow the account, and a trade that
is missed leaves no room for another. Costs are in bps (1e-4) of the value traded, entry and exit together, and come on
top of what the recorded fills have paid.
"""

import math
from typing import Final

import msgspec

from pipeline.errors import ConfigError

BPS: Final = 1e-4
SAMPLE_MAX: Final = 1_000_000


class Normal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="normal"):
    """Assumes that errors are as often in favour as against, around a mean. Dangerous: real slippage has a long bad tail."""

    mean_bps: float
    sd_bps: float

    def __post_init__(self) -> None:
        _check("slippage normal: mean", self.mean_bps, -10_000.0, 10_000.0)
        _check("slippage normal: deviation", self.sd_bps, 0.0, 10_000.0)


class Lognormal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="lognormal"):
    """Assumes that it always costs, seldom a multiple. Dangerous: the mean is median * exp(sigma**2 / 2), far above the median."""

    median_bps: float
    sigma: float

    def __post_init__(self) -> None:
        _check("slippage lognormal: median", self.median_bps, 0.0, 10_000.0)
        _check("slippage lognormal: sigma", self.sigma, 0.0, 5.0)


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="sample"):
    """Assumes that it will be one of these again. Dangerous: what was never seen never comes, least of all the worst."""

    bps: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_sample("slippage sample", self.bps)


Slippage = Normal | Lognormal | Sample


class Misses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Assumes that each entry is missed by chance alone. Dangerous: what runs away unfilled is rather the winners."""

    probability: float

    def __post_init__(self) -> None:
        _check_probability("miss", self.probability)


class Anomalies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Assumes that a trade now and then, any of them, pays `cost` instead of the ordinary slippage. Dangerous: they come together, on the worst days."""

    probability: float
    cost: Slippage

    def __post_init__(self) -> None:
        _check_probability("anomalies", self.probability)


class Halts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Assumes that any trade may be halted before its exit, and that the exit moves with a reopening gap of a recorded size. Dangerous: gaps follow the move that halted, and a stop inside of one fills beyond it."""

    probability: float
    gaps_bps: tuple[float, ...]
    """Reopening price against the last one before, signed; a short position gains by a fall."""

    def __post_init__(self) -> None:
        _check_probability("halts", self.probability)
        _check_sample("halts: gaps", self.gaps_bps)


class FeedDrops(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Assumes that the feed is lost at any trade, which is left late at a fixed cost, and that the next ones are not seen at all, a geometric number with this mean. Dangerous: feeds drop in the busiest minutes, when leaving late costs most."""

    probability: float
    mean_trades: float
    late_bps: float
    """Of the position's value at its exit."""

    def __post_init__(self) -> None:
        _check_probability("drops", self.probability)
        _check("drops: trades that are not seen", self.mean_trades, 0.0, 1e6)
        _check("drops: cost of leaving late", self.late_bps, 0.0, 10_000.0)


class PartialFills(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Assumes that of some entries only a part fills, any part from `least` on being as likely, and that fees shrink with it. Dangerous: it is the winners that fill in part, losers fill whole."""

    probability: float
    least: float

    def __post_init__(self) -> None:
        _check_probability("partials", self.probability)
        _check("partials: least part", self.least, 0.0, 1.0)


class Iid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="iid"):
    """Assumes that trades know nothing of each other: each place has any of them, with putting back. Dangerous: streaks are lost, and drawdowns come out too small when losses cluster."""


class Blocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="blocks"):
    """Assumes that trades know of each other about as far as a block reaches (stationary bootstrap, geometric lengths). Dangerous: with few blocks a path is the record in another order, and its luck stays in."""

    mean_trades: float

    def __post_init__(self) -> None:
        _check("order block: trades", self.mean_trades, 1.0, 1e6)


Order = Iid | Blocks


class Knobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them; None is as recorded."""

    order: Order | None = None
    slippage: Slippage | None = None
    misses: Misses | None = None
    anomalies: Anomalies | None = None
    halts: Halts | None = None
    drops: FeedDrops | None = None
    partials: PartialFills | None = None


AS_RECORDED: Final = Knobs()


def turned_on(knobs: Knobs) -> tuple[str, ...]:
    """The names of those that are not as recorded."""
    return tuple(name for name in knobs.__struct_fields__ if getattr(knobs, name) is not None)


def scaled(knobs: Knobs, name: str, factor: float) -> Knobs:
    """The same with one knob turned: probabilities and costs times `factor`, at 0 as recorded; blocks are so much longer.

    Raises ConfigError where that passes what the knob accepts, or for the order iid, which has no size.
    """
    if factor == 1.0:
        return knobs
    if factor == 0.0:
        return msgspec.structs.replace(knobs, **{name: None})
    return msgspec.structs.replace(knobs, **{name: _turned(getattr(knobs, name), factor)})


def _turned(knob: Order | Slippage | Misses | Anomalies | Halts | FeedDrops | PartialFills, factor: float) -> object:
    match knob:
        case Normal():
            return Normal(knob.mean_bps * factor, knob.sd_bps * factor)
        case Lognormal():
            return Lognormal(knob.median_bps * factor, knob.sigma)
        case Sample():
            return Sample(tuple(bps * factor for bps in knob.bps))
        case Blocks():
            return Blocks(max(1.0, knob.mean_trades * factor))
        case Iid():
            raise ConfigError("order iid: it has no size to turn; accepted is to vary order with block:TRADES")
        case Misses() | Anomalies() | Halts() | FeedDrops() | PartialFills():
            return msgspec.structs.replace(knob, probability=min(1.0, knob.probability * factor))


def _check_probability(what: str, probability: float) -> None:
    _check(f"{what}: probability", probability, 0.0, 1.0)


def _check(what: str, number: float, low: float, high: float) -> None:
    if not (math.isfinite(number) and low <= number <= high):
        raise ConfigError(f"{what} {number:g}: accepted is {low:g} to {high:,.10g}")


def _check_sample(what: str, numbers: tuple[float, ...]) -> None:
    if not 0 < len(numbers) <= SAMPLE_MAX:
        raise ConfigError(f"{what} of {len(numbers):,} numbers: accepted is 1 to {SAMPLE_MAX:,}")
    for number in numbers:
        _check(what, number, -10_000.0, 100_000.0)
