-- grain: one row per statement about cash, a position or a limit of an account
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
    -- codes
    account_action_name(action) as action,
    -- texts
    account,
    currency,
    text,
    -- numbers
    dollars(cash_nano) as cash,
    present(cash_nano) as cash_nano,
    dollars(buying_power_nano) as buying_power,
    present(buying_power_nano) as buying_power_nano,
    present(quantity_steps) as quantity_steps,
    dollars(average_nano) as average,
    present(average_nano) as average_nano
from log.account
