-- grain: one row per remark of a person and round trip that it is about
-- a remark that names a place is about the trade whose wish or execution stands there; one that names none, made while the
-- session was recorded, about the trades of the session that were open then
-- strategy, symbol, venue, trade_number, entry_seq, entry_ord: of the row of trades; noted_at: when the remark was made
with remarks as (
    select session, run, noted_at, nullif(about_seq, 0) as about_seq, about_ord, tag, text
    from notes
),

ended as (
    select session, case when last_ts_ns > 0 then last_ts_ns else 9223372036854775806 end as until_ns
    from log.manifests
    where run is null
),

round_trips as (
    select
        trades.*,
        coalesce(trades.closed_at, make_timestamp_ns(ended.until_ns)) as until_at
    from trades
    inner join ended using (session)
),

places as (
    select session, run, strategy_id, instrument_id, trade_number, decision_seq as seq, decision_ord as ord
    from round_trips
    where decision_seq is not null
    union
    select session, run, strategy_id, instrument_id, trade_number, seq, ord
    from intermediate.int_fill_legs
    where not is_carried
),

said as (
    select
        places.session,
        places.run,
        places.strategy_id,
        places.instrument_id,
        places.trade_number,
        remarks.* exclude (session, run)
    from remarks
    inner join places
        on remarks.session = places.session
        and remarks.run is not distinct from places.run
        and remarks.about_seq = places.seq
        and remarks.about_ord = places.ord
    union all
    select
        round_trips.session,
        round_trips.run,
        round_trips.strategy_id,
        round_trips.instrument_id,
        round_trips.trade_number,
        remarks.* exclude (session, run)
    from remarks
    inner join round_trips
        on remarks.session = round_trips.session
        and remarks.noted_at between round_trips.opened_at and round_trips.until_at
    where remarks.about_seq is null
        and remarks.run is null
        and round_trips.run is null
),

joined as (
    select
        said.session,
        said.run,
        round_trips.strategy,
        round_trips.symbol,
        round_trips.venue,
        said.trade_number,
        round_trips.day,
        said.noted_at,
        said.tag,
        said.text,
        said.about_seq,
        said.about_ord,
        round_trips.entry_seq,
        round_trips.entry_ord
    from said
    inner join round_trips
        on said.session = round_trips.session
        and said.run is not distinct from round_trips.run
        and said.strategy_id = round_trips.strategy_id
        and said.instrument_id = round_trips.instrument_id
        and said.trade_number = round_trips.trade_number
)

select * from joined
order by session, run, entry_seq, entry_ord, noted_at, text
