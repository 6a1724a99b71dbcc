-- grain: one row per bar closed, and one more per revision
-- prices: quote currency; volume: shares, contracts or coins; bar_length: by bar_unit
with events as (
    select * from stg_bars
),

instruments as (
    select * from int_instruments
),

joined as (
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        instruments.symbol,
        instruments.venue,
        quantity(events.volume_steps, instruments.size_step_nano) as volume,
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
)

select * from joined
