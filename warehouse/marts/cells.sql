-- grain: one row per backtest, session, day of picks and set of parameters; a cell that several backtests asked for stands in each
-- net_profit, open_profit, fees, max_drawdown: quote currency; the nanos are exact, 1e-9 of it
-- params: every parameter as a number, params['fast']; params_json has them as they were given
-- day: whose picks were traded (--scanned), null for all that the session holds; by symbol they are in symbol_cells
-- bars: the sizes of bars that were given instead of the strategy's own
-- refused_by, invalid_by: counts by risk rule, by outcome of wishes that make no order, refused_by['stale_quote']
-- overnight: how positions went from one session to the next; params_json: the parameters as they were given
-- count_events: inputs reduced; seconds: s, that it took
-- is_stopped, stopped: strategies that failed, and which
with rows_kept as (
    select * from log.cells
),

renamed as (
    select
        backtest,
        session,
        nullif(day, '') as day,
        nullif(run, '') as run,
        cell,
        overnight,
        params,
        params_json,
        params_json ->> '$.bars' as bars,
        events as count_events,
        intents as count_intents,
        refused as count_refused,
        refused_by,
        invalid as count_invalid,
        invalid_by,
        fills as count_fills,
        trades as count_trades,
        open_positions as count_open_positions,
        net_profit_nano / 1e9 as net_profit,
        open_profit_nano / 1e9 as open_profit,
        fees_nano / 1e9 as fees,
        max_drawdown,
        len(stopped) > 0 as is_stopped,
        stopped,
        seconds,
        net_profit_nano,
        open_profit_nano,
        fees_nano,
        decisions_hash,
        state_hash,
        key
    from rows_kept
)

select * from renamed
order by backtest, session, day, cell
