"""Universe: which instruments strategies hear, as changes of it come in. Who leaves is flattened, or stays until it is flat.

The changes are made by scanners, behind an input: they are derived rows of it, and what follows of them is derived from
the same input. Each scanner moves the strategies that stand behind it, and no others.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.block import Blocks
from pipeline.core.context import IN_UNIVERSE, LEAVING, OUT_OF_UNIVERSE, WAITING
from pipeline.core.operator import flatten
from pipeline.core.strategy import Plan
from pipeline.core.tape import Place
from pipeline.core.world import World, index_of, is_defined, position_of
from pipeline.scanner_codes import UniverseAction

ALL, FLATTENED, KEPT = range(3)
"""The setting `universe`, and what a strategy's own may be."""


def placed(made: Blocks, ord_: int) -> Blocks:
    """Rows of an input behind the row `ord_` of it."""
    return [block.with_columns(ord=(block.number("ord") + ord_).astype(np.int32)) for block in made if len(block)]


def follow(world: World, plans: Sequence[Plan]) -> None:
    """Say which strategies want history first, behind which scanner each stands, and how it leaves."""
    for run, plan in zip(world.runs[1:], plans, strict=True):
        run.warms_up = plan.strategy.warm_up != ""
        run.scanner_id = plan.scanner_id
        run.universe = (plan.universe or world.settings.universe) if world.settings.universe != ALL else ALL


def admit(world: World, instrument_id: int) -> None:
    """An instrument that nobody knew is there: in the universe of those that hear all, and of no other."""
    for strategy_id in range(1, world.counts.strategies + 1):
        is_in = world.runs[strategy_id].universe == ALL
        cell = world.cells[index_of(world, strategy_id, instrument_id)]
        cell.standing = IN_UNIVERSE if is_in else OUT_OF_UNIVERSE


def introduce(world: World, strategy_id: int, instrument_id: int) -> None:
    """A strategy was just introduced to an instrument: it hears it, or waits for history first."""
    cell = world.cells[index_of(world, strategy_id, instrument_id)]
    cell.standing = IN_UNIVERSE
    if world.clock.is_warming and world.runs[strategy_id].warms_up and world.settings.warm_up_wait_ns > 0:
        cell.standing = WAITING
        cell.waits_until_ns = world.clock.now_ns + world.settings.warm_up_wait_ns
        world.counts.next_wait_ns = min(world.counts.next_wait_ns, cell.waits_until_ns)


def change(world: World, scanner_id: int, instrument_id: int, action: int, cause: Place) -> None:
    """A scanner adds an instrument or drops it. Nothing else moves its strategies, and nothing at all those that hear all."""
    if not is_defined(world, instrument_id):
        return
    for strategy_id in range(1, world.counts.strategies + 1):
        run = world.runs[strategy_id]
        if run.universe != ALL and run.scanner_id == scanner_id:
            _move(world, strategy_id, instrument_id, action, cause)


def _move(world: World, strategy_id: int, instrument_id: int, action: int, cause: Place) -> None:
    cell = world.cells[index_of(world, strategy_id, instrument_id)]
    if action == UniverseAction.ADDED:
        if cell.standing == OUT_OF_UNIVERSE and cell.is_started:
            introduce(world, strategy_id, instrument_id)
        elif cell.standing != WAITING:
            world.counts.leaving -= int(cell.standing == LEAVING)
            cell.standing = IN_UNIVERSE
    elif cell.standing in (IN_UNIVERSE, WAITING):
        # Who waits may hold something from before it waited. If not, it has nothing to stay for, and waits again when it comes back.
        is_busy = cell.standing == IN_UNIVERSE or not _is_flat(world, strategy_id, instrument_id)
        stays = is_busy and world.runs[strategy_id].universe == KEPT
        cell.standing = LEAVING if stays else OUT_OF_UNIVERSE
        world.counts.leaving += int(stays)
        if not stays:
            flatten(world, strategy_id, instrument_id, cause)


def let_go(world: World) -> None:
    """Whoever stayed only until it was flat leaves, once it is."""
    if world.counts.leaving == 0:
        return
    for instrument_id in range(1, world.counts.instruments + 1):
        for strategy_id in range(1, world.counts.strategies + 1):
            cell = world.cells[index_of(world, strategy_id, instrument_id)]
            if cell.standing == LEAVING and _is_flat(world, strategy_id, instrument_id):
                cell.standing = OUT_OF_UNIVERSE
                world.counts.leaving -= 1


def _is_flat(world: World, strategy_id: int, instrument_id: int) -> bool:
    position = position_of(world, strategy_id, instrument_id)
    return position.quantity_steps == 0 and position.open_orders == 0
