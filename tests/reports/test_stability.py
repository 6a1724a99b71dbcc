"""Stability: what lies beside a set of parameters, and maps of two of them."""

from pipeline.log.backtests import TradeSums
from pipeline.log.studies import Trial
from pipeline.reports.stability import BINS_MAX, Neighbour, maps_of, neighbourhood_of, points_beside


def trial(number, point, value):
    return Trial(number, {}, point, value, 1, 0, TradeSums(), 0.0, 0)


def test_neighbours_are_a_twentieth_away_and_within_the_axes():
    assert points_beside([46, 3, 2], [True, True, False], (45, 1, 0)) == [(43, 1, 0), (45, 0, 0), (45, 2, 0)]
    assert points_beside([1, 200], [True, True], (0, 100)) == [(0, 90), (0, 110)]


def test_what_is_no_candidate_is_no_part_of_the_mean():
    found = neighbourhood_of([Neighbour({}, 4.0), Neighbour({}, None), Neighbour({}, 1.0)])
    assert (len(found.neighbours), found.mean, found.worst) == (3, 2.5, 1.0)
    assert neighbourhood_of([Neighbour({}, None)]).mean is None


def test_a_map_has_each_set_of_parameters_once_in_its_area():
    axes = {"fast": tuple(range(5, 17)), "exit": (False, True), "size": (1,)}
    trials = [trial(1, (0, 0, 0), 3.0), trial(2, (1, 0, 0), 5.0), trial(3, (0, 0, 0), 3.0), trial(4, (11, 1, 0), None)]
    (found,) = maps_of(axes, trials)
    assert (found.first, found.second) == ("fast", "exit")
    assert [len(row) for row in found.areas] == [2] * BINS_MAX
    assert [row[0].first for row in found.areas][::5] == [(5, 6), (15, 16)]
    corner, far = found.areas[0][0], found.areas[-1][-1]
    assert (corner.tried, corner.mean, corner.best) == (2, 4.0, 5.0)
    assert (far.tried, far.mean, far.second) == (1, None, (True, True))
    assert sum(area.tried for row in found.areas for area in row) == 3
