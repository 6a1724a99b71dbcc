"""Telling: what a strategy hears of its orders, and when.

Assumption (setting `latency_back_ns`): what the venue did moves the account at once, for that is what the broker's books say,
and the strategy learns of it so much later: `on_order`, `on_fill`, and what `ctx` says of its position, its average price,
its open orders and the cash. Danger: the desk and the risk gate know at once, where a real one would be late as well: an exit
is never for more than there is, and a limit is never passed. What we do ourselves (a refusal, an order on its way, a cancel
that was asked for) is known at once, as it is without the setting.
"""

from pipeline.codes import OrderState
from pipeline.core.orders import OrderRow, is_final
from pipeline.core.portfolio import PositionRow
from pipeline.core.tables import claim
from pipeline.core.tape import Place
from pipeline.core.world import NEVER, ON_FILL, FactRow, World, new_fact, position_of

_SPENT_MAX = 64
"""So many facts that were told may stand in front of those that were not."""


def is_venues(state: int) -> bool:
    """Whether the venue brings an order there."""
    return state in (
        OrderState.ACCEPTED,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
    )


def new_report(world: World, handler: int, order: OrderRow, cause: Place, is_late: bool) -> FactRow:  # noqa: FBT001  # the dialect has no keyword-only arguments without a default
    """A fact of an order on its way to its strategy: at the end of this round, or, if it `is_late`, a latency later."""
    if not is_late or world.settings.latency_back_ns == 0:
        return new_fact(world, handler, order.strategy_id, order.instrument_id, cause)
    counts = world.counts
    counts.late_facts += 1
    fact = claim(world.late_facts, counts.late_facts)
    fact.handler = handler
    fact.strategy_id = order.strategy_id
    fact.instrument_id = order.instrument_id
    fact.cause_seq = cause.seq
    fact.cause_ord = cause.ord
    fact.ts_event_ns = world.clock.now_ns
    fact.due_ns = world.clock.now_ns + world.settings.latency_back_ns
    counts.next_arrival_ns = min(counts.next_arrival_ns, fact.due_ns)
    position = position_of(world, order.strategy_id, order.instrument_id)
    if handler == ON_FILL:
        position.untold_fills += 1
    elif is_final(order):
        fact.is_last = True
        position.untold_orders += 1
    return fact


def keep_view(world: World, position: PositionRow) -> None:
    """A fill is about to move a position: what its strategy knows of it stays as it is."""
    if world.settings.latency_back_ns > 0 and position.untold_fills == 0:
        position.told_average = position.average_price


def hear_back(world: World) -> None:
    """What has come back by now is told next, oldest first."""
    counts = world.counts
    while next_told_ns(world) <= world.clock.now_ns:
        counts.late_first += 1
        late = world.late_facts[counts.late_first]
        fact = new_fact(
            world, late.handler, late.strategy_id, late.instrument_id, Place(late.cause_seq, late.cause_ord)
        )
        _copy(fact, late)
        _learn(world, late)
    if counts.late_first == counts.late_facts:
        counts.late_first, counts.late_facts = 0, 0
        world.account.untold_cash = 0.0  # what adding and taking away left
    elif counts.late_first > _SPENT_MAX:
        for i in range(1, counts.late_facts - counts.late_first + 1):
            _copy(world.late_facts[i], world.late_facts[counts.late_first + i])
        counts.late_facts -= counts.late_first
        counts.late_first = 0


def next_told_ns(world: World) -> int:
    """When the next fact that is on its way back arrives; NEVER without one."""
    counts = world.counts
    return world.late_facts[counts.late_first + 1].due_ns if counts.late_first < counts.late_facts else NEVER


def _learn(world: World, late: FactRow) -> None:
    """From here on its strategy knows of it."""
    position = position_of(world, late.strategy_id, late.instrument_id)
    if late.handler == ON_FILL:
        position.untold_fills -= 1
        position.untold_steps -= late.steps
        position.told_average = late.average_price
        world.account.untold_cash -= late.cash
    elif late.is_last:
        position.untold_orders -= 1


def _copy(to: FactRow, late: FactRow) -> None:
    to.handler = late.handler
    to.strategy_id = late.strategy_id
    to.instrument_id = late.instrument_id
    to.cause_seq = late.cause_seq
    to.cause_ord = late.cause_ord
    to.ts_event_ns = late.ts_event_ns
    to.due_ns = late.due_ns
    to.order_id = late.order_id
    to.state = late.state
    to.reason = late.reason
    to.side = late.side
    to.flags = late.flags
    to.tag = late.tag
    to.is_last = late.is_last
    to.quantity = late.quantity
    to.filled = late.filled
    to.price = late.price
    to.fee = late.fee
    to.position = late.position
    to.steps = late.steps
    to.average_price = late.average_price
    to.cash = late.cash
