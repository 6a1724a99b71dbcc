"""Repricing: recorded trades as they would have been with other slippage and other fees; the log stays as it is."""

from typing import NamedTuple

import numpy as np

from pipeline.reports.charges import Terms, charged
from pipeline.reports.executions import Executions, Floats
from pipeline.reports.slippage import Slippage, slipped
from pipeline.reports.trades import Trades


class Repriced(NamedTuple):
    """Trades after the fact."""

    trades: Trades
    slippage: float
    """What it took in all, quote currency."""
    fees: float
    """By how much the fees differ from those recorded, quote currency; above 0 where they are higher."""
    unknown: int
    """Fills of which the slippage is not known, and left out."""


def repriced(
    trades: Trades,
    executions: Executions,
    *,
    slippage: Slippage | None,
    terms: Terms | None,
    costs_bps: Floats,
    seed: int,
) -> Repriced:
    """The trades with profits and fees by these models; None leaves what was recorded. Fees are of the prices that slipped.

    What was risked stays, so R moves with the profit. Raises ConfigError as `slipped` does.
    """
    worse, unknown = np.zeros(len(executions.price)), 0
    if slippage is not None:
        worse, unknown = slipped(executions, slippage, costs_bps=costs_bps, seed=seed)
    fees = executions.fee
    if terms is not None:
        fees = charged(executions, executions.price + executions.sign * worse, terms)
    lost = _by_trade(trades, executions, worse * executions.worth)
    dearer = _by_trade(trades, executions, fees - executions.fee)
    changed = trades._replace(profit=trades.profit - lost - dearer, fees=trades.fees + dearer)
    return Repriced(changed, float(lost.sum()), float(dearer.sum()), unknown)


def _by_trade(trades: Trades, executions: Executions, amounts: Floats) -> Floats:
    return np.bincount(executions.trade, amounts, len(trades.profit)).astype(np.float64)
