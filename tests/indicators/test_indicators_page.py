from pathlib import Path

from pipeline.indicators.catalog import INDICATORS
from pipeline.run.pages import indicators_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "indicators.md"


def test_the_page_is_as_the_code_says():
    assert PAGE.read_text() == indicators_page(), "run `just docs`"


def test_every_indicator_has_its_row():
    for indicator in INDICATORS.values():
        assert f"| `{indicator.name}` {indicator.title} |" in indicators_page()
