-- grain: one row per round trip of a strategy in an instrument: from flat to flat, or still open
-- kept: per log
-- money and prices: quote currency; quantities: shares, contracts or coins; null where it is not known
-- trade_number: 1, 2, 3 ... of this strategy in this instrument; side: buy is long, sell is short
-- is_carried: it was opened in the session that this one goes on from; its entry is the average price it came with
-- day, closed_day: trading day of the entry and of the exit: New York's of shares (of futures from 18:00 there on the next one's), the UTC day of what never closes
-- session_window: part of the day at the entry: premarket, regular, after_hours, night; of what never closes regular
-- minute: minutes after midnight at the entry, by the clocks of the exchange; 570 is 9:30
-- nth_of_day, nth_of_symbol: which trade of this strategy in this log and day it is, of all its symbols and in this one
-- holding_seconds: s; from the first entry to the last exit
-- quantity: all that was entered; quantity_max: the widest it was; count_fills: executions, of both sides
-- entry_price, exit_price: averages of what was executed; stop_price, target_price: with which it was entered
-- worth_per_price: what a move of the price by 1 is worth to all that was entered
-- entry_value, exit_value: price times quantity times multiplier
-- gross_profit, gross_profit_nano: before fees; profit, profit_nano: fees taken off; null while open
-- profit_nano: exact, 1e-9 of the quote currency, where one step of size times one nano of price is worth whole nanos, as with shares and contracts; else the exact profit rounded once, half away from zero
-- fees, fees_nano: positive where paid
-- risk: what is lost at the stop from the entry price; without a stop, what the wish said it risks
-- r_multiple, mfe_r, mae_r, slippage_r: multiples of risk
-- mfe, mae: the most it was ahead (0 or more) and behind (0 or less) while open, of all that was entered, at prices it could be closed at: the bid of a long, the offer of a short; before fees
-- mfe_price, mae_price, mfe_at, mae_at: at which price and when
-- slippage, entry_slippage, exit_slippage: positive where it cost, against a stop's trigger, a target's limit, else the middle when the order was decided
-- slippage_bps: of entry_value and exit_value together, 1e-4
-- entry_bid, entry_ask, entry_spread, entry_spread_bps: when the entry was decided; entry_spread_bps: of the middle
-- tag: the strategy's own number of the entry; setup: its reason for the move it made in the step that wished the entry
-- exit_kind: stop, target, strategy, scanner (it dropped the symbol), operator, stopped (the strategy failed), engine (an entry filled that was wished no longer, or a broker's word); null where the order is not known
-- phase_path: the strategy's phases from the decision to the exit, a > b > c
-- scanner, scan_rank, scan: the latest evaluation of the instrument until the decision, the fields' values by their names
-- gap_percent, relative_volume, float_shares: its gap_pct, rvol_tod and float
-- is_after_halt, seconds_since_halt: a halt ended earlier on that trading day; s
-- count_halts: halts that began while it was open; has_gap: a stretch that was not recorded overlaps it
-- decision_seq, decision_ord: the wish that entered; entry_seq, entry_ord, exit_seq, exit_ord: first and last execution
-- is_closed: it is flat again; opened_at, opened_at_ns, closed_at, closed_at_ns: first execution and last; null while open
with trades as (
    select * from intermediate.int_trades
),

instruments as (
    select * from intermediate.int_instruments
),

strategies as (
    select session, run, strategy_id, strategy from log.strategies
),

joined as (
    select
        trades.*,
        strategies.strategy,
        instruments.symbol,
        instruments.venue,
        instruments.asset_class,
        instruments.currency,
        instruments.hours,
        instruments.size_step_nano,
        instruments.multiplier_nano,
        trading_day(instruments.hours, trades.opened_at_ns) as day,
        sign_of(trades.side) as sign,
        trades.entry_value / trades.entry_steps / 1e9 as entry_price,
        trades.exit_value / nullif(trades.exit_steps, 0) / 1e9 as exit_price,
        worth(1, trades.entry_steps, instruments.size_step_nano, instruments.multiplier_nano) as worth_per_price,
        case
            when trades.is_closed
                then round(sign_of(trades.side) * worth_nano(
                    trades.exit_value - trades.entry_value,
                    instruments.size_step_nano,
                    instruments.multiplier_nano
                ))::bigint
        end as gross_profit_nano,
        reasons.* exclude (trade_id),
        prices.* exclude (trade_id),
        slippages.* exclude (trade_id),
        scans.* exclude (trade_id),
        interruptions.* exclude (trade_id)
    from trades
    left join instruments using (session, instrument_id)
    left join strategies
        on trades.session = strategies.session
        and trades.run is not distinct from strategies.run
        and trades.strategy_id = strategies.strategy_id
    left join intermediate.int_trade_reasons as reasons using (trade_id)
    left join intermediate.int_trade_prices as prices using (trade_id)
    left join intermediate.int_trade_slippage as slippages using (trade_id)
    left join intermediate.int_trade_scans as scans using (trade_id)
    left join intermediate.int_trade_interruptions as interruptions using (trade_id)
),

-- what it was closed at counts among the prices seen, and so does the entry: best is never worse than it, nor worst better
measured as (
    select
        *,
        gross_profit_nano - fees_nano as profit_nano,
        case side
            when 'buy' then greatest(entry_price, best_price, exit_highest_nano / 1e9)
            else least(entry_price, best_price, exit_lowest_nano / 1e9)
        end as mfe_price,
        case side
            when 'buy' then least(entry_price, worst_price, exit_lowest_nano / 1e9)
            else greatest(entry_price, worst_price, exit_highest_nano / 1e9)
        end as mae_price,
        coalesce(
            case when sign * (entry_price - stop_loss) > 0 then sign * (entry_price - stop_loss) * worth_per_price end,
            risk_wished
        ) as risk,
        worth(entry_value / 1e9, 1, size_step_nano, multiplier_nano) as entry_money,
        worth(exit_value / 1e9, 1, size_step_nano, multiplier_nano) as exit_money,
        coalesce(entry_slippage, exit_slippage) is not null as has_slippage
    from joined
),

named as (
    select
        session,
        run,
        strategy,
        trade_number,
        symbol,
        venue,
        asset_class,
        currency,
        side,
        is_closed,
        is_carried,
        day,
        case when is_closed then trading_day(hours, last_exit_at_ns) end as closed_day,
        day_part(hours, opened_at_ns) as session_window,
        exchange_minute(hours, opened_at_ns) as minute,
        row_number() over (
            partition by session, run, strategy_id, day order by entry_seq, entry_ord, instrument_id
        ) as nth_of_day,
        row_number() over (
            partition by session, run, strategy_id, day, instrument_id order by entry_seq, entry_ord
        ) as nth_of_symbol,
        opened_at,
        case when is_closed then last_exit_at end as closed_at,
        case when is_closed then (last_exit_at_ns - opened_at_ns) / 1e9 end as holding_seconds,
        quantity(entry_steps, size_step_nano) as quantity,
        quantity(steps_max, size_step_nano) as quantity_max,
        count_fills,
        entry_price,
        exit_price,
        stop_loss as stop_price,
        take_profit as target_price,
        worth_per_price,
        entry_money as entry_value,
        exit_money as exit_value,
        gross_profit_nano / 1e9 as gross_profit,
        fees_nano / 1e9 as fees,
        profit_nano / 1e9 as profit,
        risk,
        profit_nano / 1e9 / risk as r_multiple,
        abs(mfe_price - entry_price) * worth_per_price as mfe,
        -abs(mae_price - entry_price) * worth_per_price as mae,
        mfe_price,
        mae_price,
        moment(best_at_ns) as mfe_at,
        moment(worst_at_ns) as mae_at,
        abs(mfe_price - entry_price) * worth_per_price / risk as mfe_r,
        -abs(mae_price - entry_price) * worth_per_price / risk as mae_r,
        case when has_slippage then coalesce(entry_slippage, 0) + coalesce(exit_slippage, 0) end as slippage,
        entry_slippage,
        exit_slippage,
        case when has_slippage then coalesce(entry_slippage, 0) + coalesce(exit_slippage, 0) end
            / (entry_money + coalesce(exit_money, 0)) * 1e4 as slippage_bps,
        case when has_slippage then coalesce(entry_slippage, 0) + coalesce(exit_slippage, 0) end / risk as slippage_r,
        entry_bid,
        entry_ask,
        entry_ask - entry_bid as entry_spread,
        (entry_ask - entry_bid) / ((entry_ask + entry_bid) / 2) * 1e4 as entry_spread_bps,
        tag,
        setup,
        exit_kind,
        phase_path,
        scanner,
        scan_rank,
        scan,
        scan['gap_pct'] as gap_percent,
        scan['rvol_tod'] as relative_volume,
        scan['float'] as float_shares,
        seconds_since_halt is not null as is_after_halt,
        seconds_since_halt,
        coalesce(count_halts, 0) as count_halts,
        coalesce(has_gap, false) as has_gap,
        opened_at_ns,
        case when is_closed then last_exit_at_ns end as closed_at_ns,
        gross_profit_nano,
        fees_nano,
        profit_nano,
        instrument_id,
        strategy_id,
        decision_seq,
        decision_ord,
        entry_seq,
        entry_ord,
        exit_seq,
        exit_ord,
        entry_order_id
    from measured
)

select * from named
order by session, run, entry_seq, entry_ord, strategy_id
