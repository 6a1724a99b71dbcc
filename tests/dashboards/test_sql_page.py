"""The SQL page: what is typed is answered in the sandbox, refused in one line, charted, taken away, saved."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_pages_by_apptest import frames, markup, opened

from dashboards.data import Door
from dashboards.questions import EXAMPLE_TITLES, as_file, drawn, example, numbers_of, saved, shown


def pressed(app, label):
    """The page behind a click."""
    next(button for button in app.button if button.label == label).click().run(timeout=60)


def asked(app, sql):
    """The page behind a statement."""
    app.text_area(key="statement").set_value(sql)
    pressed(app, "Ask")
    assert not app.exception
    return app


def test_a_statement_is_answered_with_rows(app):
    opened(app, "sql")
    asked(app, "select symbol, count(*) as n from quotes group by symbol order by symbol")
    rows = frames(app)[0]
    assert len(rows) > 1
    assert all(row["n"] > 0 for row in rows)
    assert "rows" in markup(app)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("copy quotes to 'x.csv'", "refused"),
        ("select * from read_text('/etc/hostname')", "refused"),
        ("select nobody from quotes", "failed"),
        ("", "refused"),
    ],
)
def test_what_is_not_answered_says_why_in_a_line(app, sql, told):
    opened(app, "sql")
    asked(app, sql)
    (error,) = app.error
    assert error.value.startswith(told)
    assert "\n" not in error.value


def test_an_answer_says_what_it_is_of_where_that_is_not_what_stands_there(app):
    opened(app, "sql")
    asked(app, "select 1 as one")
    assert not app.info
    app.text_area(key="statement").input("select 2 as two").run()
    assert "select 1 as one" in app.info[0].value.replace("\\", "")


def test_moments_beyond_a_calendar_are_shown():
    far = pa.table({"t": pa.array([[2**62]], pa.list_(pa.timestamp("us")))})
    assert len(shown(far)) == 1


def test_an_example_and_a_saved_statement_come_into_the_editor(app, home):
    opened(app, "sql")
    app.selectbox(key="sql-example").set_value(EXAMPLE_TITLES[1]).run()
    assert app.text_area(key="statement").value == example(EXAMPLE_TITLES[1])
    app.text_area(key="statement").set_value("select 1 as one")
    app.text_input(key="sql-name").set_value("mine")
    pressed(app, "Save")
    kept = saved(Door(home))
    assert kept.names() == ["mine"]
    opened(app, "sql")
    app.selectbox(key="sql-saved").set_value("mine").run()
    assert app.text_area(key="statement").value == "select 1 as one"
    pressed(app, "Forget")
    assert kept.names() == []
    app.text_input(key="sql-name").set_value("../mine")
    pressed(app, "Save")
    assert "is no name of a query" in markup(app)


def test_an_answer_is_taken_away_in_every_form_and_formulas_are_inert():
    table = pa.table({"who": ["=1+1", "plain"], "n": [1, 2]})
    assert pq.read_table(io.BytesIO(as_file(table, "parquet"))).to_pylist() == table.to_pylist()
    assert pa.ipc.open_file(as_file(table, "arrow")).read_all().to_pylist() == table.to_pylist()
    assert [*csv.reader(io.StringIO(as_file(table, "csv").decode()))][1] == ["'=1+1", "1"]
    assert b'"who":"plain"' in as_file(table, "json")


def test_a_chart_has_as_many_points_as_can_be_told_apart():
    table = pa.table({"x": range(20_001), "y": range(20_001), "t": ["a"] * 20_001})
    assert numbers_of(table) == ["x", "y"]
    points = drawn(table, "x", "y")
    assert 2_500 < len(points) <= 5_000
    assert points["upward"].type == pa.float64()
