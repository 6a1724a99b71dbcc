-- grain: one row per round trip of a strategy in an instrument: from flat to flat, or still open
-- is_carried: it was opened in the session that this one goes on from; its entry is the average price it came with
-- quantity: shares, contracts or coins at the widest; prices, fees, profit: quote currency
-- profit_nano: fees taken off, 1e-9 of the quote currency; null while open. Exact where one step of size times one nano
-- of price is worth whole nanos, as with shares and contracts; else the exact profit rounded once, half away from zero
with legs as (
    select * from intermediate.int_fill_legs
),

instruments as (
    select * from intermediate.int_instruments
),

strategies as (
    select * from log.strategies
),

grouped as (
    select
        session,
        run,
        strategy_id,
        instrument_id,
        trade_number::bigint as trade_number,
        first(side order by seq, ord, leg) as entry_side,
        min(seq) filter (not is_closing) as entry_seq,
        max(seq) filter (is_closing) as exit_seq,
        min(ts_event) as opened_at,
        max(ts_event) filter (is_closing) as last_exit_at,
        sum(leg_steps) filter (not is_closing) as entry_steps,
        coalesce(sum(leg_steps) filter (is_closing), 0) as exit_steps,
        sum(price_nano::hugeint * leg_steps) filter (not is_closing) as entry_value,
        sum(price_nano::hugeint * leg_steps) filter (is_closing) as exit_value,
        sum(leg_fee_nano) as fees_nano,
        count(distinct fill_id) as count_fills,
        bool_or(is_carried) as is_carried
    from legs
    group by all
),

joined as (
    select
        grouped.session,
        grouped.run,
        strategies.strategy,
        grouped.trade_number,
        instruments.symbol,
        instruments.venue,
        grouped.entry_side as side,
        grouped.entry_steps = grouped.exit_steps as is_closed,
        grouped.opened_at,
        case when grouped.entry_steps = grouped.exit_steps then grouped.last_exit_at end as closed_at,
        quantity(grouped.entry_steps, instruments.size_step_nano) as quantity,
        grouped.entry_value / grouped.entry_steps / 1e9 as entry_price,
        grouped.exit_value / nullif(grouped.exit_steps, 0) / 1e9 as exit_price,
        grouped.fees_nano / 1e9 as fees,
        case
            when grouped.entry_steps = grouped.exit_steps
                then round(
                    case grouped.entry_side when 'buy' then 1 else -1 end * worth_nano(
                        grouped.exit_value - grouped.entry_value,
                        instruments.size_step_nano,
                        instruments.multiplier_nano
                    )
                )::bigint - grouped.fees_nano::bigint
        end as profit_nano,
        grouped.count_fills,
        grouped.is_carried,
        grouped.entry_seq,
        grouped.exit_seq
    from grouped
    left join instruments using (session, instrument_id)
    left join strategies
        on grouped.session = strategies.session
        and grouped.run is not distinct from strategies.run
        and grouped.strategy_id = strategies.strategy_id
)

select *, profit_nano / 1e9 as profit
from joined
order by session, run, entry_seq
