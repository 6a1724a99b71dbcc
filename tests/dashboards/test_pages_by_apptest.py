"""Every page, run by Streamlit's own test harness: over a day, and over a store that has nothing."""

import pytest
from conftest import HOSTILE, RUN, SESSION

from dashboards.serving import APP
from dashboards.words import plain

PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))


def opened(app, page, **query):
    """A page with this query in its URL, run once."""
    app.query_params.update(query)
    app.run()  # pages are known once the frame ran
    if page != "sessions":
        app.switch_page(f"app_pages/{page}.py").run()
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
    listed, health = frames(app)[:2]
    assert [row["id"] for row in listed] == [SESSION, RUN]
    assert listed[0]["count_inputs"] > 5_000
    assert health[0]["feed"] == "generated seed 3"
    assert health[0]["gap_seconds"] == 12.0


def test_what_the_url_names_is_looked_at(app):
    opened(app, "sessions", log=RUN, part="Manifest")
    assert app.selectbox[0].value == RUN
    told = {row["what"]: row["is"] for row in frames(app)[1]}
    assert told["over"] == SESSION
    assert "fast=8" in told["strategy ema_cross"]


def test_a_log_that_is_not_there_is_said(app):
    opened(app, "sessions", log="![x](http://evil.test)")
    assert plain("![x](http://evil.test)") in app.warning[0].value
    assert frames(app)[0][0]["id"] == SESSION


def test_verify_folds_the_session_again(app):
    opened(app, "sessions")
    app.button[0].click().run()
    assert app.success[0].value.startswith("identical")


def test_hostile_notes_are_cells_and_never_markup(app):
    opened(app, "sessions", part="Notes")
    assert frames(app)[1][0]["text"] == HOSTILE
    assert "evil" not in markup(app)
