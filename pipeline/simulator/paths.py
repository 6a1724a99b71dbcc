"""Paths: how the price, the pace and the spread of one generated name move, second by second.

Returns are Student's t with three degrees of freedom, whose tails are as heavy as those of short returns, times a
volatility that moves slowly (an AR(1) of its logarithm, half-life three minutes) and jumps in bursts that fade within
half a minute. The same bursts quicken the pace and widen the spread, as they do where a name is in play. Some names
run: within a minute they leave their price by more than a price band allows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Numbers

_HALF_LIFE_S: Final = 180.0
_BURST_FADE_S: Final = 12.0
_DRIFT_S: Final = 200
_BUSY_SD: Final = 0.9
"""Of the logarithm of how busy names are: one in fifty is ten times as busy as the median."""

_T_SCALE: Final = 3.0**-0.5
"""Student's t with three degrees of freedom has a variance of 3."""


@dataclass(frozen=True, slots=True)
class Nature:
    """What sort of names a day has.

    start_low, start_high   prices lie between, evenly in their logarithm; dollars
    volatility              standard deviation of a quiet second's return, of the median name
    bursts_per_minute       how often a name comes into play
    spread_bps              of the median name, when quiet; 1e-4 of the price
    runs_share              share of names that run once
    """

    start_low: float
    start_high: float
    volatility: float
    bursts_per_minute: float
    spread_bps: float
    runs_share: float


@dataclass(frozen=True, slots=True)
class Path:
    """One name over n seconds.

    price      (n,) float64, where it trades if nothing holds it, in units of its first price
    pace       (n,) float64, how many times as busy as on average; mean about 1
    spread     (n,) float64, of the price
    busy       how many times as busy as the average name
    start      first price, dollars
    """

    price: Numbers
    pace: Numbers
    spread: Numbers
    busy: float
    start: float


def path_of(nature: Nature, seconds: int, random: np.random.Generator, *, run_after_s: int) -> Path:
    """A path drawn from this generator; one that runs does so after second `run_after_s`."""
    start = float(np.exp(random.uniform(np.log(nature.start_low), np.log(nature.start_high))))
    busy = float(random.lognormal(-(_BUSY_SD**2) / 2, _BUSY_SD))
    wildness = float(random.lognormal(0.0, 0.4)) * busy**-0.2
    calm = _calm(seconds, random)
    burst = _bursts(seconds, nature.bursts_per_minute, random)
    returns = _T_SCALE * random.standard_t(3, seconds) * nature.volatility * wildness * np.exp(calm) * (1 + burst)
    returns += _drift(seconds, nature.volatility, random) * (1 + burst)  # a name in play goes somewhere
    returns += _run(seconds, nature.runs_share, run_after_s, random)
    pace = np.exp(calm) * (1 + 3 * burst)
    spread = nature.spread_bps * 1e-4 * wildness * np.exp(calm / 2) * (1 + 1.5 * burst)
    return Path(np.exp(np.cumsum(np.clip(returns, -0.08, 0.08))), pace / pace.mean(), spread, busy, start)


def _drift(seconds: int, volatility: float, random: np.random.Generator) -> Numbers:
    """Where it goes, for some minutes at a time."""
    ways = random.normal(0.0, volatility / 14, seconds // _DRIFT_S + 1)
    return np.repeat(ways, _DRIFT_S)[:seconds]


def _calm(seconds: int, random: np.random.Generator) -> Numbers:
    """Logarithm of slow volatility: a mean of 0, a standard deviation of a half."""
    keep = 0.5 ** (1 / _HALF_LIFE_S)
    steps = random.normal(0.0, 0.5 * np.sqrt(1 - keep**2), seconds)
    steps[0] = random.normal(0.0, 0.5)
    return _leaky(steps, keep)


def _bursts(seconds: int, per_minute: float, random: np.random.Generator) -> Numbers:
    """How much a name is in play: 0 when it is not."""
    begins = random.poisson(per_minute / 60, seconds) * random.exponential(2.5, seconds)
    return _leaky(begins, float(np.exp(-1 / _BURST_FADE_S)))


def _leaky(steps: Numbers, keep: float) -> Numbers:
    """Each value is the one in front of it times `keep`, plus its step."""
    values, last = [], 0.0
    for step in steps.tolist():
        last = last * keep + step
        values.append(last)
    return np.array(values)


def _run(seconds: int, share: float, after_s: int, random: np.random.Generator) -> Numbers:
    """Returns of a name that runs 12 to 25 % within half a minute to a minute and a half; zeros for one that does not."""
    returns = np.zeros(seconds)
    length, size, way = int(random.integers(30, 90)), random.uniform(0.12, 0.25), random.choice((-1.0, 1.0))
    is_running, where = random.random() < share, random.random()
    room = seconds - after_s - length
    if is_running and room > 0:
        first = after_s + int(where * room)
        returns[first : first + length] = way * size / length
    return returns
