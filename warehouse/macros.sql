-- the one place where units are converted and names are joined; every view calls these

-- an absent integer as null
create macro present(number) as
    nullif(number, -9223372036854775808);

create macro dollars(nano) as
    case when nano = -9223372036854775808 then null else nano / 1e9 end;

create macro moment(ns) as
    case when ns = -9223372036854775808 then null else make_timestamp_ns(ns) end;

-- steps of an instrument as shares, contracts or coins
create macro quantity(steps, size_step_nano) as
    case when steps = -9223372036854775808 then null else steps * (size_step_nano / 1e9) end;

-- a sum of price_nano x steps as money, 1e-9 of the quote currency, exact to 1e-18 of that; both factors are nanos of one
create macro worth_nano(price_steps, size_step_nano, multiplier_nano) as
    (price_steps * (size_step_nano::hugeint * multiplier_nano))::decimal(38, 0) * 0.000000000000000001::decimal(18, 18);

-- nanos as the shortest decimal, millions as M
create macro decimal_word(nano) as
    case
        when nano % 1000000000000000 = 0 then (nano // 1000000000000000)::varchar || 'M'
        else rtrim(rtrim((nano::decimal(28, 0) * 0.000000001::decimal(10, 9))::varchar, '0'), '.')
    end;

create macro duration_word(ns) as
    case
        when ns % 86400000000000 = 0 then (ns // 86400000000000)::varchar || 'd'
        when ns % 3600000000000 = 0 then (ns // 3600000000000)::varchar || 'h'
        when ns % 60000000000 = 0 then (ns // 60000000000)::varchar || 'm'
        else decimal_word(ns) || 's'
    end;

-- how long a bar is, as one asks for it: 5s, 65m@session, 500t, 10000v, 1M$, 0.05r
create macro timeframe_word(bar_unit, bar_length, size_step_nano) as
    case replace(bar_unit, 'session_', '')
        when 'time' then duration_word(bar_length)
        when 'ticks' then decimal_word(bar_length::hugeint * 1000000000) || 't'
        when 'volume' then decimal_word(bar_length::hugeint * size_step_nano) || 'v'
        when 'dollars' then decimal_word(bar_length) || '$'
        when 'range' then decimal_word(bar_length) || 'r'
    end || case when starts_with(bar_unit, 'session_') then '@session' else '' end;

create macro known(number) as
    case when isnan(number) then null else number end;

-- a strategy's word for one of its codes; the code itself when the log keeps no words
create macro word(words, code) as
    coalesce(words[code], code::varchar);

-- a message's text with its numbers in place; the bare template when it asks for what SQL can't format
create macro said(template, a, b, c) as
    coalesce(
        try(format(
            replace(replace(replace(template, '{a', '{0'), '{b', '{1'), '{c', '{2'),
            coalesce(a, 'nan'::double), coalesce(b, 'nan'::double), coalesce(c, 'nan'::double)
        )),
        template
    );

-- a fill's or an order's side as a sign
create macro sign_of(side) as
    case side when 'buy' then 1 when 'sell' then -1 end;

-- what a move of the price by 1 is worth in so many steps; quote currency
create macro worth(price, steps, size_step_nano, multiplier_nano) as
    price * steps * (size_step_nano / 1e9) * (multiplier_nano / 1e9);

-- whose hours an instrument keeps, as hours.calendar_of has it: always, shares or futures
create macro hours_of(calendar, asset_class) as
    case
        when calendar = '24/7' then 'always'
        when calendar in ('XNYS', 'XNAS') then 'shares'
        when calendar = 'CMES' then 'futures'
        when asset_class in ('equity', 'etf', 'option') then 'shares'
        when asset_class = 'future' then 'futures'
        else 'always'
    end;

create macro sunday_from(day) as
    day + ((7 - dayofweek(day)) % 7)::integer;

-- what New York's clock is ahead of UTC, by the rules since 1987; nanoseconds
create macro new_york_offset_ns(ts_ns) as
    case
        when
            ts_ns >= epoch_ns((case
                when year(make_timestamp(ts_ns // 1000)) >= 2007
                    then sunday_from(make_date(year(make_timestamp(ts_ns // 1000)), 3, 8))
                else sunday_from(make_date(year(make_timestamp(ts_ns // 1000)), 4, 1))
            end)::timestamp) + 25200000000000
            and ts_ns < epoch_ns((case
                when year(make_timestamp(ts_ns // 1000)) >= 2007
                    then sunday_from(make_date(year(make_timestamp(ts_ns // 1000)), 11, 1))
                else sunday_from(make_date(year(make_timestamp(ts_ns // 1000)), 10, 25))
            end)::timestamp) + 21600000000000
            then -14400000000000
        else -18000000000000
    end;

-- the moment on the wall of the exchange: New York of shares, Chicago of futures, UTC of what never closes; nanoseconds
create macro exchange_ns(hours, ts_ns) as
    case hours
        when 'shares' then ts_ns + new_york_offset_ns(ts_ns)
        when 'futures' then ts_ns + new_york_offset_ns(ts_ns - 3600000000000) - 3600000000000
        else ts_ns
    end;

create macro exchange_minute(hours, ts_ns) as
    exchange_ns(hours, ts_ns) % 86400000000000 // 60000000000;

-- the trading day: New York's of shares, of futures from 18:00 there on the next one's, a UTC day of what never closes
create macro trading_day(hours, ts_ns) as
    date '1970-01-01' + (case hours
        when 'shares' then ts_ns + new_york_offset_ns(ts_ns)
        when 'futures' then ts_ns + new_york_offset_ns(ts_ns) + 21600000000000
        else ts_ns
    end // 86400000000000)::integer;

-- the part of the trading day, as hours.part_at has it
create macro day_part(hours, ts_ns) as
    case
        when hours = 'shares'
            then case
                when exchange_minute(hours, ts_ns) < 240 then 'night'
                when exchange_minute(hours, ts_ns) < 570 then 'premarket'
                when exchange_minute(hours, ts_ns) < 960 then 'regular'
                when exchange_minute(hours, ts_ns) < 1200 then 'after_hours'
                else 'night'
            end
        when hours = 'futures'
            and (ts_ns + new_york_offset_ns(ts_ns)) % 86400000000000 // 3600000000000 = 17 then 'night'
        else 'regular'
    end;

-- rows of a view with their trading day and their instrument's names, by its last definition; size_step_nano is for quantity()
create macro with_symbol(view) as table
    select
        session,
        run,
        seq,
        ord,
        ts_event,
        instrument_symbol as symbol,
        instrument_venue as venue,
        instrument_step_nano as size_step_nano,
        trading_day(instrument_hours, ts_event_ns) as day,
        * exclude (
            session, run, seq, ord, ts_event, instrument_symbol, instrument_venue, instrument_step_nano,
            instrument_hours
        )
    from query_table(view);

-- the same with their strategy's name in front; words are its names for its codes
create macro with_strategy(view) as table
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        strategies.strategy,
        events.instrument_symbol as symbol,
        events.instrument_venue as venue,
        events.instrument_step_nano as size_step_nano,
        strategies.words,
        trading_day(events.instrument_hours, events.ts_event_ns) as day,
        events.* exclude (
            session, run, seq, ord, ts_event, instrument_symbol, instrument_venue, instrument_step_nano,
            instrument_hours
        )
    from query_table(view) as events
    left join log.strategies as strategies
        on events.session = strategies.session
        and events.run is not distinct from strategies.run
        and events.strategy_id = strategies.strategy_id;
