-- grain: one row per round trip of a strategy in an instrument: from flat to flat, or still open
-- entry_*, exit_*: of the fills that open and of those that close; *_value: sum of price_nano x steps
-- until_seq: the place of its last fill, null while it is open
with legs as (
    select * from intermediate.int_fill_legs
),

grouped as (
    select
        session,
        run,
        strategy_id,
        instrument_id,
        trade_number,
        trade_id,
        first(side order by seq, ord, leg) as side,
        min(seq) filter (not is_closing) as entry_seq,
        first(ord order by seq, ord, leg) as entry_ord,
        max(seq) filter (is_closing) as exit_seq,
        last(ord order by seq, ord, leg) filter (is_closing) as exit_ord,
        min(ts_event) as opened_at,
        min(ts_event_ns) as opened_at_ns,
        max(ts_event) filter (is_closing) as last_exit_at,
        max(ts_event_ns) filter (is_closing) as last_exit_at_ns,
        (sum(leg_steps) filter (not is_closing))::bigint as entry_steps,
        coalesce(sum(leg_steps) filter (is_closing), 0)::bigint as exit_steps,
        (max(
            leg_steps + case when sign(before_steps) = sign(signed_steps) then abs(before_steps) else 0 end
        ) filter (not is_closing))::bigint as steps_max,
        sum(price_nano::hugeint * leg_steps) filter (not is_closing) as entry_value,
        sum(price_nano::hugeint * leg_steps) filter (is_closing) as exit_value,
        min(price_nano) filter (is_closing) as exit_lowest_nano,
        max(price_nano) filter (is_closing) as exit_highest_nano,
        sum(leg_fee_nano)::bigint as fees_nano,
        count(distinct fill_id) as count_fills,
        bool_or(is_carried) as is_carried,
        first(order_id order by seq, ord, leg) as entry_order_id,
        last(order_id order by seq, ord, leg) filter (is_closing) as exit_order_id,
        first(tag order by seq, ord, leg)::bigint as tag
    from legs
    group by all
),

ended as (
    select
        *,
        entry_steps = exit_steps as is_closed,
        case when entry_steps = exit_steps then exit_seq end as until_seq
    from grouped
)

select * from ended
