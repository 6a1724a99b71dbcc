-- grain: one row per change of trading state, price bands or short-sale rule
-- without what was put in front for strategies to warm up: see log.status
-- limits: quote currency
with events as (
    select * from with_symbol('staging.stg_statuses')
)

select
    session,
    run,
    seq,
    ord,
    ts_event,
    symbol,
    venue,
    * exclude (
        session, run, seq, ord, ts_event, symbol, venue, size_step_nano, is_warmup
    )
from events
where not is_warmup
