"""Verbs: all a handler can do. Each writes one row into the context's buffer; the engine decides what becomes of it."""

import math
from enum import IntEnum
from typing import Any, Final

from pipeline.codes import IntentAction, OrderFlag, OrderType, Side, TimeInForce
from pipeline.core.context import GATE, INDICATOR, MESSAGE, TRANSITION, WISH, CellRow, Context, Output
from pipeline.core.dialect import NAN
from pipeline.core.tables import claim
from pipeline.core.world import World

_POST_ONLY: Final = OrderFlag.POST_ONLY.value
_EXTENDED: Final = OrderFlag.EXTENDED_HOURS.value
_ONE_CANCELS_OTHER: Final = OrderFlag.ONE_CANCELS_OTHER.value


def enter(
    ctx: Context,
    side: Side,
    *,
    quantity: float = NAN,
    notional: float = NAN,
    risk: float = NAN,
    limit: float = NAN,
    trigger: float = NAN,
    stop: float = NAN,
    trail: float = NAN,
    target: float = NAN,
    time_in_force: int = TimeInForce.DAY,
    expires_ns: int = 0,
    post_only: bool = False,
    extended: bool = False,
    oco: bool = False,
    tag: int = 0,
    score: float = NAN,
) -> None:
    """Wish to open or enlarge a position, sized by exactly one of `quantity`, `notional` and `risk` (loss at the stop).

    A market order unless there is a `limit` or a `trigger`. `stop` and `target` become protective orders with the first
    fill; with `trail` the stop follows the price at that distance, from `stop` on if that is given. It stands until
    `expires_ns`, if given. `post_only` is rejected rather than take liquidity; one that is `extended` may trade outside
    of regular hours, for which it needs a limit; of those of one `tag` that are `oco` the first that fills cancels the
    others. Every entry is answered by `on_order`: accepted, or refused.
    """
    output = _next_output(ctx, WISH)
    output.action = IntentAction.ENTER
    output.side = side
    output.order_type = _order_type(limit, trigger)
    output.time_in_force = TimeInForce.GTD if expires_ns != 0 else time_in_force
    output.expires_ns = expires_ns
    output.flags = (
        (_POST_ONLY if post_only else 0) | (_EXTENDED if extended else 0) | (_ONE_CANCELS_OTHER if oco else 0)
    )
    output.quantity = quantity
    output.notional = notional
    output.risk = risk
    output.limit = limit
    output.trigger = trigger
    output.trail = trail
    output.stop_loss = stop
    output.take_profit = target
    output.rank_score = score
    output.tag = tag


def leave(
    ctx: Context,
    *,
    quantity: float = NAN,
    limit: float = NAN,
    trigger: float = NAN,
    trail: float = NAN,
    time_in_force: int = TimeInForce.DAY,
    extended: bool = False,
    tag: int = 0,
) -> None:
    """Wish to close the position, or `quantity` of it; at market unless there is a `limit` or a `trigger`.

    With `trail` by a stop that follows the price at that distance, from `trigger` on if that is given. `time_in_force` and
    `extended` as for `enter`.
    """
    output = _next_output(ctx, WISH)
    output.action = IntentAction.EXIT
    output.order_type = _order_type(limit, trigger) if math.isnan(trail) else OrderType.TRAILING_STOP
    output.time_in_force = time_in_force
    output.flags = _EXTENDED if extended else 0
    output.quantity = quantity
    output.limit = limit
    output.trigger = trigger
    output.trail = trail
    output.tag = tag


def cancel(ctx: Context, order_id: int = 0) -> None:
    """Wish to take back an order, or (0) every open order of this strategy in this instrument."""
    output = _next_output(ctx, WISH)
    output.action = IntentAction.CANCEL
    output.order_id = order_id


def go(s: Any, ctx: Context, phase: IntEnum, reason: IntEnum) -> None:
    """Move to a phase: the only writer of `s.phase`, so that every move is in the log."""
    output = _next_output(ctx, TRANSITION)
    output.from_phase = s.phase
    output.to_phase = phase
    output.code = reason
    s.phase = phase


def passes(ctx: Context, gate: IntEnum, value: float, threshold: float) -> bool:
    """Whether `value <= threshold`; NaN never passes. A gate that starts to refuse leaves a row."""
    return _verdict(ctx, gate, value, threshold, passed=value <= threshold)


def at_least(ctx: Context, gate: IntEnum, value: float, threshold: float) -> bool:
    """Whether `value >= threshold`; NaN never passes. A gate that starts to refuse leaves a row."""
    return _verdict(ctx, gate, value, threshold, passed=value >= threshold)


def say(ctx: Context, message: IntEnum, a: float = NAN, b: float = NAN, c: float = NAN) -> None:
    """A message: a code and up to three numbers; its text is made by the reader."""
    output = _next_output(ctx, MESSAGE)
    output.code = message
    output.a = a
    output.b = b
    output.c = c


def show(ctx: Context, shown: IntEnum, value: float) -> None:
    """A value for charts, under one of the strategy's declared outputs."""
    output = _next_output(ctx, INDICATOR)
    output.code = shown
    output.a = value


def _order_type(limit: float, trigger: float) -> OrderType:
    if math.isnan(trigger):
        return OrderType.MARKET if math.isnan(limit) else OrderType.LIMIT
    return OrderType.STOP if math.isnan(limit) else OrderType.STOP_LIMIT


def _verdict(ctx: Context, gate: int, value: float, threshold: float, *, passed: bool) -> bool:
    if passed:
        if ctx.cell.gate == gate:
            ctx.cell.gate = 0
        return True
    if ctx.cell.gate != gate:
        ctx.cell.gate = int(gate)
        output = _next_output(ctx, GATE)
        output.code = gate
        output.a = value
        output.b = threshold
    return False


def _next_output(ctx: Context, kind: int) -> Output:
    return _claimed(ctx.world, ctx.cell, ctx.strategy_id, ctx.instrument_id, kind)


def _claimed(world: World, cell: CellRow, strategy_id: int, instrument_id: int, kind: int) -> Output:
    """One more output, blank but for whose it is. Not of a context: compiled, that is no more than its members, then."""
    clock, counts = world.clock, world.counts
    if cell.outputs_seq != clock.seq:
        cell.outputs_seq = clock.seq
        cell.outputs = 0
    if cell.outputs >= world.settings.outputs_max:
        raise OverflowError("more outputs in one step than the settings allow")
    cell.outputs += 1
    counts.outputs += 1
    output: Output = claim(world.outputs, counts.outputs)
    output.kind = kind
    output.strategy_id = strategy_id
    output.instrument_id = instrument_id
    output.cause_seq = clock.cause_seq
    output.cause_ord = clock.cause_ord
    return output
