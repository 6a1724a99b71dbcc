"""A strategy given other bars than it asks for: from the command line to the view."""

import pytest
from commands import tape

from pipeline.errors import StrategyError
from pipeline.run.strategies import plan_of, strategy_file
from warehouse import connect

MAPPING = "kind=print symbol=TEST asset=equity ts=ts unit=s price=price size=size"
NINE_THIRTY = 1_751_376_600  # in New York, 2025-07-01
PRINTS = [f"{NINE_THIRTY + 20 * k},{10 + k % 9 / 100:.2f},{100 + k}" for k in range(120)]


def test_a_replay_with_other_bars(tmp_path):
    path = tmp_path / "prints.csv"
    path.write_text("\n".join(["ts,price,size", *PRINTS]))
    assert tape(tmp_path, "import", path, "--map", MAPPING, "--name", "x").returncode == 0
    asked = "bars=300s,10m@regular,30t"
    done = tape(
        tmp_path,
        "replay",
        "x",
        "--strategy",
        "opening_range",
        "--strategy",
        "hold",
        "--param",
        f"opening_range.{asked}",
    )
    assert done.returncode == 0, done.stderr
    rows = connect(tmp_path).sql("select timeframe, count(*) from bars group by all order by all").fetchall()
    assert rows == [("10m@session", 3), ("30t", 4), ("5m", 7)]
    refused = tape(tmp_path, "replay", "x", "--strategy", "opening_range", "--param", "bars=5y")
    assert refused.returncode == 2
    assert "bars '5y': accepted is a number and s, m, h, d (time)" in refused.stderr


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("hold", "bars=5m", "strategy hold: it asks for no bars"),
        ("opening_range", "bars=", "bars '': accepted is a number"),
        ("opening_range", "bars=5m,lots", "bars 'lots': accepted is a number"),
    ],
)
def test_what_makes_no_sense_is_refused(name, asked, told):
    with pytest.raises(StrategyError, match=told):
        plan_of([strategy_file(name)], [asked], [])


def test_the_plan_says_the_bars_as_they_are_told_everywhere():
    plan = plan_of([strategy_file("opening_range")], ["bars=300s,3900s@regular"], [])
    assert plan.strategies[0].bars == ("5m", "65m@regular")
    assert plan_of([strategy_file("opening_range")], [], []).strategies[0].bars == ()
