"""The answers over a generated day and a run of it: what must hold whatever was traded."""

import pytest

from pipeline.log.store import Store
from warehouse import connect
from warehouse.views import marts


@pytest.fixture(scope="module")
def day(generated):
    return connect(generated)


@pytest.mark.parametrize("name", [view.name for view in marts()])
def test_every_answer_is_there_over_a_generated_day(day, name):
    day.sql(f"select * from {name}").fetchall()


def test_both_logs_traded_and_their_trades_have_all_there_is_to_know(day):
    found = day.sql(
        """
        select run is null, count(*) > 3, bool_and(risk is null), count(scan) > 0, bool_and(setup is not null),
            bool_and(phase_path is not null), bool_and(slippage is not null), bool_and(decision_seq <= entry_seq)
        from trades group by all order by all
        """
    ).fetchall()
    assert [row[0] for row in found] == [False, True]
    assert all(all(row[1:]) for row in found)


OFFENDERS = {
    "a trade was never more ahead than at its best nor more behind than at its worst": """
        from trades where is_closed
            and (gross_profit > mfe + 1e-6 and count_fills = 2 or gross_profit < mae - 1e-6 and count_fills = 2)
    """,
    "an excursion is no less than nothing": "from trades where mfe < 0 or mae > 0",
    "days add up to the trades": """
        from (select sum(profit_nano) as one from trades where is_closed),
            (select sum(profit_nano) as other from daily_pnl)
        where one <> other
    """,
    "the last minute has what was realized": """
        from (select session, run, last(realized order by ends_at) as one from equity group by all) as minutes
        join (
            select session, run, sum(realized) as other
            from (
                select session, run, strategy, symbol, last(realized order by seq, ord) as realized
                from positions group by all
            ) group by all
        ) as ends on minutes.session = ends.session and minutes.run is not distinct from ends.run
        where abs(one - other) > 1e-6
    """,
    "an execution comes behind its acknowledgement, and that behind its sending": """
        from latency where seconds_to_send < 0 or seconds_to_acknowledge < 0 or seconds_to_fill < seconds_to_acknowledge
    """,
    "who was traded in was not missed": """
        from missed_moves join trades using (session, instrument_id)
        where missed_moves.run is not distinct from trades.run and trades.entry_seq >= missed_moves.picked_seq
    """,
    "coverage is a share": "from feed_health where coverage not between 0 and 1 or gap_seconds <> 12",
}


@pytest.mark.parametrize("name", OFFENDERS)
def test_no_row_breaks_what_must_hold(day, name):
    assert day.sql(f"select * {OFFENDERS[name]}").fetchall() == []


def test_each_log_alone_has_the_same_trades(generated):
    """A run is worked out with its session, and together with others, to the same rows."""
    (run,) = Store(generated).runs()
    query = "select * exclude (scan), scan::varchar from trades order by strategy, symbol, trade_number"
    both = connect(generated).sql(f"select * from ({query}) where run is not null").fetchall()
    assert connect(generated, [run.id]).sql(query).fetchall() == both
