"""Executions as columns: the parts of fills that make trades, with what was known when they were wished and filled.

What could be expected of an order is its reference price, as in the view `trades`: a stop's trigger, a target's limit, else the
middle of bid and offer when the order was decided. A part is of one trade: a fill that turns a position around has two.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


class Executions(NamedTuple):
    """Parts of fills in the order of their fills, (n,) each; prices and money in the quote currency, NaN where not known."""

    trade: Integers
    """Which of the trades, from 0."""
    fill: Integers
    """Which fill, from 0, in order of session, run and place; each has one or two parts, side by side."""
    order: Integers
    """Which order, from 0."""
    sign: Floats
    """1 bought, -1 sold."""
    price: Floats
    quantity: Floats
    """Shares, contracts or coins."""
    filled: Floats
    """The same of the whole fill, of which another part may belong to a trade that is still open."""
    worth: Floats
    """What a price move of 1 is worth to this part: quantity x multiplier."""
    bid: Floats
    """Best quotes at the fill."""
    ask: Floats
    reference: Floats
    is_made: Truths
    """A resting limit was filled at its price."""
    is_taxed: Truths
    """A sale of American shares, of which regulators take fees."""
    ts_ns: Integers
    """When, UTC nanoseconds."""
    fee: Floats
    """As it was charged, shared by size between the parts."""


QUERY: Final = """
with orders as (
    select
        session,
        run,
        strategy_id,
        order_id,
        instrument_id,
        min(seq) as decided_seq,
        last(order_type order by seq, ord) as order_type,
        last(flags order by seq, ord) as flags,
        last(trigger_nano order by seq, ord) as trigger_nano,
        last(limit_nano order by seq, ord) as limit_nano
    from staging.stg_order_states
    group by all
),

quotes as (
    select session, instrument_id, seq, (bid + ask) / 2 as middle
    from staging.stg_quotes
    where origin is distinct from 'warmup' and bid is not null and ask is not null
),

referenced as (
    select
        orders.session,
        orders.run,
        orders.strategy_id,
        orders.order_id,
        case
            when orders.order_type in ('stop', 'stop_limit', 'trailing_stop') then orders.trigger_nano / 1e9
            when contains(orders.flags, 'bracket_target') then orders.limit_nano / 1e9
            else quotes.middle
        end as reference
    from orders
    asof left join quotes
        on orders.session = quotes.session
        and orders.instrument_id = quotes.instrument_id
        and orders.decided_seq >= quotes.seq
),

fills as (
    select session, run, strategy_id, fill_id, order_id, seq, ord, bid, ask, liquidity, ts_event_ns
    from staging.stg_fills
)

select
    chosen_trades.place as trade,
    dense_rank() over (order by legs.session, legs.run nulls first, legs.seq, legs.ord) - 1 as fill,
    dense_rank() over (order by legs.session, legs.run nulls first, legs.strategy_id, fills.order_id) - 1 as order_number,
    case legs.side when 'buy' then 1 else -1 end as sign,
    legs.price_nano / 1e9 as price,
    legs.leg_steps * (instruments.size_step_nano / 1e9) as quantity,
    legs.quantity_steps * (instruments.size_step_nano / 1e9) as filled,
    legs.leg_steps * (instruments.size_step_nano / 1e9) * (instruments.multiplier_nano / 1e9) as worth,
    fills.bid,
    fills.ask,
    referenced.reference,
    fills.liquidity = 'maker' as is_made,
    legs.side = 'sell'
        and instruments.multiplier_nano = 1000000000
        and (
            instruments.calendar in ('XNYS', 'XNAS')
            or (instruments.calendar not in ('24/7', 'CMES') and instruments.asset_class in ('equity', 'etf', 'option'))
        ) as is_taxed,
    fills.ts_event_ns as ts_ns,
    legs.leg_fee_nano / 1e9 as fee
from intermediate.int_fill_legs as legs
inner join fills
    on legs.session = fills.session
    and legs.run is not distinct from fills.run
    and legs.seq = fills.seq
    and legs.ord = fills.ord
inner join intermediate.int_instruments as instruments
    on legs.session = instruments.session
    and legs.instrument_id = instruments.instrument_id
inner join log.strategies as strategies
    on legs.session = strategies.session
    and legs.run is not distinct from strategies.run
    and legs.strategy_id = strategies.strategy_id
inner join chosen_trades
    on legs.session = chosen_trades.session
    and legs.run is not distinct from chosen_trades.run
    and strategies.strategy = chosen_trades.strategy
    and instruments.symbol = chosen_trades.symbol
    and instruments.venue = chosen_trades.venue
    and legs.trade_number = chosen_trades.trade_number
left join referenced
    on legs.session = referenced.session
    and legs.run is not distinct from referenced.run
    and legs.strategy_id = referenced.strategy_id
    and fills.order_id = referenced.order_id
order by fill, legs.leg
"""
"""Over the views, and `chosen_trades`: rows of the view `trades` with their `place`, 0 and up. What was carried in has no fill."""


def executions_of(table: pa.Table) -> Executions:
    """The rows of `QUERY`."""

    def numbers(name: str, dtype: Any = np.float64) -> Any:
        column = table[name]
        if column.null_count and dtype is not np.float64:
            column = column.fill_null(value=False) if pa.types.is_boolean(column.type) else column.fill_null(0)
        if dtype is np.float64:
            column = column.cast(pa.float64())
        return np.asarray(column.to_numpy(), dtype=dtype)

    return Executions(
        trade=numbers("trade", np.int64),
        fill=numbers("fill", np.int64),
        order=numbers("order_number", np.int64),
        sign=numbers("sign"),
        price=numbers("price"),
        quantity=numbers("quantity"),
        filled=numbers("filled"),
        worth=numbers("worth"),
        bid=numbers("bid"),
        ask=numbers("ask"),
        reference=numbers("reference"),
        is_made=numbers("is_made", np.bool_),
        is_taxed=numbers("is_taxed", np.bool_),
        ts_ns=numbers("ts_ns", np.int64),
        fee=numbers("fee"),
    )
