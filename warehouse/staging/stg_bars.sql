-- grain: one row per bar closed, and one more per revision
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
    bar_unit_name(bar_unit) as bar_unit,
    bar_basis_name(basis) as basis,
    mark_name(marks) as marks,
    -- numbers
    bar_length,
    dollars(open_nano) as open,
    present(open_nano) as open_nano,
    dollars(high_nano) as high,
    present(high_nano) as high_nano,
    dollars(low_nano) as low,
    present(low_nano) as low_nano,
    dollars(close_nano) as close,
    present(close_nano) as close_nano,
    present(volume_steps) as volume_steps,
    present(trade_count) as trade_count,
    known(vwap) as vwap,
    revision,
    -- times
    moment(ts_close_ns) as closed_at,
    present(ts_close_ns) as ts_close_ns
from log.bar
