-- grain: one row per feed of a session
-- kept: per session
-- from_at, to_at: first and last market row of it, or the connection before that, UTC, by our clock; seconds: between them
-- gap_seconds: not recorded of the whole feed, each moment once; mute_seconds: nothing good came, until it was heard again
-- lagging_seconds: what came was late, until it had caught up; stretches that stand open count until to_at
-- coverage: share of seconds that is neither in a gap nor mute, 0 to 1
-- delay_median, delay_p99, delay_max: s from the venue's time to ours, of quotes and prints that came live
-- count_late, count_out_of_order, count_duplicates, count_crossed: rows with these marks; count_revised: bars made anew
-- count_backfilled: rows fetched for holes; count_symbol_gaps: gaps of single symbols or channels
-- count_rejected, count_ignored: messages, by the feed's own counts
-- count_rows: quotes, prints and vendor's bars, warm-up left out; count_connected, count_lost, count_gaps, count_mute, count_slow: how often that happened
with events as (
    select session, source, seq, ts_recv_ns, action, nullif(channel, '') as channel, count, from_ns, to_ns, text
    from staging.stg_feed_events
),

feeds as (
    select session, source, first(text order by seq) as feed
    from events
    where action = 'declared'
    group by all
),

rows_received as (
    select session, source, ts_event_ns, ts_recv_ns, origin, marks, 0 as revision, true as is_tick
    from staging.stg_quotes
    union all
    select session, source, ts_event_ns, ts_recv_ns, origin, marks, 0, true
    from staging.stg_prints
    union all
    select session, source, ts_event_ns, ts_recv_ns, origin, marks, revision, false
    from staging.stg_bars
    where origin <> 'derived'
),

counted as (
    select
        session,
        source,
        count(*) as count_rows,
        count(*) filter (origin = 'backfill') as count_backfilled,
        count(*) filter (contains(marks, 'late')) as count_late,
        count(*) filter (contains(marks, 'out_of_order')) as count_out_of_order,
        count(*) filter (contains(marks, 'duplicate')) as count_duplicates,
        count(*) filter (contains(marks, 'crossed')) as count_crossed,
        count(*) filter (revision > 0) as count_revised,
        min(ts_recv_ns) filter (origin = 'input') as from_ns,
        max(ts_recv_ns) filter (origin = 'input') as to_ns,
        quantile_cont(ts_recv_ns - ts_event_ns, [0.5, 0.99, 1]) filter (
            origin = 'input' and is_tick and not contains(marks, 'undefined_ts')
        ) as delays_ns
    from rows_received
    where origin <> 'warmup'
    group by all
),

told as (
    select
        session,
        source,
        min(ts_recv_ns) filter (action = 'connected') as from_ns,
        count(*) filter (action = 'connected') as count_connected,
        count(*) filter (action = 'lost') as count_lost,
        count(*) filter (action = 'gap_opened' and channel is null) as count_gaps,
        count(*) filter (action = 'gap_opened' and channel is not null) as count_symbol_gaps,
        count(*) filter (action = 'mute') as count_mute,
        coalesce(sum(case when action = 'rejected' then coalesce(count, 1) end), 0)::bigint as count_rejected,
        coalesce(sum(case when action = 'ignored' then coalesce(count, 1) end), 0)::bigint as count_ignored,
        count(*) filter (action = 'slow') as count_slow
    from events
    group by all
),

spans as (
    select
        feeds.session,
        feeds.source,
        feeds.feed,
        least(counted.from_ns, told.from_ns) as from_ns,
        coalesce(counted.to_ns, told.from_ns) as to_ns
    from feeds
    left join counted using (session, source)
    left join told using (session, source)
),

-- each bad stretch begins with one thing that happened and ends with another
begun as (
    select
        session,
        source,
        seq,
        action,
        case action when 'gap_opened' then from_ns else ts_recv_ns end as from_ns
    from events
    where action in ('mute', 'lagging') or (action = 'gap_opened' and channel is null)
),

ended as (
    select
        session,
        source,
        seq,
        case action when 'gap_closed' then 'gap_opened' when 'heard' then 'mute' else 'lagging' end as action,
        case action when 'gap_closed' then to_ns else ts_recv_ns end as to_ns
    from events
    where action in ('heard', 'caught_up') or (action = 'gap_closed' and channel is null)
),

bad as (
    select
        begun.session,
        begun.source,
        begun.action,
        greatest(begun.from_ns, spans.from_ns) as from_ns,
        least(coalesce(ended.to_ns, spans.to_ns), spans.to_ns) as to_ns
    from (
        select begun.*, -seq as behind
        from begun
    ) as begun
    asof left join (
        select *, -seq as behind
        from ended
    ) as ended
        on begun.session = ended.session
        and begun.source = ended.source
        and begun.action = ended.action
        and begun.behind >= ended.behind
    inner join spans
        on begun.session = spans.session
        and begun.source = spans.source
),

-- of stretches that overlap each moment once: what a stretch adds behind all that began before it
silent as (
    select session, source, 'gap' as sort, from_ns, to_ns from bad where action = 'gap_opened'
    union all
    select session, source, 'mute', from_ns, to_ns from bad where action = 'mute'
    union all
    select session, source, 'lagging', from_ns, to_ns from bad where action = 'lagging'
    union all
    select session, source, 'uncovered', from_ns, to_ns from bad where action in ('gap_opened', 'mute')
),

summed as (
    select
        session,
        source,
        coalesce(sum(added_ns) filter (sort = 'gap'), 0) / 1e9 as gap_seconds,
        coalesce(sum(added_ns) filter (sort = 'mute'), 0) / 1e9 as mute_seconds,
        coalesce(sum(added_ns) filter (sort = 'lagging'), 0) / 1e9 as lagging_seconds,
        coalesce(sum(added_ns) filter (sort = 'uncovered'), 0) / 1e9 as uncovered_seconds
    from (
        select
            session,
            source,
            sort,
            greatest(to_ns - greatest(from_ns, coalesce(max(to_ns) over (
                partition by session, source, sort
                order by from_ns, to_ns
                rows between unbounded preceding and 1 preceding
            ), from_ns)), 0) as added_ns
        from silent
        where to_ns > from_ns
    )
    group by all
),

joined as (
    select
        spans.session,
        spans.feed,
        moment(spans.from_ns) as from_at,
        moment(spans.to_ns) as to_at,
        (spans.to_ns - spans.from_ns) / 1e9 as seconds,
        1 - coalesce(summed.uncovered_seconds, 0) / nullif((spans.to_ns - spans.from_ns) / 1e9, 0) as coverage,
        coalesce(counted.count_rows, 0) as count_rows,
        coalesce(told.count_connected, 0) as count_connected,
        coalesce(told.count_lost, 0) as count_lost,
        coalesce(told.count_gaps, 0) as count_gaps,
        coalesce(summed.gap_seconds, 0) as gap_seconds,
        coalesce(told.count_symbol_gaps, 0) as count_symbol_gaps,
        coalesce(told.count_mute, 0) as count_mute,
        coalesce(summed.mute_seconds, 0) as mute_seconds,
        coalesce(summed.lagging_seconds, 0) as lagging_seconds,
        coalesce(told.count_rejected, 0) as count_rejected,
        coalesce(told.count_ignored, 0) as count_ignored,
        coalesce(told.count_slow, 0) as count_slow,
        coalesce(counted.count_late, 0) as count_late,
        coalesce(counted.count_out_of_order, 0) as count_out_of_order,
        coalesce(counted.count_duplicates, 0) as count_duplicates,
        coalesce(counted.count_crossed, 0) as count_crossed,
        coalesce(counted.count_revised, 0) as count_revised,
        coalesce(counted.count_backfilled, 0) as count_backfilled,
        counted.delays_ns[1] / 1e9 as delay_median,
        counted.delays_ns[2] / 1e9 as delay_p99,
        counted.delays_ns[3] / 1e9 as delay_max,
        spans.from_ns,
        spans.to_ns
    from spans
    left join counted using (session, source)
    left join told using (session, source)
    left join summed using (session, source)
)

select * from joined
order by session, feed
