"""The table of `just matrix`: what differs is named, and makes it fail."""

from dataclasses import replace

from matrix.table import Cell, table

RECORDED = {"day": ("aa" * 32, "bb" * 32)}
CELL = Cell("Python 3.12.1", "day", "compiled", *RECORDED["day"])


def test_equal_hashes_are_equal():
    told, is_equal = table([CELL, replace(CELL, speed="interpreted")], RECORDED)
    assert is_equal
    assert told.count("| equal |") == 2


def test_a_planted_difference_is_named_and_fails():
    for planted, named in (
        (replace(CELL, decisions_hash="cc" * 32), "decisions cccccccccccc, recorded aaaaaaaaaaaa"),
        (replace(CELL, state_hash="cc" * 32), "state cccccccccccc, recorded bbbbbbbbbbbb"),
        (replace(CELL, problem="seq 7 ord 1: fill"), "seq 7 ord 1: fill"),
        (Cell("Python 3.12.1", "day", "compiled"), "decisions , recorded"),
    ):
        told, is_equal = table([CELL, planted], RECORDED)
        assert not is_equal
        assert named in told


def test_no_environment_at_all_is_no_proof():
    assert not table([], RECORDED)[1]
