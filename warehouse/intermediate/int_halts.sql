-- grain: one row per stretch in which an instrument of a session did not trade, as the core counts it
-- to_*: where it traded again; null where it has not
with statuses as (
    select
        session,
        instrument_id,
        seq,
        ord,
        ts_event_ns,
        status in ('halted', 'paused', 'quoting', 'closed', 'suspended') as is_halting,
        reason
    from staging.stg_statuses
    where status in (
        'halted', 'paused', 'quoting', 'closed', 'suspended', 'trading', 'pre_open', 'post_close'
    )
        and origin = 'input'
),

changes as (
    select *
    from (
        select
            *,
            lag(is_halting, 1, false) over instrument as was_halting
        from statuses
        window instrument as (partition by session, instrument_id order by seq, ord)
    )
    where is_halting <> was_halting
),

stretches as (
    select
        session,
        instrument_id,
        seq as from_seq,
        ts_event_ns as from_ns,
        reason,
        is_halting,
        lead(seq) over instrument as to_seq,
        lead(ts_event_ns) over instrument as to_ns
    from changes
    window instrument as (partition by session, instrument_id order by seq)
)

select * exclude (is_halting)
from stretches
where is_halting
