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

-- rows of a view with their instrument's names; size_step_nano is for quantity()
create macro with_symbol(view) as table
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        instruments.symbol,
        instruments.venue,
        instruments.size_step_nano,
        events.* exclude (session, run, seq, ord, ts_event)
    from query_table(view) as events
    left join intermediate.int_instruments as instruments using (session, instrument_id);

-- the same with their strategy's name in front; words are its names for its codes
create macro with_strategy(view) as table
    select
        events.session,
        events.run,
        events.seq,
        events.ord,
        events.ts_event,
        strategies.strategy,
        instruments.symbol,
        instruments.venue,
        instruments.size_step_nano,
        strategies.words,
        events.* exclude (session, run, seq, ord, ts_event)
    from query_table(view) as events
    left join intermediate.int_instruments as instruments using (session, instrument_id)
    left join log.strategies as strategies
        on events.session = strategies.session
        and events.run is not distinct from strategies.run
        and events.strategy_id = strategies.strategy_id;
