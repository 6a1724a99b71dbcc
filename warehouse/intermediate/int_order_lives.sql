-- grain: one row per order of a log, from its first state to its last
-- decided_*: where what made it stands: a wish, the fill that an entry's stop and target go with, an operator's request
-- *_ns: by our clock, UTC nanoseconds; acknowledged: the venue or the broker accepted it
with states as (
    select * from staging.stg_order_states
),

lives as (
    select
        session,
        run,
        strategy_id,
        order_id,
        first(instrument_id order by seq, ord) as instrument_id,
        first(side order by seq, ord) as side,
        first(order_type order by seq, ord) as order_type,
        first(time_in_force order by seq, ord) as time_in_force,
        first(flags order by seq, ord) as flags,
        first(tag order by seq, ord) as tag,
        nullif(first(parent_order_id order by seq, ord), 0) as parent_order_id,
        nullif(first(replaces_order_id order by seq, ord), 0) as replaces_order_id,
        first(quantity_steps order by seq, ord) as quantity_steps,
        max(filled_steps) as filled_steps,
        last(limit_nano order by seq, ord) as limit_nano,
        last(trigger_nano order by seq, ord) filter (trigger_nano is not null) as trigger_nano,
        first(cause_seq order by seq, ord) as risk_seq,
        first(cause_ord order by seq, ord) as risk_ord,
        min(seq) filter (state = 'submitted') as sent_seq,
        min(ts_recv_ns) filter (state = 'submitted') as sent_at_ns,
        min(seq) filter (state = 'accepted') as acknowledged_seq,
        min(ts_recv_ns) filter (state = 'accepted') as acknowledged_at_ns,
        min(ts_recv_ns) filter (state in ('partially_filled', 'filled')) as filled_from_ns,
        last(state order by seq, ord) as state,
        last(reason order by seq, ord) filter (reason <> 'none') as reason,
        max(ts_recv_ns) as ended_at_ns
    from states
    group by all
),

decisions as (
    select
        session,
        run,
        seq,
        ord,
        cause_seq as decided_seq,
        cause_ord as decided_ord,
        ts_recv_ns as decided_at_ns
    from staging.stg_risk_decisions
),

joined as (
    select
        lives.* exclude (risk_seq, risk_ord, ended_at_ns),
        case
            when lives.state in ('refused', 'filled', 'cancelled', 'rejected', 'expired', 'replaced')
                then lives.ended_at_ns
        end as ended_at_ns,
        decisions.decided_seq,
        decisions.decided_ord,
        decisions.decided_at_ns
    from lives
    left join decisions
        on lives.session = decisions.session
        and lives.run is not distinct from decisions.run
        and lives.risk_seq = decisions.seq
        and lives.risk_ord = decisions.ord
)

select * from joined
