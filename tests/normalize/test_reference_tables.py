"""A person's own columns and cells."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, UnitError
from pipeline.normalize.reference_tables import columns_of, facts_of_row, moment_of, number_of
from pipeline.units import ABSENT, iso_from_ns


def rows(**cells):
    return facts_of_row(cells, provider="mine", as_of_ns=ABSENT, known_at_ns=1_000)


def test_well_known_names_are_found_in_any_case():
    found = columns_of(["Ticker", "Float", "Avg Volume", "price"])
    assert found == {"symbol": "Ticker", "float_shares": "Float", "average_daily_volume": "Avg Volume"}


def test_a_mapping_names_other_columns():
    assert columns_of(["sym", "x"], "symbol=sym float_shares=x") == {"symbol": "sym", "float_shares": "x"}


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("float", "is not field=column"),
        ("flaot_shares=x", "did you mean float_shares"),
        ("zzz=x", "accepted are symbol"),
        ("float_shares=y", "no column 'y'; there are symbol, x"),
        ('float_shares="x', "mapping"),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused(mapping, said):
    with pytest.raises(ConfigError, match=said):
        columns_of(["symbol", "x"], mapping)


@pytest.mark.parametrize(("names", "said"), [(["float"], "the symbol"), (["symbol", "price"], "says something")])
def test_a_table_that_says_nothing_is_refused(names, said):
    with pytest.raises(UnitError, match=said):
        columns_of(names)


def test_an_empty_cell_says_nothing():
    assert rows(symbol="abcd", float_shares="", sector="") == []


def test_numbers_and_texts():
    found = rows(symbol="abcd", float_shares="4.2M", sector="Tech", theme="quantum", shortable="yes")
    assert [(each.symbol, each.field, each.text) for each in found] == [
        ("ABCD", "float_shares", ""),
        ("ABCD", "sector", "Tech"),
        ("ABCD", "theme", "quantum"),
        ("ABCD", "shortable", ""),
    ]
    assert found[0].value == 4_200_000.0
    assert math.isnan(found[1].value)
    assert {(each.as_of_ns, each.known_at_ns) for each in found} == {(1_000, 1_000)}


def test_a_row_may_carry_its_own_days():
    found = rows(
        symbol="A", as_of="2026-11-20", known_at="2026-11-20T12:00:00Z", split_ratio="1:50", split_day="2026-11-19"
    )
    assert [iso_from_ns(each.as_of_ns)[:16] for each in found] == ["2026-11-19T05:00"]
    assert iso_from_ns(found[0].known_at_ns)[:16] == "2026-11-20T12:00"
    assert found[0].value == 0.02


def test_the_usual_volume_by_a_time_and_the_day_of_an_ipo():
    assert columns_of(["symbol", "mean_volume_by:0800"])["mean_volume_by:0800"] == "mean_volume_by:0800"
    found = rows(**{"symbol": "A", "mean_volume_by:0800": "12K", "ipo": "2026-11-19"})
    assert [(each.field, each.value, each.text) for each in found[:1]] == [("mean_volume_by:0800", 12_000.0, "")]
    assert (found[1].text, iso_from_ns(found[1].as_of_ns)[:10]) == ("2026-11-19", "2026-11-19")
    with pytest.raises(UnitError):
        rows(symbol="A", ipo="lately")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1234567", 1234567.0), ("1,234,567", 1234567.0), ("12.5M", 12.5e6), ("$4.10", 4.1), ("3 k", 3000.0), (".5", 0.5)],
)
def test_how_a_number_may_be_written(text, value):
    assert number_of(text, "float_shares") == value


@pytest.mark.parametrize("text", ["many", "1.2.3", "-5", "12X", "nan", "inf", "1e999999", "--", ","])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UnitError, match="float_shares"):
        number_of(text, "float_shares")


@pytest.mark.parametrize("text", ["0:5", "0", "x"])
def test_a_split_needs_two_numbers_above_zero(text):
    with pytest.raises(UnitError, match="split_ratio"):
        rows(symbol="A", split_ratio=text)


@given(st.text(max_size=30))
def test_any_cell_is_read_or_refused(text):
    with suppress(UnitError):
        assert number_of(text, "float_shares") >= 0
    with suppress(UnitError):
        moment_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-08", "2026-03-08T05:00"),
        ("2026-03-09", "2026-03-09T04:00"),
        ("2026-11-01", "2026-11-01T04:00"),
        ("2026-11-02", "2026-11-02T05:00"),
        ("2026-11-20T08:00:00-05:00", "2026-11-20T13:00"),
    ],
)
def test_a_day_begins_at_midnight_in_new_york(text, expected):
    assert iso_from_ns(moment_of(text))[:16] == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-20T08:00:00", "1900-01-01"])
def test_a_moment_that_is_none_is_refused(text):
    with pytest.raises(UnitError):
        moment_of(text)
