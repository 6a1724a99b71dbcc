"""Knob words: what people write becomes a knob, or is refused by saying what is accepted."""

import pytest

from pipeline.errors import ConfigError
from pipeline.reports import knob_words as words
from pipeline.reports.knobs import (
    Anomalies,
    Blocks,
    FeedDrops,
    Halts,
    Iid,
    Lognormal,
    Misses,
    Normal,
    PartialFills,
    Sample,
)


def test_words_become_knobs(tmp_path):
    file = tmp_path / "bps.txt"
    file.write_text("1.5\n\n-2\n")
    assert words.slippage_from("normal:1,2.5", None) == Normal(1.0, 2.5)
    assert words.slippage_from("lognormal:2,1", None) == Lognormal(2.0, 1.0)
    assert words.slippage_from(f"sample:{file}", None) == Sample((1.5, -2.0))
    assert words.slippage_from("recorded", [3.0]) == Sample((3.0,))
    assert [words.order_from(text) for text in ("traded", "iid", "block:8")] == [None, Iid(), Blocks(8.0)]
    assert words.misses_from("0.1") == Misses(0.1)
    assert words.anomalies_from("0.01,lognormal:100,1", None) == Anomalies(0.01, Lognormal(100.0, 1.0))
    assert words.halts_from(f"0.02,{file}", None) == Halts(0.02, (1.5, -2.0))
    assert words.halts_from("0.02", [900.0]) == Halts(0.02, (900.0,))
    assert words.drops_from("0.005,3,50") == FeedDrops(0.005, 3.0, 50.0)
    assert words.partials_from("0.2,0.1") == PartialFills(0.2, 0.1)


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda: words.slippage_from("lognormal:2", None), "slippage 'lognormal:2': accepted is normal:MEAN,DEVIATION or"),
        (lambda: words.slippage_from("gauss:1,2", None), "accepted is normal:MEAN"),
        (lambda: words.slippage_from("normal:1,-2", None), "deviation -2: accepted is 0 to 10,000"),
        (lambda: words.slippage_from("normal:nan,2", None), "mean nan"),
        (lambda: words.slippage_from("recorded", []), "no slippage is known of these trades; accepted is a FILE"),
        (lambda: words.order_from("block:0"), "order block: trades 0: accepted is 1 to"),
        (lambda: words.order_from("shuffle"), "order 'shuffle': accepted is traded, iid or block:TRADES"),
        (lambda: words.misses_from("10%"), "miss '10%': accepted is PROBABILITY"),
        (lambda: words.misses_from("1.1"), "miss: probability 1.1: accepted is 0 to 1"),
        (lambda: words.anomalies_from("0.1", None), "anomalies '0.1': accepted is PROBABILITY,SLIPPAGE"),
        (lambda: words.halts_from("0.1", None), "no halt with a reopening was recorded; accepted is a FILE"),
        (lambda: words.drops_from("0.1,2"), "drops '0.1,2': accepted is PROBABILITY,TRADES,BPS"),
        (lambda: words.partials_from("0.1,2"), "partials: least part 2: accepted is 0 to 1"),
    ],
)  # fmt: skip
def test_what_is_no_knob_is_refused(read, told):
    with pytest.raises(ConfigError, match=told):
        read()


def test_a_file_with_something_else_in_it_is_refused_with_its_line(tmp_path):
    file = tmp_path / "bps.txt"
    file.write_text("1\nabc\n")
    with pytest.raises(ConfigError, match=r"bps.txt: line 2: 'abc' is no number of bps"):
        words.slippage_from(f"sample:{file}", None)
    file.write_text("")
    with pytest.raises(ConfigError, match="slippage sample of 0 numbers: accepted is 1 to"):
        words.slippage_from(f"sample:{file}", None)


def test_every_knob_is_told_in_words():
    knobs = [
        Normal(1, 2), Lognormal(2, 1), Sample((1.0, 3.0)), Iid(), Blocks(5), Misses(0.1), Anomalies(0.01, Normal(9, 1)),
        Halts(0.02, (5.0,)), FeedDrops(0.005, 3, 50), PartialFills(0.2, 0.1),
    ]  # fmt: skip
    told = [words.told(knob) for knob in knobs]
    assert len(set(told)) == len(knobs)
    assert "as recorded" not in told
    assert words.told(Anomalies(0.01, Normal(9, 1))) == "1 % of trades, normal, 9 +- 1 bps"
