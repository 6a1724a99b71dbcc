"""Strategies: one hypothesis a file. Copy one, rename it, add its line here."""

from typing import Final

from pipeline.core.strategy import Strategy
from strategies import ema_cross, hold, opening_range

STRATEGIES: Final[dict[str, Strategy]] = {
    "hold": hold.strategy,
    "ema_cross": ema_cross.strategy,
    "opening_range": opening_range.strategy,
}
