"""The pages in a real browser: clicks, what the URL restores, charts that are drawn. Nothing is asked of another machine."""

from conftest import RUN


def drawn(page, count=1):
    """Wait until so many charts have points."""
    page.locator("[data-points]").nth(count - 1).wait_for()


def test_a_click_chooses_a_log_and_the_url_brings_it_back(server, page):
    page.goto(server.url)
    drawn(page)
    assert int(page.locator("[data-points]").first.get_attribute("data-points")) > 100
    page.get_by_test_id("stDataFrame").first.click(position={"x": 20, "y": 68})
    page.wait_for_url(f"**/?log={RUN}")
    page.reload()
    drawn(page)
    assert page.locator("input").first.input_value() == RUN
