-- grain: one row per fact about an instrument, of the store's reference data or as a session began with it
-- session: null for the store's reference data
with facts as (
    select * from with_symbol('staging.stg_reference_facts')
),

renamed as (
    select
        nullif(session, '(reference)') as session,
        run,
        seq,
        symbol,
        venue,
        field,
        value,
        text,
        provider,
        as_of,
        known_at,
        as_of_ns,
        known_at_ns
    from facts
    where session <> '(scans)'
)

select * from renamed
