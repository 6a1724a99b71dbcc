-- grain: one row per round trip in which a price was seen
-- best_*, worst_*: of the prices at which it could have been closed while it was open, quote currency: the bid of a long
-- one, the offer of a short one, by quotes that are not crossed; where an instrument has none, prints, else bars
with trades as (
    select trade_id, session, run, strategy_id, instrument_id, side, entry_seq, until_seq
    from intermediate.int_trades
),

traders as (
    select distinct session, run, strategy_id, instrument_id
    from trades
),

traded as (
    select distinct session, instrument_id
    from trades
),

quotes as (
    select session, instrument_id, seq, ts_event_ns, bid as bid_high, bid as bid_low, ask as ask_high, ask as ask_low
    from staging.stg_quotes
    where origin = 'input'
        and coalesce(bid_nano <= ask_nano, true)
        and (session, instrument_id) in (select (session, instrument_id) from traded)
),

prints as (
    select session, instrument_id, seq, ts_event_ns, price, price, price, price
    from staging.stg_prints
    where origin = 'input'
        and not contains(marks, 'no_last')
        and not contains(marks, 'cancel')
        and (session, instrument_id) in (
            select (session, instrument_id) from traded
            except
            select (session, instrument_id) from quotes
        )
),

bars as (
    select session, instrument_id, seq, ts_event_ns, high, low, high, low
    from staging.stg_bars
    where origin = 'input'
        and revision = 0
        and (session, instrument_id) in (
            select (session, instrument_id) from traded
            except
            select (session, instrument_id) from quotes
            except
            select (session, instrument_id) from prints
        )
),

points as (
    select * from quotes
    union all
    select * from prints
    union all
    select * from bars
),

-- trades of a strategy in an instrument follow each other: a price belongs to the one that was opened last
held as (
    select
        trades.*,
        points.ts_event_ns,
        case trades.side when 'buy' then points.bid_high else points.ask_low end as best,
        case trades.side when 'buy' then points.bid_low else points.ask_high end as worst
    from (
        select traders.run, traders.strategy_id, points.*
        from traders
        inner join points using (session, instrument_id)
    ) as points
    asof inner join trades
        on points.session = trades.session
        and coalesce(points.run, '') = coalesce(trades.run, '')
        and points.strategy_id = trades.strategy_id
        and points.instrument_id = trades.instrument_id
        and points.seq >= trades.entry_seq
    where trades.until_seq is null or points.seq <= trades.until_seq
),

grouped as (
    select
        trade_id,
        case side when 'buy' then max(best) else min(best) end as best_price,
        case side when 'buy' then min(worst) else max(worst) end as worst_price,
        case side when 'buy' then arg_max(ts_event_ns, best) else arg_min(ts_event_ns, best) end as best_at_ns,
        case side when 'buy' then arg_min(ts_event_ns, worst) else arg_max(ts_event_ns, worst) end as worst_at_ns
    from held
    group by trade_id, side
)

select * from grouped
