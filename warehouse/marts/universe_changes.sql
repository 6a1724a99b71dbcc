-- grain: one row per instrument added to or dropped from a scanner's list
-- reason: ranked, listed, unlisted, outranked, window_ended, day_ended, or filter: then filter says which one failed it
-- seconds_in_list: of one that was dropped, since it was added
with events as (
    select * from with_symbol('staging.stg_universe_changes')
),

named as (
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        scanners.scanner,
        events.symbol,
        events.venue,
        events.action,
        case when events.reason > 100 then 'filter' else universe_reason_name(events.reason) end as reason,
        case when events.reason > 100 then scanners.filters[events.reason - 100] end as filter,
        events.rank,
        events.instrument_id,
        events.scanner_id,
        events.ts_event_ns,
        events.cause_seq
    from events
    left join log.scanners as scanners
        on events.session = scanners.session
        and events.run is not distinct from scanners.run
        and events.scanner_id = scanners.scanner_id
),

timed as (
    select
        *,
        case when action = 'dropped' then
            (ts_event_ns - lag(ts_event_ns) over (
                partition by session, run, scanner_id, instrument_id order by seq, ord
            )) / 1e9
        end as seconds_in_list
    from named
)

select * from timed
