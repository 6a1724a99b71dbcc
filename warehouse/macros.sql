-- the one place where units are converted; every view calls these
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

create macro known(number) as
    case when isnan(number) then null else number end;
