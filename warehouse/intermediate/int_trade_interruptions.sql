-- grain: one row per round trip in an instrument that was halted that day or not recorded while it was open
-- seconds_since_halt: from the latest end of a halt on its trading day until it was opened
-- has_gap: a stretch that was not recorded of its feed, or of its symbol, overlaps it
with trades as (
    select
        trades.trade_id,
        trades.session,
        trades.instrument_id,
        trades.opened_at_ns,
        case when trades.is_closed then trades.last_exit_at_ns else 9223372036854775807 end as closed_at_ns,
        instruments.symbol,
        instruments.hours,
        feeds.text as feed
    from intermediate.int_trades as trades
    inner join intermediate.int_instruments as instruments using (session, instrument_id)
    left join (
        select session, source, any_value(text) as text
        from staging.stg_feed_events
        where action = 'declared'
        group by all
    ) as feeds
        on instruments.session = feeds.session
        and instruments.source = feeds.source
),

halts as (
    select * from intermediate.int_halts
),

halted as (
    select
        trades.trade_id,
        min(trades.opened_at_ns - halts.to_ns) filter (
            halts.to_ns <= trades.opened_at_ns
            and trading_day(trades.hours, halts.to_ns) = trading_day(trades.hours, trades.opened_at_ns)
        ) / 1e9 as seconds_since_halt,
        count(*) filter (
            halts.from_ns >= trades.opened_at_ns and halts.from_ns < trades.closed_at_ns
        ) as count_halts,
        false as has_gap
    from trades
    inner join halts using (session, instrument_id)
    group by all
),

unrecorded as (
    select distinct
        trades.trade_id,
        null::double as seconds_since_halt,
        0 as count_halts,
        true as has_gap
    from trades
    inner join gaps
        on trades.session = gaps.session
        and trades.feed is not distinct from gaps.feed
        and coalesce(gaps.symbol, trades.symbol) = trades.symbol
        and gaps.from_ns < trades.closed_at_ns
        and coalesce(gaps.to_ns, 9223372036854775807) > trades.opened_at_ns
),

joined as (
    select
        trade_id,
        max(seconds_since_halt) as seconds_since_halt,
        max(count_halts)::bigint as count_halts,
        bool_or(has_gap) as has_gap
    from (
        select * from halted
        union all
        select * from unrecorded
    )
    group by trade_id
)

select * from joined
