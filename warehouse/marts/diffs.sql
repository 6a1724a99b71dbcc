-- grain: one row per wish that two logs of a session do not share: added, removed, moved, resized or judged
-- a, b: the two logs, a run or the session itself; name both: where a = '...' and b = '...'
-- change: added (only b has it), removed (only a has it), moved (at another seq), resized (same seq, other size, price or terms), judged (the same wish, another outcome or verdict of the risk gate)
-- seq_*, ord_*, ts_event_*: its place and time in each
-- quantity_*: shares, contracts or coins; limit_price_*: quote currency
-- terms_*: all that an order would be made of; judgement_*: what became of it, and what the risk gate said
with logs as (
    select distinct
        session,
        coalesce(run, session) as log
    from log.manifests
),

pairs as (
    select
        one.log as a,
        other.log as b
    from logs as one
    inner join logs as other
        on one.session = other.session
        and one.log <> other.log
),

wishes as (
    select
        coalesce(run, session) as log,
        session,
        coalesce(strategy, '') as strategy,
        instrument_id,
        symbol,
        action,
        side,
        seq,
        ord,
        row_number() over (
            partition by session, run, strategy, instrument_id, action, side, seq order by ord
        ) as nth,
        ts_event,
        quantity,
        limit_price,
        {
            'quantity': quantity_steps,
            'order_type': order_type,
            'time_in_force': time_in_force,
            'flags': flags,
            'limit': limit_nano,
            'trigger': trigger_nano,
            'stop_loss': stop_loss_nano,
            'take_profit': take_profit_nano,
            'trail': trail_nano
        } as terms,
        { 'outcome': outcome, 'verdict': risk_verdict, 'rule': risk_rule } as judgement
    from intents
    where action <> 'none'
),

sided as (
    select pairs.a, pairs.b, 'a' as log_side, wishes.*
    from pairs
    inner join wishes on pairs.a = wishes.log
    union all
    select pairs.a, pairs.b, 'b' as log_side, wishes.*
    from pairs
    inner join wishes on pairs.b = wishes.log
),

-- both logs have the nth such wish of this input
placed as (
    select
        *,
        count(*) over (
            partition by a, b, strategy, instrument_id, action, side, seq, nth
        ) = 2 as is_placed
    from sided
),

-- how many shared places lie before it: the same number on both sides of a pair
anchored as (
    select
        *,
        count(*) filter (is_placed) over (
            partition by a, b, log_side, strategy, instrument_id, action, side
            order by seq, nth
            rows between unbounded preceding and 1 preceding
        ) as anchor
    from placed
),

-- between two shared places, the first that is left of one side goes with the first of the other
slotted as (
    select
        *,
        row_number() over (
            partition by a, b, log_side, strategy, instrument_id, action, side, anchor, is_placed order by seq, nth
        ) as slot
    from anchored
),

matched as (
    select
        coalesce(was.a, now.a) as a,
        coalesce(was.b, now.b) as b,
        coalesce(was.session, now.session) as session,
        coalesce(was.strategy, now.strategy) as strategy,
        coalesce(was.symbol, now.symbol) as symbol,
        coalesce(was.action, now.action) as action,
        coalesce(was.side, now.side) as side,
        case
            when was.seq is null then 'added'
            when now.seq is null then 'removed'
            when was.seq <> now.seq then 'moved'
            when was.terms is distinct from now.terms then 'resized'
            when was.judgement is distinct from now.judgement then 'judged'
        end as change,
        was.seq as seq_a,
        now.seq as seq_b,
        was.ord as ord_a,
        now.ord as ord_b,
        was.ts_event as ts_event_a,
        now.ts_event as ts_event_b,
        was.quantity as quantity_a,
        now.quantity as quantity_b,
        was.limit_price as limit_price_a,
        now.limit_price as limit_price_b,
        was.terms as terms_a,
        now.terms as terms_b,
        was.judgement as judgement_a,
        now.judgement as judgement_b
    from (select * from slotted where log_side = 'a') as was
    full outer join (select * from slotted where log_side = 'b') as now
        using (a, b, strategy, instrument_id, action, side, anchor, is_placed, slot)
)

select *
from matched
where change is not null
order by a, b, coalesce(seq_a, seq_b), coalesce(ord_a, ord_b), change
