-- grain: one row per execution of an order
-- kept: per log
-- prices: quote currency; quantity: shares, contracts or coins; costs: quote currency, positive where it cost; *_bps: 1e-4 of what was traded
-- day: trading day of the execution; seconds_*: s, by our clock
-- decided_*, sent_*, acknowledged_*, filled_*: bid, offer and their middle in force when the order was decided, sent, acknowledged and filled
-- reference_price: a stop's trigger, a target's limit, else the middle at the decision; slippage: against it
-- arrival_cost: against the middle at the decision; delay_cost: how far the middle moved from the decision until it was sent
-- effective_spread: twice the distance to the middle at the execution; realised_spread: twice that to the middle a minute later
-- price_impact: effective less realised: what the market moved on; later_mid: that middle, null where nothing was recorded then
with fills as (
    select * from staging.stg_fills
),

orders as (
    select * from intermediate.int_order_markets
),

quotes as (
    select session, instrument_id, seq, ts_recv_ns, (bid + ask) / 2 as mid
    from staging.stg_quotes
    where origin = 'input'
        and coalesce(bid_nano <= ask_nano, true)
        and (session, instrument_id) in (select (session, instrument_id) from fills)
),

last_seen as (
    select session, max(ts_recv_ns) as until_ns
    from staging.stg_quotes
    where origin = 'input'
    group by all
),

later as (
    select
        fills.session,
        fills.run,
        fills.seq,
        fills.ord,
        case when fills.ts_recv_ns + 60000000000 <= last_seen.until_ns then quotes.mid end as later_mid
    from (
        select *, ts_recv_ns + 60000000000 as later_ns
        from fills
    ) as fills
    asof inner join quotes
        on fills.session = quotes.session
        and fills.instrument_id = quotes.instrument_id
        and fills.later_ns >= quotes.ts_recv_ns
    inner join last_seen
        on fills.session = last_seen.session
),

seen as (
    select
        fills.session,
        fills.run,
        fills.seq,
        fills.ord,
        quotes.bid as quoted_bid,
        quotes.ask as quoted_ask
    from fills
    asof inner join (
        select session, instrument_id, seq, bid, ask
        from staging.stg_quotes
        where origin = 'input'
    ) as quotes
        on fills.session = quotes.session
        and fills.instrument_id = quotes.instrument_id
        and fills.seq >= quotes.seq
),

joined as (
    select
        fills.session,
        fills.run,
        fills.seq,
        fills.ord,
        fills.ts_event,
        strategies.strategy,
        instruments.symbol,
        instruments.venue,
        trading_day(instruments.hours, fills.ts_event_ns) as day,
        fills.order_id,
        fills.fill_id,
        fills.side,
        orders.order_type,
        orders.flags,
        fills.liquidity,
        quantity(fills.quantity_steps, instruments.size_step_nano) as quantity,
        fills.price,
        fills.fee,
        orders.reference_price,
        orders.decided_bid,
        orders.decided_ask,
        (orders.decided_bid + orders.decided_ask) / 2 as decided_mid,
        orders.sent_bid,
        orders.sent_ask,
        (orders.sent_bid + orders.sent_ask) / 2 as sent_mid,
        orders.acknowledged_bid,
        orders.acknowledged_ask,
        (orders.acknowledged_bid + orders.acknowledged_ask) / 2 as acknowledged_mid,
        coalesce(fills.bid, seen.quoted_bid) as filled_bid,
        coalesce(fills.ask, seen.quoted_ask) as filled_ask,
        (coalesce(fills.bid, seen.quoted_bid) + coalesce(fills.ask, seen.quoted_ask)) / 2 as filled_mid,
        later.later_mid,
        sign_of(fills.side) as sign,
        worth(1, fills.quantity_steps, instruments.size_step_nano, instruments.multiplier_nano) as worth_per_price,
        (orders.sent_at_ns - orders.decided_at_ns) / 1e9 as seconds_to_send,
        (orders.acknowledged_at_ns - orders.sent_at_ns) / 1e9 as seconds_to_acknowledge,
        (fills.ts_recv_ns - orders.sent_at_ns) / 1e9 as seconds_to_fill,
        fills.tag,
        orders.decided_seq,
        orders.decided_ord,
        fills.ts_event_ns,
        fills.instrument_id,
        fills.strategy_id
    from fills
    inner join intermediate.int_instruments as instruments
        on fills.session = instruments.session
        and fills.instrument_id = instruments.instrument_id
    left join orders
        on fills.session = orders.session
        and fills.run is not distinct from orders.run
        and fills.strategy_id = orders.strategy_id
        and fills.order_id = orders.order_id
    left join seen
        on fills.session = seen.session
        and fills.run is not distinct from seen.run
        and fills.seq = seen.seq
        and fills.ord = seen.ord
    left join later
        on fills.session = later.session
        and fills.run is not distinct from later.run
        and fills.seq = later.seq
        and fills.ord = later.ord
    left join log.strategies as strategies
        on fills.session = strategies.session
        and fills.run is not distinct from strategies.run
        and fills.strategy_id = strategies.strategy_id
),

costed as (
    select
        *,
        sign * (price - reference_price) * worth_per_price as slippage,
        sign * (price - reference_price) / reference_price * 1e4 as slippage_bps,
        sign * (price - decided_mid) * worth_per_price as arrival_cost,
        sign * (price - decided_mid) / decided_mid * 1e4 as arrival_cost_bps,
        sign * (sent_mid - decided_mid) * worth_per_price as delay_cost,
        2 * sign * (price - filled_mid) * worth_per_price as effective_spread,
        2 * sign * (price - filled_mid) / filled_mid * 1e4 as effective_spread_bps,
        2 * sign * (price - later_mid) * worth_per_price as realised_spread,
        2 * sign * (price - later_mid) / filled_mid * 1e4 as realised_spread_bps,
        2 * sign * (later_mid - filled_mid) * worth_per_price as price_impact
    from joined
)

select * exclude (sign)
from costed
order by session, run, seq, ord
