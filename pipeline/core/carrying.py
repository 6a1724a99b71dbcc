"""Carrying: what an engine remembers as texts, so that another session can begin where this one ended.

One text a row, under a key of names that mean the same in any plan: `position/ema_cross/3`. They become inputs of the
session that goes on (codes.SessionAction.STATE), so it verifies alone. Money, positions, orders, quotes and bars are
taken over as they were. A strategy's memory is taken over only by a strategy of the same name, parameters and layout:
an average over fifty closes is no average over twenty. Any other one starts anew, its positions as they are. A stopped
strategy runs again. What concerns a strategy or a bar that the new plan lacks is left out.

Numbers are exact: a float is its shortest decimal that reads back the same, or "nan", "inf", "-inf".
"""

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from blake3 import blake3

from pipeline.core.arbitration import count_place
from pipeline.core.bars import BAR
from pipeline.core.cells import Cells, Running
from pipeline.core.closing import set_lengths
from pipeline.core.context import LEAVING, OUT_OF_UNIVERSE, WAITING
from pipeline.core.market import SessionNotice
from pipeline.core.missing import forget_broker
from pipeline.core.portfolio import holds
from pipeline.core.record import Record
from pipeline.core.settings import SIMULATED
from pipeline.core.snapshot import Snapshot
from pipeline.core.strategy import Plan
from pipeline.core.venue import next_arrival_ns
from pipeline.core.world import (
    ACCOUNT,
    FACT,
    INSTRUMENT,
    ORDER,
    POSITION,
    World,
    free_slot,
    index_of,
    position_of,
)
from pipeline.errors import LogError

BAR_KEY: Final = ("basis", "measure", "is_session", "asked")
"""What tells the timeframes of an instrument apart."""

BAR_ASKED: Final = ("instrument_id", "timeframe", "parts", "length", "goal_high", "goal_low", *BAR_KEY)
"""Members of bars that say what was asked for, not what happened."""

PAIR: Final = ("strategy_id", "instrument_id")

Rows = np.ndarray[Any, np.dtype[Any]]


def carried(snapshot: Snapshot, plans: Sequence[Plan]) -> Iterator[tuple[str, str]]:
    """Keys and texts of all that the next session needs of this one, in the order in which they are taken over."""
    tables, names = snapshot.tables, [plan.strategy.name for plan in plans]
    yield "account", text_of(ACCOUNT, tables["account"])
    for row in _each(tables["instruments"]):
        if id_ := int(row["instrument_id"][0]):
            yield f"instrument/{id_}", text_of(INSTRUMENT, row, symbol=snapshot.symbols[id_])
    for row in _each(_touched(BAR, tables["bars"], BAR_ASKED)):
        if id_ := int(row["instrument_id"][0]):
            yield "/".join(["bar", str(id_), *(str(int(row[name][0])) for name in BAR_KEY)]), text_of(BAR, row)
    for row in _each(_touched(POSITION, tables["positions"], PAIR)):
        if id_ := int(row["instrument_id"][0]):
            yield f"position/{names[int(row['strategy_id'][0]) - 1]}/{id_}", text_of(POSITION, row)
    for slot in tables["open_orders"]["slot"].tolist():
        row = tables["orders"][slot - 1 : slot]
        yield f"order/{names[int(row['strategy_id'][0]) - 1]}/{int(row['order_id'][0])}", text_of(ORDER, row)
    for i, row in enumerate(_each(tables["late_facts"][int(tables["counts"]["late_first"][0]) :])):
        yield f"late/{names[int(row['strategy_id'][0]) - 1]}/{i}", text_of(FACT, row)
    for i in range(len(plans)):
        yield from _memory(snapshot, plans, i)


def _touched(record: Record, table: Rows, but_for: Sequence[str]) -> Rows:
    """The rows to which something happened: of a whole market few are so, and one commit must hold all that are told."""
    blank, same = np.frombuffer(record.save(record.new()), record.dtype), table.copy()
    for name in but_for:
        same[name] = blank[name]
    is_other: Rows = same.view(np.uint8).reshape(len(table), record.dtype.itemsize) != blank.view(np.uint8)
    return table[is_other.any(axis=1)]


def _memory(snapshot: Snapshot, plans: Sequence[Plan], i: int) -> Iterator[tuple[str, str]]:
    """What one strategy remembers: who it is first, so that whoever can't use it knows."""
    strategy, params = plans[i].strategy, plans[i].params
    yield f"strategy/{strategy.name}", identity_of(strategy, params)
    if strategy.shared_record:
        packed = np.frombuffer(snapshot.shared[i], strategy.shared_record.dtype)
        yield f"shared/{strategy.name}", text_of(strategy.shared_record, packed)
    cells = snapshot.tables["cells"]
    for id_, row in enumerate(_each(snapshot.states[i]), 1):
        place = (id_ - 1) * len(plans) + i
        # Who waits for history begins anew, and so does who was never introduced.
        if id_ in snapshot.symbols and cells["is_started"][place] and cells["standing"][place] != WAITING:
            gate = int(cells["gate"][place])
            yield f"state/{strategy.name}/{id_}", text_of(strategy.record, row, gate=gate)


def identity_of(strategy: Any, params: Any) -> str:
    """What must be the same for a strategy to remember what another one knew: JSON of its parameters, and of what it remembers."""
    return json.dumps({"params": params.as_dict(), "layout": _layout(strategy)})


def take_over(world: World, cells: Cells, notice: SessionNotice, add_instrument: Callable[[int, str], None]) -> None:
    """Take over one row; `add_instrument` makes room for an id and a symbol. Raises LogError for one that makes no sense."""
    kind, *names = notice.key.split("/")
    try:
        if kind == "account":
            restore(ACCOUNT, world.account, notice.text)
            world.account.is_ending = False
        elif kind == "instrument":
            _take_instrument(world, int(names[0]), notice.text, add_instrument)
        elif kind == "bar":
            _take_bar(world, *map(int, names), text=notice.text)
        else:
            for running in cells.running:
                if running.strategy.name == names[0]:
                    _TAKEN[kind](world, cells, running, notice.text, *map(int, names[1:]))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise LogError(f"seq {world.clock.seq}: opening state {notice.key!r} can't be taken over: {error}") from None


def _take_instrument(world: World, instrument_id: int, text: str, add_instrument: Callable[[int, str], None]) -> None:
    packed = packed_from(INSTRUMENT, text)
    add_instrument(instrument_id, str(json.loads(text)["symbol"]))
    INSTRUMENT.restore(world.instruments[instrument_id], packed)
    world.instruments[instrument_id].open_orders = 0  # they follow
    if world.settings.execution == SIMULATED:
        forget_broker(world.instruments[instrument_id])
    set_lengths(world, instrument_id)


def _take_bar(world: World, instrument_id: int, *key: int, text: str) -> None:
    count = world.counts.timeframes
    for i in range((instrument_id - 1) * count + 1, instrument_id * count + 1):
        row = world.bars[i]
        if tuple(getattr(row, name) for name in BAR_KEY) == key:
            timeframe, parts = row.timeframe, row.parts  # the new plan's
            restore(BAR, row, text)
            row.timeframe, row.parts = timeframe, parts
            world.counts.next_close_ns = world.clock.now_ns  # the next input looks what is due


def _take_position(world: World, _: Cells, running: Running, text: str, instrument_id: int) -> None:
    position = position_of(world, running.strategy_id, instrument_id)
    did_hold = holds(position)
    restore(POSITION, position, text)
    position.strategy_id = running.strategy_id
    count_place(world, position, did_hold)
    if position.quantity_steps != 0:
        _stay(world, running, instrument_id)


def _take_order(world: World, _: Cells, running: Running, text: str, order_id: int) -> None:
    """The places that caused it are another session's; in this one it is this row."""
    counts, packed = world.counts, packed_from(ORDER, text)
    if counts.open_orders >= world.settings.order_slots:
        raise ValueError(f"the setting order_slots={world.settings.order_slots} has no room for it")
    order = free_slot(world)
    slot = order.slot
    ORDER.restore(order, packed)
    order.order_id, order.slot, order.strategy_id = order_id, slot, running.strategy_id
    order.cause_seq, order.cause_ord = world.clock.seq, 0
    order.cancel_seq, order.cancel_ord = world.clock.seq, 0
    counts.open_orders += 1
    world.open_orders.grow(counts.open_orders + 1)
    world.open_orders[counts.open_orders].slot = slot
    world.instruments[order.instrument_id].open_orders += 1
    _stay(world, running, order.instrument_id)
    counts.next_arrival_ns = min(counts.next_arrival_ns, next_arrival_ns(order))


def _take_late(world: World, _: Cells, running: Running, text: str, _place: int) -> None:
    """What was on its way back from the venue still is."""
    counts = world.counts
    counts.late_facts += 1
    world.late_facts.grow(counts.late_facts + 1)
    late = world.late_facts[counts.late_facts]
    restore(FACT, late, text)
    late.strategy_id = running.strategy_id
    late.cause_seq, late.cause_ord = world.clock.seq, 0
    counts.next_arrival_ns = min(counts.next_arrival_ns, late.due_ns)


def _stay(world: World, running: Running, instrument_id: int) -> None:
    """Scanners begin anew: until one of them picks it again, a strategy stays in what it holds, entering nothing."""
    cell = world.cells[index_of(world, running.strategy_id, instrument_id)]
    if cell.standing == OUT_OF_UNIVERSE:
        cell.standing = LEAVING
        world.counts.leaving += 1


def _take_strategy(world: World, _: Cells, running: Running, text: str) -> None:
    identity = json.loads(text)
    own = json.loads(identity_of(running.strategy, running.params))
    world.runs[running.strategy_id].takes_state = all(identity[name] == value for name, value in own.items())


def _take_shared(world: World, _: Cells, running: Running, text: str) -> None:
    if world.runs[running.strategy_id].takes_state and running.shared_record:
        restore(running.shared_record, running.shared, text)


def _take_state(world: World, cells: Cells, running: Running, text: str, instrument_id: int) -> None:
    if world.runs[running.strategy_id].takes_state:
        cell = world.cells[index_of(world, running.strategy_id, instrument_id)]
        cell.gate = int(json.loads(text)["gate"])
        cell.is_started = True
        cells.by_pair[running.strategy_id, instrument_id].put_back(packed_from(running.record, text))


_TAKEN: Final[Mapping[str, Callable[..., None]]] = {
    "position": _take_position,
    "order": _take_order,
    "late": _take_late,
    "strategy": _take_strategy,
    "shared": _take_shared,
    "state": _take_state,
}


def _layout(strategy: Any) -> str:
    """A hash of what a strategy remembers: names, kinds and lengths."""
    records = [strategy.record, *([strategy.shared_record] if strategy.shared_record else [])]
    leaves = [(leaf.path, leaf.code, leaf.count) for record in records for leaf in record.leaves]
    return blake3(repr(leaves).encode()).hexdigest()


def _each(table: Rows) -> Iterator[Rows]:
    """Its rows, each as a table of one."""
    return (table[i : i + 1] for i in range(len(table)))


# Rows as texts.


def text_of(record: Record, packed: Rows, **more: Any) -> str:
    """A packed row as JSON: members and array elements under their paths, and what else is to be told."""
    values: dict[str, Any] = {}
    offset, content = 0, packed.tobytes()
    for leaf in record.leaves:
        numbers = [_told(number) for number in leaf.unpacked(content, offset)]
        values[leaf.path] = numbers if leaf.count else numbers[0]
        offset += leaf.size
    return json.dumps(values | more, allow_nan=False)


def packed_from(record: Record, text: str) -> bytes:
    """The packed row of such a text; members it lacks at their default. Raises ValueError, TypeError, struct.error."""
    told = json.loads(text)
    packed = bytearray(record.save(record.new()))
    offset = 0
    for leaf in record.leaves:
        if leaf.path in told:
            numbers = told[leaf.path] if leaf.count else [told[leaf.path]]
            if len(numbers) != (leaf.count or 1):
                raise ValueError(f"{leaf.path} has {len(numbers)} elements, accepted are {leaf.count}")
            packed[offset : offset + leaf.size] = leaf.packed([_heard(number, leaf.code) for number in numbers])
        offset += leaf.size
    return bytes(packed)


def restore(record: Record, row: Any, text: str) -> None:
    """Set a row from such a text. Raises as `packed_from` does."""
    record.restore(row, packed_from(record, text))


def _told(number: Any) -> Any:
    return number if not isinstance(number, float) or math.isfinite(number) else str(number)


def _heard(number: Any, code: str) -> Any:
    """The number as its member holds it. Raises TypeError, ValueError for one that is none."""
    if isinstance(number, bool) != (code == "?"):
        raise TypeError(f"{number!r} where {'true or false' if code == '?' else 'a number'} is accepted")
    return float(number) if code == "d" else number
