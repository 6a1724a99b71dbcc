-- grain: one row per instrument that came into a scanner's list, or that a log without scanners held, and in which no trade was opened from then on
-- kept: per log
-- picked_at: when it first came into the list, of a log without scanners its first quote, UTC; day: its trading day
-- picked_price: the offer then; best_price: the highest bid from then on; best_at: when; quote currency
-- move_percent: what buying at the one and selling at the other made, in percent; seconds_to_best: s
-- last_gate, last_value, last_threshold: the strategy's gate that refused last until best_at; count_gated: changes of gates until then
-- refused_by: the risk rule that refused a wish last until best_at; count_refused: wishes refused until then
-- strategy: whose gate it was; null where no strategy said a word
-- picked_seq, best_seq: the places of both moments
with instruments as (
    select * from intermediate.int_instruments
),

logs as (
    select session, run from log.manifests
),

scanned as (
    select distinct session, run from log.scanners
),

added as (
    select session, run, instrument_id, scanner, min(seq) as picked_seq, min(rank) as rank
    from universe_changes
    where action = 'added' and instrument_id > 0
    group by all
),

held as (
    select
        logs.session,
        logs.run,
        instruments.instrument_id,
        null::varchar as scanner,
        0 as picked_seq,
        null::integer as rank
    from logs
    inner join instruments using (session)
    left join scanned
        on logs.session = scanned.session
        and logs.run is not distinct from scanned.run
    where scanned.session is null
),

listed as (
    select * from added
    union all
    select * from held
),

opened as (
    select session, run, instrument_id, max(entry_seq) as entry_seq
    from intermediate.int_trades
    group by all
),

missed as (
    select listed.*
    from listed
    left join opened
        on listed.session = opened.session
        and listed.run is not distinct from opened.run
        and listed.instrument_id = opened.instrument_id
        and opened.entry_seq >= listed.picked_seq
    where opened.entry_seq is null
),

quotes as (
    select session, instrument_id, seq, ts_recv_ns, bid, ask
    from staging.stg_quotes
    where origin = 'input'
        and bid_nano <= ask_nano
        and (session, instrument_id) in (select (session, instrument_id) from missed)
),

moved as (
    select
        missed.session,
        missed.run,
        missed.instrument_id,
        missed.scanner,
        missed.rank,
        missed.picked_seq,
        min(quotes.ts_recv_ns) as picked_at_ns,
        arg_min(quotes.ask, quotes.seq) as picked_price,
        max(quotes.bid) as best_price,
        arg_max(quotes.ts_recv_ns, quotes.bid) as best_at_ns,
        arg_max(quotes.seq, quotes.bid) as best_seq
    from missed
    inner join quotes
        on missed.session = quotes.session
        and missed.instrument_id = quotes.instrument_id
        and quotes.seq >= missed.picked_seq
    group by all
),

refusals as (
    select
        moved.session,
        moved.run,
        moved.instrument_id,
        moved.scanner,
        arg_max(intents.strategy, (intents.seq, intents.ord)) filter (intents.gate is not null) as strategy,
        arg_max(intents.gate, (intents.seq, intents.ord)) filter (intents.gate is not null) as last_gate,
        arg_max(intents.gate_value, (intents.seq, intents.ord)) filter (intents.gate is not null) as last_value,
        arg_max(intents.gate_threshold, (intents.seq, intents.ord)) filter (intents.gate is not null) as last_threshold,
        count(*) filter (intents.gate is not null) as count_gated,
        arg_max(intents.risk_rule, (intents.seq, intents.ord)) filter (intents.risk_verdict = 'refused') as refused_by,
        count(*) filter (intents.risk_verdict = 'refused') as count_refused
    from moved
    inner join intents
        on moved.session = intents.session
        and moved.run is not distinct from intents.run
        and moved.instrument_id = intents.instrument_id
        and intents.seq between moved.picked_seq and moved.best_seq
    group by all
),

joined as (
    select
        moved.session,
        moved.run,
        instruments.symbol,
        instruments.venue,
        moved.scanner,
        moved.rank,
        trading_day(instruments.hours, moved.picked_at_ns) as day,
        moment(moved.picked_at_ns) as picked_at,
        moved.picked_price,
        moved.best_price,
        (moved.best_price / moved.picked_price - 1) * 100 as move_percent,
        moment(moved.best_at_ns) as best_at,
        (moved.best_at_ns - moved.picked_at_ns) / 1e9 as seconds_to_best,
        refusals.strategy,
        refusals.last_gate,
        refusals.last_value,
        refusals.last_threshold,
        coalesce(refusals.count_gated, 0) as count_gated,
        refusals.refused_by,
        coalesce(refusals.count_refused, 0) as count_refused,
        moved.picked_seq,
        moved.best_seq,
        moved.instrument_id
    from moved
    inner join instruments
        on moved.session = instruments.session
        and moved.instrument_id = instruments.instrument_id
    left join refusals
        on moved.session = refusals.session
        and moved.run is not distinct from refusals.run
        and moved.instrument_id = refusals.instrument_id
        and moved.scanner is not distinct from refusals.scanner
)

select * from joined
order by session, run, move_percent desc, symbol
