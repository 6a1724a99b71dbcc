-- grain: one row per position with which a strategy began a session that goes on with the state of another, flat ones too;
-- that a session holds is every run's, that a run holds (of a backtest that carries positions) is its own
-- signed_steps: signed, in steps of the instrument's size_step_nano; price_nano, average_price: its average price, 1e-9 and exact
-- realized, fees: what it had come to by then; cash: what the account had; quote currency
with states as (
    select
        *,
        str_split(key, '/') as names
    from staging.stg_session_events
    where action = 'state' and starts_with(key, 'position/')
),

accounts as (
    select session, run, (text ->> '$.cash')::double as cash
    from staging.stg_session_events
    where action = 'state' and key = 'account'
),

strategies as (
    select * from log.strategies
),

told as (
    select
        states.session,
        strategies.run,
        states.seq,
        states.ts_event,
        states.ts_event_ns,
        strategies.strategy_id,
        states.names[3]::integer as instrument_id,
        (states.text ->> '$.quantity_steps')::bigint as signed_steps,
        round((states.text ->> '$.average_price')::double * 1e9)::bigint as price_nano,
        (states.text ->> '$.average_price')::double as average_price,
        (states.text ->> '$.realized')::double as realized,
        (states.text ->> '$.fees')::double as fees,
        accounts.cash
    from states
    inner join strategies
        on states.session = strategies.session
        and states.names[2] = strategies.strategy
        and coalesce(states.run = strategies.run, states.run is null)
    left join accounts
        on states.session = accounts.session
        and states.run is not distinct from accounts.run
)

select * from told
