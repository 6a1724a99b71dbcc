-- grain: one row per backtest, session, day of picks, set of parameters, strategy and symbol
-- day: whose picks were traded (--scanned), null for all that the session holds
-- what a strategy never wished, held or traded is left out, unless it was picked; the rows of a cell add up to it
-- net_profit, open_profit, fees: quote currency; the nanos are exact, 1e-9 of it
with rows_kept as (
    select * from log.cells
),

by_symbol as (
    select
        backtest,
        session,
        day,
        cell,
        params,
        key,
        unnest(symbols) as one
    from rows_kept
),

renamed as (
    select
        backtest,
        session,
        nullif(day, '') as day,
        cell,
        one.strategy as strategy,
        one.symbol as symbol,
        params,
        one.intents as count_intents,
        one.refused as count_refused,
        one.fills as count_fills,
        one.trades as count_trades,
        one.open_positions as count_open_positions,
        one.net_profit_nano / 1e9 as net_profit,
        one.open_profit_nano / 1e9 as open_profit,
        one.fees_nano / 1e9 as fees,
        one.net_profit_nano as net_profit_nano,
        one.open_profit_nano as open_profit_nano,
        one.fees_nano as fees_nano,
        key
    from by_symbol
)

select * from renamed
order by backtest, session, day, cell, strategy, symbol
