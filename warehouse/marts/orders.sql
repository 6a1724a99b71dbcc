-- grain: one row per state an order enters; the last one of an order is where it stands
-- quantity, filled: shares, contracts or coins; prices: quote currency
with events as (
    select * from stg_order_states
),

instruments as (
    select * from int_instruments
),

strategies as (
    select * from log_strategies
),

joined as (
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        strategies.strategy,
        instruments.symbol,
        instruments.venue,
        quantity(events.quantity_steps, instruments.size_step_nano) as quantity,
        quantity(events.filled_steps, instruments.size_step_nano) as filled,
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
    left join strategies
        on events.session = strategies.session
        and events.run is not distinct from strategies.run
        and events.strategy_id = strategies.strategy_id
)

select * from joined
