"""Impact: what an order pays for more than is displayed.

Assumption (setting `impact`): behind the best price the book goes on, and an order takes all it wants of it at once. 1, linear:
the size displayed stands there again and again, one for each further `impact_bps` (Kyle, Continuous auctions and insider
trading, 1985: price moves in proportion to size). 2, square root: the further away the more stands there, in proportion to the
distance, so that so many displayed sizes move the price by `impact_bps` times the square root of their number (Tóth and
others, Anomalous price impact and the critical nature of liquidity in financial markets, 2011). Danger: `impact_bps` is a
guess, to be had from one's own executions alone; the recorded quotes still do not move, so an order that comes in pieces
pays too little; and a thin book has holes. Without the setting what is not displayed waits.

Where there are only bars, the size displayed is the bar's volume, and what is taken of it counts from the first share.
"""

import math
from typing import Final

from pipeline.codes import Side
from pipeline.core.dialect import price_of
from pipeline.core.instrument import InstrumentRow
from pipeline.core.settings import SettingsRow
from pipeline.core.sizing import to_tick
from pipeline.units import ABSENT

_LINEAR: Final = 1


def take(instrument: InstrumentRow, side: int, steps: int) -> None:
    """Use up displayed size, and what lies behind it: less than none is left then."""
    if side == Side.BUY:
        instrument.ask_left_steps -= steps
        instrument.ask_taken_steps += steps
    else:
        instrument.bid_left_steps -= steps
        instrument.bid_taken_steps += steps


def beyond_nano(instrument: InstrumentRow, settings: SettingsRow, side: int, far_nano: int, steps: int) -> int:
    """The price of so many steps behind what is displayed on the far side; ABSENT where nothing was displayed."""
    left = instrument.ask_left_steps if side == Side.BUY else instrument.bid_left_steps
    taken = instrument.ask_taken_steps if side == Side.BUY else instrument.bid_taken_steps
    return moved_nano(instrument, settings, side, far_nano, max(0, -left), steps, left + taken)


def moved_nano(
    instrument: InstrumentRow, settings: SettingsRow, side: int, price_nano: int, before: int, steps: int, shown: int
) -> int:
    """The mean price of `steps` behind `before` others, where `shown` move it by so much; ABSENT where none are shown."""
    if shown <= 0 or price_nano == ABSENT:
        return ABSENT
    start, end = float(before) / float(shown), float(before + steps) / float(shown)
    if settings.impact == _LINEAR:
        mean = (start + end) * 0.5
    else:
        mean = (end * math.sqrt(end) - start * math.sqrt(start)) / (end - start) * (2.0 / 3.0)
    bps = settings.impact_bps * mean
    nano, is_sound = to_tick(
        price_of(price_nano) * (1.0 + float(side) * (bps / 10_000.0)), instrument, up=side == Side.BUY
    )
    return nano if is_sound else ABSENT
