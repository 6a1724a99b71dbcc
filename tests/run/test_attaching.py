"""Which strategies stand behind which scanner, as it is written."""

import pytest

from pipeline.errors import ConfigError
from pipeline.run.attaching import attached
from pipeline.run.strategies import plan_of, strategy_file


def files(*names):
    return tuple(map(strategy_file, names))


def test_without_a_scanner_strategies_hear_everything():
    assert attached([], ["hold", "ema_cross"]) == (files("hold", "ema_cross"), (), (0, 0))


def test_one_scanner_has_all_strategies_however_it_is_written(tmp_path):
    file = tmp_path / "a=b.toml"
    file.write_text("")
    assert attached([str(file)], ["hold"]) == (files("hold"), (file,), (1,))
    assert attached([f"{file}=hold"], []) == (files("hold"), (file,), (1,))


def test_several_scanners_have_each_its_own():
    found = attached(["one.toml=hold", "two.toml= ema_cross, opening_range"], [])
    assert found.files == files("hold", "ema_cross", "opening_range")
    assert [path.name for path in found.scanners] == ["one.toml", "two.toml"]
    assert found.behind == (1, 2, 2)


@pytest.mark.parametrize(
    ("scanners", "strategies", "why"),
    [
        (["one.toml", "two.toml"], ["hold"], "--strategy hold: scanners name their own"),
        (["one.toml=hold", "two.toml"], [], "--scanner two.toml: of several each names"),
        (["one.toml=hold"], ["ema_cross"], "--strategy ema_cross: scanners name their own"),
        (["one.toml=hold", "two.toml=hold"], [], "hold is named twice"),
        (["one.toml="], [], "write FILE, or FILE=STRATEGY"),
        (["=hold"], [], "write FILE, or FILE=STRATEGY"),
        (["one.toml=hold,"], [], "write FILE, or FILE=STRATEGY"),
    ],
)
def test_what_could_mean_two_things_is_refused(scanners, strategies, why):
    with pytest.raises(ConfigError, match=why):
        attached(scanners, strategies)


def test_two_scanners_of_one_name_are_no_session(tmp_path):
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    for path in (one, other):
        path.write_text('name = "mine"\nsymbols = ["ABCD"]\n')
    with pytest.raises(ConfigError) as refused:
        plan_of(files("hold", "ema_cross"), [], [], [one, other], [1, 2])
    assert str(refused.value) == (
        f"{other}: name: 'mine' is that of {one} too; accepted is a name of its own for each scanner of a session"
    )


@pytest.mark.parametrize("text", ["9.5", "1e-3", "inf", "nan"])
def test_a_setting_that_counts_is_refused_what_is_no_whole_number(text):
    with pytest.raises(ConfigError, match=f"^engine setting entry_from_minute={text}: accepted is a whole number$"):
        plan_of(files("hold"), [], [f"entry_from_minute={text}"])
    assert plan_of(files("hold"), [], ["entry_from_minute=570", "fee_bps=0.5"]).settings["entry_from_minute"] == 570


def test_settings_go_with_strategies_that_scanners_name():
    from pipeline.run.asking import recording_of  # noqa: PLC0415 - beside its only use

    words = {
        "channels": None,
        "watch_channels": None,
        "until": None,
        "clock": None,
        "keeps_raw": False,
        "is_fresh": False,
    }
    asked = recording_of(
        feeds=["massive=ws://127.0.0.1:9/stocks"], symbols=["A"], watch=[], strategies=[], params=[],
        scanners=["scanners/gappers.toml=ema_cross", "scanners/premarket.toml=hold"], settings=["universe=2"], **words,
    )  # fmt: skip
    assert asked.plan.settings["universe"] == 2
    assert [each.scanner for each in asked.plan.strategies] == [1, 2]
