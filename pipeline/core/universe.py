"""Universe: which instruments strategies hear, as changes of it come in. Who leaves is flattened, or stays until it is flat.

The changes are made by a scanner, behind an input: they are derived rows of it, and what follows of them is derived from
the same input.
"""

import numpy as np

from pipeline.block import Blocks
from pipeline.core.instrument import IN_UNIVERSE, LEAVING, OUT_OF_UNIVERSE
from pipeline.core.operator import flatten
from pipeline.core.tape import Place
from pipeline.core.world import World, is_defined, position_of
from pipeline.scanner_codes import UniverseAction

ALL, FLATTENED, KEPT = range(3)
"""The setting `universe`."""

_EVERY = 0
"""As a strategy: all of them."""


def placed(made: Blocks, ord_: int) -> Blocks:
    """Rows of an input behind the row `ord_` of it."""
    return [block.with_columns(ord=(block.number("ord") + ord_).astype(np.int32)) for block in made if len(block)]


def first_standing(world: World) -> int:
    """Where an instrument stands that was just defined."""
    return IN_UNIVERSE if world.settings.universe == ALL else OUT_OF_UNIVERSE


def change(world: World, instrument_id: int, action: int, cause: Place) -> bool:
    """An instrument enters or leaves the universe; whether it entered. Nothing else moves it, and nothing at all without one."""
    if world.settings.universe == ALL or not is_defined(world, instrument_id):
        return False
    instrument = world.instruments[instrument_id]
    if action == UniverseAction.ADDED:
        instrument.standing = IN_UNIVERSE
        return True
    if instrument.standing == IN_UNIVERSE:
        instrument.standing = LEAVING if world.settings.universe == KEPT else OUT_OF_UNIVERSE
        if instrument.standing == OUT_OF_UNIVERSE:
            flatten(world, _EVERY, instrument_id, cause)
    return False


def let_go(world: World) -> None:
    """Whoever stayed only until it was flat leaves, once it is."""
    for instrument_id in range(1, world.counts.instruments + 1):
        instrument = world.instruments[instrument_id]
        if instrument.standing == LEAVING and _is_flat(world, instrument_id):
            instrument.standing = OUT_OF_UNIVERSE


def _is_flat(world: World, instrument_id: int) -> bool:
    for strategy_id in range(1, world.counts.strategies + 1):
        position = position_of(world, strategy_id, instrument_id)
        if position.quantity_steps != 0 or position.open_orders > 0:
            return False
    return True
