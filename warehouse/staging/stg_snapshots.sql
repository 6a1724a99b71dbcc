-- grain: one row per instrument whose snapshot at a vendor is another than at the poll before
-- ts_event, ts_recv, ts_trade, ts_quote: UTC; ts_recv is when the answer came
-- *_nano: exact integers of 1e-9; beside each the same as float64
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
    -- times
    moment(ts_trade_ns) as ts_trade,
    present(ts_trade_ns) as ts_trade_ns,
    moment(ts_quote_ns) as ts_quote,
    present(ts_quote_ns) as ts_quote_ns,
    -- numbers
    dollars(last_nano) as last,
    present(last_nano) as last_nano,
    dollars(bid_nano) as bid,
    present(bid_nano) as bid_nano,
    dollars(ask_nano) as ask,
    present(ask_nano) as ask_nano,
    present(bid_size_steps) as bid_size_steps,
    present(ask_size_steps) as ask_size_steps,
    present(volume_steps) as volume_steps,
    known(vwap) as vwap,
    dollars(open_nano) as open,
    present(open_nano) as open_nano,
    dollars(high_nano) as high,
    present(high_nano) as high_nano,
    dollars(low_nano) as low,
    present(low_nano) as low_nano,
    dollars(previous_close_nano) as previous_close,
    present(previous_close_nano) as previous_close_nano
from log.snapshot
