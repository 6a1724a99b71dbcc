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
        instruments.symbol,
        instruments.venue,
        events.*
    from events
    left join instruments using (session, instrument_id)
)

select * from joined
