-- grain: one row per message of a strategy
-- message: the strategy's word; text: its template with a, b and c filled in, null when the log keeps none
with events as (
    select * from with_strategy('staging.stg_messages')
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
    level,
    word(words.messages, message_code) as message,
    said(words.templates[message_code], a, b, c) as text,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words, level
    )
from events
