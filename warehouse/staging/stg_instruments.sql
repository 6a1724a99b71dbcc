-- grain: one row when the session meets an instrument, and again when its definition changes
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
    source,
    origin_name(origin) as origin,
    cause_seq,
    cause_ord,
    -- codes
    asset_class_name(asset_class) as asset_class,
    -- texts
    symbol,
    venue,
    currency,
    calendar,
    -- numbers
    dollars(tick_nano) as tick,
    present(tick_nano) as tick_nano,
    dollars(tick_below_one_nano) as tick_below_one,
    present(tick_below_one_nano) as tick_below_one_nano,
    dollars(size_step_nano) as size_step,
    present(size_step_nano) as size_step_nano,
    present(lot_steps) as lot_steps,
    dollars(multiplier_nano) as multiplier,
    present(multiplier_nano) as multiplier_nano,
    present(vendor_id) as vendor_id,
    -- times
    moment(expires_ns) as expires_at,
    present(expires_ns) as expires_ns
from log.instrument
