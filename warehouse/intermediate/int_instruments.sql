-- grain: one row per instrument of a session, by its last definition
-- hours: whose it keeps, always, shares or futures, by its calendar, else by its class
with definitions as (
    select
        session,
        instrument_id,
        source,
        symbol,
        venue,
        asset_class,
        currency,
        tick_nano,
        size_step_nano,
        multiplier_nano,
        calendar,
        hours_of(calendar, asset_class) as hours,
        row_number() over (partition by session, instrument_id order by seq desc) as age
    from staging.stg_instruments
),

latest as (
    select * exclude (age)
    from definitions
    where age = 1
)

select * from latest
