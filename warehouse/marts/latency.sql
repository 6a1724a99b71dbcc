-- grain: one row per order: how long each part of its way took
-- day: trading day of the decision; seconds_*: s, by our clock; null for what did not happen
-- seconds_to_hear: from the venue's time of the quote or print that was decided on until it was received
-- seconds_to_send: decision to sent; seconds_to_acknowledge: sent to accepted; seconds_to_fill: sent to the first execution
-- seconds_to_end: sent to its last state; state, reason: where it stands
-- quantity, filled: shares, contracts or coins
-- decided_at, decided_at_ns, decided_seq, decided_ord: the wish or fill that made it, and when
-- sent_at_ns, acknowledged_at_ns, filled_from_ns, ended_at_ns: when each first happened, UTC nanoseconds
with orders as (
    select * from intermediate.int_order_lives
),

heard as (
    select session, seq, ts_event_ns, ts_recv_ns
    from staging.stg_quotes
    where (session, seq) in (select (session, decided_seq) from orders)
    union all
    select session, seq, ts_event_ns, ts_recv_ns
    from staging.stg_prints
    where (session, seq) in (select (session, decided_seq) from orders)
),

joined as (
    select
        orders.session,
        orders.run,
        orders.decided_seq,
        orders.decided_ord,
        moment(orders.decided_at_ns) as decided_at,
        strategies.strategy,
        instruments.symbol,
        instruments.venue,
        trading_day(instruments.hours, orders.decided_at_ns) as day,
        orders.order_id,
        orders.side,
        orders.order_type,
        orders.flags,
        orders.state,
        orders.reason,
        quantity(orders.quantity_steps, instruments.size_step_nano) as quantity,
        quantity(orders.filled_steps, instruments.size_step_nano) as filled,
        (heard.ts_recv_ns - heard.ts_event_ns) / 1e9 as seconds_to_hear,
        (orders.sent_at_ns - orders.decided_at_ns) / 1e9 as seconds_to_send,
        (orders.acknowledged_at_ns - orders.sent_at_ns) / 1e9 as seconds_to_acknowledge,
        (orders.filled_from_ns - orders.sent_at_ns) / 1e9 as seconds_to_fill,
        (orders.ended_at_ns - orders.sent_at_ns) / 1e9 as seconds_to_end,
        orders.decided_at_ns,
        orders.sent_at_ns,
        orders.acknowledged_at_ns,
        orders.filled_from_ns,
        orders.ended_at_ns,
        orders.tag,
        orders.instrument_id,
        orders.strategy_id
    from orders
    left join intermediate.int_instruments as instruments
        on orders.session = instruments.session
        and orders.instrument_id = instruments.instrument_id
    left join log.strategies as strategies
        on orders.session = strategies.session
        and orders.run is not distinct from strategies.run
        and orders.strategy_id = strategies.strategy_id
    left join heard
        on orders.session = heard.session
        and orders.decided_seq = heard.seq
)

select * from joined
order by session, run, decided_seq, order_id
