"""Sale conditions: the table against the vendor's own rows and the page, and what a print with several of them moves."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import Mark
from pipeline.errors import UnitError
from pipeline.normalize.conditions import CONDITIONS, FORM_T, bits_of, condition_marks, in_regular_hours
from pipeline.units import NANO

PAGE = Path(__file__).parents[2] / "docs" / "bars.md"
VOLUME = Mark.NO_LAST | Mark.NO_HIGH_LOW
NOON_NS = int(datetime(2025, 7, 1, 16, tzinfo=UTC).timestamp()) * NANO
EARLY_NS = int(datetime(2025, 7, 1, 12, tzinfo=UTC).timestamp()) * NANO


def marks_of(text, ts_ns=NOON_NS, spelling="massive"):
    bits = np.array([bits_of(text, spelling)], np.int64)
    return int(condition_marks(bits, np.array([ts_ns], np.int64))[0])


@pytest.mark.parametrize(
    ("text", "spelling", "marks"),
    [
        ("", "massive", 0),
        ("0", "massive", 0),
        ("14,37", "massive", VOLUME),
        ("[10, 14]", "massive", Mark.NO_LAST),
        ("15", "massive", VOLUME | Mark.NO_VOLUME),
        ("10;38", "massive", Mark.NO_LAST | Mark.NO_VOLUME),
        ("60", "massive", VOLUME),
        ("@ TI", "utp", VOLUME),
        ("@", "cta", 0),
        ("B", "cta", VOLUME),
        ("B", "utp", 0),
        ("4", "cta", Mark.NO_LAST),
        ("7", "utp", VOLUME),
    ],
)
def test_a_print_moves_what_all_its_conditions_allow(text, spelling, marks):
    assert marks_of(text, spelling=spelling) == marks


def test_form_t_moves_prices_only_outside_of_regular_hours():
    assert marks_of("12") == VOLUME
    assert marks_of("12", EARLY_NS) == 0
    assert marks_of("12,37", EARLY_NS) == VOLUME
    assert marks_of("13", EARLY_NS) == VOLUME


@pytest.mark.parametrize(("text", "spelling"), [("63", "massive"), ("-1", "massive"), ("T", "massive"), ("%", "utp")])
def test_what_is_no_condition_is_refused(text, spelling):
    with pytest.raises(UnitError, match="is unknown; accepted are"):
        bits_of(text, spelling)


@given(st.lists(st.sampled_from(CONDITIONS), max_size=4))
def test_bits_name_the_conditions_and_marks_are_their_union(conditions):
    bits = bits_of(",".join(str(each.number) for each in conditions), "massive")
    assert bits == sum(1 << number for number in {each.number for each in conditions})
    expected = 0
    for each in conditions:
        expected |= each.marks
    assert int(condition_marks(np.array([bits]), np.array([NOON_NS]))[0]) == expected


def test_regular_hours_follow_new_yorks_clock():
    moments = {
        "2025-07-01T13:29:59": False, "2025-07-01T13:30:00": True, "2025-07-01T19:59:59": True,
        "2025-07-01T20:00:00": False, "2025-01-02T14:29:59": False, "2025-01-02T14:30:00": True,
        "2025-01-02T20:59:59": True, "2025-01-02T21:00:00": False,
    }  # fmt: skip
    ts_ns = [int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANO for text in moments]
    assert in_regular_hours(np.array(ts_ns)).tolist() == list(moments.values())


def test_the_table_says_what_the_vendor_says(shared_data):
    rows = json.loads(
        (shared_data / "websocket/massive/rest_mocks/v3/reference/conditions&asset_class=stocks.json").read_text()
    )["results"]
    ours = {each.number: each for each in CONDITIONS}
    assert len(rows) >= 10
    for row in rows:
        rules, each = row["update_rules"]["consolidated"], ours[row["id"]]
        assert (Mark.NO_LAST not in each.marks) == rules["updates_open_close"]
        assert (Mark.NO_HIGH_LOW not in each.marks) == rules["updates_high_low"]
        assert (Mark.NO_VOLUME not in each.marks) == rules["updates_volume"]
        if not row.get("legacy"):
            assert (each.cta, each.utp) == (row["sip_mapping"].get("CTA", ""), row["sip_mapping"].get("UTP", ""))


def test_the_table_is_that_of_the_vendors_rules():
    """As the rules were gathered, statistic by statistic, apart from the table."""
    gathered = {
        VOLUME: (2, 7, FORM_T, 13, 20, 21, 29, 37, 52, 53),
        Mark.NO_LAST: (5, 10, 22, 32, 33),
        VOLUME | Mark.NO_VOLUME: (15, 16),
        Mark.NO_VOLUME: (38,),
        Mark.NONE: (0, 1, 3, 4, 6, 8, 9, 11, 14, 17, 18, 19, 23, 24, 25, 27, 28, 30, 31, 34, 35, 36, 41, 55, 59),
    }
    found = {marks: tuple(each.number for each in CONDITIONS if each.marks == marks) for marks in gathered}
    assert found == gathered
    assert sum(map(len, gathered.values())) == len(CONDITIONS)


def test_the_page_has_the_table():
    text = PAGE.read_text()
    for each in CONDITIONS:
        when = ", outside of regular hours everything" if each.number == FORM_T else ""
        assert f"| {each.number} | {each.cta} | {each.utp} | {each.name} | {each.moves}{when} |" in text
