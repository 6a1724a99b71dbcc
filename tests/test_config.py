"""Config: durations and moments are exact or refused."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import duration_ns, moment_ns
from pipeline.errors import ConfigError
from pipeline.units import iso_from_ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0s", 0),
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("15m", 900 * 10**9),
        ("2d", 172_800 * 10**9),
        ("7ns", 7),
    ],
)
def test_a_duration_is_what_it_says(text, ns):
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "5", "ms", "-1s", "1.5ns", "1e3s", "5 minutes", "99999999999d"])
def test_anything_else_is_refused(text):
    with pytest.raises(ConfigError, match="duration"):
        duration_ns(text)


@given(st.integers(0, 4 * 10**18))
def test_a_moment_survives_its_text(ts_ns):
    assert moment_ns(iso_from_ns(ts_ns), day_ns=0) == ts_ns
    assert moment_ns(iso_from_ns(ts_ns)[11:-1], day_ns=ts_ns) == ts_ns


@pytest.mark.parametrize(
    "text", ["", "9:31", "25:00", "2026-02-30T10:00", "09:31:07.0123456789", "yesterday", "09:31-45:00"]
)
def test_a_moment_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="moment"):
        moment_ns(text, day_ns=0)


def test_a_zone_behind_a_moment_takes_the_place_of_the_one_it_would_be_read_by():
    day_ns, zone = moment_ns("2026-11-04T12:00:00Z", day_ns=0), ZoneInfo("America/New_York")
    by = {
        text: moment_ns(text, day_ns=day_ns, zone=zone)
        for text in ("16:00", "21:00 UTC", "21:00Z", "15:00 America/Chicago")
    }
    assert set(by.values()) == {moment_ns("2026-11-04T21:00:00Z", day_ns=0)}
    assert moment_ns("2026-11-04 16:00 America/New_York", day_ns=0) == by["16:00"]


@pytest.mark.parametrize("text", ["16:00 Mars/Olympus", "16:00 Chicago", "16:00 ../etc/passwd"])
def test_a_zone_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match=r"IANA names|write 09:31"):
        moment_ns(text, day_ns=0)
