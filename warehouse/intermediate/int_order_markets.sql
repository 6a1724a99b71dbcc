-- grain: one row per order of a log, with the quotes in force when it was decided, sent and acknowledged
-- reference_price: what its fills are held against: a stop's trigger, a target's limit, else the middle at the decision
-- prices: quote currency
with orders as (
    select * from intermediate.int_order_lives
),

moments as (
    select session, run, strategy_id, order_id, instrument_id, 'decided' as moment, decided_seq as seq from orders
    union all
    select session, run, strategy_id, order_id, instrument_id, 'sent', sent_seq from orders
    union all
    select session, run, strategy_id, order_id, instrument_id, 'acknowledged', acknowledged_seq from orders
),

quotes as (
    select session, instrument_id, seq, bid, ask
    from staging.stg_quotes
    where origin = 'input'
        and (session, instrument_id) in (select (session, instrument_id) from orders)
),

seen as (
    select
        moments.session,
        moments.run,
        moments.strategy_id,
        moments.order_id,
        max(quotes.bid) filter (moments.moment = 'decided') as decided_bid,
        max(quotes.ask) filter (moments.moment = 'decided') as decided_ask,
        max(quotes.bid) filter (moments.moment = 'sent') as sent_bid,
        max(quotes.ask) filter (moments.moment = 'sent') as sent_ask,
        max(quotes.bid) filter (moments.moment = 'acknowledged') as acknowledged_bid,
        max(quotes.ask) filter (moments.moment = 'acknowledged') as acknowledged_ask
    from moments
    asof left join quotes
        on moments.session = quotes.session
        and moments.instrument_id = quotes.instrument_id
        and moments.seq >= quotes.seq
    where moments.seq is not null
    group by all
),

joined as (
    select
        orders.*,
        seen.* exclude (session, run, strategy_id, order_id),
        case
            when orders.order_type in ('stop', 'stop_limit', 'trailing_stop') then orders.trigger_nano / 1e9
            when contains(orders.flags, 'bracket_target') then orders.limit_nano / 1e9
            else (seen.decided_bid + seen.decided_ask) / 2
        end as reference_price
    from orders
    left join seen
        on orders.session = seen.session
        and orders.run is not distinct from seen.run
        and orders.strategy_id = seen.strategy_id
        and orders.order_id = seen.order_id
)

select * from joined
