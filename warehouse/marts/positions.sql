-- grain: one row after each change of a position
-- quantity: shares, contracts or coins, signed; prices, realized, fees, cash: quote currency
with events as (
    select * from with_strategy('staging.stg_positions')
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
