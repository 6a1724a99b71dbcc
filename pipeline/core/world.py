"""World: every row that inputs move, but for the strategies' own states, in tables of flat records.

`clock` and `counts` say when it is and how many there are; `instruments` are found by their id, `positions` by
`position_of`; an open order keeps its slot in `orders` from beginning to end, and `open_orders` names the slots, oldest
order first; `late_facts` are on their way back from the venue. `outputs`, `facts` and `bar_facts` are empty between two inputs, `tape` is emptied between two batches.
"""

from typing import Any, Final, NamedTuple

from pipeline.codes import Origin
from pipeline.core.bars import BAR, BarRow
from pipeline.core.context import OUT_OF_UNIVERSE, OUTPUT, WAITING, CellRow, ClockRow, Output
from pipeline.core.instrument import InstrumentRow
from pipeline.core.market import Bar
from pipeline.core.orders import OrderRow
from pipeline.core.portfolio import AccountRow, PositionRow
from pipeline.core.record import record_of
from pipeline.core.settings import SettingsRow
from pipeline.core.state import IntArray, array, state
from pipeline.core.tables import Rows, claim
from pipeline.core.tape import Place, Tape, new_tape
from pipeline.hours import DayPart
from pipeline.units import INT64_MAX

NEVER: Final = INT64_MAX
"""A time that does not come."""

SPARE_SLOTS: Final = 64
"""Order slots beyond those in use: one that was freed is not used again while somebody may still look at it."""

DAY_PARTS: Final = len(DayPart)
TIMEFRAMES_MAX: Final = 62
"""Timeframes of a run: as many as an int64 has bits to name them."""

ON_BAR, ON_ORDER, ON_FILL = range(1, 4)
"""Who hears a fact: the handlers' codes."""


@state
class CountsRow:
    """How many of everything; the first `print_timeframes` of the timeframes are made of prints; `next_arrival_ns`, `next_close_ns` and `next_wait_ns` are session times at which something falls due.

    `instruments` is the largest instrument id, `places` how many pairs hold one of those that may hold a position. Of `orders` rows 1 to `slots` are in use, or were; the next order looks
    for a free one behind `slot_last`. Of `late_facts` those up to `late_first` were told.
    """

    strategies: int
    timeframes: int
    print_timeframes: int
    instruments: int
    open_orders: int
    places: int
    leaving: int
    slots: int
    slot_last: int
    next_arrival_ns: int = INT64_MAX
    next_close_ns: int = INT64_MAX
    next_wait_ns: int = INT64_MAX
    outputs: int
    facts: int
    bar_facts: int
    late_facts: int
    late_first: int


@state
class SlotRow:
    """Where in `orders` an open order is, or in `positions` one that holds a place."""

    slot: int


@state
class RunRow:
    """A strategy as it runs: whether it was stopped, and the timeframes it asked for (bit k: timeframe k).

    It `warms_up`: it wants history in front of what it hears of an instrument. It hears what the scanner of `scanner_id` picks, and leaves by the policy `universe` (core.universe). It `takes_state` where the session before was left by the same strategy with the same parameters. `bars` are the
    timeframes by part of the day, `revised_bars` those of which it wants revisions, too.
    """

    is_stopped: bool
    takes_state: bool
    warms_up: bool
    scanner_id: int
    universe: int
    bars: IntArray = array(int, DAY_PARTS)
    revised_bars: int


@state
class FactRow:
    """An event on its way to a handler: an order's new state, a fill, or (`bar_fact`) a bar.

    One that is told late is due at `due_ns`. Of a late fill `steps` (signed) and `cash` are by how much it moved position and
    cash, and `average_price` is that behind it; the late state of an order that ended `is_last`.
    """

    handler: int
    strategy_id: int
    instrument_id: int
    cause_seq: int
    cause_ord: int
    order_id: int
    state: int
    reason: int
    side: int
    flags: int
    tag: int
    quantity: float
    filled: float
    price: float
    fee: float
    position: float
    ts_event_ns: int
    due_ns: int
    is_last: bool
    steps: int
    average_price: float
    cash: float
    bar_fact: int


BarFactRow: Any = state(
    type("BarFactRow", (), {"__annotations__": Bar.__annotations__, "__doc__": "A bar on its way to handlers."})
)

CLOCK: Final = record_of(ClockRow)
COUNTS: Final = record_of(CountsRow)
ACCOUNT: Final = record_of(AccountRow)
SETTINGS: Final = record_of(SettingsRow)
RUN: Final = record_of(RunRow)
INSTRUMENT: Final = record_of(InstrumentRow)
POSITION: Final = record_of(PositionRow)
CELL: Final = record_of(CellRow)
ORDER: Final = record_of(OrderRow)
SLOT: Final = record_of(SlotRow)
FACT: Final = record_of(FactRow)
BAR_FACT: Final = record_of(BarFactRow)


class World(NamedTuple):
    """All of it. `positions` and `cells` have a row for each (strategy, instrument), found by `index_of`."""

    clock: ClockRow
    counts: CountsRow
    account: AccountRow
    settings: SettingsRow
    runs: Rows[RunRow]
    instruments: Rows[InstrumentRow]
    positions: Rows[PositionRow]
    cells: Rows[CellRow]
    orders: Rows[OrderRow]
    open_orders: Rows[SlotRow]
    held: Rows[SlotRow]
    bars: Rows[BarRow]
    late_facts: Rows[FactRow]
    outputs: Rows[Output]
    facts: Rows[FactRow]
    bar_facts: Rows[BarFactRow]
    tape: Tape


PERSISTENT: Final = {
    "clock": CLOCK,
    "counts": COUNTS,
    "account": ACCOUNT,
    "settings": SETTINGS,
    "runs": RUN,
    "instruments": INSTRUMENT,
    "positions": POSITION,
    "cells": CELL,
    "orders": ORDER,
    "open_orders": SLOT,
    "held": SLOT,
    "bars": BAR,
    "late_facts": FACT,
}
"""The tables that live from one input to the next, with the record of their rows."""

SINGLE: Final = ("clock", "counts", "account", "settings")
"""Those of one row, that have no row 0."""

QUEUES: Final = {"outputs": OUTPUT, "facts": FACT, "bar_facts": BAR_FACT}
"""The tables that are empty between two inputs."""


def new_world(tables: type[Rows[Any]] = Rows) -> World:
    """A world with nothing in it; its lasting tables are of this class."""
    return World(
        clock=CLOCK.new(),
        counts=COUNTS.new(),
        account=ACCOUNT.new(),
        settings=SETTINGS.new(),
        **{name: tables.of(record) for name, record in PERSISTENT.items() if name not in SINGLE},
        **{name: Rows.of(record) for name, record in QUEUES.items()},
        tape=new_tape(),
    )


def index_of(world: World, strategy_id: int, instrument_id: int) -> int:
    """Where a (strategy, instrument) pair stands in `positions` and `cells`."""
    return (instrument_id - 1) * world.counts.strategies + strategy_id


def position_of(world: World, strategy_id: int, instrument_id: int) -> PositionRow:
    """The position of a pair."""
    return world.positions[index_of(world, strategy_id, instrument_id)]


def hears(world: World, strategy_id: int, instrument_id: int, origin: int) -> bool:
    """Whether a strategy is given what is of this origin in an instrument; of its own orders it hears in any case.

    Who waits for history hears that alone, and nobody else does.
    """
    standing = world.cells[index_of(world, strategy_id, instrument_id)].standing
    if standing == WAITING:
        return origin == Origin.WARMUP
    return standing != OUT_OF_UNIVERSE and origin != Origin.WARMUP


def is_defined(world: World, instrument_id: int) -> bool:
    """Whether an `instrument` event defined it."""
    return 0 < instrument_id <= world.counts.instruments and world.instruments[instrument_id].instrument_id != 0


def input_place(world: World) -> Place:
    """The place of the input being reduced."""
    return Place(world.clock.seq, 0)


def new_fact(world: World, handler: int, strategy_id: int, instrument_id: int, cause: Place) -> FactRow:
    """One more fact at the end of the queue."""
    counts = world.counts
    counts.facts += 1
    fact = claim(world.facts, counts.facts)
    fact.handler = handler
    fact.strategy_id = strategy_id
    fact.instrument_id = instrument_id
    fact.cause_seq = cause.seq
    fact.cause_ord = cause.ord
    fact.ts_event_ns = world.clock.now_ns
    return fact


# Open orders, oldest first.


def order_at(world: World, place: int) -> OrderRow:
    """The open order that stands at `place` (from 1) by age."""
    return world.orders[world.open_orders[place].slot]


def place_after(world: World, place: int, order_id: int) -> int:
    """The place of the first open order younger than `order_id`, which stood at `place` and may be gone by now."""
    place = min(place, world.counts.open_orders) + 1
    while place > 1 and order_at(world, place - 1).order_id > order_id:
        place -= 1
    while place <= world.counts.open_orders and order_at(world, place).order_id <= order_id:
        place += 1
    return place


def free_slot(world: World) -> OrderRow:
    """An order row nobody uses, blank; those given back last come last."""
    counts = world.counts
    counts.slots = max(counts.slots, counts.open_orders + SPARE_SLOTS)
    slot = counts.slot_last % counts.slots + 1
    while slot < len(world.orders) and world.orders[slot].is_open:
        slot = slot % counts.slots + 1
    counts.slot_last = slot
    order = claim(world.orders, slot)
    order.slot = slot
    return order
