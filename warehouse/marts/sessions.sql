-- grain: one row per session or run of the store
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
