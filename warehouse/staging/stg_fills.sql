-- grain: one row per execution
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
    fill_id,
    -- codes
    side_name(side) as side,
    liquidity_name(liquidity) as liquidity,
    -- texts
    venue_fill_id,
    -- numbers
    dollars(price_nano) as price,
    present(price_nano) as price_nano,
    present(quantity_steps) as quantity_steps,
    dollars(fee_nano) as fee,
    present(fee_nano) as fee_nano,
    dollars(bid_nano) as bid,
    present(bid_nano) as bid_nano,
    dollars(ask_nano) as ask,
    present(ask_nano) as ask_nano,
    tag
from log.fill
