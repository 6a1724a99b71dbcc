"""Pacing: what is due when, at any speed."""

import math

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.simulator.pacing import Pace, speed_of
from pipeline.units import NANO


def test_rows_are_due_when_session_time_reaches_them():
    due_ns = np.array([0, 0, 10, 20, 20, 30]) * NANO
    pace = Pace(0, 10.0)
    assert [pace.due(due_ns, elapsed_s * NANO) for elapsed_s in (0, 1, 2, 3)] == [2, 3, 5, 6]
    assert pace.due(due_ns, NANO - 1) == 2
    assert pace.wait_s(10 * NANO, NANO // 2) == pytest.approx(0.5)
    assert pace.wait_s(10 * NANO, 9 * NANO) == 0.0


@pytest.mark.parametrize("speed", [1.0, 7.0, 333.0, 1_000.0])
def test_every_row_is_due_once_and_in_order_however_often_one_looks(speed):
    random = np.random.default_rng(5)
    due_ns = np.cumsum(random.integers(0, NANO // 10, 500))
    pace = Pace(int(due_ns[0]), speed)
    done, elapsed_ns = 0, 0
    while done < len(due_ns):
        due = pace.due(due_ns, elapsed_ns)
        assert due >= done
        assert np.all(due_ns[done:due] <= pace.session_ns(elapsed_ns))
        assert due == len(due_ns) or due_ns[due] > pace.session_ns(elapsed_ns)
        done, elapsed_ns = due, elapsed_ns + int(random.integers(1, NANO // 100))


def test_without_a_pace_all_is_due_at_once():
    assert Pace(0, math.inf).due(np.array([5, 10**18]), 0) == 2
    assert Pace(0, math.inf).wait_s(10**18, 0) == 0.0


def test_a_speed_is_a_number_from_1_to_1000_or_max():
    assert [speed_of(text) for text in ("1", "10x", "2.5", "1000", "max")] == [1.0, 10.0, 2.5, 1_000.0, math.inf]
    for text in ("0", "0.5", "1001", "fast", "-1", "1e3", "nan", "inf", ""):
        with pytest.raises(ConfigError, match="from 1 to 1000 or max"):
            speed_of(text)
