-- grain: one row per part of a fill that opens, adds to, reduces or closes a position;
-- a fill that turns a position around has two parts
-- leg_fee_nano: the fill's fee by size, whole nanos, both parts together exactly the fee
-- signed_steps, before_steps: signed, in steps of the instrument's size_step_nano
with executions as (
    select
        *,
        case side when 'buy' then 1 else -1 end * quantity_steps as signed_steps
    from staging.stg_fills
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
        ) as trade_number
    from legs
)

select * from numbered
