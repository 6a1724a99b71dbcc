-- grain: one row per change of the best bid or offer
-- ts_event, ts_recv: UTC
-- *_nano: exact integers of 1e-9; beside each the same as float64
-- *_steps: integers, in steps of the instrument's size_step_nano
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
    mark_name(marks) as marks,
    -- numbers
    dollars(bid_nano) as bid,
    present(bid_nano) as bid_nano,
    dollars(ask_nano) as ask,
    present(ask_nano) as ask_nano,
    present(bid_size_steps) as bid_size_steps,
    present(ask_size_steps) as ask_size_steps,
    bid_venue,
    ask_venue,
    condition,
    present(vendor_seq) as vendor_seq
from log.quote
