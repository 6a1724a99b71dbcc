"""Examples: statements to begin with, each of which a test runs."""

from typing import Final, NamedTuple


class Example(NamedTuple):
    """One statement, and what it tells."""

    title: str
    sql: str


EXAMPLES: Final = (
    Example(
        "Closed trades, the latest first",
        """select opened_at, strategy, symbol, side, quantity, entry_price, exit_price, profit, r_multiple, exit_kind
from trades
where is_closed
order by opened_at desc""",
    ),
    Example(
        "Profit by day and strategy",
        """select day, strategy, currency, count_trades, profit, profit_so_far
from daily_pnl
order by day, strategy""",
    ),
    Example(
        "What each setup brought in",
        """select setup, count(*) as trades, avg(r_multiple) as mean_r, sum(profit) as profit,
    avg((profit > 0)::integer) as win_rate
from trades
where is_closed
group by setup
order by profit desc""",
    ),
    Example(
        "Slippage by hour of New York's clock",
        """select exchange_minute('shares', ts_event_ns) // 60 as hour, count(*) as executions,
    median(slippage_bps) as slippage_bps, median(seconds_to_fill) as seconds_to_fill
from execution_quality
group by hour
order by hour""",
    ),
    Example(
        "Which gates and rules refused",
        """select strategy, symbol, refused_by, count(*) as times
from intents
where refused_by is not null
group by all
order by times desc""",
    ),
    Example(
        "Candles of five minutes, made of prints",
        """select symbol, time_bucket(interval 5 minutes, ts_event::timestamp) as starts_at, first(price order by seq) as open,
    max(price) as high, min(price) as low, last(price order by seq) as close, sum(size) as volume
from prints
group by all
order by symbol, starts_at""",
    ),
    Example(
        "Spread of each symbol, as it was quoted",
        """select symbol, count(*) as quotes, median(ask - bid) as spread, max(ask - bid) as widest
from quotes
where ask > bid
group by symbol
order by spread desc""",
    ),
    Example(
        "The worst moment of each trade, and what came of it",
        """select opened_at, symbol, mae, mfe, profit, r_multiple
from trades
where is_closed
order by mae
limit 50""",
    ),
    Example(
        "How the account went, minute by minute",
        """select ends_at, cash, profit, drawdown, count_held
from equity
order by ends_at""",
    ),
    Example(
        "How well each feed was heard",
        """select session, feed, coverage, count_gaps, gap_seconds, mute_seconds, delay_median, delay_p99
from feed_health
order by session, feed""",
    ),
    Example(
        "What a scanner saw that was not traded",
        """select *
from missed_moves
limit 100""",
    ),
    Example(
        "Profit without the three best trades",
        """with ranked as (
    select profit, row_number() over (order by profit desc) as place
    from trades
    where is_closed
)
select count(*) as trades, sum(profit) as profit, sum(profit) filter (where place > 3) as without_the_best
from ranked""",
    ),
)
