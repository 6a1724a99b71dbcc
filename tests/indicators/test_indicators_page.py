import re
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from indicator_rows import folded, rows_of

from pipeline.core.record import record_of
from pipeline.indicators.catalog import INDICATORS
from pipeline.kernel.checking import refusals
from pipeline.run.pages import indicators_page
from pipeline.run.strategies import load_checked

PAGE = Path(__file__).resolve().parents[2] / "docs" / "indicators.md"


def test_the_page_is_as_the_code_says():
    assert PAGE.read_text() == indicators_page(), "run `just docs`"


def test_every_indicator_has_its_row():
    for indicator in INDICATORS.values():
        assert f"| `{indicator.name}` {indicator.title} |" in indicators_page()


@pytest.fixture(scope="module")
def strategy(tmp_path_factory):
    """A strategy that holds every indicator, of nothing but the lines that the page gives for it."""
    lines = re.findall(r"^    (.+)$", PAGE.read_text().partition("## Each of them")[2], re.MULTILINE)
    imports = [line for line in lines if line.startswith("from ")]
    members = [line for line in lines if re.match(r"\w+: ", line)]
    updates = [line for line in lines if line not in imports + members]
    handlers = [
        f"def on_{event}(s, {event}, p, ctx):\n    " + "\n    ".join(line for line in updates if f" {event}." in line)
        for event in ("bar", "quote", "print")
    ]
    text = [
        "from pipeline.core.params import params",
        "from pipeline.core.state import group, state",
        "from pipeline.core.strategy import Bars, Strategy",
        *imports,
        "@params\nclass Params:\n    pass",
        "@state\nclass State:\n    " + "\n    ".join(members),
        *handlers,
        'strategy = Strategy("each", Params, State, bars=Bars("1m"), on_bar=on_bar, on_quote=on_quote, on_print=on_print)',
    ]
    path = tmp_path_factory.mktemp("strategy") / "each.py"
    path.write_text("\n\n\n".join(text))
    return load_checked(path)


def test_a_strategy_of_the_lines_on_the_page_may_be_compiled(strategy):
    assert refusals(strategy) == []


def test_a_strategy_of_the_lines_on_the_page_has_the_values_of_each(strategy):
    names = sorted({name for indicator in INDICATORS.values() for name in indicator.inputs})
    events = [
        SimpleNamespace(**dict(zip(names, row, strict=True)))
        for row in rows_of(SimpleNamespace(inputs=names), 200, seed=5)
    ]
    group = record_of(strategy.State).new()
    for event in events:
        for handler in (strategy.on_bar, strategy.on_quote, strategy.on_print):
            handler(group, event, strategy.Params(), None)
    for name, indicator in INDICATORS.items():
        defaults = indicator.Params()
        rows = [attrgetter(*indicator.inputs, "close")(event)[:-1] for event in events]
        alone = folded(indicator, indicator.record(defaults).new(), rows, defaults)
        for path in indicator.values:
            np.testing.assert_equal(attrgetter(path)(getattr(group, name)), attrgetter(path)(alone), f"{name} {path}")
