-- grain: one row per round trip whose profit or fees, exact from the integers, are not what the log says was realized by it
-- recomputed, fees_recomputed: DECIMAL, quote currency; fees not taken off
-- realized, fees: as the engine kept them, in float64, which are allowed a millionth, and a billionth of what was traded
with positions as (
    select session, run, strategy_id, instrument_id, cause_seq as seq, cause_ord as ord, realized, fees
    from staging.stg_positions
),

trades as (
    select
        trades.session,
        trades.run,
        trades.strategy_id,
        trades.instrument_id,
        trades.trade_number,
        trades.entry_seq,
        trades.entry_ord,
        trades.exit_seq,
        trades.exit_ord,
        (sign_of(trades.side) * worth_nano(
            trades.exit_value - trades.entry_value,
            instruments.size_step_nano,
            instruments.multiplier_nano
        ))::decimal(38, 9) * 0.000000001::decimal(9, 9) as recomputed,
        worth_nano(
            trades.exit_value + trades.entry_value,
            instruments.size_step_nano,
            instruments.multiplier_nano
        )::double / 1e9 as moved
    from intermediate.int_trades as trades
    inner join intermediate.int_instruments as instruments using (session, instrument_id)
    where trades.is_closed
        and not trades.is_carried
),

-- of a fill that turns a position around both trades have a part: so fees are compared over all until the exit
paid as (
    select
        session,
        run,
        strategy_id,
        instrument_id,
        seq,
        ord,
        sum(fee_nano) over (
            partition by session, run, strategy_id, instrument_id order by seq, ord
        )::decimal(38, 0) * 0.000000001::decimal(9, 9) as fees_recomputed
    from staging.stg_fills
),

joined as (
    select
        trades.*,
        exits.realized - entries.realized as realized,
        exits.fees - entries.fees as fees,
        paid_until.fees_recomputed - paid_before.fees_recomputed as fees_recomputed
    from trades
    inner join positions as entries
        on trades.session = entries.session
        and trades.run is not distinct from entries.run
        and trades.strategy_id = entries.strategy_id
        and trades.instrument_id = entries.instrument_id
        and trades.entry_seq = entries.seq
        and trades.entry_ord = entries.ord
    inner join positions as exits
        on trades.session = exits.session
        and trades.run is not distinct from exits.run
        and trades.strategy_id = exits.strategy_id
        and trades.instrument_id = exits.instrument_id
        and trades.exit_seq = exits.seq
        and trades.exit_ord = exits.ord
    inner join paid as paid_before
        on entries.session = paid_before.session
        and entries.run is not distinct from paid_before.run
        and entries.strategy_id = paid_before.strategy_id
        and entries.instrument_id = paid_before.instrument_id
        and entries.seq = paid_before.seq
        and entries.ord = paid_before.ord
    inner join paid as paid_until
        on exits.session = paid_until.session
        and exits.run is not distinct from paid_until.run
        and exits.strategy_id = paid_until.strategy_id
        and exits.instrument_id = paid_until.instrument_id
        and exits.seq = paid_until.seq
        and exits.ord = paid_until.ord
)

select session, run, strategy_id, instrument_id, trade_number, exit_seq as seq, realized, recomputed, fees, fees_recomputed
from joined
where abs(realized - recomputed::double) > 1e-6 + 1e-9 * moved
    or abs(fees - fees_recomputed::double) > 1e-6 + 1e-9 * moved
order by session, run, seq
