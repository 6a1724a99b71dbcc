"""A name that names nothing is refused with what was perhaps meant, wherever it was said."""

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.names import LISTED_MAX, did_you_mean, listed
from pipeline.run.generating import record_generated
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

FILES = [strategy_file("hold")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    record_generated(store, Day(quotes=30, instruments=2), plan_of(FILES, [], []), FILES, created_ns=1)
    for number in range(12):
        store.create_session(f"other-{number}", mode=store.sessions()[0].mode, created_ns=2 + number)
    return str(store.home)


def test_the_nearest_name_is_meant_however_it_is_written():
    assert did_you_mean("abdc", ["ABCD", "XYZ"]) == "; did you mean ABCD?"
    assert did_you_mean("nothing like it", ["ABCD", "XYZ"]) == ""
    assert did_you_mean("x", []) == ""


def test_of_many_names_the_first_are_listed_and_the_rest_counted():
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"S{n}" for n in range(LISTED_MAX + 3)]).endswith("S19 and 3 more")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "genrated-7"), "did you mean generated-7?"),
        (("verify", "lats"), "did you mean last?"),
        (("sessions", "delete", "genrated-7", "--yes"), "did you mean generated-7?"),
        (("replay", "generated-7", "--strategy", "ema_corss"), "did you mean ema_cross?"),
        (("replay", "generated-7", "--strategy", "strategies/ema_corss.py"), "did you mean strategies/ema_cross.py?"),
        (("scan", "generated-7", "--config", "scanners/gapers.toml"), "did you mean scanners/gappers.toml?"),
        (("scan", "generated-7", "--config", "scanners/gappers.toml", "--symbol", "abdc"), "did you mean ABCD?"),
        (("state", "generated-7", "--strategy", "hold", "--seq", "40", "--symbol", "abdc"), "did you mean ABCD?"),
        (("record", "--feed", "masive", "--symbols", "A"), "did you mean massive?"),
    ],
)
def test_a_name_that_is_none_is_told_with_the_one_that_may_be_meant(home, arguments, said):
    done = CliRunner().invoke(main, ["--home", home, *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
