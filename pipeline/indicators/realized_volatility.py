"""Realized volatility (Andersen and Bollerslev 1998): the root of the summed squares of log returns, no mean removed."""

import math

from pipeline.core.dialect import INF, NAN, sum_
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class RealizedVolatility:
    """`value` is of the whole window, `annual` of a year at the same pace; 0.01 is one percent."""

    squares: Window = group(capacity="capacity")
    previous: float = NAN
    value: float = NAN
    annual: float = NAN


def update(realized: RealizedVolatility, price: float, length: int, year: float) -> None:
    """Fold one price of an even grid, of which `year` make one; one that isn't above zero moves nothing."""
    if not 0.0 < price < INF:
        return
    if realized.previous > 0.0:
        change = math.log(price) - math.log(realized.previous)
        window.push(realized.squares, change * change, length)
        if window.is_full(realized.squares, length):
            total = sum_(realized.squares.values, length)
            realized.value = math.sqrt(total)
            realized.annual = math.sqrt(total / length * year)
    realized.previous = price


def ready(realized: RealizedVolatility, length: int, _year: float) -> bool:
    """Whether `length` returns are in."""
    return window.is_full(realized.squares, length)


def reset(realized: RealizedVolatility) -> None:
    """As new."""
    window.reset(realized.squares)
    realized.previous = NAN
    realized.value = NAN
    realized.annual = NAN


@params
class Params:
    """What may be set."""

    length: int = param(30, low=1, high=1_000, help="returns summed up")
    year: float = param(
        98_280.0, low=1.0, high=1e9, help="returns in a year: 252 days of 390 minutes unless said otherwise"
    )


INDICATOR = Indicator(
    name="realized_volatility",
    title="Realized volatility",
    State=RealizedVolatility,
    Params=Params,
    values=("value", "annual"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    capacity=capacity_of_length,
    convention="log returns, squares summed, no mean removed; Andersen and Bollerslev 1998",
)
