-- grain: one row per wish of a strategy, and one per change of the gate that refuses
-- quantity: shares, contracts or coins; prices, risk, notional: quote currency
with events as (
    select * from stg_intents
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
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
    left join strategies
        on events.session = strategies.session
        and events.run is not distinct from strategies.run
        and events.strategy_id = strategies.strategy_id
)

select * from joined
