-- grain: one row per session or run of the store
-- what: session or run; state: open, ended, recovered, sealed; mode: live, paper, import, replay
-- count_inputs, count_derived: rows, 0 while it is open; first_ts, last_ts: smallest and largest session time
-- code_hash: of the code that reduced
with logs as (
    select * from log.manifests
),

renamed as (
    select
        session,
        run,
        what,
        state,
        mode,
        inputs as count_inputs,
        derived as count_derived,
        moment(first_ts_ns) as first_ts,
        moment(last_ts_ns) as last_ts,
        decisions_hash,
        code_hash
    from logs
)

select * from renamed
