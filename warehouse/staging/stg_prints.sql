-- grain: one row per trade on the tape
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
    side_name(aggressor) as aggressor,
    mark_name(marks) as marks,
    -- numbers
    dollars(price_nano) as price,
    present(price_nano) as price_nano,
    present(size_steps) as size_steps,
    venue as venue_code,
    conditions,
    present(trade_id) as trade_id,
    present(corrects_trade_id) as corrects_trade_id,
    present(vendor_seq) as vendor_seq
from log.print
