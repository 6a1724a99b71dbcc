-- grain: one row per move of a strategy's phase
-- from_phase, to_phase, reason: the strategy's words; *_code: its numbers for them
-- seconds_in_phase: how long from_phase lasted; null for the first move, whose beginning is none
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
    (ts_event_ns - lag(ts_event_ns) over phases) / 1e9 as seconds_in_phase,
    * exclude (
        session, run, seq, ord, ts_event, strategy, symbol, venue, size_step_nano, words
    )
from events
window phases as (partition by session, run, strategy_id, instrument_id order by seq, ord)
