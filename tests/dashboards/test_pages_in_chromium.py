"""The pages in a real browser: clicks, what the URL restores, charts that are drawn. Nothing is asked of another machine."""

import shutil
from urllib.parse import quote

from pages_served import HOSTILE_SYMBOL, RUN, SESSION, Server
from playwright.sync_api import expect


def drawn(page, count=1):
    """Wait until so many charts have points."""
    page.locator("[data-points]").nth(count - 1).wait_for()


def test_a_click_chooses_a_log_and_the_url_brings_it_back(server, page):
    page.goto(f"{server.url}?session_part=Notes")
    drawn(page)
    page.get_by_test_id("stDataFrame").nth(1).wait_for()  # hostile words are cells: nobody obeys them
    assert page.locator("img").count() == 0
    assert page.locator("a[href*=evil]").count() == 0
    assert int(page.locator("[data-points]").first.get_attribute("data-points")) > 100
    page.get_by_test_id("stDataFrame").first.click(position={"x": 20, "y": 68})
    page.wait_for_url(f"**/?*log={RUN}*")
    page.reload()
    drawn(page)
    assert page.locator("input").first.input_value() == RUN
    light = page.locator("[data-points]").first.get_attribute("data-back")
    page.emulate_media(color_scheme="dark")
    page.locator(f"[data-points]:not([data-back='{light}'])").first.wait_for()
    page.get_by_role("link", name="Performance").click()
    page.wait_for_url(f"**/performance?log={RUN}")


def test_live_draws_what_comes_while_it_is_recorded(writing, tmp_path, page):
    writing.write(3_000)
    server = Server(tmp_path / "live")
    try:
        page.goto(f"{server.url}live")
        page.get_by_text("recording, 3,000 inputs").wait_for()
        drawn(page)
        before = int(page.locator("[data-points]").first.get_attribute("data-points"))
        writing.write(9_000)
        page.get_by_text("recording, 9,000 inputs").wait_for()
        while int(page.locator("[data-points]").first.get_attribute("data-points")) <= before:
            page.wait_for_timeout(200)
        page.goto(f"{server.url}trades")
        drawn(page)
        assert page.locator("img").count() == 0
        page.goto(f"{server.url}live?live_symbol={quote(HOSTILE_SYMBOL)}&line=ema+length%3D5")
        drawn(page)
        page.get_by_text(HOSTILE_SYMBOL).first.wait_for()  # as it is spelt, and nobody's picture
        assert page.locator("img").count() == 0
    finally:
        server.end()


def test_a_session_that_is_deleted_while_it_is_followed_or_played_is_missed_in_words(writing, home, tmp_path, page):
    writing.write(3_000)
    store = tmp_path / "live"
    shutil.copytree(home / "sessions" / SESSION, store / "sessions" / SESSION)
    server = Server(store)
    try:
        page.goto(f"{server.url}live?log=live")
        page.get_by_text("recording, 3,000 inputs").wait_for()
        shutil.rmtree(store / "sessions" / "live")
        page.get_by_text("There is no session or run live in this store").wait_for()
        page.goto(f"{server.url}replay?log={SESSION}")
        page.get_by_role("button", name="Play").click()
        page.get_by_role("button", name="Pause").wait_for()
        shutil.rmtree(store / "sessions" / SESSION)
        page.get_by_text(f"'{SESSION}' names nothing").or_(page.get_by_text("is empty")).first.wait_for()
        page.wait_for_timeout(2_000)
        assert page.get_by_text("encountered an error").count() == 0
    finally:
        server.end()


def test_a_trade_is_reached_by_keyboard_and_its_url_brings_it_back(server, page):
    page.goto(f"{server.url}trades?log={RUN}&trade_part=Executions")
    drawn(page)
    page.keyboard.press("Alt+ArrowRight")
    page.wait_for_url("**trade=*")
    url = page.url
    assert f"log={RUN}" in url
    assert "trade_part=Executions" in url
    title = page.get_by_role("tab", name="Executions")
    page.goto("about:blank")
    page.goto(url)
    drawn(page)
    assert title.get_attribute("aria-selected") == "true"
    assert page.url == url


def test_what_is_chosen_lies_in_a_pane_of_its_own(server, page):
    page.goto(f"{server.url}trades?log={SESSION}&lines=VWAP&lines=rsi&lines=macd+fast%3D5+slow%3D20")
    page.locator("[data-panes='4']").wait_for()  # prices, volume, and one each
    assert page.locator("[data-amiss]").first.get_attribute("data-amiss") == "0"


def test_a_statement_is_typed_and_answered(server, page):
    page.goto(f"{server.url}sql?log={RUN}")
    editor = page.get_by_role("textbox", name="Statement")
    editor.wait_for()
    editor.fill("select symbol, count(*) as trades from trades group by symbol order by symbol")
    editor.press("Control+Enter")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text(" rows").first.wait_for()
    page.get_by_test_id("stDataFrame").first.wait_for()
    editor.fill("copy trades to '/tmp/taken.csv'")
    editor.press("Control+Enter")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_test_id("stAlert").first.wait_for()
    expect(page.get_by_test_id("stDataFrame")).to_have_count(0)  # what stood there stays a moment


def test_the_first_page_has_a_name_as_well(server, page):
    page.goto(f"{server.url}sessions?log={SESSION}")
    drawn(page)
    assert page.get_by_text("Page not found").count() == 0
    assert page.get_by_role("link", name="Sessions").count() == 1


def test_a_diagram_is_drawn_and_tells_what_is_beneath_the_pointer(server, page):
    page.goto(f"{server.url}montecarlo?log={RUN}")
    diagram = page.get_by_test_id("stEChartsChart").first
    diagram.locator("canvas").wait_for()
    diagram.hover()
    told = diagram.get_by_text("as traded").last
    told.wait_for()
    words = diagram.inner_text().split()
    assert [words.count(each) for each in ("5%", "50%", "95%")] == [1, 1, 1]
    page.goto(f"{server.url}performance?log={RUN}&performance_part=Distributions")
    page.get_by_test_id("stEChartsChart").first.locator("canvas").wait_for()
    assert page.get_by_test_id("stEChartsChartError").count() == 0
