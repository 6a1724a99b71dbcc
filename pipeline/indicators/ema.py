"""Exponential moving average, seeded with its first value, as most charts draw it."""

from pipeline.core.dialect import NAN
from pipeline.core.state import state


@state
class Ema:
    """`value` after `count` updates."""

    value: float = NAN
    count: int


def update(ema: Ema, value: float, length: int) -> None:
    """Fold one value; its weight is 2 / (length + 1)."""
    if ema.count == 0:
        ema.value = value
    else:
        ema.value += (value - ema.value) * (2.0 / (length + 1.0))
    ema.count += 1


def ready(ema: Ema, length: int) -> bool:
    """Whether `length` values went in, so that the seed weighs little."""
    return ema.count >= length
