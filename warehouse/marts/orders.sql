-- grain: one row per state an order enters; the last one of an order is where it stands
-- quantity, filled: shares, contracts or coins; prices: quote currency
-- day: trading day: New York's of shares (of futures from 18:00 there on the next one's), the UTC day of what never closes
with events as (
    select * from with_strategy('staging.stg_order_states')
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
    quantity(filled_steps, size_step_nano) as filled,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words
    )
from events
