-- grain: one row per log, strategy, currency and trading day on which a round trip was closed
-- day: of the exit: New York's of shares (of futures from 18:00 there on the next one's), the UTC day of what never closes
-- profit: fees taken off; gross_profit, fees, slippage, best, worst, won, lost: quote currency; lost: 0 or less
-- count_won, count_lost: with a profit above and below 0; r: sum of r_multiple, of the trades that have one
-- profit_so_far: of this log, strategy and currency until that day
-- has_gap: one of them was open in a stretch that was not recorded
with closed as (
    select *
    from trades
    where is_closed
),

daily as (
    select
        session,
        run,
        strategy,
        currency,
        closed_day as day,
        count(*) as count_trades,
        count(*) filter (profit_nano > 0) as count_won,
        count(*) filter (profit_nano < 0) as count_lost,
        sum(gross_profit_nano)::bigint as gross_profit_nano,
        sum(fees_nano)::bigint as fees_nano,
        sum(profit_nano)::bigint as profit_nano,
        coalesce(sum(profit) filter (profit_nano > 0), 0) as won,
        coalesce(sum(profit) filter (profit_nano < 0), 0) as lost,
        max(profit) as best,
        min(profit) as worst,
        sum(r_multiple) as r,
        sum(slippage) as slippage,
        bool_or(has_gap) as has_gap
    from closed
    group by all
)

select
    session,
    run,
    strategy,
    currency,
    day,
    count_trades,
    count_won,
    count_lost,
    gross_profit_nano / 1e9 as gross_profit,
    fees_nano / 1e9 as fees,
    profit_nano / 1e9 as profit,
    sum(profit_nano) over days / 1e9 as profit_so_far,
    won,
    lost,
    best,
    worst,
    r,
    slippage,
    has_gap,
    gross_profit_nano,
    fees_nano,
    profit_nano
from daily
window days as (partition by session, run, strategy, currency order by day)
order by session, run, strategy, currency, day
