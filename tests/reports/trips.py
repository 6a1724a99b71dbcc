"""Round trips for tests, made of what a test is about."""

import math

import numpy as np

from pipeline.reports.round_trips import RoundTrips


def trips_of(profit, *, entry=100.0, exit_=None, sign=1.0, risk=math.nan, day=None, slippage_bps=math.nan):
    profit = np.array(profit, np.float64)

    def column(value):
        return np.broadcast_to(np.array(value, np.float64), profit.shape).copy()

    return RoundTrips(
        profit,
        column(entry),
        column(entry if exit_ is None else exit_),
        column(sign),
        column(risk),
        column(0.0 if day is None else day),
        column(slippage_bps),
    )
