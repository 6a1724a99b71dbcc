-- grain: one row per log and minute in which something was held or executed, as its last moment was
-- kept: per log
-- ends_at, ends_at_ns: the end of the minute, UTC; day: its UTC day
-- cash: of the account; realized: profit of what this log closed until then, fees not taken off; quote currencies added up as they are
-- what it began with, where it goes on from another: held from its first minute on, its open_profit from the price it came with
-- fees: until then; open_profit: of what is held, at the bid of a long, the offer of a short; 0 where no quote says it
-- profit: realized less fees and with open_profit; peak, drawdown: its highest until then, 0 at the least, and how far it is below
-- count_held: positions held; is_marked: each of them has a quote
with ends as (
    select session, min(ts_recv_ns) // 60000000000 as minute_min, max(ts_recv_ns) // 60000000000 as minute_max
    from staging.stg_quotes
    where origin = 'input'
    group by all
),

changes as (
    select
        session,
        run,
        strategy_id,
        instrument_id,
        seq,
        ord,
        ts_recv_ns // 60000000000 as minute,
        quantity_steps,
        average_price,
        realized,
        fees,
        cash,
        false as is_carried
    from staging.stg_positions
    union all
    select
        carried.session,
        carried.run,
        carried.strategy_id,
        carried.instrument_id,
        carried.seq,
        0,
        greatest(carried.ts_event_ns // 60000000000, ends.minute_min),
        carried.signed_steps,
        carried.average_price,
        carried.realized,
        carried.fees,
        carried.cash,
        true
    from intermediate.int_carried_positions as carried
    left join ends using (session)
),

-- the last state of each position in each minute in which it changed, and until when it stood
states as (
    select
        *,
        lead(minute) over position as until_minute
    from (
        select distinct on (session, run, strategy_id, instrument_id, minute) *
        from changes
        order by seq desc, ord desc
    )
    window position as (partition by session, run, strategy_id, instrument_id order by minute)
),

held as (
    select
        states.session,
        states.run,
        states.strategy_id,
        states.instrument_id,
        states.quantity_steps,
        states.average_price,
        unnest(range(
            states.minute,
            coalesce(states.until_minute, greatest(states.minute, ends.minute_max) + 1)
        )) as minute
    from states
    left join ends using (session)
    where states.quantity_steps <> 0
),

quotes as (
    select
        session,
        instrument_id,
        ts_recv_ns // 60000000000 as minute,
        last(bid order by seq) as bid,
        last(ask order by seq) as ask
    from staging.stg_quotes
    where origin = 'input'
        and coalesce(bid_nano <= ask_nano, true)
        and (session, instrument_id) in (select (session, instrument_id) from changes)
    group by all
),

marked as (
    select
        held.session,
        held.run,
        held.minute,
        worth(
            case when held.quantity_steps > 0 then quotes.bid else quotes.ask end - held.average_price,
            held.quantity_steps,
            instruments.size_step_nano,
            instruments.multiplier_nano
        ) as open_profit
    from held
    asof left join quotes
        on held.session = quotes.session
        and held.instrument_id = quotes.instrument_id
        and held.minute >= quotes.minute
    inner join intermediate.int_instruments as instruments
        on held.session = instruments.session
        and held.instrument_id = instruments.instrument_id
),

minutes as (
    select session, run, minute from marked
    union
    select session, run, minute from changes
),

-- what each change added, so that a running sum is what all positions have come to; what they came with is no change
added as (
    select
        session,
        run,
        minute,
        sum(case when is_carried then 0 else realized - realized_before end) as realized,
        sum(case when is_carried then 0 else fees - fees_before end) as fees,
        last(cash order by seq, ord) as cash
    from (
        select
            *,
            lag(realized, 1, 0) over position as realized_before,
            lag(fees, 1, 0) over position as fees_before
        from changes
        window position as (partition by session, run, strategy_id, instrument_id order by seq, ord)
    )
    group by all
),

open as (
    select
        session,
        run,
        minute,
        coalesce(sum(open_profit), 0) as open_profit,
        count(*) as count_held,
        count(open_profit) = count(*) as is_marked
    from marked
    group by all
),

summed as (
    select
        minutes.session,
        minutes.run,
        minutes.minute,
        last(added.cash ignore nulls) over log as cash,
        coalesce(sum(added.realized) over log, 0) as realized,
        coalesce(sum(added.fees) over log, 0) as fees,
        coalesce(open.open_profit, 0) as open_profit,
        coalesce(open.count_held, 0) as count_held,
        coalesce(open.is_marked, true) as is_marked
    from minutes
    left join added
        on minutes.session = added.session
        and minutes.run is not distinct from added.run
        and minutes.minute = added.minute
    left join open
        on minutes.session = open.session
        and minutes.run is not distinct from open.run
        and minutes.minute = open.minute
    window log as (partition by minutes.session, minutes.run order by minutes.minute)
),

valued as (
    select *, realized - fees + open_profit as profit
    from summed
),

peaked as (
    select
        *,
        greatest(max(profit) over (partition by session, run order by minute), 0) as peak
    from valued
)

select
    session,
    run,
    moment((minute + 1) * 60000000000) as ends_at,
    make_timestamp_ns(minute * 60000000000)::date as day,
    cash,
    realized,
    fees,
    open_profit,
    profit,
    peak,
    peak - profit as drawdown,
    count_held,
    is_marked,
    (minute + 1) * 60000000000 as ends_at_ns
from peaked
order by session, run, minute
