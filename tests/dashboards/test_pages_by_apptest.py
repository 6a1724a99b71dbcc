"""Every page, run by Streamlit's own test harness: over a day, and over a store that has nothing."""

import json
import re
import shutil
from collections import Counter

import pytest
from pages_served import HOSTILE, HOSTILE_SYMBOL, RUN, SESSION
from streamlit.testing.v1 import AppTest

from dashboards import prices
from dashboards.data import HOME
from dashboards.serving import APP
from dashboards.words import plain
from pipeline.log.store import Store
from pipeline.reports.knobs import Iid, Knobs, Lognormal, Misses
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import outcome_of
from pipeline.reports.reading import trips_in
from pipeline.run.generating import record_generated
from pipeline.run.reporting import material_of
from pipeline.run.strategies import plan_of
from pipeline.simulator.generate import Day
from warehouse import connect, named_in

PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))


def opened(app, page, **query):
    """A page with this query in its URL, run once."""
    app.switch_page(f"app_pages/{page}.py")
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert [error.value for error in app.error] == []
    return app


def frames(app):
    """All tables of the page, as lists of rows."""
    return [frame.value.to_dict("records") for frame in app.dataframe]


def markup(app):
    """All that the page shows as Markdown."""
    shown = [*app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.success]
    return "\n".join(str(each.value) for each in shown)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_an_empty_store_says_what_to_do(empty_app, page):
    app = opened(empty_app, page)
    assert "is empty" in app.info[0].value
    assert "tape demo" in app.code[0].value


def test_sessions_shows_what_the_store_holds(app):
    opened(app, "sessions")
    assert "first row, New York" in app.dataframe[0].proto.columns
    listed, health = frames(app)[:2]
    assert [row["id"] for row in listed] == [SESSION, RUN]
    assert listed[0]["count_inputs"] > 5_000
    assert health[0]["feed"] == "generated seed 3"
    assert health[0]["gap_seconds"] == 12.0


def test_what_the_url_names_is_looked_at(app):
    opened(app, "sessions", log=RUN, session_part="Manifest")
    assert app.selectbox[0].value == RUN
    told = {row["what"]: row["is"] for row in frames(app)[1]}
    assert told["over"] == SESSION
    assert "fast=8" in told["strategy ema_cross"]


def test_another_page_looks_at_the_same_log(app):
    opened(app, "sessions", log=RUN)
    app.query_params.clear()  # as a click on another page does
    app.switch_page("app_pages/trades.py").run()
    assert app.selectbox[0].value == RUN
    assert app.query_params["log"] == RUN


def test_a_log_that_is_not_there_is_said(app):
    opened(app, "sessions", log="![x](http://evil.test)")
    assert plain("![x](http://evil.test)") in app.warning[0].value
    assert frames(app)[0][0]["id"] == SESSION


@pytest.mark.parametrize(
    ("page", "name"),
    [("live", "live_step"), ("live", "live_span"), ("trades", "step"), ("replay", "replay_step"), ("replay", "speed")],
)
def test_an_empty_word_in_the_url_chooses_nothing(app, page, name):
    opened(app, page, log=SESSION, **{name: ""})


def test_verify_folds_the_session_again(app):
    opened(app, "sessions")
    app.button[0].click().run()
    assert app.success[0].value.startswith("identical")


def test_the_blotter_is_that_of_the_warehouse(app, home):
    opened(app, "trades")
    expected = connect(home, [SESSION], asked=named_in("trades")).sql("select * from trades where run is null").df()
    blotter = frames(app)[0]
    assert len(blotter) == len(expected) > 20
    assert sum(row["profit"] or 0 for row in blotter) == pytest.approx(expected["profit"].sum())


def test_filters_narrow_the_blotter_and_their_trade_is_looked_at(app):
    opened(app, "trades", log=RUN, symbol="ABCD", came_to="lost")
    assert {row["symbol"] for row in frames(app)[0]} == {"ABCD"}
    assert all(row["profit"] <= 0 for row in frames(app)[0])
    assert frames(app)[1][0]["is"].startswith("ABCD ")


def test_a_trade_has_its_chart_and_its_cause_back_to_a_tick(app):
    opened(app, "trades", trade="1.1.2", step="5 s")
    told = {row["what"]: row["is"] for row in frames(app)[1]}
    assert told["trade"].startswith("ABCD")
    assert any(each.value.startswith("Candles of 5 s from prints") for each in app.caption)
    why = [row["says"].strip() for row in frames(app)[2]]
    assert why[0].startswith("order")
    assert any("ema_cross" in line for line in why)
    assert any(line.startswith("quote") or "bid" in line for line in why)


@pytest.mark.parametrize(("part", "column"), [("Executions", "effective_spread_bps"), ("Tape", "bid")])
def test_what_surrounds_a_trade(app, part, column):
    opened(app, "trades", trade="1.1.2", trade_part=part)
    rows = frames(app)[2]
    assert any(row[column] is not None for row in rows)
    assert part == "Executions" or {"quote", "our buy"} <= {row["what"] for row in rows}


def test_next_goes_to_the_next_trade(app):
    opened(app, "trades")
    first = frames(app)[1]
    button = next(each for each in app.button if each.label == "Next")
    button.click().run()
    assert frames(app)[1] != first
    assert app.query_params["trade"] != ""


def test_what_a_strategy_showed_is_drawn_as_it_stands_in_the_log(app, home, monkeypatch):
    drawn = []
    monkeypatch.setattr(prices, "chart", lambda name, series, **_: drawn.extend(series))
    query = "from indicators where run is null and output = 'range_high'"
    told = connect(home, [SESSION], asked=named_in(query)).sql(query).to_arrow_table().to_pylist()
    _, busiest = dealt_in_most(home)
    places = sorted(
        (row["seq"], row["ord"], row["value"], row["ts_event_ns"]) for row in told if row["symbol"] == busiest
    )
    seq, _, value, ts_event_ns = places[len(places) // 2]
    opened(app, "replay", log=SESSION, at=str(seq), lines="shown")  # of the instrument that was dealt in most often
    high = next(each for each in drawn if each.name == "range_high")
    assert high.pane == 0
    assert high.columns["value"][-1] == value
    assert max(high.columns["time"]) * 10**9 <= ts_event_ns  # nothing of what comes later


def test_a_note_about_a_trade_is_written_and_shown_at_it_alone(home, tmp_path, monkeypatch):
    shutil.copytree(home, tmp_path / "store")
    monkeypatch.setenv(HOME, str(tmp_path / "store"))
    app = AppTest.from_file(str(APP), default_timeout=60)
    opened(app, "trades", trade="1.1.2", trade_part="Notes")
    app.text_input[0].input("late *again*")
    app.text_input[1].input("discipline")
    next(each for each in app.button if each.label == "Write it down").click().run()
    assert not app.exception
    assert [(row["tag"], row["text"]) for row in frames(app)[2]] == [("discipline", "late *again*")]
    other = AppTest.from_file(str(APP), default_timeout=60)
    opened(other, "trades", trade="1.1.3", trade_part="Notes")
    assert len(frames(other)) == 2


def test_a_position_that_is_open_while_it_is_recorded_has_its_chart(writing, home, tmp_path, monkeypatch):
    trades = "from trades where run is null order by entry_seq limit 1"
    (first,) = connect(home, [SESSION], asked=named_in(trades)).sql(trades).to_arrow_table().to_pylist()
    writing.write((first["entry_seq"] + first["exit_seq"]) // 2)
    monkeypatch.setenv(HOME, str(tmp_path / "live"))
    app = AppTest.from_file(str(APP), default_timeout=60)
    opened(app, "trades", came_to="open")
    (drawn,) = charts(app)
    assert max(drawn["series"][0]["time"]) >= first["opened_at_ns"] // 10**9 - 60  # the last candle before it
    opened(app, "replay")
    assert charts(app)


def test_a_store_whose_only_session_is_damaged_is_not_called_empty(home, tmp_path, monkeypatch):
    session = shutil.copytree(home / "sessions" / SESSION, tmp_path / "sessions" / SESSION)
    for name in ("manifest.json", "manifest.copy.json"):
        (session / name).write_text("{}")
    monkeypatch.setenv(HOME, str(tmp_path))
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("app_pages/trades.py").run()
    assert f"{SESSION} can't be read" in app.error[0].value.replace("\\", "")
    assert app.code[0].value == "tape check"


def test_damage_that_is_met_while_rows_are_worked_out_is_said(home, tmp_path, monkeypatch):
    store = shutil.copytree(home, tmp_path / "own", ignore=shutil.ignore_patterns("cache"))
    part = max((store / "sessions" / SESSION).rglob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    monkeypatch.setenv(HOME, str(store))
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["log"] = SESSION
    app.switch_page("app_pages/trades.py").run()
    assert not app.exception
    assert "damaged at byte" in app.error[0].value


def with_damage(home, store, kind):
    """A copy of the store in which the rows of this kind are no longer what they were."""
    shutil.copytree(home, store, ignore=shutil.ignore_patterns("cache"))
    for part in (store / "sessions" / SESSION).rglob("*.parquet"):
        if f"kind={kind}" in str(part):
            content = bytearray(part.read_bytes())
            content[len(content) // 2] ^= 255
            part.write_bytes(content)


@pytest.mark.parametrize("kind", ["quote", "feed", "instrument"])
def test_of_a_damaged_session_it_is_said_what_is_damaged_and_the_rest_is_shown(home, tmp_path, monkeypatch, kind):
    with_damage(home, tmp_path / "own", kind)
    monkeypatch.setenv(HOME, str(tmp_path / "own"))
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("app_pages/sessions.py")
    app.query_params.update(log=SESSION, session_part="Manifest")
    app.run()
    assert not app.exception
    assert [f"kind={kind}/" in error.value.replace("\\", "") for error in app.error] == [True]
    assert "decisions" in {row["what"] for row in frames(app)[-1]}
    next(each for each in app.button if each.label == "Verify").click().run()
    assert not app.exception
    assert app.error[-1].value.startswith("NOT verified")
    app.query_params["session_part"] = "Gaps"
    app.run()
    assert not app.exception


def test_of_a_run_whose_session_is_gone_no_page_says_what_nobody_can_know(home, tmp_path, monkeypatch):
    shutil.copytree(home, tmp_path / "own", ignore=shutil.ignore_patterns("cache"))
    shutil.rmtree(tmp_path / "own" / "sessions" / SESSION)
    monkeypatch.setenv(HOME, str(tmp_path / "own"))
    for page, query in (("sessions", {"session_part": "Gaps"}), ("trades", {}), ("compare", {})):
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page(f"app_pages/{page}.py")
        app.query_params.update(log=RUN, **query)
        app.run()
        assert not app.exception
        said = markup(app).replace("\\", "")
        assert f"{RUN} was made over {SESSION}, which is not in this store any more" in said
        assert not re.search("Nothing was traded|No market row|No gap", said)
        assert not app.code


@pytest.mark.parametrize(
    ("page", "query"), [("trades", {"lines": " "}), ("replay", {"at": "9" * 45}), ("replay", {"at": "999999999"})]
)
def test_nonsense_in_the_url_raises_nothing(app, page, query):
    opened(app, page, log=SESSION, **query)
    assert charts(app)


def test_a_note_is_made_while_it_is_recorded(writing, tmp_path, monkeypatch):
    monkeypatch.setenv(HOME, str(tmp_path / "live"))
    writing.write(9_000)
    app = AppTest.from_file(str(APP), default_timeout=60)
    opened(app, "trades", trade_part="Notes")
    app.text_input[0].input("too early")
    next(each for each in app.button if each.label == "Write it down").click().run()
    assert not app.exception
    assert [row["text"] for row in frames(app)[2]] == ["too early"]


def test_a_log_without_trades_says_how_to_make_some(home, tmp_path, monkeypatch):
    record_generated(Store(tmp_path), Day(quotes=50), plan_of([], [], []), [], created_ns=1)
    monkeypatch.setenv(HOME, str(tmp_path))
    app = AppTest.from_file(str(APP), default_timeout=60)
    opened(app, "trades")
    assert app.code[0].value.startswith("tape replay generated-")


def test_live_follows_what_is_being_recorded(writing, tmp_path, monkeypatch):
    monkeypatch.setenv(HOME, str(tmp_path / "live"))
    app = AppTest.from_file(str(APP), default_timeout=60)
    writing.write(3_000)
    opened(app, "live")
    assert "recording, 3,000 inputs" in markup(app).replace("\\", "")
    feeds, symbols, lines = frames(app)
    assert feeds[0]["name"] == "generated seed 3"
    assert {HOSTILE_SYMBOL, "EVOK"} <= {row["symbol"] for row in symbols}
    before = len(lines)
    writing.write(9_000)
    app.run()
    assert "recording, 9,000 inputs" in markup(app).replace("\\", "")
    feeds, symbols, lines = frames(app)
    assert len(lines) > before
    assert any("ema_cross" in row["phases"] for row in symbols)


def test_live_shows_a_finished_session_as_it_ended(app):
    opened(app, "live")
    assert "ended" in markup(app)
    assert "tape record" in markup(app)


def test_the_scrubber_goes_back_to_what_the_scanner_saw_then(app, home):
    opened(app, "scanner")
    ((last, in_list),) = (
        connect(home, [SESSION], asked=named_in("candidates"))
        .sql(
            "select max(evaluation), list(symbol) filter (verdict = 'picked' and evaluation = 150 and field = 'last') from candidates where run is null"
        )
        .fetchall()
    )
    candidates = frames(app)[0]
    assert {row["symbol"] for row in candidates if row["verdict"] == "picked"} == set(in_list)
    assert f"Evaluation {last} " in markup(app)
    app = AppTest.from_file(str(APP), default_timeout=60)
    opened(app, "scanner", evaluation="3")
    assert "Evaluation 3 " in markup(app)
    assert {row["ts_event"].minute for row in frames(app)[1]} <= {0, 1, 2}
    app.button[0].click().run()
    assert "Evaluation 2 " in markup(app)


def test_why_not_says_value_limit_and_gate(app):
    opened(app, "scanner", log=RUN, instrument="3")
    _, _, filters, strategies = frames(app)
    assert filters[0]["filter"] == "trades_per_s >= 0.02"
    assert filters[0]["threshold"] == 0.02
    assert strategies[0]["says"].startswith("in phase")
    assert any("gate" in row["says"] for row in strategies)


def test_funnel_and_missed_moves(app):
    opened(app, "scanner", scanner_part="Funnel")
    assert frames(app)[2][0]["count_shown"] == 6
    opened(app, "scanner", scanner_part="Missed")
    assert {"CRVQ"} <= {row["symbol"] for row in frames(app)[2]}


def test_performance_says_the_numbers_of_the_report(app, home):
    opened(app, "performance", log=RUN)
    summary = material_of(Store(home), [RUN], paths=0, seed=1).summary
    assert {each.label.replace("\\", ""): each.value for each in app.metric}["trades"] == f"{summary.trades:,}"
    told = {row["name"]: row["value"] for frame in frames(app) for row in frame if "name" in row}
    assert float(told["profit factor"]) == pytest.approx(summary.money["profit_factor"].value, abs=0.01)


@pytest.mark.parametrize("part", ["Equity", "Calendar", "Distributions"])
def test_every_part_of_performance_is_drawn(app, part):
    opened(app, "performance", performance_part=part)
    assert app.dataframe or app.get("echarts_chart") or app.get("bidi_component")


def test_execution_has_every_execution(app, home):
    opened(app, "execution", log=RUN)
    (count,) = (
        connect(home, [RUN], asked=named_in("fills"))
        .sql("select count(*) from fills where run is not null")
        .fetchall()[0]
    )
    costs, _, executions = frames(app)
    assert len(executions) == count > 0
    assert costs[-1]["1"] == f"{count:,}"


def test_turned_knobs_cost_what_the_command_says(app, home):
    opened(app, "montecarlo", slippage="20", misses="30", paths="1000")
    assert "1,000 paths" in markup(app).replace("\\", "")
    assert "lognormal, median 20 bps" in markup(app).replace("\\", "")
    worse = float(frames(app)[1][0]["1"].replace(",", ""))
    trips = trips_in(str(home), [SESSION])
    knobs = Knobs(order=Iid(), slippage=Lognormal(20.0, 1.0), misses=Misses(0.3))
    assert worse == pytest.approx(outcome_of(trips, Asked(knobs=knobs, paths=1_000)).profit.mean, abs=0.01)


def test_two_logs_beside_each_other_and_every_decision_that_differs(app, home):
    opened(app, "compare", other=RUN, compare_part="Decisions")
    effects, diffs = frames(app)
    query = f"select change, count(*) from diffs where a = '{SESSION}' and b = '{RUN}' group by change"
    expected = dict(connect(home, [SESSION], asked=named_in("diffs")).sql(query).fetchall())
    assert dict(Counter(row["change"] for row in diffs)) == expected
    assert effects
    app = AppTest.from_file(str(APP), default_timeout=60)
    opened(app, "compare", other=RUN)
    assert frames(app)[0][0]["0"] == "trades"


def charts(app):
    """What is handed to the charts."""
    return [json.loads(each.proto.json) for each in app.get("bidi_component")]


def dealt_in_most(home):
    """Number and symbol of the instrument with the most executions."""
    query = "select instrument_id, symbol from fills where run is null group by all order by count(*) desc, 1 limit 1"
    return connect(home, [SESSION], asked=named_in(query)).sql(query).fetchall()[0]


@pytest.mark.parametrize("place", [900, 2_500])
def test_replay_shows_nothing_of_the_future(app, home, place):
    instrument, _ = dealt_in_most(home)
    opened(app, "replay", at=str(place), replay_step="1 min")
    connection = connect(home, [SESSION], asked=named_in("prints quotes"))
    query = f"select max(ts_recv_ns), max(ts_event_ns) from (select seq, ts_recv_ns, ts_event_ns from quotes union all select seq, ts_recv_ns, ts_event_ns from prints) where seq <= {place}"
    now_ns, _ = connection.sql(query).fetchall()[0]
    (drawn,) = charts(app)
    candles = drawn["series"][0]
    assert max(time for each in drawn["series"] for time in each["time"]) <= now_ns / 1e9
    assert all(band["to"] <= now_ns / 1e9 + 1e-6 for band in drawn["bands"])
    last = f"select max(price), sum(size) from prints where instrument_id = {instrument} and seq <= {place} and ts_event_ns // 60000000000 = {candles['time'][-1] // 60} and marks = ''"
    high, volume = connection.sql(last).fetchall()[0]
    assert candles["high"][-1] == high
    assert next(each for each in drawn["series"] if each["name"] == "volume")["value"][-1] == volume
    assert all(row["seq"] <= place for row in frames(app)[-1])


def test_replay_steps_to_the_next_decision_and_halt(app, home):
    connection = connect(home, [SESSION], asked=named_in("transitions intents fills statuses"))
    halted = "select instrument_id, symbol from statuses where status = 'paused' group by all order by min(seq) limit 1"
    ((instrument, symbol),) = connection.sql(halted).fetchall()
    opened(app, "replay", at="900", log=SESSION, replay_symbol=symbol)
    query = f"select min(seq) from (select run, seq, instrument_id from transitions union all select run, seq, instrument_id from intents union all select run, seq, instrument_id from fills) where run is null and instrument_id = {instrument} and seq > 900"
    (expected,) = connection.sql(query).fetchall()[0]
    button = {each.label: each for each in app.button}
    button["Next decision"].click().run()
    assert app.query_params["at"] == str(expected)
    (halt,) = connection.sql(
        f"select min(seq) from statuses where instrument_id = {instrument} and status = 'paused' and seq > {expected}"
    ).fetchall()[0]
    {each.label: each for each in app.button}["Next halt"].click().run()
    assert app.query_params["at"] == str(halt)
    assert any(band["kind"] == "halt" for band in charts(app)[0]["bands"])


def test_replay_plays_on_and_pauses(app):
    opened(app, "replay", at="900", speed="300x")
    app.button[0].click().run()
    assert app.button[0].label == "Pause"
    app.run()
    caption = next(each.value for each in app.caption if each.value.startswith("Input"))
    assert int(re.sub(r"\D", "", caption.split(" of ")[0])) > 900
    app.button[0].click().run()
    assert app.button[0].label == "Play"


def test_hostile_notes_are_cells_and_never_markup(app):
    opened(app, "sessions", session_part="Notes")
    assert frames(app)[1][0]["text"] == HOSTILE
    assert "evil" not in markup(app)


def test_of_a_trade_what_its_strategy_remembered_is_told(app):
    opened(app, "trades", log=RUN, trade_part="State")
    told = {(row["part"], row["name"]): row["value"] for row in frames(app)[-1]}
    assert told["", "phase"] == "entering", "behind the decision"
    assert any(part == "position" for part, _ in told)
