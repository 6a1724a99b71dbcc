-- grain: one row per filter in one evaluation of a scanner
-- count_shown: instruments that every filter before left; count_left: those that this one left as well
-- count_removed: instruments that it removed
with counted as (
    select *
    from staging.stg_candidates
    where verdict = 'counted'
),

steps as (
    select
        *,
        lag(value) over (
            partition by session, run, scanner_id, evaluation order by filter_id
        ) as shown
    from counted
),

named as (
    select
        steps.session,
        steps.run,
        steps.seq,
        steps.ts_event,
        scanners.scanner,
        steps.evaluation,
        steps.filter_id,
        scanners.filters[steps.filter_id] as filter,
        steps.shown::bigint as count_shown,
        (steps.shown - steps.value)::bigint as count_removed,
        steps.value::bigint as count_left,
        steps.scanner_id
    from steps
    left join log.scanners as scanners
        on steps.session = scanners.session
        and steps.run is not distinct from scanners.run
        and steps.scanner_id = scanners.scanner_id
    where steps.filter_id > 0
)

select * from named
