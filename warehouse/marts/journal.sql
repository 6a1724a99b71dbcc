-- grain: one row per round trip that is closed, as trading journals and tax forms want it
-- money and prices: quote currency; quantity: shares, contracts or coins; times by the clocks of the exchange: New York's of shares, Chicago's of futures, UTC of what never closes
-- position: long or short; quantity: all that was entered
-- entry_price, exit_price: averages of what was executed
-- setup: the strategy's reason for entering; tag: its own number of it; exit_kind: who closed it, as in trades
-- r_multiple: gain in multiples of what was risked; holding_seconds: s
-- opened_date, opened_time, closed_date, closed_time: by the clock of the exchange, to the second
-- acquired_date, sold_date: when it was bought and when it was sold; of a short position it was sold first
-- cost: what was paid for what was bought, price times quantity times multiplier, all fees on top
-- proceeds: what was received for what was sold; gain: proceeds less cost, fees taken off
-- fees: of both sides; they are in cost
with closed as (
    select
        trades.*,
        instruments.hours,
        make_timestamp_ns(exchange_ns(instruments.hours, trades.opened_at_ns)) as opened_local,
        make_timestamp_ns(exchange_ns(instruments.hours, trades.closed_at_ns)) as closed_local
    from trades
    inner join intermediate.int_instruments as instruments using (session, instrument_id)
    where trades.is_closed
)

select
    symbol,
    venue,
    asset_class,
    case side when 'buy' then 'long' else 'short' end as position,
    quantity,
    strftime(opened_local, '%Y-%m-%d') as opened_date,
    strftime(opened_local, '%H:%M:%S') as opened_time,
    strftime(closed_local, '%Y-%m-%d') as closed_date,
    strftime(closed_local, '%H:%M:%S') as closed_time,
    strftime(case side when 'buy' then opened_local else closed_local end, '%Y-%m-%d') as acquired_date,
    strftime(case side when 'buy' then closed_local else opened_local end, '%Y-%m-%d') as sold_date,
    entry_price,
    exit_price,
    case side when 'buy' then entry_value else exit_value end + fees as cost,
    case side when 'buy' then exit_value else entry_value end as proceeds,
    fees,
    profit as gain,
    currency,
    strategy,
    setup,
    tag,
    exit_kind,
    r_multiple,
    holding_seconds,
    session,
    run
from closed
order by closed_at_ns, symbol
