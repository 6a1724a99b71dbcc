"""Desk: from wishes to orders: exits and cancels first, then entries by rank, each through the risk gate.

An entry that does not become an order is told so by `on_order` with order 0, REFUSED: a strategy never waits in vain.
An exit or a protective order that finds no slot is told with its own number.
"""

from collections.abc import Sequence

from pipeline.codes import IntentAction, IntentOutcome, Kind, OrderReason, OrderState, OrderType, RiskRule, RiskVerdict
from pipeline.core.arbitration import has_place, ranked
from pipeline.core.dialect import size_of
from pipeline.core.ledger import change_order, enlist
from pipeline.core.market import OrderUpdate
from pipeline.core.orders import OrderRow, reduces_only, remaining_steps
from pipeline.core.portfolio import start_day
from pipeline.core.risk import Case, RiskApproved, RiskRefused, admit
from pipeline.core.sizing import Draft, drafted, leg
from pipeline.core.tape import ROWS, Place
from pipeline.core.world import ORDER, Fact, Wish, World
from pipeline.units import ABSENT

_NOBODY = Place(0, 0)


def settle(world: World, wishes: Sequence[Wish]) -> None:
    """Carry out the wishes of one round."""
    entries = []
    for wish in wishes:
        action = wish.output.action
        if action == IntentAction.ENTER:
            entries.append(wish)
        elif action == IntentAction.CANCEL:
            _cancel(world, wish)
        else:
            _leave(world, wish)
    winner = _NOBODY
    for wish in ranked(entries):
        winner = _enter(world, wish, winner)


def _enter(world: World, wish: Wish, winner: Place) -> Place:
    """Try one entry; gives the place of the last intent that won."""
    position = world.position(wish.strategy_id, wish.instrument_id)
    draft = drafted(wish.output, world.instruments[wish.instrument_id], position.quantity_steps)
    outcome = draft.outcome
    if outcome == IntentOutcome.TAKEN and not has_place(
        position, world.positions.values(), world.settings.positions_max
    ):
        outcome = IntentOutcome.LOST
    if outcome != IntentOutcome.TAKEN:
        lost_to = winner if outcome == IntentOutcome.LOST else _NOBODY
        _answer_refused(world, wish, draft, _write_intent(world, wish, draft, outcome, lost_to))
        return winner
    place = _write_intent(world, wish, draft, outcome)
    refused = send(world, wish.strategy_id, wish.instrument_id, draft, place, reduces=False)
    if refused is None:
        return place
    _answer_refused(world, wish, draft, refused)
    return winner


def _leave(world: World, wish: Wish) -> None:
    """One exit at a time; a flattening goes on top, for what the exits under way leave over."""
    held = world.position(wish.strategy_id, wish.instrument_id).quantity_steps
    leaving = _leaving_steps(world, wish)
    is_left_over = wish.output.action == IntentAction.FLATTEN and leaving < abs(held)
    if is_left_over:
        held -= leaving if held > 0 else -leaving
    draft = drafted(wish.output, world.instruments[wish.instrument_id], held)
    outcome = draft.outcome
    if held == 0:
        outcome = IntentOutcome.EMPTY
    elif outcome == IntentOutcome.TAKEN and leaving and not is_left_over:
        outcome = IntentOutcome.DUPLICATE
    place = _write_intent(world, wish, draft, outcome)
    if outcome == IntentOutcome.TAKEN:
        send(world, wish.strategy_id, wish.instrument_id, draft, place, reduces=True)


def _leaving_steps(world: World, wish: Wish) -> int:
    """What exits under way have yet to close; protective legs, and what is being cancelled, don't count."""
    return sum(
        remaining_steps(order)
        for order in world.orders_of(wish.strategy_id, wish.instrument_id)
        if reduces_only(order) and order.parent_order_id == 0 and order.state != OrderState.CANCEL_PENDING
    )


def _cancel(world: World, wish: Wish) -> None:
    orders = [
        order
        for order in world.orders_of(wish.strategy_id, wish.instrument_id)
        if wish.output.order_id in (0, order.order_id)
    ]
    open_ones = [order for order in orders if order.state != OrderState.CANCEL_PENDING]
    outcome = IntentOutcome.TAKEN if open_ones else IntentOutcome.DUPLICATE if orders else IntentOutcome.EMPTY
    place = _write_intent(world, wish, None, outcome)
    for order in open_ones:
        request_cancel(world, order, place, OrderReason.INTENT)


def request_cancel(world: World, order: OrderRow, cause: Place, reason: OrderReason) -> None:
    """Send a cancel after an order; it reaches the venue a latency later."""
    order.ts_cancel_ns = world.clock.now_ns + world.settings.latency_ns
    world.next_arrival_ns = min(world.next_arrival_ns, order.ts_cancel_ns)
    change_order(world, order, OrderState.CANCEL_PENDING, cause, reason)


def send(
    world: World, strategy_id: int, instrument_id: int, draft: Draft, cause: Place, *, reduces: bool
) -> Place | None:
    """Put a draft before the risk gate and, approved, on its way. Gives the place of a refusal, None when it is sent."""
    start_day(world.account, world.clock.now_ns)
    verdict = admit(
        Case(
            draft,
            world.instruments[instrument_id],
            world.position(strategy_id, instrument_id),
            world.account,
            world.settings,
            world.clock.now_ns,
            world.is_live,
            reduces,
        )
    )
    place = _write_risk(world, strategy_id, instrument_id, draft, verdict, cause)
    if isinstance(verdict, RiskRefused):
        return place
    return _submit(world, strategy_id, instrument_id, verdict, place)


def _submit(world: World, strategy_id: int, instrument_id: int, approved: RiskApproved, cause: Place) -> Place | None:
    order = _order(world, strategy_id, instrument_id, approved.draft)
    if len(world.orders) >= world.settings.order_slots:
        place = change_order(world, order, OrderState.REFUSED, cause, OrderReason.NO_SLOT)
        if not reduces_only(order):
            world.facts.pop()  # the desk's own answer tells the strategy of an entry
        return place
    enlist(world, order)
    place = change_order(world, order, OrderState.APPROVED, cause)
    order.ts_arrival_ns = world.clock.now_ns + world.settings.latency_ns
    world.next_arrival_ns = min(world.next_arrival_ns, order.ts_arrival_ns)
    change_order(world, order, OrderState.SUBMITTED, place)
    return None


def _order(world: World, strategy_id: int, instrument_id: int, draft: Draft) -> OrderRow:
    world.account.order_id_last += 1
    order: OrderRow = ORDER.new()
    order.order_id = world.account.order_id_last
    order.strategy_id = strategy_id
    order.instrument_id = instrument_id
    order.side = draft.side  # type: ignore[assignment]  # drafts and rows keep enums as integers
    order.order_type = draft.order_type  # type: ignore[assignment]
    order.time_in_force = draft.time_in_force  # type: ignore[assignment]
    order.flags = draft.flags
    order.quantity_steps = draft.quantity_steps
    order.limit_nano = draft.limit_nano
    order.trigger_nano = draft.trigger_nano
    order.stop_loss_nano = draft.stop_loss_nano
    order.take_profit_nano = draft.take_profit_nano
    order.parent_order_id = draft.parent_order_id
    order.tag = draft.tag
    return order


def protect(world: World, entry: OrderRow, cause: Place) -> None:
    """After a fill of an entry: its stop and its target, unless they stand already."""
    if any(order.parent_order_id == entry.order_id for order in world.orders):
        return
    if entry.stop_loss_nano != ABSENT:
        send(world, entry.strategy_id, entry.instrument_id, leg(entry, OrderType.STOP), cause, reduces=True)
    if entry.take_profit_nano != ABSENT:
        send(world, entry.strategy_id, entry.instrument_id, leg(entry, OrderType.LIMIT), cause, reduces=True)


def _answer_refused(world: World, wish: Wish, draft: Draft, cause: Place) -> None:
    """Tell a strategy that its entry never became an order."""
    instrument = world.instruments[wish.instrument_id]
    update = OrderUpdate(
        ts_event_ns=world.clock.now_ns,
        ts_recv_ns=world.clock.now_ns,
        instrument_id=wish.instrument_id,
        origin=0,
        order_id=0,
        state=OrderState.REFUSED,
        reason=OrderReason.INTENT,
        side=draft.side,
        flags=draft.flags,
        quantity=size_of(draft.quantity_steps, instrument.size_step_nano),
        filled=0.0,
        tag=draft.tag,
    )
    world.facts.append(Fact("on_order", wish.strategy_id, wish.instrument_id, update, cause))


def _write_intent(
    world: World, wish: Wish, draft: Draft | None, outcome: IntentOutcome, winner: Place = _NOBODY
) -> Place:
    output = wish.output
    numbers = {}
    if draft is not None:
        numbers = {name: getattr(draft, name) for name in _DRAFT_COLUMNS}
    row = ROWS[Kind.INTENT](
        strategy_id=wish.strategy_id,
        action=output.action,
        outcome=outcome,
        risk=output.risk,
        notional=output.notional,
        rank_score=output.rank_score,
        order_id=output.order_id,
        winner_seq=winner.seq,
        winner_ord=winner.ord,
        **numbers,
    )
    return world.tape.write(Kind.INTENT, wish.instrument_id, wish.cause, row)


_DRAFT_COLUMNS = (
    "side",
    "order_type",
    "time_in_force",
    "flags",
    "quantity_steps",
    "limit_nano",
    "trigger_nano",
    "stop_loss_nano",
    "take_profit_nano",
    "tag",
)


def _write_risk(
    world: World, strategy_id: int, instrument_id: int, draft: Draft, verdict: RiskApproved | RiskRefused, cause: Place
) -> Place:
    if isinstance(verdict, RiskRefused):
        row = ROWS[Kind.RISK](
            strategy_id=strategy_id,
            verdict=RiskVerdict.REFUSED,
            rule=verdict.rule,
            value=verdict.value,
            limit=verdict.limit,
            quantity_steps=0,
        )
    else:
        row = ROWS[Kind.RISK](
            strategy_id=strategy_id,
            verdict=RiskVerdict.APPROVED,
            rule=RiskRule.PASSED,
            quantity_steps=draft.quantity_steps,
        )
    return world.tape.write(Kind.RISK, instrument_id, cause, row)
