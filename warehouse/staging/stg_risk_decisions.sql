-- grain: one row per order that stood before the risk gate
-- ts_event, ts_recv: UTC
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
    -- codes
    risk_verdict_name(verdict) as verdict,
    risk_rule_name(rule) as rule,
    -- numbers
    known(value) as value,
    known("limit") as limit_value,
    present(quantity_steps) as quantity_steps
from log.risk
