-- grain: one row per round trip with a fill whose order has a reference price
-- entry_slippage, exit_slippage: quote currency, positive where it cost
with legs as (
    select * from intermediate.int_fill_legs
),

priced as (
    select
        legs.trade_id,
        legs.is_closing,
        worth(
            sign_of(legs.side) * (legs.price_nano / 1e9 - orders.reference_price),
            legs.leg_steps,
            instruments.size_step_nano,
            instruments.multiplier_nano
        ) as slippage
    from legs
    inner join intermediate.int_order_markets as orders
        on legs.session = orders.session
        and legs.run is not distinct from orders.run
        and legs.strategy_id = orders.strategy_id
        and legs.order_id = orders.order_id
    inner join intermediate.int_instruments as instruments
        on legs.session = instruments.session
        and legs.instrument_id = instruments.instrument_id
),

grouped as (
    select
        trade_id,
        sum(slippage) filter (not is_closing) as entry_slippage,
        sum(slippage) filter (is_closing) as exit_slippage
    from priced
    where slippage is not null
    group by all
)

select * from grouped
