-- grain: one row per wish of a strategy, and one per change of the gate that refuses
-- gate: the strategy's word for the gate that refused; gate_code: its number for it, 0: none
-- risk_*: what the risk gate said of a taken one; null when it never stood before it
-- refused_by: in a word what stopped it: its gate, the risk rule, or its outcome; null where nothing did
-- placed_order_id: the order that it became; order_id: the one it cancels or replaces
-- day: trading day; New York's of shares, the UTC day of what never closes
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

placed as (
    select
        session,
        run,
        decided_seq as seq,
        decided_ord as ord,
        min(order_id) as placed_order_id
    from intermediate.int_order_lives
    where decided_seq is not null
    group by all
),

joined as (
    select
        events.*,
        risk_decisions.* exclude (session, run, seq, ord),
        placed.placed_order_id
    from events
    left join risk_decisions
        on events.session = risk_decisions.session
        and events.run is not distinct from risk_decisions.run
        and events.seq = risk_decisions.seq
        and events.ord = risk_decisions.ord
    left join placed
        on events.session = placed.session
        and events.run is not distinct from placed.run
        and events.seq = placed.seq
        and events.ord = placed.ord
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
    case
        when outcome = 'gated' then word(words.gates, nullif(gate_code, 0))
        when outcome <> 'taken' then outcome
        when risk_verdict = 'refused' then risk_rule
    end as refused_by,
    risk_verdict,
    risk_rule,
    risk_value,
    risk_limit,
    placed_order_id,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words, action, outcome,
        risk_verdict, risk_rule, risk_value, risk_limit, placed_order_id
    )
from joined
