-- grain: one row per move of a strategy's phase
-- from_phase, to_phase, reason: the strategy's own codes
with events as (
    select * from stg_transitions
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
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
    left join strategies
        on events.session = strategies.session
        and events.run is not distinct from strategies.run
        and events.strategy_id = strategies.strategy_id
)

select * from joined
