"""The sections of a report over made tables: what they say by hand, and what they say where nothing was recorded."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from made_trades import MONDAY, table_of

from pipeline.log.manifest import Manifest, StrategyEntry
from pipeline.provenance import Mode
from pipeline.reports import report_rows
from pipeline.reports.bands import SPLITS
from pipeline.reports.breakdowns import breakdown
from pipeline.reports.gathering import Gathered
from pipeline.reports.knobs import Iid, Knobs
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Bands, Chance, Outcome, Spread
from pipeline.reports.report_comparison import comparison_section
from pipeline.reports.report_document import Chart, Facts, Line, Table
from pipeline.reports.report_manifest import manifest_section
from pipeline.reports.report_market import execution_section, feed_section, funnel_section
from pipeline.reports.report_material import Material
from pipeline.reports.report_montecarlo import montecarlo_section
from pipeline.reports.report_page import page_of
from pipeline.reports.report_rows import Around, Rows, drawn
from pipeline.reports.report_sections import document_of
from pipeline.reports.report_statistics import breakdown_section, equity_section, thinned
from pipeline.reports.report_text import text_of
from pipeline.reports.report_trades import trades_section
from pipeline.reports.summary import Watched, summary
from pipeline.reports.trades import trades_of
from pipeline.units import DAY_NS

AT = datetime(2024, 1, 1, 10, 0, tzinfo=UTC)


def material_of(profits, *, name="log", around=None, outcome="not asked for", tables=None, settings=None, **columns):
    """Trades of these profits in one log, with other tables of the warehouse beside them."""
    count = len(profits)
    plain = {"symbol": ["ABC"] * count, "strategy": ["s"] * count, "side": ["buy"] * count, "currency": ["USD"] * count}
    priced = {"quantity": [10.0] * count, "entry_price": [5.0] * count, "exit_price": [5.5] * count}
    table = table_of(profits, **{**plain, **priced, **columns})
    trades = trades_of(table)
    first = np.array([MONDAY * DAY_NS])
    watched = Watched(first, first + DAY_NS, np.array([MONDAY]), 1_000.0)
    log = Manifest(
        id=name,
        what="session",
        mode=Mode.LIVE,
        log_id="0" * 32,
        created_ns=1,
        strategies=(StrategyEntry("s", {"fast": len(name)}, "c" * 64),),
        settings=settings or {},
    )
    return Material(
        name=name,
        logs=(log,),
        summary=summary(trades, watched),
        still_open=0,
        breakdowns=tuple(breakdown(trades, by) for by in SPLITS),
        rows=Rows(Gathered(trades, None, 0, frozenset()), {"trades": table, **(tables or {})}, around or {}),
        asked=Asked(knobs=Knobs(order=Iid())),
        outcome=outcome,
    )


def of_kind(section, kind):
    return [part for part in section.parts if isinstance(part, kind)]


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def lines(section):
    return " ".join(part.text for part in of_kind(section, Line))


@pytest.mark.parametrize("profits", [[], [5.0]])
def test_a_log_that_holds_next_to_nothing_has_every_section_and_each_says_so(profits):
    document = document_of(material_of(profits))
    assert len(document.sections) == 12
    assert all(section.parts for section in document.sections)
    text = text_of(document, 80)
    for words in (
        "Funnel: not recorded",
        "No order was executed",
        "Monte Carlo: not asked for",
        "No gap was noted",
        "R: not recorded",
    ):
        assert words in text
    assert "nan" not in text.lower()
    assert "NaN" not in page_of(document).partition('id="plotly"')[0]


def test_a_line_thinned_out_keeps_every_peak():
    values = np.random.default_rng(3).normal(size=50_000).cumsum()
    kept = thinned(values, 400)
    assert len(kept) <= 402
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert values[kept].max() == values.max()
    assert values[kept].min() == values.min()
    assert thinned(values[:400], 400).tolist() == list(range(400))


def test_the_account_goes_on_from_log_to_log_and_not_where_they_overlap():
    ends = pa.array([AT.replace(minute=minute) for minute in range(4)], pa.timestamp("ns"))
    columns = {"ends_at": ends, "profit": [1.0, 2.0, 10.0, 20.0], "run": pa.nulls(4, pa.utf8())}
    columns["open_profit"] = [1.0, 0.5, 5.0, 0.0]
    one_after_the_other = pa.table({**columns, "session": ["a", "a", "b", "b"]})
    chart = of_kind(equity_section(material_of([2.0], tables={"equity": one_after_the_other})), Chart)[0]
    assert [each.name for each in chart.series] == ["with what is open", "as trades close"]
    assert chart.series[0].y == [1_001.0, 1_002.0, 1_012.0, 1_022.0]
    holding = pa.table({"session": ["b"], "run": pa.nulls(1, pa.utf8())})
    tables = {"equity": one_after_the_other, "intermediate.int_carried_positions": holding}
    chart = of_kind(equity_section(material_of([2.0], tables=tables)), Chart)[0]
    assert chart.series[0].y == [1_001.0, 1_002.0, 1_011.5, 1_021.5]  # b's profit holds what was open in a
    mixed = pa.table({**columns, "session": ["a", "b", "a", "b"]})
    section = equity_section(material_of([2.0], tables={"equity": mixed}))
    assert [each.name for each in of_kind(section, Chart)[0].series] == ["as trades close"]
    assert "overlap in time" in lines(section)


def test_a_trade_around_which_nothing_was_recorded_has_no_chart_and_one_that_has_prints_has_theirs():
    connection = duckdb.connect()
    for view, columns in (("quotes", "bid, ask"), ("prints", "price"), ("bars", "close")):
        prices = ", ".join(f"{10.0 + place} as {name}" for place, name in enumerate(columns.split(", ")))
        moments = f"select 'log' as session, null::varchar as run, 'ABC' as symbol, 'X' as venue, {MONDAY * DAY_NS} + 34200000000000 + 1000000000 * range as ts_recv_ns"
        connection.execute(f"create table {view} as {moments}, {prices} from range({30 if view == 'prints' else 0})")
    names = {"session": ["log"] * 2, "venue": ["X"] * 2, "symbol": ["ABC", "NONE"]}
    table = table_of([1.0, 2.0], **names)
    for name in ("opened_at", "closed_at"):
        table = table.append_column(name, table[f"{name}_ns"].cast(pa.timestamp("ns")))
    around = report_rows._around(connection, table)
    assert list(around) == [0]
    assert set(around[0].prices) == {10.0}
    assert report_rows._around(connection, table.slice(1)) == {}


def test_what_is_the_same_of_all_trades_and_what_nobody_knows_is_a_line_and_no_table():
    section = breakdown_section(material_of([1.0, -1.0, 2.0], exit_kind=["stop", "stop", "target"]))
    assert {table.title for table in of_kind(section, Table)} == {"by exit"}
    assert "side (buy)" in lines(section)
    assert "Not recorded of any trade: setup, window, float, volume, gap, spread, nth, halt." in lines(section)


def test_of_very_many_trades_those_that_moved_most_are_shown():
    profits = np.arange(600.0) - 300.0
    places = drawn(table_of(profits))
    assert len(places) == 500
    assert places == sorted(places)
    assert min(abs(profits[place]) for place in places) == 50.0


def test_a_trade_shows_what_its_view_knows_and_its_prices():
    start = MONDAY * DAY_NS
    around = {0: Around(start, start + DAY_NS, [0, 30, 59], [5.0, 5.2, 5.4])}
    section = trades_section(material_of([5.0, -3.0], around=around, r_multiple=[1.0, None], days=[0, 1]))
    (table,) = of_kind(section, Table)
    assert table.title == "opened in UTC, 2024"
    assert "R" in table.columns
    assert "strategy" not in table.columns
    assert texts(table)[0][:2] == ["01-01 09:30:00", "ABC"]
    assert table.drawings[0].entry == (pytest.approx(570 / 1440), 5.0)
    assert table.drawings[1] is None
    assert "Prices around 1 of these trades: not recorded." in lines(section)


def test_costs_are_means_of_executions_by_kind_of_order():
    columns = {
        "side": ["buy", "buy", "sell"],
        "order_type": ["market", "market", "limit"],
        "slippage_bps": [1.0, 3.0, None],
        "arrival_cost_bps": [2.0, 4.0, -6.0],
        "effective_spread_bps": [5.0, None, 5.0],
        "realised_spread_bps": [None, None, None],
        "slippage": [10.0, 20.0, None],
        "fee": [0.5, 0.25, 0.25],
    }
    quality = pa.table(
        {
            name: pa.array(values, None if name in ("side", "order_type") else pa.float64())
            for name, values in columns.items()
        }
    )
    section = execution_section(material_of([1.0], tables={"execution_quality": quality}))
    assert texts(of_kind(section, Table)[0]) == [
        ["limit sell", "1", "-", "-6.00", "5.00", "-", "0.00", "0.25"],
        ["market buy", "2", "2.00", "3.00", "5.00", "-", "30.00", "0.75"],
        ["all", "3", "2.00", "0.00", "5.00", "-", "30.00", "1.00"],
    ]
    assert "How long orders took: not recorded." in lines(section)


def test_without_the_view_of_costs_executions_are_counted():
    fills = pa.table({"side": ["buy", "sell", "sell"], "fee": [1.0, 2.0, 3.0]})
    section = execution_section(material_of([1.0], tables={"fills": fills}))
    assert texts(of_kind(section, Table)[0]) == [["buy", "1", "1.00"], ["sell", "2", "5.00"]]
    assert "not recorded" in lines(section)


def test_a_funnel_is_told_in_the_order_of_its_filters():
    funnel = pa.table(
        {
            "scanner": ["up"] * 4,
            "filter_id": [2, 1, 2, 1],
            "filter": ["price", "gap", "price", "gap"],
            "count_shown": [40, 100, 20, 100],
            "count_left": [4, 40, 0, 20],
        }
    )
    section = funnel_section(material_of([1.0], tables={"funnel": funnel}))
    assert texts(of_kind(section, Table)[0]) == [
        ["up", "gap", "2", "100.0", "30.0", "30.00%", "40"],
        ["up", "price", "2", "30.0", "2.0", "6.67%", "4"],
    ]


def test_health_and_gaps_of_a_feed():
    moments = pa.array([AT, None], pa.timestamp("ns"))
    gaps = pa.table(
        {
            "feed": ["f", "f"],
            "symbol": [None, "ABC"],
            "from_at": moments,
            "to_at": moments,
            "seconds": [90.0, None],
            "text": ["lost", None],
        }
    )
    health = pa.table({"session": ["s"], "feed": ["f"], "coverage": [0.5], "seconds": [3_600.0], "count_rows": [1_234]})
    section = feed_section(material_of([1.0], tables={"gaps": gaps, "feed_health": health}))
    told = {fact.name: fact.value.text for facts in of_kind(section, Facts) for fact in facts.rows}
    assert told == {"covered": "50.00%", "of": "1h", "rows": "1,234"}
    assert texts(of_kind(section, Table)[0]) == [
        ["f", "all of it", "2024-01-01 10:00:00", "1m 30s", "lost"],
        ["f", "ABC", "", "-", ""],
    ]


def test_bands_are_filled_from_the_outermost_to_the_innermost():
    spread = Spread(1.0, 0.5, (-1.0, 0.0, 1.0, 2.0, 3.0), 1.5, 60.0)
    bands = Bands((0.0, 1.0), tuple((0.0, float(place)) for place in range(5)), (0.0, 1.5), 10)
    chance = Chance(0.25, 0.2, 0.3)
    outcome = Outcome(100, 1, 1, spread, spread, spread, spread, None, chance, chance, None, None, bands)
    section = montecarlo_section(material_of([1.5], outcome=outcome))
    (chart,) = of_kind(section, Chart)
    assert [(each.name, each.role) for each in chart.series] == [
        ("5%", "quiet"),
        ("95%", "band"),
        ("25%", "quiet"),
        ("75%", "band"),
        ("50%", "other"),
        ("as traded", "main"),
    ]
    assert chart.series[1].y == (0.0, 4.0)
    (facts,) = of_kind(section, Facts)
    assert next((fact.value.text, fact.beside) for fact in facts.rows) == ("25.00%", "20.00% to 30.00%")
    assert facts.rows[2].value.text == "risk not recorded"


def test_logs_of_one_time_are_compared_by_time_and_others_by_the_number_of_the_trade():
    one, other, later = material_of([10.0, -5.0]), material_of([1.0], name="another"), material_of([2.0], days=[3])
    section = comparison_section([one, other])
    (table,), (chart,) = of_kind(section, Table), of_kind(section, Chart)
    told = {row[0]: row[1:] for row in texts(table)}
    assert table.columns == ("", "log", "another")
    assert told["net profit"] == ["5.00", "1.00"]
    assert told["s.fast"] == ["3", "7"]
    assert chart.across == "UTC"
    assert chart.series[0].y == [0.0, 10.0, 5.0]
    assert of_kind(comparison_section([one, later]), Chart)[0].across == "trades"
    assert document_of(one, [other]).sections[0].title == "Side by side"


def test_settings_are_told_by_their_path_and_notes_as_they_were_written():
    notes = pa.table({"noted_at": pa.array([AT], pa.timestamp("ns")), "tag": ["t"], "text": ["<b>slow</b>"]})
    settings = {"plan": {"settings": {"cash": 5.0, "none": None}}, "symbols": ["A", "B"], "feeds": [{"name": "f"}]}
    section = manifest_section(material_of([1.0], tables={"notes": notes}, settings=settings))
    told = {fact.name: fact.value.text for fact in of_kind(section, Facts)[1].rows}
    assert told == {"s.fast": "3", "plan.settings.cash": "5.0", "symbols": "A, B", "feeds.1.name": "f"}
    assert texts(of_kind(section, Table)[0]) == [["2024-01-01 10:00:00", "t", "<b>slow</b>"]]
