-- grain: one row per thing that happened to a feed
-- feed: the name it declared; from_at, to_at: the stretch concerned, to_at exclusive
with events as (
    select * from staging.stg_feed_events
),

declared as (
    select session, source, text as feed
    from events
    where action = 'declared'
)

select
    events.session,
    events.seq,
    events.ts_event,
    declared.feed,
    events.action,
    nullif(events.channel, '') as channel,
    events.text,
    events.* exclude (
        session, run, seq, ord, ts_event, action, channel, text, source, instrument_symbol, instrument_venue,
        instrument_step_nano, instrument_hours
    )
from events
left join declared using (session, source)
