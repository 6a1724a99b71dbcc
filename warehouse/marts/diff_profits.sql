-- grain: one row per symbol traded by either of two logs of a session
-- a, b: the two logs, a run or the session itself; name both: where a = '...' and b = '...'
-- profit_*: of round trips that are closed, fees taken off; effect: what b made more than a; quote currency
-- trades_a, trades_b, open_a, open_b: round trips closed and still open in each
with logs as (
    select distinct
        session,
        coalesce(run, session) as log
    from log.manifests
),

pairs as (
    select
        session,
        one.log as a,
        other.log as b
    from logs as one
    inner join logs as other using (session)
    where one.log <> other.log
),

results as (
    select
        coalesce(run, session) as log,
        symbol,
        count(*) filter (is_closed) as count_trades,
        count(*) filter (not is_closed) as count_open,
        coalesce(sum(profit_nano), 0) as profit_nano
    from trades
    group by all
),

joined as (
    select
        pairs.session,
        pairs.a,
        pairs.b,
        results.symbol,
        sum(results.count_trades) filter (results.log = pairs.a) as trades_a,
        sum(results.count_trades) filter (results.log = pairs.b) as trades_b,
        sum(results.count_open) filter (results.log = pairs.a) as open_a,
        sum(results.count_open) filter (results.log = pairs.b) as open_b,
        sum(results.profit_nano) filter (results.log = pairs.a) as profit_a_nano,
        sum(results.profit_nano) filter (results.log = pairs.b) as profit_b_nano
    from pairs
    inner join results on results.log in (pairs.a, pairs.b)
    group by all
)

select
    session,
    a,
    b,
    symbol,
    coalesce(trades_a, 0)::bigint as trades_a,
    coalesce(trades_b, 0)::bigint as trades_b,
    coalesce(open_a, 0)::bigint as open_a,
    coalesce(open_b, 0)::bigint as open_b,
    coalesce(profit_a_nano, 0) as profit_a_nano,
    coalesce(profit_b_nano, 0) as profit_b_nano,
    coalesce(profit_b_nano, 0) - coalesce(profit_a_nano, 0) as effect_nano,
    coalesce(profit_a_nano, 0) / 1e9 as profit_a,
    coalesce(profit_b_nano, 0) / 1e9 as profit_b,
    (coalesce(profit_b_nano, 0) - coalesce(profit_a_nano, 0)) / 1e9 as effect
from joined
order by a, b, symbol
