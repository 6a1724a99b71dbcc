-- grain: one row per fact about an instrument that is not a market event
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
    -- texts
    field,
    text,
    provider,
    -- numbers
    known(value) as value,
    -- times
    moment(known_at_ns) as known_at,
    present(known_at_ns) as known_at_ns,
    moment(as_of_ns) as as_of,
    present(as_of_ns) as as_of_ns
from log.reference
