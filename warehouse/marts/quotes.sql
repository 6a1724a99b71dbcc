-- grain: one row per change of the best bid or offer
-- bid, ask: quote currency; sizes: shares, contracts or coins
with events as (
    select * from stg_quotes
),

instruments as (
    select * from int_instruments
),

joined as (
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        instruments.symbol,
        instruments.venue,
        quantity(events.bid_size_steps, instruments.size_step_nano) as bid_size,
        quantity(events.ask_size_steps, instruments.size_step_nano) as ask_size,
        events.* exclude (session, run, seq, ord, ts_event)
    from events
    left join instruments using (session, instrument_id)
)

select * from joined
