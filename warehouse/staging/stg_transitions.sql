-- grain: one row per move of a strategy's phase
-- ts_event, ts_recv: UTC
select
    -- place
    session,
    run,
    seq,
    ord,
    moment(ts_event_ns) as ts_event,
    moment(ts_recv_ns) as ts_recv,
    ts_event_ns,
    ts_recv_ns,
    instrument_id,
    instrument_symbol,
    instrument_venue,
    instrument_step_nano,
    instrument_hours,
    source,
    origin_name(origin) as origin,
    cause_seq,
    cause_ord,
    -- ids
    strategy_id,
    -- codes of the strategy, its words in the answers
    from_phase as from_phase_code,
    to_phase as to_phase_code,
    reason as reason_code
from log.transition
