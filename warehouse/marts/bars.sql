-- grain: one row per bar closed, and one more per revision
-- prices: quote currency; volume: shares, contracts or coins; bar_length: by bar_unit
with events as (
    select * from with_symbol('staging.stg_bars')
)

select
    session,
    run,
    seq,
    ord,
    ts_event,
    symbol,
    venue,
    quantity(volume_steps, size_step_nano) as volume,
    * exclude (
        session, run, seq, ord, ts_event, symbol, venue, size_step_nano
    )
from events
