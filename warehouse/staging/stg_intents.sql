-- grain: one row per wish of a strategy, and one per change of the gate that refuses
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
    -- codes
    intent_action_name(action) as action,
    intent_outcome_name(outcome) as outcome,
    side_name(side) as side,
    order_type_name(order_type) as order_type,
    time_in_force_name(time_in_force) as time_in_force,
    order_flag_name(flags) as flags,
    -- numbers
    present(quantity_steps) as quantity_steps,
    dollars(limit_nano) as limit_price,
    present(limit_nano) as limit_nano,
    dollars(trigger_nano) as trigger_price,
    present(trigger_nano) as trigger_nano,
    dollars(stop_loss_nano) as stop_loss,
    present(stop_loss_nano) as stop_loss_nano,
    dollars(take_profit_nano) as take_profit,
    present(take_profit_nano) as take_profit_nano,
    dollars(trail_nano) as trail,
    present(trail_nano) as trail_nano,
    known(risk) as risk,
    known(notional) as notional,
    known(rank_score) as rank_score,
    tag,
    gate as gate_code,
    known(gate_value) as gate_value,
    known(gate_threshold) as gate_threshold,
    winner_seq,
    winner_ord
from log.intent
