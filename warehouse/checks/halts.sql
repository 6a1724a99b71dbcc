-- grain: one row per execution while its instrument was halted
-- halt_seq: where the halt began
-- what a broker reports counts by the broker's time, what was filled here by its place in the log
with fills as (
    select session, run, seq, ord, ts_event, ts_event_ns, origin, strategy_id, instrument_id, fill_id
    from staging.stg_fills
),

halts as (
    select * from intermediate.int_halts
)

select
    fills.session,
    fills.run,
    fills.seq,
    fills.ord,
    fills.ts_event,
    fills.strategy_id,
    fills.instrument_id,
    fills.fill_id,
    halts.from_seq as halt_seq
from fills
inner join halts
    on fills.session = halts.session
    and fills.instrument_id = halts.instrument_id
    and case
        when fills.origin = 'derived'
            then fills.seq > halts.from_seq and (halts.to_seq is null or fills.seq < halts.to_seq)
        else fills.ts_event_ns > halts.from_ns and (halts.to_ns is null or fills.ts_event_ns < halts.to_ns)
    end
order by fills.session, fills.run, fills.seq, fills.ord
