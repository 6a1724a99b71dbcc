-- grain: one row after each change of a strategy's position in an instrument
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
    -- numbers
    present(quantity_steps) as quantity_steps,
    known(average_price) as average_price,
    known(realized) as realized,
    known(fees) as fees,
    known(cash) as cash
from log.position
