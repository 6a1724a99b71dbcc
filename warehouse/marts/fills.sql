-- grain: one row per execution
-- quantity: shares, contracts or coins; price, fee: quote currency
-- day: trading day: New York's of shares (of futures from 18:00 there on the next one's), the UTC day of what never closes
with events as (
    select * from with_strategy('staging.stg_fills')
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
    quantity(quantity_steps, size_step_nano) as quantity,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words
    )
from events
