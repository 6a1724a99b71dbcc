"""Step: one input, in dispatch order. These lines run interpreted and compiled.

Session time moves on; orders and cancels that are due reach the venue; the input is folded (its quote, status or bar meets
the orders); bars that are due close; then handlers run, facts first in first out, the input last, strategies in their
order; then their wishes are arbitrated, pass the risk gate and become orders. What that causes is dispatched in further
rounds until nothing is left. Only then comes the next input.

`cells` is whatever calls the handlers: `core.cells` interpreted, generated code compiled.
"""

from typing import Any

from pipeline.codes import FeedAction, Origin
from pipeline.core.bands import fold_bands
from pipeline.core.brokered import watch
from pipeline.core.cells import deliver, deliver_to_one
from pipeline.core.closing import add_print, add_quote, close_due, see_vendor_bar
from pipeline.core.context import IN_UNIVERSE, WAITING
from pipeline.core.desk import settle
from pipeline.core.instrument import fold_quote, fold_status
from pipeline.core.market import Bar, FeedNotice, Fill, OrderUpdate, Print, Quote, Status, Timer
from pipeline.core.queueing import match_print
from pipeline.core.settings import SIMULATED
from pipeline.core.venue import arrive, match_quote
from pipeline.core.world import NEVER, ON_BAR, ON_FILL, ON_ORDER, FactRow, World, index_of, is_defined


def begin(world: World, ts_recv_ns: int, origin: int) -> None:
    """The next input has come: session time moves on, and what is due reaches the venue."""
    clock = world.clock
    clock.seq += 1
    clock.ord = 0
    clock.round += 1
    clock.now_ns = max(clock.now_ns, ts_recv_ns)
    clock.is_live = origin != Origin.BACKFILL
    if clock.now_ns >= world.counts.next_wait_ns:
        give_up_waiting(world)
    if clock.now_ns >= world.counts.next_arrival_ns:
        arrive(world)


def step_quote(world: World, cells: Any, quote: Quote) -> None:
    """Reduce a quote."""
    begin(world, quote.ts_recv_ns, quote.origin)
    take_quote(world, cells, quote)


def take_quote(world: World, cells: Any, quote: Quote) -> None:
    """Reduce a quote for which session time moved on: compiled, its numbers are read no sooner than here."""
    if quote.origin == Origin.INPUT:
        instrument = world.instruments[quote.instrument_id]
        if fold_quote(instrument, quote) and instrument.open_orders > 0:
            if world.settings.execution == SIMULATED:
                match_quote(world, instrument)
            else:
                watch(world, instrument)
    close_what_is_due(world)
    if world.counts.timeframes > 0 and quote.origin != Origin.WARMUP:
        add_quote(world, quote)
    deliver_facts(world, cells)
    if quote.origin != Origin.BACKFILL:
        cause_is_input(world)
        deliver(world, cells, "on_quote", quote.instrument_id, quote)
    finish(world, cells)


def step_print(world: World, cells: Any, seen: Print) -> None:
    """Reduce a print."""
    begin(world, seen.ts_recv_ns, seen.origin)
    if world.settings.queue != 0:
        _meet_print(world, seen)
    close_what_is_due(world)
    if world.counts.timeframes > 0 and seen.origin != Origin.WARMUP:
        add_print(world, seen)
    deliver_facts(world, cells)
    if seen.origin != Origin.BACKFILL:
        cause_is_input(world)
        deliver(world, cells, "on_print", seen.instrument_id, seen)
    finish(world, cells)


def _meet_print(world: World, seen: Print) -> None:
    """A print that orders in line may have met."""
    if seen.origin == Origin.INPUT and world.instruments[seen.instrument_id].open_orders > 0:
        match_print(world, seen)


def step_bar(world: World, cells: Any, bar: Bar) -> None:
    """Reduce a vendor's bar."""
    begin(world, bar.ts_recv_ns, bar.origin)
    see_vendor_bar(world, bar)
    close_what_is_due(world)
    finish(world, cells)


def step_status(world: World, cells: Any, status: Status) -> None:
    """Reduce a change of trading state; instrument 0 concerns all."""
    begin(world, status.ts_recv_ns, status.origin)
    if status.origin == Origin.INPUT:
        _fold_status(world, status)
    close_what_is_due(world)
    deliver_facts(world, cells)
    if status.origin != Origin.BACKFILL:
        cause_is_input(world)
        deliver(world, cells, "on_status", status.instrument_id, status)
    finish(world, cells)


def step_timer(world: World, cells: Any, timer: Timer) -> None:
    """Reduce a tick of the grid."""
    begin(world, timer.ts_recv_ns, timer.origin)
    close_what_is_due(world)
    deliver_facts(world, cells)
    if timer.origin != Origin.BACKFILL:
        cause_is_input(world)
        deliver(world, cells, "on_timer", timer.instrument_id, timer)
    finish(world, cells)


def step_feed(world: World, cells: Any, notice: FeedNotice) -> None:
    """Reduce what happened to a feed."""
    begin(world, notice.ts_recv_ns, notice.origin)
    close_what_is_due(world)
    deliver_facts(world, cells)
    if notice.action == FeedAction.WARMED and notice.instrument_id > 0:
        hear_live(world, notice.instrument_id, notice.to_ns)
    if notice.origin != Origin.BACKFILL:
        cause_is_input(world)
        deliver(world, cells, "on_feed", notice.instrument_id, notice)
    finish(world, cells)


def hear_live(world: World, instrument_id: int, to_ns: int) -> None:
    """Whoever waited for history of an instrument has it, up to `to_ns`, or there is none: from here on they hear what happens."""
    if not is_defined(world, instrument_id):
        return
    for strategy_id in range(1, world.counts.strategies + 1):
        cell = world.cells[index_of(world, strategy_id, instrument_id)]
        if cell.standing == WAITING:
            cell.standing = IN_UNIVERSE
            cell.heard_until_ns = max(cell.heard_until_ns, to_ns)


def give_up_waiting(world: World) -> None:
    """Whoever waited for history for too long hears from here on what happens."""
    next_ns = NEVER
    for i in range(1, world.counts.strategies * world.counts.instruments + 1):
        cell = world.cells[i]
        if cell.standing == WAITING and cell.waits_until_ns <= world.clock.now_ns:
            cell.standing = IN_UNIVERSE
        elif cell.standing == WAITING:
            next_ns = min(next_ns, cell.waits_until_ns)
    world.counts.next_wait_ns = next_ns


def step_other(world: World, cells: Any, ts_recv_ns: int, origin: int) -> None:
    """Reduce an input that moves only the session time."""
    begin(world, ts_recv_ns, origin)
    close_what_is_due(world)
    finish(world, cells)


def finish(world: World, cells: Any) -> None:
    """Deliver and settle until nothing is left."""
    if world.counts.facts > 0 or world.counts.outputs > 0:
        _dispatch(world, cells)


def _dispatch(world: World, cells: Any) -> None:
    counts = world.counts
    while counts.facts > 0 or counts.outputs > 0:
        deliver_facts(world, cells)
        settle(world)
        world.clock.round += 1


def close_what_is_due(world: World) -> None:
    """Write the bars whose time has come."""
    if world.clock.now_ns >= world.counts.next_close_ns:
        close_due(world)


def _fold_status(world: World, status: Status) -> None:
    for instrument_id in range(1, world.counts.instruments + 1):
        if status.instrument_id in (0, instrument_id) and is_defined(world, instrument_id):
            fold_status(world.instruments[instrument_id], status)
            fold_bands(world.instruments[instrument_id], status)


def cause_is_input(world: World) -> None:
    """What handlers do now is caused by the input itself."""
    world.clock.cause_seq = world.clock.seq
    world.clock.cause_ord = 0


def deliver_facts(world: World, cells: Any) -> None:
    """What waits, first in first out, each to the strategy it concerns."""
    if world.counts.facts > 0:
        _deliver_waiting(world, cells)


def _deliver_waiting(world: World, cells: Any) -> None:
    counts = world.counts
    facts = counts.facts
    for i in range(1, facts + 1):
        fact = world.facts[i]
        world.clock.cause_seq = fact.cause_seq
        world.clock.cause_ord = fact.cause_ord
        if fact.handler == ON_ORDER:
            deliver_to_one(world, cells, "on_order", fact.strategy_id, fact.instrument_id, _update_of(world, fact))
        elif fact.handler == ON_FILL:
            deliver_to_one(world, cells, "on_fill", fact.strategy_id, fact.instrument_id, _fill_of(world, fact))
        elif fact.handler == ON_BAR:
            deliver_to_one(world, cells, "on_bar", fact.strategy_id, fact.instrument_id, _bar_of(world, fact.bar_fact))
    assert counts.facts == facts
    counts.facts = 0
    counts.bar_facts = 0


def _update_of(world: World, fact: FactRow) -> OrderUpdate:
    return OrderUpdate(
        fact.ts_event_ns,
        world.clock.now_ns,
        fact.instrument_id,
        0,
        fact.order_id,
        fact.state,
        fact.reason,
        fact.side,
        fact.flags,
        fact.quantity,
        fact.filled,
        fact.tag,
    )


def _fill_of(world: World, fact: FactRow) -> Fill:
    return Fill(
        fact.ts_event_ns,
        world.clock.now_ns,
        fact.instrument_id,
        0,
        fact.order_id,
        fact.side,
        fact.flags,
        fact.price,
        fact.quantity,
        fact.fee,
        fact.position,
        fact.tag,
    )


def _bar_of(world: World, index: int) -> Bar:
    row = world.bar_facts[index]
    return Bar(
        row.ts_event_ns,
        row.ts_recv_ns,
        row.instrument_id,
        row.origin,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        row.vwap,
        row.trade_count,
        row.revision,
        row.ts_close_ns,
        row.bar_unit,
        row.bar_length,
        row.basis,
        row.marks,
        row.open_nano,
        row.high_nano,
        row.low_nano,
        row.close_nano,
        row.volume_steps,
    )
