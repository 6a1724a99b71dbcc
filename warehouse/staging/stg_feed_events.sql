-- grain: one row per thing that happened to a feed
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
    -- codes
    feed_action_name(action) as action,
    -- texts
    channel,
    text,
    -- numbers
    present(count) as count,
    present(position) as position,
    nullif(code, -2147483648) as code,
    -- times
    moment(from_ns) as from_at,
    present(from_ns) as from_ns,
    moment(to_ns) as to_at,
    present(to_ns) as to_ns
from log.feed
