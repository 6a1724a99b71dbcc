"""Charts of a report as they are handed to the browser: the same numbers, names letter for letter."""

import json
import math

import numpy as np
from pages_served import HOSTILE

from dashboards.diagrams import option_of
from pipeline.reports.report_document import Chart, Series


def option(*series, **said):
    made = option_of(Chart("x", series, **said))
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    return made


def test_lines_steps_and_points_hold_their_numbers():
    for form, type_ in (("lines", "line"), ("steps", "line"), ("points", "scatter")):
        made = option(Series("a", np.array([1, 3]), np.array([0.5, math.nan]), "gain"), form=form, across="trades")
        (one,) = made["series"]
        assert (one["type"], one["name"], one["data"]) == (type_, "a", [[1.0, 0.5], [3.0, None]])
        assert one.get("step") == ("end" if form == "steps" else None)
        assert (made["xAxis"]["type"], made["xAxis"]["name"]) == ("value", "trades")
        assert not made["legend"]["show"]


def test_bars_stand_on_each_other_in_the_order_of_their_labels():
    labels = ["under 1 s", "1 s to 5 s", "more"]
    made = option(Series("lost", labels, [1, 0, 2], "loss"), Series("won", labels, [3, 1, 0], "gain"), form="bars")
    assert made["xAxis"]["data"] == labels
    assert [each["data"] for each in made["series"]] == [
        [[label, count] for label, count in zip(labels, counts, strict=True)] for counts in ([1, 0, 2], [3, 1, 0])
    ]
    assert len({each["stack"] for each in made["series"]}) == 1
    assert made["yAxis"]["scale"] is False, "a bar stands on zero"


def test_a_band_is_filled_from_one_edge_to_the_other_and_tells_both():
    low, high = Series("5%", [0, 1], [-4.0, -2.0], "quiet"), Series("95%", [0, 1], [1.0, 7.0], "band")
    made = option(low, high, Series("50%", [0, 1], [0.0, 1.0], "other"))
    told = {each["name"]: each["data"] for each in made["series"] if "name" in each}
    assert told == {"5%": [[0, -4.0], [1, -2.0]], "95%": [[0, 1.0], [1, 7.0]], "50%": [[0, 0.0], [1, 1.0]]}
    base, filled = (each for each in made["series"] if "name" not in each)
    assert base["stack"] == filled["stack"]
    assert "areaStyle" not in base
    assert [below[1] + above[1] for below, above in zip(base["data"], filled["data"], strict=True)] == [1.0, 7.0]
    assert not base["tooltip"]["show"]
    assert made["legend"]["data"] == ["50%"]


def test_names_are_data():
    made = option(Series(HOSTILE, [HOSTILE], [1.0]), Series("b", [HOSTILE], [2.0]), form="bars", across=HOSTILE)
    assert made["series"][0]["name"] == made["xAxis"]["data"][0] == made["xAxis"]["name"] == HOSTILE
    assert "formatter" not in json.dumps(made)
