"""Seeded: an exponential average that begins with the plain average of its first values.

What Wilder's averages (weight 1 / length) and the EMA of LEAN, Skender and TA-Lib (weight 2 / (length + 1)) share.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state


@state
class Seeded:
    """`value` from the `length`th update on; until then `total` gathers what the seed is made of."""

    value: float = NAN
    total: float
    count: int


def update(seeded: Seeded, value: float, length: int, weight: float) -> None:
    """Fold one value that weighs `weight`, once `length` values have made the seed."""
    if not abs(value) < INF:
        return
    seeded.count += 1
    if seeded.count > length:
        seeded.value += (value - seeded.value) * weight
        return
    seeded.total += value
    if seeded.count == length:
        seeded.value = seeded.total / length


def ready(seeded: Seeded, length: int) -> bool:
    """Whether the seed is made."""
    return seeded.count >= length


def reset(seeded: Seeded) -> None:
    """As new."""
    seeded.value = NAN
    seeded.total = 0.0
    seeded.count = 0
