-- grain: one row per trade on the tape
-- price: quote currency; size: shares, contracts or coins
with events as (
    select * from stg_prints
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
        quantity(events.size_steps, instruments.size_step_nano) as size,
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
)

select * from joined
