-- grain: one row per part of a fill that opens, adds to, reduces or closes a position;
-- a fill that turns a position around has two parts, and a position carried over from another session is one that opens
-- trade_number: the round trip it belongs to, 1, 2, 3 ... of a strategy in an instrument; trade_id: 1, 2, 3 ... of all
-- leg_fee_nano: the fill's fee by size, whole nanos, both parts together exactly the fee
-- signed_steps, before_steps: signed, in steps of the instrument's size_step_nano
with executed as (
    select
        session,
        run,
        seq,
        ord,
        ts_event,
        ts_event_ns,
        strategy_id,
        instrument_id,
        order_id,
        fill_id,
        tag,
        side,
        price_nano,
        quantity_steps,
        fee_nano,
        case side when 'buy' then 1 else -1 end * quantity_steps as signed_steps,
        false as is_carried
    from staging.stg_fills
),

carried as (
    select
        session,
        run,
        seq,
        0 as ord,
        ts_event,
        ts_event_ns,
        strategy_id,
        instrument_id,
        null as order_id,
        null as fill_id,
        null as tag,
        case when signed_steps > 0 then 'buy' else 'sell' end as side,
        price_nano,
        abs(signed_steps) as quantity_steps,
        0 as fee_nano,
        signed_steps,
        true as is_carried
    from intermediate.int_carried_positions
    where signed_steps <> 0
),

executions as (
    select * from executed
    union all
    select * from carried
),

running as (
    select
        *,
        sum(signed_steps) over (
            partition by session, run, strategy_id, instrument_id order by seq, ord
        ) - signed_steps as before_steps
    from executions
),

sized as (
    select
        *,
        case
            when sign(before_steps) * sign(signed_steps) = -1
                then least(abs(before_steps), abs(signed_steps))
            else 0
        end as closing_steps
    from running
),

charged as (
    select
        *,
        fee_nano * closing_steps::hugeint // quantity_steps as closing_fee_nano
    from sized
),

legs as (
    select *, 1 as leg, true as is_closing, closing_steps as leg_steps, closing_fee_nano as leg_fee_nano
    from charged
    where closing_steps > 0
    union all
    select *, 2, false, quantity_steps - closing_steps, fee_nano - closing_fee_nano
    from charged
    where quantity_steps > closing_steps
),

numbered as (
    select
        *,
        sum(
            case when not is_closing and before_steps + sign(signed_steps) * closing_steps = 0 then 1 else 0 end
        ) over (
            partition by session, run, strategy_id, instrument_id order by seq, ord, leg
        )::bigint as trade_number
    from legs
),

identified as (
    select
        *,
        dense_rank() over (order by session, run, strategy_id, instrument_id, trade_number) as trade_id
    from numbered
)

select * from identified
