-- grain: one row per wish of a strategy, and one per change of the gate that refuses
-- risk_*: what the risk gate said of a taken one; null when it never stood before it
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

risk_decisions as (
    select * from stg_risk_decisions
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
        risk_decisions.verdict as risk_verdict,
        risk_decisions.rule as risk_rule,
        risk_decisions.value as risk_value,
        risk_decisions.limit_value as risk_limit,
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
    left join strategies
        on events.session = strategies.session
        and events.run is not distinct from strategies.run
        and events.strategy_id = strategies.strategy_id
    left join risk_decisions
        on events.session = risk_decisions.session
        and events.run is not distinct from risk_decisions.run
        and events.seq = risk_decisions.cause_seq
        and events.ord = risk_decisions.cause_ord
)

select * from joined
