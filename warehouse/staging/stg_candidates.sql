-- grain: one row per field or filter of an instrument in one evaluation of a scanner
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
    scanner_id,
    evaluation,
    rank,
    field_id,
    filter_id,
    -- codes
    candidate_verdict_name(verdict) as verdict,
    case is_passed when 1 then true when 0 then false end as is_passed,
    -- numbers
    known(value) as value,
    known(threshold) as threshold,
    -- times
    moment(known_at_ns) as known_at,
    present(known_at_ns) as known_at_ns
from log.candidate
