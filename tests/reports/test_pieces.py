"""Columns of many paths: the same numbers piece by piece as in memory, and memory that does not grow with them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trips import trips_of

from pipeline.reports import montecarlo, pieces
from pipeline.reports.knobs import Iid, Knobs
from pipeline.reports.montecarlo import Asked, simulate
from pipeline.reports.outcomes import told
from pipeline.reports.simulations import paths_hash

TRADES = trips_of([10.0, -40.0, 30.0, 5.0], risk=10.0, day=[1, 1, 2, 3])
AT = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def cut(monkeypatch, piece):
    for module in (pieces, montecarlo):
        monkeypatch.setattr(module, "PIECE", piece)


@given(st.lists(st.floats(allow_nan=False) | st.integers(-3, 3).map(float), min_size=1, max_size=30), st.data())
def test_counted_numbers_stand_where_sorting_puts_them(numbers, data):
    ranks = data.draw(st.lists(st.integers(0, len(numbers) - 1), min_size=1, max_size=4))
    assert pieces.ranked(np.array(numbers), ranks) == [sorted(numbers)[rank] for rank in ranks]


def test_a_long_column_says_what_numpy_says(monkeypatch, tmp_path):
    numbers = np.random.default_rng(1).normal(0.0, 100.0, 5_000).round(1)
    cut(monkeypatch, 999)
    (_, column) = pieces.columns(2, len(numbers), tmp_path)
    column[:] = numbers
    pieces.let_go(column)
    assert list(tmp_path.iterdir()) == []
    assert pieces.quantiles(column, AT) == tuple(np.quantile(numbers, AT).tolist())
    assert pieces.mean(column) == pytest.approx(numbers.mean(), rel=1e-12)
    assert pieces.deviation(column) == pytest.approx(numbers.std(), rel=1e-12)
    assert pieces.total(column, lambda piece: piece < 0.0) == np.count_nonzero(numbers < 0.0)


def test_paths_in_a_file_are_those_in_memory_to_the_last_bit(monkeypatch):
    asked = Asked(knobs=Knobs(order=Iid()), paths=700, capital=100.0)
    whole = simulate(TRADES, asked)
    cut(monkeypatch, 64)
    parted = simulate(TRADES, asked, threads=2, chunk=7)
    assert paths_hash(parted) == paths_hash(whole)
    one, other = told(TRADES, asked, parted), told(TRADES, asked, whole)
    assert (one.profit.quantiles, one.loss, one.bands) == (other.profit.quantiles, other.loss, other.bands)


def test_memory_does_not_grow_with_the_paths(monkeypatch):
    cut(monkeypatch, 10_000)
    monkeypatch.setattr(montecarlo, "DRAWN_MAX", 100)

    def peak(paths):
        tracemalloc.start()
        asked = Asked(knobs=Knobs(order=Iid()), paths=paths)
        walked = simulate(TRADES, asked)
        told(TRADES, asked, walked)
        paths_hash(walked)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = peak(60_000)
    assert peak(300_000) < 1.2 * few
