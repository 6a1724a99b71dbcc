-- grain: one row per change of trading state, price bands or short-sale rule
-- ts_event, ts_recv: UTC
-- *_nano: exact integers of 1e-9; beside each the same as float64
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
    origin = 2 as is_warmup,
    cause_seq,
    cause_ord,
    -- codes
    trading_status_name(status) as status,
    status_reason_name(reason) as reason,
    case is_short_restricted when 1 then true when 0 then false end as is_short_restricted,
    case is_quoting when 1 then true when 0 then false end as is_quoting,
    mark_name(marks) as marks,
    -- numbers
    dollars(limit_down_nano) as limit_down,
    present(limit_down_nano) as limit_down_nano,
    dollars(limit_up_nano) as limit_up,
    present(limit_up_nano) as limit_up_nano,
    nullif(vendor_action, -2147483648) as vendor_action,
    nullif(vendor_reason, -2147483648) as vendor_reason
from log.status
