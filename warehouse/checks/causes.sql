-- grain: one row per row whose cause lies at it or behind it
-- kind: what it is; cause_seq, cause_ord: the place of its cause
with caused as (
    select session, run, 'bar' as kind, seq, ord, cause_seq, cause_ord from staging.stg_bars
    union all
    select session, run, 'session', seq, ord, cause_seq, cause_ord from staging.stg_session_events
    union all
    select session, run, 'candidate', seq, ord, cause_seq, cause_ord from staging.stg_candidates
    union all
    select session, run, 'universe', seq, ord, cause_seq, cause_ord from staging.stg_universe_changes
    union all
    select session, run, 'indicator', seq, ord, cause_seq, cause_ord from staging.stg_indicator_values
    union all
    select session, run, 'transition', seq, ord, cause_seq, cause_ord from staging.stg_transitions
    union all
    select session, run, 'intent', seq, ord, cause_seq, cause_ord from staging.stg_intents
    union all
    select session, run, 'risk', seq, ord, cause_seq, cause_ord from staging.stg_risk_decisions
    union all
    select session, run, 'order', seq, ord, cause_seq, cause_ord from staging.stg_order_states
    union all
    select session, run, 'fill', seq, ord, cause_seq, cause_ord from staging.stg_fills
    union all
    select session, run, 'position', seq, ord, cause_seq, cause_ord from staging.stg_positions
    union all
    select session, run, 'message', seq, ord, cause_seq, cause_ord from staging.stg_messages
)

select session, run, kind, seq, ord, cause_seq, cause_ord
from caused
where cause_seq > 0
    and (cause_seq > seq or (cause_seq = seq and cause_ord >= ord))
order by session, run, seq, ord
