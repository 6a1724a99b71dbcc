import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.params import param, params
from pipeline.core.settings import _MOST, EngineSettings
from pipeline.errors import ConfigError, StrategyError


@params
class Params:
    fast: int = param(12, low=2, high=50, help="bars of the fast average")
    width: float = param(1.5, low=0.0)
    is_long: bool = param(True)


def test_defaults_stand_where_nothing_is_given():
    assert tuple(Params()) == (12, 1.5, True)
    assert Params().as_dict() == {"fast": 12, "width": 1.5, "is_long": True}


def test_texts_become_their_types():
    given_ = Params.from_text({"fast": "20", "width": "2", "is_long": "no"})
    assert tuple(given_) == (20, 2.0, False)
    assert [type(value) for value in given_] == [int, float, bool]


@given(st.integers(2, 50), st.floats(0, 1e9), st.booleans())
def test_what_is_printed_is_read_back(fast, width, is_long):
    made = Params(fast=fast, width=width, is_long=is_long)
    assert Params.from_text({name: str(value) for name, value in made.as_dict().items()}) == made


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"fsat": "3"}, "unknown parameter 'fsat'; did you mean fast"),
        ({"zzz": "3"}, "known are fast, width, is_long"),
        ({"fast": "1"}, "fast=1: accepted is an integer from 2 to 50"),
        ({"fast": "51"}, "from 2 to 50"),
        ({"fast": "2.5"}, "an integer"),
        ({"width": "nan"}, "width=nan"),
        ({"width": "inf"}, "width=inf: accepted is a number from 0"),
        ({"width": "wide"}, "a number from 0"),
        ({"is_long": "maybe"}, "true or false"),
    ],
)
def test_what_is_not_accepted_is_told(given_, text):
    with pytest.raises(ConfigError, match=text):
        Params.from_text(given_)


def test_a_default_out_of_bounds_is_refused_at_once():
    with pytest.raises(ConfigError):
        params(type("P", (), {"__annotations__": {"n": int}, "n": param(3, low=5)}))


def test_only_numbers_and_bools_are_parameters():
    with pytest.raises(StrategyError, match="a parameter is a bool, int or float"):
        params(type("P", (), {"__annotations__": {"name": str}, "name": param("x")}))


def test_parameters_do_not_change():
    with pytest.raises(AttributeError):
        Params().fast = 3


def test_every_setting_has_its_bounds():
    assert set(_MOST) == set(EngineSettings().as_dict())
    assert EngineSettings.from_dict(_MOST).as_dict() == _MOST


def test_settings_survive_json():
    settings = EngineSettings.from_dict({"latency_ns": 7, "cash": 5})
    assert EngineSettings.from_dict(settings.as_dict()) == settings
    assert (settings.latency_ns, settings.cash) == (7, 5.0)


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"latency": 1}, "did you mean latency_ns"),
        ({"latency_ns": 2**62}, "latency_ns=4611686018427387904: accepted is 0 or more, up to 86,400,000,000,000"),
        ({"fee_bps": 10_001}, "fee_bps=10001.0: accepted is 0 or more, up to 10,000"),
        ({"fee_per_unit": 1e300}, "fee_per_unit"),
        ({"outputs_max": 10**12}, "outputs_max=1000000000000: accepted is more than 0, up to 10,000"),
        ({"order_slots": 2**40}, "order_slots"),
        ({"checkpoint_every": 10**18}, "checkpoint_every"),
        ({"cash": float("nan")}, "cash=nan"),
        ({"cash": -1.0}, "cash=-1.0: accepted is 0 or more"),
        ({"order_slots": 0}, "order_slots=0: accepted is more than 0"),
        ({"order_slots": 1.5}, "Expected `int`"),
        ({"daily_loss_max": float("inf")}, "daily_loss_max=inf"),
    ],
)
def test_settings_that_are_not_accepted_are_told(given_, text):
    with pytest.raises(ConfigError, match=text):
        EngineSettings.from_dict(given_)


def test_a_day_of_lateness_is_refused():
    with pytest.raises(ConfigError, match="up to 86,399,999,999,999"):
        EngineSettings.from_dict({"bar_lateness_ns": 86_400 * 10**9})


def test_parameters_describe_themselves():
    assert Params.describe() == [
        "fast=12  an integer from 2 to 50; bars of the fast average",
        "width=1.5  a number from 0; ",
        "is_long=True  true or false; ",
    ]
    assert Params.from_dict({"fast": 3}).fast == 3
