-- grain: one row per round trip: what decided it, and the strategy's words for it
-- decision_*: the wish that entered, whose stop, target and risk these are; null where no order is known
-- setup: the strategy's reason for the move it made in the step that wished; null where it made none
-- exit_kind: stop, target, strategy, scanner (it dropped the symbol), operator, stopped (the strategy failed), engine (an entry filled that was wished no longer, or a broker's word); null where no order is known
with trades as (
    select * from intermediate.int_trades
),

orders as (
    select * from intermediate.int_order_markets
),

intents as (
    select session, run, strategy_id, seq, ord, cause_seq, cause_ord, action, stop_loss, take_profit, risk
    from staging.stg_intents
),

requests as (
    select session, seq from staging.stg_requests
),

changes as (
    select session, run, seq, ord, scanner_id from staging.stg_universe_changes
),

stops as (
    select session, run, seq, ord from staging.stg_session_events where action = 'stopped'
),

decided as (
    select
        trades.trade_id,
        trades.session,
        trades.run,
        trades.strategy_id,
        trades.instrument_id,
        trades.entry_seq,
        trades.until_seq,
        entries.decided_seq as decision_seq,
        entries.decided_ord as decision_ord,
        entries.decided_bid as entry_bid,
        entries.decided_ask as entry_ask,
        wishes.cause_seq,
        wishes.cause_ord,
        wishes.stop_loss,
        wishes.take_profit,
        wishes.risk as risk_wished,
        case
            when exits.flags is null then null
            when contains(exits.flags, 'bracket_stop') then 'stop'
            when contains(exits.flags, 'bracket_target') then 'target'
            when leaving.action is null then null
            when leaving.action <> 'flatten' then 'strategy'
            when changes.scanner_id > 0 then 'scanner'
            when changes.seq is not null or requests.seq is not null then 'operator'
            when stops.seq is not null then 'stopped'
            else 'engine'
        end as exit_kind
    from trades
    left join orders as entries
        on trades.session = entries.session
        and trades.run is not distinct from entries.run
        and trades.strategy_id = entries.strategy_id
        and trades.entry_order_id = entries.order_id
    left join intents as wishes
        on entries.session = wishes.session
        and entries.run is not distinct from wishes.run
        and entries.decided_seq = wishes.seq
        and entries.decided_ord = wishes.ord
    left join orders as exits
        on trades.session = exits.session
        and trades.run is not distinct from exits.run
        and trades.strategy_id = exits.strategy_id
        and trades.exit_order_id = exits.order_id
        and trades.is_closed
    left join intents as leaving
        on exits.session = leaving.session
        and exits.run is not distinct from leaving.run
        and exits.decided_seq = leaving.seq
        and exits.decided_ord = leaving.ord
    left join requests
        on leaving.session = requests.session
        and leaving.cause_seq = requests.seq
        and leaving.cause_ord = 0
    left join changes
        on leaving.session = changes.session
        and leaving.run is not distinct from changes.run
        and leaving.cause_seq = changes.seq
        and leaving.cause_ord = changes.ord
    left join stops
        on leaving.session = stops.session
        and leaving.run is not distinct from stops.run
        and leaving.cause_seq = stops.seq
        and leaving.cause_ord = stops.ord
),

moves as (
    select session, run, strategy_id, instrument_id, seq, ord, cause_seq, cause_ord, reason, from_phase, to_phase
    from transitions
),

setups as (
    select
        decided.trade_id,
        first(moves.reason order by moves.ord) as setup
    from decided
    inner join moves
        on decided.session = moves.session
        and decided.run is not distinct from moves.run
        and decided.strategy_id = moves.strategy_id
        and decided.instrument_id = moves.instrument_id
        and decided.decision_seq = moves.seq
        and decided.cause_seq = moves.cause_seq
        and decided.cause_ord = moves.cause_ord
    group by all
),

-- a move belongs to the trade that was decided last
walked as (
    select
        decided.trade_id,
        first(moves.from_phase order by moves.seq, moves.ord)
            || string_agg(' > ' || moves.to_phase, '' order by moves.seq, moves.ord) as phase_path
    from moves
    asof inner join (
        select *, coalesce(decision_seq, entry_seq) as from_seq
        from decided
    ) as decided
        on moves.session = decided.session
        and coalesce(moves.run, '') = coalesce(decided.run, '')
        and moves.strategy_id = decided.strategy_id
        and moves.instrument_id = decided.instrument_id
        and moves.seq >= decided.from_seq
    where decided.until_seq is null or moves.seq <= decided.until_seq or moves.cause_seq = decided.until_seq
    group by all
),

joined as (
    select
        decided.* exclude (
            session, run, strategy_id, instrument_id, entry_seq, until_seq, cause_seq, cause_ord
        ),
        setups.setup,
        walked.phase_path
    from decided
    left join setups using (trade_id)
    left join walked using (trade_id)
)

select * from joined
