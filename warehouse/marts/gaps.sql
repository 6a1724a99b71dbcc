-- grain: one row per stretch in which a feed, or a symbol of a channel of it, was not recorded
-- channel, symbol: null where the whole feed is meant
-- to_at: null where it stands open; history_pages: fetched for it, their rows have origin backfill
-- seconds: s, null where it stands open
with events as (
    select * from feed_events
),

-- of a channel a row names symbols: alone where it is closed, in front of a colon and why where it is opened
named as (
    select
        *,
        case
            when channel is null then ['']
            when action = 'gap_closed' then string_split(text, ' ')
            when text like '%: no history: %' or text like '%: no longer sent by the vendor'
                then string_split(split_part(text, ': no ', 1), ' ')
            else ['']
        end as names
    from events
    where action in ('gap_opened', 'gap_closed')
),

gaps as (
    select *, unnest(names) as name
    from named
),

opened as (
    select session, feed, channel, name, text, from_ns, min(seq) as seq, any_value(from_at) as from_at
    from gaps
    where action = 'gap_opened'
    group by all
),

closed as (
    select session, feed, channel, name, from_ns, max(to_ns) as to_ns, max(to_at) as to_at
    from gaps
    where action = 'gap_closed'
    group by all
),

fetched as (
    select session, feed, channel, from_ns, to_ns, count
    from events
    where action = 'backfilled'
)

select
    opened.session,
    opened.seq,
    opened.feed,
    opened.channel,
    nullif(opened.name, '') as symbol,
    opened.from_at,
    closed.to_at,
    (closed.to_ns - opened.from_ns) / 1e9 as seconds,
    (
        select coalesce(sum(fetched.count), 0)
        from fetched
        where
            fetched.session = opened.session
            and fetched.feed = opened.feed
            and (opened.channel is null or fetched.channel = opened.channel)
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
        and opened.name = closed.name
