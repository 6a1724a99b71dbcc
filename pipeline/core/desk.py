"""Desk: from wishes to orders: exits and cancels first, then entries by rank, each through the risk gate.

An entry that does not become an order is told so by `on_order` with order 0, REFUSED: a strategy never waits in vain.
An exit or a protective order that finds no slot is told with its own number.
"""

from typing import Final

from pipeline.codes import IntentAction, IntentOutcome, OrderFlag, OrderReason, OrderState, OrderType, RiskVerdict
from pipeline.core.arbitration import best_entry, contested, has_place, no_place, winner_of
from pipeline.core.context import WAITING, WISH, Output
from pipeline.core.crowd import crowd_of, is_crowd_limited
from pipeline.core.dialect import size_of
from pipeline.core.instrument import InstrumentRow
from pipeline.core.ledger import change_order, enlist, reduce_order
from pipeline.core.lifetime import is_held, is_limit_only
from pipeline.core.missing import spare_steps, sum_steps
from pipeline.core.orders import STOPS, OrderRow, gives_way, is_beside, is_of, rank_of, reduces_only, remaining_steps
from pipeline.core.outputs import origin_of, write_output
from pipeline.core.portfolio import start_day
from pipeline.core.risk import Case, Verdict, admit, admit_among, count_entry
from pipeline.core.settings import SIMULATED, SettingsRow
from pipeline.core.sizing import Draft, drafted, leg, limited, marketable_nano, no_draft
from pipeline.core.tape import Place, new_row, put
from pipeline.core.world import (
    NEVER,
    ON_ORDER,
    World,
    free_slot,
    index_of,
    new_fact,
    order_at,
    place_after,
    position_of,
)
from pipeline.core.worth import Worth, worth_of
from pipeline.units import ABSENT, NANO

_HELD: Final = OrderFlag.HELD_BY_US.value
_REST_NS: Final = NANO
"""A stop of ours whose order a broker refused is not tried again at each quote: its limits of requests are soon used up."""
_TARGET: Final = OrderFlag.BRACKET_TARGET.value
_STOP_LEG: Final = OrderFlag.BRACKET_STOP.value


def settle(world: World) -> None:
    """Write what the handlers of one round put out, then carry out their wishes."""
    counts = world.counts
    outputs = counts.outputs
    for i in range(1, outputs + 1):
        output = world.outputs[i]
        output.is_settled = output.kind != WISH
        if output.is_settled:
            write_output(world, output)
    for i in range(1, outputs + 1):
        output = world.outputs[i]
        if not output.is_settled and output.action != IntentAction.ENTER:
            output.is_settled = True
            if output.action == IntentAction.CANCEL:
                _cancel(world, output)
            else:
                _leave(world, output)
    _enter_by_rank(world)
    assert counts.outputs == outputs
    counts.outputs = 0


def _enter_by_rank(world: World) -> None:
    best = best_entry(world)
    while best != 0:
        world.outputs[best].is_settled = True
        _enter(world, world.outputs[best])
        best = best_entry(world)


def _enter(world: World, wish: Output) -> None:
    """Try one entry; a loser names who got before it what it lacks, and the row of the gate the rule."""
    position = position_of(world, wish.strategy_id, wish.instrument_id)
    draft = drafted(wish, world.instruments[wish.instrument_id], position.quantity_steps)
    if draft.outcome != IntentOutcome.TAKEN:
        _answer_refused(world, wish, draft, _write_intent(world, wish, draft, draft.outcome, Place(0, 0)))
        return
    is_placed = has_place(world, position)
    verdict = _judged(world, wish.strategy_id, wish.instrument_id, draft, False) if is_placed else no_place(world)
    outcome = contested(verdict.rule)
    winner = Place(0, 0) if outcome == IntentOutcome.TAKEN else winner_of(world, wish, verdict.rule)
    place = _write_intent(world, wish, draft, outcome, winner)
    refused = _carry_out(world, wish.strategy_id, wish.instrument_id, draft, verdict, place)
    if refused.seq == 0:
        wish.won_ord = place.ord
    else:
        _answer_refused(world, wish, draft, refused)


def _leave(world: World, wish: Output) -> None:
    """One exit at a time; a flattening goes on top, for what the exits under way leave over."""
    held = position_of(world, wish.strategy_id, wish.instrument_id).quantity_steps
    leaving = _leaving_steps(world, wish)
    is_left_over = wish.action == IntentAction.FLATTEN and leaving < abs(held)
    if is_left_over:
        held -= leaving if held > 0 else -leaving
    instrument = world.instruments[wish.instrument_id]
    draft = drafted(wish, instrument, held)
    if wish.action == IntentAction.FLATTEN and is_limit_only(instrument, world.settings, world.clock.now_ns):
        draft = _at_any_hour(draft, instrument, world.settings)
    outcome = draft.outcome
    if held == 0:
        outcome = IntentOutcome.EMPTY
    elif outcome == IntentOutcome.TAKEN and leaving != 0 and not is_left_over:
        outcome = IntentOutcome.DUPLICATE
    place = _write_intent(world, wish, draft, outcome, Place(0, 0))
    if outcome == IntentOutcome.TAKEN:
        send(world, wish.strategy_id, wish.instrument_id, draft, place, True)


def _at_any_hour(draft: Draft, instrument: InstrumentRow, settings: SettingsRow) -> Draft:
    """What flattens must not wait for the open: instead of at market, with a limit as far away as a collar is wide."""
    limit = marketable_nano(instrument, draft.side, settings.price_collar_percent)
    return limited(draft, limit) if limit != ABSENT else draft


def _leaving_steps(world: World, wish: Output) -> int:
    """What exits under way have yet to close; protective legs, and what is being cancelled, don't count."""
    steps = 0
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if (
            not is_of(order, wish.strategy_id, wish.instrument_id)
            or not reduces_only(order)
            or order.parent_order_id != 0
        ):
            continue
        if order.state != OrderState.CANCEL_PENDING:
            steps += remaining_steps(order)
    return steps


def _cancel(world: World, wish: Output) -> None:
    count, open_count = 0, 0
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if _is_named(order, wish):
            count += 1
            open_count += 1 if order.state != OrderState.CANCEL_PENDING else 0
    outcome = IntentOutcome.EMPTY
    if count > 0:
        outcome = IntentOutcome.TAKEN if open_count > 0 else IntentOutcome.DUPLICATE
    place_of_wish = _write_intent(world, wish, no_draft(), outcome, Place(0, 0))
    place = 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        order_id = order.order_id
        if _is_named(order, wish) and order.state != OrderState.CANCEL_PENDING:
            request_cancel(world, order, place_of_wish, OrderReason.INTENT)
        place = place_after(world, place, order_id)


def _is_named(order: OrderRow, wish: Output) -> bool:
    return is_of(order, wish.strategy_id, wish.instrument_id) and wish.order_id in (0, order.order_id)


def request_cancel(world: World, order: OrderRow, cause: Place, reason: int) -> None:
    """Send a cancel after an order; it reaches the venue a latency later."""
    if order.state == OrderState.APPROVED:  # kept back: nobody else knows of it
        change_order(world, order, OrderState.CANCELLED, cause, reason)
        return
    if world.settings.execution == SIMULATED:
        order.ts_cancel_ns = world.clock.now_ns + world.settings.latency_ns
        world.counts.next_arrival_ns = min(world.counts.next_arrival_ns, order.ts_cancel_ns)
    change_order(world, order, OrderState.CANCEL_PENDING, cause, reason)


def send(world: World, strategy_id: int, instrument_id: int, draft: Draft, cause: Place, reduces: bool) -> Place:  # noqa: FBT001  # the dialect has no keyword-only arguments
    """Put a draft before the risk gate and, approved, on its way. Gives the place of a refusal, (0, 0) when it is sent."""
    verdict = _judged(world, strategy_id, instrument_id, draft, reduces)
    return _carry_out(world, strategy_id, instrument_id, draft, verdict, cause)


def _judged(world: World, strategy_id: int, instrument_id: int, draft: Draft, reduces: bool) -> Verdict:  # noqa: FBT001  # the dialect has no keyword-only arguments
    """What the risk gate says of a draft; an entry that it lets through counts in the rate."""
    start_day(world.account, world.clock.now_ns)
    standing = world.cells[index_of(world, strategy_id, instrument_id)].standing
    case = Case(
        draft,
        world.instruments[instrument_id],
        position_of(world, strategy_id, instrument_id),
        world.account,
        world.settings,
        Worth(0.0, 0.0) if reduces else worth_of(world),
        world.clock.now_ns,
        world.clock.is_live and standing != WAITING,
        standing,
        reduces,
        not reduces and world.settings.execution != SIMULATED and _is_unsure(world, instrument_id),
    )
    verdict = admit(case)
    if verdict.is_approved and not reduces and is_crowd_limited(world.settings):
        verdict = admit_among(case, crowd_of(world, strategy_id, instrument_id, draft.side))
    if verdict.is_approved and not reduces:
        count_entry(world.account, world.settings, world.clock.now_ns)
    return verdict


def _carry_out(
    world: World, strategy_id: int, instrument_id: int, draft: Draft, verdict: Verdict, cause: Place
) -> Place:
    """Write what the gate said, and send what it approved; gives as `send` does."""
    place = _write_risk(world, strategy_id, instrument_id, draft, verdict, cause)
    return _submit(world, strategy_id, instrument_id, draft, place) if verdict.is_approved else place


def _is_unsure(world: World, instrument_id: int) -> bool:
    """Whether nobody knows what became of an order in an instrument."""
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if order.instrument_id == instrument_id and order.state == OrderState.UNKNOWN:
            return True
    return False


def _submit(world: World, strategy_id: int, instrument_id: int, approved: Draft, cause: Place) -> Place:
    order = _order(world, strategy_id, instrument_id, approved)
    if world.counts.open_orders >= world.settings.order_slots:
        place = change_order(world, order, OrderState.REFUSED, cause, OrderReason.NO_SLOT)
        if not reduces_only(order):
            world.counts.facts -= 1  # the desk's own answer tells the strategy of an entry
        return place
    enlist(world, order)
    place = change_order(world, order, OrderState.APPROVED, cause)
    if world.settings.execution != SIMULATED:
        order.ts_arrival_ns = NEVER
        launch(world, order, place)
        return Place(0, 0)
    is_ours = order.flags & _HELD != 0  # nobody has to be asked to keep it
    order.ts_arrival_ns = world.clock.now_ns + (0 if is_ours else world.settings.latency_ns)
    world.counts.next_arrival_ns = min(world.counts.next_arrival_ns, order.ts_arrival_ns)
    change_order(world, order, OrderState.SUBMITTED, place)
    return Place(0, 0)


def launch(world: World, order: OrderRow, cause: Place) -> None:
    """Send an approved order to the broker; what only reduces is kept back until there is room for it.

    No more may lie at the broker to reduce a position than there is to reduce: brokers take nothing that reduces only, so two
    orders that close the same could both fill. What protects is cancelled for whoever leaves, who goes once that is confirmed.
    A target has to wait for its price where there is a stop. Who goes first has what goes behind it cancelled (orders.rank_of).
    """
    is_waiting = _waits_for_price(order)
    if reduces_only(order) and not is_waiting and order.flags & _STOP_LEG == 0:
        _take_what_there_is(world, order, cause)
    has_room = remaining_steps(order) <= room_steps(world, order) and not _is_behind(world, order)
    order.is_kept = reduces_only(order) and (is_waiting or not has_room)
    order.is_triggered = not is_waiting
    if not order.is_kept:
        change_order(world, order, OrderState.SUBMITTED, cause)
    elif not is_waiting:
        make_room(world, order, cause)


def _take_what_there_is(world: World, order: OrderRow, cause: Place) -> None:
    """Where something is missing and nobody has to make room, nobody says when there is any: who leaves finds less, and takes that."""
    room, left = room_steps(world, order), remaining_steps(order)
    if 0 < room < left and not can_make_room(world, order) and not is_left(world, order):
        reduce_order(world, order, left - room, cause)


def _waits_for_price(order: OrderRow) -> bool:
    """Whether it is to be sent no sooner than its price is seen: a target beside a stop, a stop that only we can keep."""
    is_target = order.flags & _TARGET != 0 and order.stop_loss_nano != ABSENT
    return not order.is_triggered and (is_target or order.flags & _HELD != 0)


def _is_behind(world: World, order: OrderRow) -> bool:
    """Whether an order of the same position waits for room that goes first: one of a lower rank, or an older one of its own."""
    rank = rank_of(order)
    for place in range(1, world.counts.open_orders + 1):
        other = order_at(world, place)
        is_first = rank_of(other) < rank or (rank_of(other) == rank and other.order_id < order.order_id)
        if is_first and is_beside(other, order) and other.is_kept and other.is_triggered:
            return True
    return False


def room_steps(world: World, order: OrderRow) -> int:
    """How much more may lie at the broker to reduce the position that an order would reduce."""
    room = -position_of(world, order.strategy_id, order.instrument_id).quantity_steps * order.side
    for place in range(1, world.counts.open_orders + 1):
        other = order_at(world, place)
        is_other = is_beside(other, order) and other.order_id != order.order_id
        if is_other and reduces_only(other) and not other.is_kept:
            room -= remaining_steps(other)
    instrument = world.instruments[order.instrument_id]
    if instrument.missing_steps > 0 and order.side * sum_steps(world, order.instrument_id) < 0:
        room = min(room, spare_steps(world, instrument, order.order_id))
    return max(0, room)


def make_room(world: World, order: OrderRow, cause: Place) -> None:
    """Cancel all that lies at the broker to reduce the same position and goes behind this order. A stop that made room comes back once there is room again."""
    for place in range(1, world.counts.open_orders + 1):
        other = order_at(world, place)
        if gives_way(other, order):
            other.is_evicted = other.flags & _STOP_LEG != 0
            request_cancel(world, other, cause, OrderReason.VENUE)


def can_make_room(world: World, order: OrderRow) -> bool:
    """Whether anything gives way to an order."""
    for place in range(1, world.counts.open_orders + 1):  # noqa: SIM110  # the dialect has no generators
        if gives_way(order_at(world, place), order):
            return True
    return False


def is_left(world: World, order: OrderRow) -> bool:
    """Whether somebody leaves the position of an order at this moment: if that comes to nothing, there is more left."""
    for place in range(1, world.counts.open_orders + 1):
        other = order_at(world, place)
        is_other = is_beside(other, order) and other.order_id != order.order_id
        is_leaving = other.flags & _STOP_LEG == 0 or other.state == OrderState.CANCEL_PENDING
        if is_other and is_leaving and reduces_only(other) and not other.is_kept:
            return True
    return False


def launch_again(world: World, gone: OrderRow, steps: int, cause: Place) -> None:
    """A stop that made room, or that came to nothing once it saw its price, or found too little, under a number of its own for so much."""
    order_type = gone.order_type if gone.order_type in STOPS else OrderType.STOP.value
    draft = Draft(
        IntentOutcome.TAKEN, gone.side, order_type, gone.time_in_force, gone.flags, steps,
        gone.limit_nano, gone.trigger_nano, ABSENT, ABSENT, gone.tag, gone.parent_order_id, gone.trail_nano,
    )  # fmt: skip
    send(world, gone.strategy_id, gone.instrument_id, draft, cause, True)
    if gone.order_type not in STOPS and world.counts.open_orders > 0:
        again = order_at(world, world.counts.open_orders)
        if again.order_id == world.account.order_id_last:
            again.ts_rest_ns = world.clock.now_ns + _REST_NS


def _order(world: World, strategy_id: int, instrument_id: int, draft: Draft) -> OrderRow:
    world.account.order_id_last += 1
    order = free_slot(world)
    order.order_id = world.account.order_id_last
    order.strategy_id = strategy_id
    order.instrument_id = instrument_id
    order.side = draft.side
    order.order_type = draft.order_type
    order.time_in_force = draft.time_in_force
    held = is_held(draft.order_type, draft.flags, world.instruments[instrument_id], world.settings)
    order.flags = draft.flags | (_HELD if held else 0)
    order.quantity_steps = draft.quantity_steps
    order.limit_nano = draft.limit_nano
    order.trigger_nano = draft.trigger_nano
    order.stop_loss_nano = draft.stop_loss_nano
    order.take_profit_nano = draft.take_profit_nano
    order.parent_order_id = draft.parent_order_id
    order.tag = draft.tag
    order.trail_nano = draft.trail_nano
    order.expires_ns = draft.expires_ns
    return order


def protect(world: World, entry: OrderRow, steps: int, cause: Place) -> None:
    """After a fill of an entry: a stop and a target, as it has them, for so much."""
    if entry.stop_loss_nano != ABSENT or entry.trail_nano != ABSENT:
        send(world, entry.strategy_id, entry.instrument_id, leg(entry, OrderType.STOP, steps), cause, True)
    if entry.take_profit_nano != ABSENT:
        send(world, entry.strategy_id, entry.instrument_id, leg(entry, OrderType.LIMIT, steps), cause, True)


def _answer_refused(world: World, wish: Output, draft: Draft, cause: Place) -> None:
    """Tell a strategy that its entry never became an order."""
    fact = new_fact(world, ON_ORDER, wish.strategy_id, wish.instrument_id, cause)
    fact.state = OrderState.REFUSED
    fact.reason = OrderReason.INTENT
    fact.side = draft.side
    fact.flags = draft.flags
    fact.quantity = size_of(draft.quantity_steps, world.instruments[wish.instrument_id].size_step_nano)
    fact.tag = draft.tag


def _write_intent(world: World, wish: Output, draft: Draft, outcome: int, winner: Place) -> Place:
    row = new_row(world.tape, world.tape.intents)
    row.strategy_id = wish.strategy_id
    row.action = wish.action
    row.outcome = outcome
    row.side = draft.side
    row.order_type = draft.order_type
    row.time_in_force = draft.time_in_force
    row.flags = draft.flags
    row.quantity_steps = draft.quantity_steps
    row.limit_nano = draft.limit_nano
    row.trigger_nano = draft.trigger_nano
    row.stop_loss_nano = draft.stop_loss_nano
    row.take_profit_nano = draft.take_profit_nano
    row.trail_nano = draft.trail_nano
    row.tag = draft.tag
    row.risk = wish.risk
    row.notional = wish.notional
    row.rank_score = wish.rank_score
    row.order_id = wish.order_id
    row.winner_seq = winner.seq
    row.winner_ord = winner.ord
    return put(world.clock, row, wish.instrument_id, origin_of(wish))


def _write_risk(
    world: World, strategy_id: int, instrument_id: int, draft: Draft, verdict: Verdict, cause: Place
) -> Place:
    row = new_row(world.tape, world.tape.risks)
    row.strategy_id = strategy_id
    row.verdict = RiskVerdict.APPROVED if verdict.is_approved else RiskVerdict.REFUSED
    row.rule = verdict.rule
    row.value = verdict.value
    row.limit = verdict.limit
    row.quantity_steps = draft.quantity_steps if verdict.is_approved else 0
    return put(world.clock, row, instrument_id, cause)
