"""Slippage after the fact: what each recorded execution would have cost more, by a model, and nothing else changed.

Assumption: the same orders are filled at the same moments, each at a price that is worse for us by what the model says. Danger:
a worse price would have moved stops, sizes and what was wished next, and none of that is done again here; for that, replay
with other settings, or `tape refill`. What a resting limit made keeps its price, since it gets that or nothing.

    fixed:0.01   so much on the price
    bps:5        hundredths of a percent of the price
    spread:0.5   of the spread at the fill
    own          drawn from one's own executions: what each of them cost against its reference price, in bps of it

`own` puts the execution at its own reference price and adds a cost drawn with a seed, so it replaces what the simulated venue
had; the others add to it. Of what lacks a quote or a reference price the price stays, and how many there are is told.
"""

from typing import Final, NamedTuple

import numpy as np

from pipeline.errors import ConfigError
from pipeline.reports.executions import Executions, Floats
from pipeline.reports.resampling import places

_STREAM: Final = 1 << 128
"""Far behind the resamples of bootstraps, so that draws of the same seed are other draws."""

ACCEPTED: Final = "accepted are fixed:AMOUNT, bps:NUMBER, spread:SHARE, own, own:LOG"


class Slippage(NamedTuple):
    """A model; the module says what each is."""

    kind: str
    size: float = 0.0
    """Of `fixed`, `bps` and `spread`."""
    log: str = ""
    """Of `own`: whose executions; empty: those that are looked at."""


class Slipped(NamedTuple):
    """What a model says of (n,) executions."""

    worse: Floats
    """How far each price moves against us; below 0 where it moves for us."""
    unknown: int
    """Of how many fills it has nothing to say."""


def slippage_of(text: str) -> Slippage:
    """A model by its words, `bps:5`. Raises ConfigError saying what is accepted."""
    kind, _, rest = text.partition(":")
    if kind == "own":
        return Slippage(kind, log=rest)
    try:
        size = float(rest)
    except ValueError:
        raise ConfigError(f"slippage {text!r}: {ACCEPTED}") from None
    if kind not in ("fixed", "bps", "spread") or not 0.0 <= size < np.inf:
        raise ConfigError(f"slippage {text!r}: {ACCEPTED}, numbers from 0 on")
    return Slippage(kind, size)


def own_costs_bps(executions: Executions) -> Floats:
    """What each execution that took cost against its reference price, in bps of it, where that is known; in their order."""
    is_known = ~executions.is_made & (executions.reference > 0.0)
    price, reference, sign = (column[is_known] for column in (executions.price, executions.reference, executions.sign))
    _, first = np.unique(executions.fill[is_known], return_index=True)
    costs: Floats = (sign * (price - reference) / reference * 1e4)[first]
    return costs


def slipped(executions: Executions, model: Slippage, *, costs_bps: Floats, seed: int) -> Slipped:
    """How far each price moves against us; `costs_bps` is what `own` draws from. Raises ConfigError when that is empty.

    Nothing is sold below 0.
    """
    if model.kind == "own":
        if not len(costs_bps):
            raise ConfigError("slippage own: no execution with a known reference price to draw from")
        count = int(executions.fill.max()) + 1 if len(executions.fill) else 0
        drawn = costs_bps[places(seed, _STREAM, _STREAM + count, 1, len(costs_bps))[:, 0]][executions.fill]
        expected = executions.reference * (1.0 + executions.sign * drawn / 1e4)
        worse = executions.sign * (expected - executions.price)
    elif model.kind == "spread":
        worse = model.size * np.maximum(executions.ask - executions.bid, 0.0)
    elif model.kind == "bps":
        worse = executions.price * (model.size / 1e4)
    else:
        worse = np.full(len(executions.price), model.size)
    worse = np.where(executions.is_made, 0.0, worse)
    is_unknown = np.isnan(worse)
    worse = np.where(is_unknown, 0.0, worse)
    worse = np.where(executions.sign < 0.0, np.minimum(worse, executions.price), worse)
    return Slipped(worse, len(np.unique(executions.fill[is_unknown])))
