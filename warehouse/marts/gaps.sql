-- grain: one row per stretch in which a feed, or a channel of it, was not recorded
-- channel, symbol: null where the whole feed is meant
-- to_at: null where it stands open; history_pages: fetched for it, their rows have origin backfill
with events as (
    select * from feed_events
),

opened as (
    select session, feed, channel, text, from_ns, min(seq) as seq, any_value(from_at) as from_at
    from events
    where action = 'gap_opened'
    group by all
),

closed as (
    select session, feed, channel, from_ns, max(to_ns) as to_ns, max(to_at) as to_at
    from events
    where action = 'gap_closed'
    group by all
),

fetched as (
    select session, feed, from_ns, to_ns, count
    from events
    where action = 'backfilled'
)

select
    opened.session,
    opened.seq,
    opened.feed,
    opened.channel,
    case when opened.channel is not null then nullif(split_part(opened.text, ':', 1), '') end as symbol,
    opened.from_at,
    closed.to_at,
    (closed.to_ns - opened.from_ns) / 1e9 as seconds,
    (
        select coalesce(sum(fetched.count), 0)
        from fetched
        where
            fetched.session = opened.session
            and fetched.feed = opened.feed
            and fetched.from_ns < closed.to_ns
            and fetched.to_ns > opened.from_ns
    )::bigint as history_pages,
    opened.text,
    opened.from_ns,
    closed.to_ns
from opened
left join
    closed
    on
        opened.session = closed.session
        and opened.feed = closed.feed
        and opened.from_ns = closed.from_ns
        and opened.channel is not distinct from closed.channel
