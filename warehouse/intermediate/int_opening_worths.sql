-- grain: one row per log whose account did not begin with the cash of its settings: it goes on from another, or a broker told
-- worth: its cash then, with what it held at the average price that came with it; quote currencies added up as they are
with logs as (
    select session, run from log.manifests
),

accounts as (
    select session, run, (text ->> '$.cash')::double as cash
    from staging.stg_session_events
    where action = 'state' and key = 'account'
),

told as (
    select session, first(cash order by seq) as cash
    from staging.stg_account_events
    where action = 'opening_cash' and cash is not null
    group by all
),

held as (
    select
        positions.session,
        positions.run,
        sum(worth(
            positions.average_price,
            positions.signed_steps,
            instruments.size_step_nano,
            instruments.multiplier_nano
        )) as worth
    from intermediate.int_carried_positions as positions
    inner join intermediate.int_instruments as instruments using (session, instrument_id)
    where positions.signed_steps <> 0
    group by all
),

joined as (
    select
        logs.session,
        logs.run,
        coalesce(told.cash, accounts.cash) + coalesce(held.worth, 0) as worth
    from logs
    left join accounts
        on logs.session = accounts.session
        and coalesce(accounts.run = logs.run, accounts.run is null)
    left join told
        on logs.session = told.session
    left join held
        on logs.session = held.session
        and logs.run is not distinct from held.run
)

select * from joined
where worth is not null
