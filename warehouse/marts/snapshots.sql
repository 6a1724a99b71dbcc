-- grain: one row per instrument whose snapshot at a vendor is another than at the poll before
-- prices: quote currency; sizes and volume: shares, contracts or coins
with events as (
    select * from with_symbol('staging.stg_snapshots')
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
    quantity(volume_steps, size_step_nano) as volume,
    * exclude (
        session, run, seq, ord, ts_event, symbol, venue, size_step_nano
    )
from events
