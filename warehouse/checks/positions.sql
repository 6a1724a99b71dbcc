-- grain: one row per position that is not the sum of its fills, and per fill without its position
-- quantity_steps: what the log says; summed_steps: fills, and what was carried over, added up as integers
with summed as (
    select
        session,
        run,
        strategy_id,
        instrument_id,
        seq,
        ord,
        any_value(before_steps + signed_steps) as summed_steps
    from intermediate.int_fill_legs
    where not is_carried
    group by all
),

positions as (
    select session, run, strategy_id, instrument_id, cause_seq as seq, cause_ord as ord, quantity_steps
    from staging.stg_positions
),

joined as (
    select
        coalesce(summed.session, positions.session) as session,
        coalesce(summed.run, positions.run) as run,
        coalesce(summed.strategy_id, positions.strategy_id) as strategy_id,
        coalesce(summed.instrument_id, positions.instrument_id) as instrument_id,
        coalesce(summed.seq, positions.seq) as seq,
        coalesce(summed.ord, positions.ord) as ord,
        positions.quantity_steps,
        summed.summed_steps
    from summed
    full outer join positions
        on summed.session = positions.session
        and summed.run is not distinct from positions.run
        and summed.strategy_id = positions.strategy_id
        and summed.instrument_id = positions.instrument_id
        and summed.seq = positions.seq
        and summed.ord = positions.ord
)

select *
from joined
where quantity_steps is distinct from summed_steps
order by session, run, seq, ord
