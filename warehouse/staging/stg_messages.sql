-- grain: one row per message of a strategy; its text is made by the reader
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
    -- codes
    message_level_name(level) as level,
    -- numbers
    code as message_code,
    known(a) as a,
    known(b) as b,
    known(c) as c
from log.message
