-- grain: one row per move of a strategy's phase
-- from_phase, to_phase, reason: the strategy's words; *_code: its numbers for them
with events as (
    select * from with_strategy('staging.stg_transitions')
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
    word(words.phases, from_phase_code) as from_phase,
    word(words.phases, to_phase_code) as to_phase,
    word(words.reasons, nullif(reason_code, 0)) as reason,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words
    )
from events
