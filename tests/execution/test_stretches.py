"""Stretches: whatever comes, in whatever order and however often, each part counts once."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.execution.stretches import Stretches

PARTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=20)


@given(PARTS, st.integers(0, 12))
def test_each_part_is_new_once(parts, known):
    stretches, covered = Stretches(known), set(range(known))
    for start, size in parts:
        told = [place for low, high in stretches.add(start, start + size) for place in range(low, high)]
        assert len(told) == len(set(told))
        assert set(told) == set(range(start, start + size)) - covered
        covered |= set(told)
        assert stretches.total == len(covered)


def test_what_lies_between_is_told_in_pieces():
    stretches = Stretches()
    assert stretches.add(4, 7) == [(4, 7)]
    assert stretches.add(0, 10) == [(0, 4), (7, 10)]
    assert stretches.add(0, 10) == []
