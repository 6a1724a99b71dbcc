"""Sizing: from a wish in floats to an order in integers. Prices go to the tick by the side's rule, sizes down.

A limit is never worse than wished: a buy's is rounded down, a sell's up. A stop never fires earlier than wished: a buy's
trigger is rounded up, a sell's down. A size that rounds to zero is no order.
"""

import math
from typing import Final, NamedTuple

from pipeline.codes import IntentAction, IntentOutcome, OrderFlag, OrderType, Side, TimeInForce
from pipeline.core.context import Output
from pipeline.core.dialect import NAN, NANO_FLOAT, is_nano, nano_of, price_of
from pipeline.core.instrument import InstrumentRow, far_side_nano, tick_at_nano, unit_value
from pipeline.core.orders import OrderRow
from pipeline.units import ABSENT, INT64_MAX

_EXTENDED: Final = OrderFlag.EXTENDED_HOURS.value


class Draft(NamedTuple):
    """An order not yet approved. `outcome` TAKEN: it may go on; else why it is none."""

    outcome: int
    side: int
    order_type: int
    time_in_force: int
    flags: int
    quantity_steps: int
    limit_nano: int
    trigger_nano: int
    stop_loss_nano: int
    take_profit_nano: int
    tag: int
    parent_order_id: int = 0
    trail_nano: int = ABSENT
    expires_ns: int = ABSENT


def no_draft() -> Draft:
    """What stands in the row of a wish that is no order."""
    return Draft(
        IntentOutcome.TAKEN, Side.NONE, OrderType.MARKET, TimeInForce.DAY, OrderFlag.NONE.value,
        ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, 0,
    )  # fmt: skip


def drafted(wish: Output, instrument: InstrumentRow, held_steps: int) -> Draft:
    """The order a wish asks for, with `held_steps` in hand (signed)."""
    if wish.action == IntentAction.ENTER:
        return _entry(wish, instrument)
    side = Side.SELL if held_steps > 0 else Side.BUY
    limit, limit_is_sound = to_tick(wish.limit, instrument, up=side == Side.SELL)
    trigger, trigger_is_sound = to_tick(wish.trigger, instrument, up=side == Side.BUY)
    trail, trail_is_sound = _distance(wish.trail)
    is_sound = limit_is_sound and trigger_is_sound and trail_is_sound and _is_dated(wish)
    is_sound = is_sound and ABSENT in (trail, limit)
    held = abs(held_steps)
    steps = held
    if not math.isnan(wish.quantity):
        is_sound = is_sound and _is_size(wish.quantity)
        steps = min(held, _steps_of(wish.quantity, instrument)) if is_sound else 0
    outcome = _outcome(steps) if is_sound else IntentOutcome.INVALID
    return Draft(
        outcome, side, wish.order_type, wish.time_in_force, wish.flags | OrderFlag.REDUCE_ONLY.value,
        steps, limit, trigger, ABSENT, ABSENT, wish.tag, trail_nano=trail,
    )  # fmt: skip


def limited(draft: Draft, limit_nano: int) -> Draft:
    """The same order with a limit, for extended hours."""
    return Draft(
        draft.outcome, draft.side, OrderType.LIMIT, draft.time_in_force, draft.flags | _EXTENDED,
        draft.quantity_steps, limit_nano, ABSENT, ABSENT, ABSENT, draft.tag,
    )  # fmt: skip


def marketable_nano(instrument: InstrumentRow, side: int, percent: float) -> int:
    """A limit so many percent beyond the far side: what stands in for "at market"; ABSENT without a far side."""
    far = far_side_nano(instrument, side)
    limit, is_sound = to_tick(price_of(far) * (1.0 + float(side) * (percent / 100.0)), instrument, up=side == Side.SELL)
    return limit if is_sound else far


def _entry(wish: Output, instrument: InstrumentRow) -> Draft:
    is_buy = wish.side == Side.BUY
    limit, limit_is_sound = to_tick(wish.limit, instrument, up=not is_buy)
    trigger, trigger_is_sound = to_tick(wish.trigger, instrument, up=is_buy)
    stop, stop_is_sound = to_tick(wish.stop_loss, instrument, up=not is_buy)
    target, target_is_sound = to_tick(wish.take_profit, instrument, up=is_buy)
    trail, trail_is_sound = _distance(wish.trail)
    quantity = _quantity(wish, instrument, limit, trigger, stop, trail)
    prices_are_sound = limit_is_sound and trigger_is_sound and stop_is_sound and target_is_sound and trail_is_sound
    steps = _steps_of(quantity, instrument) if _is_size(quantity) else 0
    outcome = _outcome(steps)
    if not prices_are_sound or not _is_dated(wish) or wish.side not in (Side.BUY, Side.SELL):
        outcome = IntentOutcome.INVALID
    elif _count_of_sizes(wish) != 1:
        outcome = IntentOutcome.UNSIZED
    elif not _protects(wish.side, stop, target, _reference_nano(instrument, wish.side, limit, trigger)):
        outcome = IntentOutcome.MISPLACED
    elif math.isnan(quantity):
        outcome = IntentOutcome.UNPRICED
    elif not _is_size(quantity):
        outcome = IntentOutcome.INVALID
    flags = wish.flags
    if stop != ABSENT or target != ABSENT or trail != ABSENT:
        flags |= OrderFlag.BRACKET_ENTRY.value
    return Draft(
        outcome, wish.side, wish.order_type, wish.time_in_force, flags,
        steps if outcome == IntentOutcome.TAKEN else 0, limit, trigger, stop, target, wish.tag, trail_nano=trail,
        expires_ns=wish.expires_ns if wish.time_in_force == TimeInForce.GTD else ABSENT,
    )  # fmt: skip


def leg(entry: OrderRow, order_type: int, steps: int) -> Draft:
    """A protective order of an entry, for so much of it: its stop (STOP) or its target (LIMIT), which knows where the stop lies.

    It stands as long as what it protects, at the hours at which the entry could fill.
    """
    is_stop = order_type == OrderType.STOP
    flag = OrderFlag.BRACKET_STOP.value if is_stop else OrderFlag.BRACKET_TARGET.value
    return Draft(
        outcome=IntentOutcome.TAKEN,
        side=-entry.side,
        order_type=OrderType.TRAILING_STOP if is_stop and entry.trail_nano != ABSENT else order_type,
        time_in_force=TimeInForce.GTC,
        flags=OrderFlag.REDUCE_ONLY.value | OrderFlag.ONE_CANCELS_OTHER.value | flag | (entry.flags & _EXTENDED),
        quantity_steps=steps,
        limit_nano=ABSENT if is_stop else entry.take_profit_nano,
        trigger_nano=entry.stop_loss_nano if is_stop else ABSENT,
        stop_loss_nano=ABSENT if is_stop else entry.stop_loss_nano,
        take_profit_nano=ABSENT,
        tag=entry.tag,
        parent_order_id=entry.order_id,
        trail_nano=entry.trail_nano if is_stop else ABSENT,
    )


def _outcome(steps: int) -> int:
    return IntentOutcome.TAKEN if steps > 0 else IntentOutcome.EMPTY


def to_tick(price: float, instrument: InstrumentRow, *, up: bool) -> tuple[int, bool]:
    """The tick at or beside a price, and whether the price was one at all; NaN is a sound way to give none."""
    if math.isnan(price):
        return ABSENT, True
    if not is_nano(price) or price <= 0.0:
        return ABSENT, False
    nano = nano_of(price)
    tick = tick_at_nano(instrument, nano)
    rest = nano % tick
    if rest:
        nano += tick - rest if up else -rest
    return (nano, True) if 0 < nano <= INT64_MAX else (ABSENT, False)


def _distance(trail: float) -> tuple[int, bool]:
    """A distance between prices in nanos, and whether it was one at all; NaN is a sound way to give none."""
    if math.isnan(trail):
        return ABSENT, True
    nano = nano_of(trail) if is_nano(trail) else 0
    return (nano, True) if 0 < nano <= INT64_MAX // 4 else (ABSENT, False)


def _is_dated(wish: Output) -> bool:
    """Whether an order that stands until a date has one."""
    return wish.time_in_force != TimeInForce.GTD or wish.expires_ns > 0


def _reference_nano(instrument: InstrumentRow, side: int, limit: int, trigger: int) -> int:
    if limit != ABSENT:
        return limit
    return trigger if trigger != ABSENT else far_side_nano(instrument, side)


def _quantity(wish: Output, instrument: InstrumentRow, limit: int, trigger: int, stop: int, trail: int) -> float:
    """Shares, contracts or coins; NaN unless exactly one way of sizing was given and can be worked out."""
    if _count_of_sizes(wish) != 1:
        return NAN
    if not math.isnan(wish.quantity):
        return wish.quantity
    price = price_of(_reference_nano(instrument, wish.side, limit, trigger))
    by_notional = not math.isnan(wish.notional)
    at_risk = price_of(trail) if stop == ABSENT else abs(price - price_of(stop))
    move = price if by_notional else at_risk
    unit = unit_value(instrument) / (float(instrument.size_step_nano) / NANO_FLOAT)
    amount = wish.notional if by_notional else wish.risk
    return amount / (move * unit) if move * unit > 0.0 else NAN


def _count_of_sizes(wish: Output) -> int:
    """In how many ways a wish says how large it is."""
    return int(not math.isnan(wish.quantity)) + int(not math.isnan(wish.notional)) + int(not math.isnan(wish.risk))


def _is_size(quantity: float) -> bool:
    return is_nano(quantity) and quantity >= 0.0


def _steps_of(quantity: float, instrument: InstrumentRow) -> int:
    return nano_of(quantity) // instrument.size_step_nano


def _protects(side: int, stop: int, target: int, reference: int) -> bool:
    """Whether a stop lies on the losing side of the reference price and a target on the winning one."""
    if reference == ABSENT:
        return True  # the risk gate refuses it for having no reference price
    stop_holds = stop == ABSENT or (reference - stop) * side > 0
    return stop_holds and (target == ABSENT or (target - reference) * side > 0)
