-- grain: one row per value that a strategy showed
-- output: the strategy's word; output_code: its number for it
with events as (
    select * from with_strategy('staging.stg_indicator_values')
)

select
    session,
    run,
    seq,
    ord,
    ts_event,
    strategy,
    symbol,
    venue,
    word(words.outputs, output_code) as output,
    value,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano,
        words, value
    )
from events
