-- grain: one row per symbol on a person's own list of a day
-- day: by the clocks of New York
-- list: whose list; score: what it gave the symbol; picked_at: when it became known
with facts as (
    select * from with_symbol('staging.stg_reference_facts')
),

lists as (
    select
        text::date as day,
        symbol,
        provider as list,
        value as score,
        known_at as picked_at,
        known_at_ns as picked_at_ns
    from facts
    where session = '(scans)' and field = 'picked'
)

select * from lists
