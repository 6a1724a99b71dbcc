-- grain: one row per change of trading state, price bands or short-sale rule
-- limits: quote currency
with events as (
    select * from stg_statuses
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
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
)

select * from joined
