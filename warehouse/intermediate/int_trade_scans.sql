-- grain: one row per round trip in an instrument that a scanner had evaluated when it was decided
-- scan: the values of its latest evaluation until then, by the names of the fields, each in the field's unit
with trades as (
    select
        trades.trade_id,
        trades.session,
        trades.run,
        trades.instrument_id,
        coalesce(reasons.decision_seq, trades.entry_seq) as seq
    from intermediate.int_trades as trades
    left join intermediate.int_trade_reasons as reasons using (trade_id)
),

shown as (
    select session, run, scanner, scanner_id, evaluation, instrument_id, seq, rank, field, any_value(value) as value
    from candidates
    where field is not null and instrument_id > 0
    group by all
),

evaluations as (
    select
        session,
        run,
        scanner,
        scanner_id,
        evaluation,
        instrument_id,
        seq,
        max(rank) as rank,
        map_from_entries(list((field, value) order by field)) as scan
    from shown
    group by all
),

latest as (
    select distinct on (trades.trade_id)
        trades.trade_id,
        evaluations.scanner,
        nullif(evaluations.rank, 0)::bigint as scan_rank,
        evaluations.scan
    from trades
    inner join evaluations
        on trades.session = evaluations.session
        and trades.run is not distinct from evaluations.run
        and trades.instrument_id = evaluations.instrument_id
        and trades.seq >= evaluations.seq
    order by evaluations.seq desc, evaluations.scanner_id
)

select * from latest
