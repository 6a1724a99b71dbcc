-- grain: one row per wish of a strategy, and one per change of the gate that refuses
-- gate: the strategy's word for the gate that refused; gate_code: its number for it, 0: none
-- risk_*: what the risk gate said of a taken one; null when it never stood before it
-- quantity: shares, contracts or coins; prices, risk, notional: quote currency
with events as (
    select * from with_strategy('staging.stg_intents')
),

risk_decisions as (
    select
        session,
        run,
        cause_seq as seq,
        cause_ord as ord,
        verdict as risk_verdict,
        rule as risk_rule,
        value as risk_value,
        limit_value as risk_limit
    from staging.stg_risk_decisions
),

joined as (
    select
        events.*,
        risk_decisions.* exclude (session, run, seq, ord)
    from events
    left join risk_decisions
        on events.session = risk_decisions.session
        and events.run is not distinct from risk_decisions.run
        and events.seq = risk_decisions.seq
        and events.ord = risk_decisions.ord
)

select
    session,
    run,
    seq,
    ord,
    ts_event,
    strategy,
    symbol,
    venue,
    action,
    outcome,
    word(words.gates, nullif(gate_code, 0)) as gate,
    quantity(quantity_steps, size_step_nano) as quantity,
    risk_verdict,
    risk_rule,
    risk_value,
    risk_limit,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words, action, outcome,
        risk_verdict, risk_rule, risk_value, risk_limit
    )
from joined
