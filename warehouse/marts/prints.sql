-- grain: one row per trade on the tape
-- without what was put in front for strategies to warm up: see log.print
-- price: quote currency; size: shares, contracts or coins
-- venue_code: the vendor's number of the venue where it was traded
with events as (
    select * from with_symbol('staging.stg_prints')
)

select
    session,
    run,
    seq,
    ord,
    ts_event,
    symbol,
    venue,
    quantity(size_steps, size_step_nano) as size,
    * exclude (
        session, run, seq, ord, ts_event, symbol, venue, size_step_nano, is_warmup
    )
from events
where not is_warmup
