-- grain: one row per bar closed, and one more per revision
-- without what was put in front for strategies to warm up: see log.bar
-- timeframe: how long it is, as one asks for it; prices: quote currency; volume: shares, contracts or coins
-- bar_length: nanoseconds, ticks, steps, nano-dollars or nanos of range, by bar_unit
-- closed_at: end of the bar: exclusive when it is by time, else the event time of its latest print
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
    timeframe_word(bar_unit, bar_length, size_step_nano) as timeframe,
    quantity(volume_steps, size_step_nano) as volume,
    * exclude (
        session, run, seq, ord, ts_event, symbol, venue, size_step_nano, is_warmup
    )
from events
where not is_warmup
