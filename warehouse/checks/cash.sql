-- grain: one row per fill after which the cash is not what it was before, less what was paid and with what was received
-- recomputed: exact, DECIMAL from the integers of the fills since the log's first one, or since cash was stated; quote currency
-- cash: as the engine kept it, in float64, which is allowed a millionth, and a billionth of what was traded
with paid as (
    select
        fills.session,
        fills.run,
        fills.seq,
        fills.ord,
        worth_nano(
            sign_of(fills.side) * fills.price_nano::hugeint * fills.quantity_steps,
            instruments.size_step_nano,
            instruments.multiplier_nano
        )::decimal(38, 9) + fills.fee_nano as paid_nano
    from staging.stg_fills as fills
    inner join intermediate.int_instruments as instruments using (session, instrument_id)
),

statements as (
    select session, seq
    from staging.stg_account_events
    where action = 'opening_cash'
),

kept as (
    select
        positions.session,
        positions.run,
        positions.cause_seq as seq,
        positions.cause_ord as ord,
        positions.cash,
        count(statements.seq) as count_statements
    from staging.stg_positions as positions
    left join statements
        on positions.session = statements.session
        and positions.seq > statements.seq
    group by all
),

running as (
    select
        kept.*,
        paid.paid_nano,
        sum(paid.paid_nano) over since as paid_since_nano,
        sum(abs(paid.paid_nano)) over since as moved_nano,
        first(kept.cash) over since as cash_first,
        first(paid.paid_nano) over since as paid_first_nano
    from kept
    inner join paid
        on kept.session = paid.session
        and kept.run is not distinct from paid.run
        and kept.seq = paid.seq
        and kept.ord = paid.ord
    window since as (
        partition by kept.session, kept.run, kept.count_statements
        order by kept.seq, kept.ord
        rows between unbounded preceding and current row
    )
),

recomputed as (
    select
        session,
        run,
        seq,
        ord,
        cash,
        cash_first::decimal(38, 9) - (paid_since_nano - paid_first_nano)::decimal(38, 9) * 0.000000001::decimal(9, 9)
            as recomputed,
        moved_nano::double / 1e9 as moved
    from running
)

select session, run, seq, ord, cash, recomputed::decimal(38, 9) as recomputed
from recomputed
where abs(cash - recomputed::double) > 1e-6 + 1e-9 * moved
order by session, run, seq, ord
