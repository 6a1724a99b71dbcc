-- grain: one row per state an order enters
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
    cause_seq,
    cause_ord,
    -- ids
    strategy_id,
    order_id,
    parent_order_id,
    replaces_order_id,
    -- codes
    order_state_name(state) as state,
    order_reason_name(reason) as reason,
    side_name(side) as side,
    order_type_name(order_type) as order_type,
    time_in_force_name(time_in_force) as time_in_force,
    order_flag_name(flags) as flags,
    -- texts
    venue_order_id,
    text,
    -- numbers
    present(quantity_steps) as quantity_steps,
    present(filled_steps) as filled_steps,
    dollars(limit_nano) as limit_price,
    present(limit_nano) as limit_nano,
    dollars(trigger_nano) as trigger_price,
    present(trigger_nano) as trigger_nano,
    dollars(trail_nano) as trail,
    present(trail_nano) as trail_nano,
    tag,
    -- times
    moment(expires_ns) as expires_at,
    present(expires_ns) as expires_ns
from log.order
