-- grain: one row per change of the best bid or offer
-- without what was put in front for strategies to warm up: see log.quote
-- bid, ask: quote currency; sizes: shares, contracts or coins
with events as (
    select * from with_symbol('staging.stg_quotes')
)

select
    session,
    run,
    seq,
    ord,
    ts_event,
    symbol,
    venue,
    quantity(bid_size_steps, size_step_nano) as bid_size,
    quantity(ask_size_steps, size_step_nano) as ask_size,
    * exclude (
        session, run, seq, ord, ts_event, symbol, venue, size_step_nano, is_warmup
    )
from events
where not is_warmup
