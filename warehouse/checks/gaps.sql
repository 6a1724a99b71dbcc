-- grain: one row per round trip that was open in a stretch that was not recorded of its feed, and is not marked with it
-- gap_seq: where the gap was opened
with events as (
    select session, source, seq, action, from_ns, to_ns
    from staging.stg_feed_events
    where action in ('gap_opened', 'gap_closed')
        and channel = ''
),

stretches as (
    select
        opened.session,
        opened.source,
        opened.seq,
        opened.from_ns,
        coalesce(max(closed.to_ns), 9223372036854775807) as to_ns
    from events as opened
    left join events as closed
        on opened.session = closed.session
        and opened.source = closed.source
        and opened.from_ns = closed.from_ns
        and closed.action = 'gap_closed'
    where opened.action = 'gap_opened'
    group by all
)

select
    trades.session,
    trades.run,
    trades.strategy,
    trades.symbol,
    trades.trade_number,
    trades.entry_seq,
    trades.exit_seq,
    stretches.seq as gap_seq
from trades
inner join intermediate.int_instruments as instruments using (session, instrument_id)
inner join stretches
    on trades.session = stretches.session
    and instruments.source = stretches.source
    and stretches.from_ns < coalesce(trades.closed_at_ns, 9223372036854775807)
    and stretches.to_ns > trades.opened_at_ns
where not trades.has_gap
order by trades.session, trades.run, trades.entry_seq
