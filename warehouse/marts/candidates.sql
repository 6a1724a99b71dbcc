-- grain: one row per field or filter of an instrument in one evaluation of a scanner that wrote it
-- value, threshold: in the field's unit; of a field of text the number of its word
-- is_passed: null for a field that is shown only; known_at: when the value became known, UTC
-- source: what the field is computed from; verdict failed, of no instrument: a field of one's own that is absent from here on
-- field, unit: name of the field and its unit
with events as (
    select * from with_symbol('staging.stg_candidates')
),

named as (
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        scanners.scanner,
        events.evaluation,
        events.symbol,
        events.venue,
        events.verdict,
        events.rank,
        scanners.fields[events.field_id] as field,
        scanners.units[events.field_id] as unit,
        scanners.sources[events.field_id] as source,
        scanners.filters[events.filter_id] as filter,
        events.value,
        events.threshold,
        events.is_passed,
        events.known_at,
        events.instrument_id,
        events.scanner_id,
        events.field_id,
        events.filter_id,
        events.ts_event_ns,
        events.known_at_ns,
        events.cause_seq
    from events
    left join log.scanners as scanners
        on events.session = scanners.session
        and events.run is not distinct from scanners.run
        and events.scanner_id = scanners.scanner_id
    where events.verdict <> 'counted'
)

select * from named
