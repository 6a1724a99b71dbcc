import time

import anyio
import pytest

from pipeline.errors import ConfigError
from pipeline.run.clock import ScaledClock, SystemClock
from pipeline.units import NANO

START = 1_793_779_200 * NANO


def test_a_scaled_clock_starts_where_it_is_told_and_runs_at_its_rate():
    before, clock = time.monotonic_ns(), ScaledClock(START, 1_000.0)
    anyio.run(clock.sleep_until, START + 20 * NANO)
    now, after = clock.now_ns(), time.monotonic_ns()
    assert now >= START + 20 * NANO
    assert (now - START) // 1_000 <= after - before
    assert clock.now_ns() >= now


def test_the_system_clock_is_that_of_the_machine():
    clock, before = SystemClock(), time.time_ns()
    anyio.run(clock.sleep_until, before + 20_000_000)
    assert before + 20_000_000 <= clock.now_ns() <= time.time_ns()


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e7, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ConfigError, match=r"0\.001 to 1,000,000"):
        ScaledClock(START, rate)


def test_settings_name_the_clock():
    assert ScaledClock(START, 60.0).told() == "2026-11-04T08:00:00.000000000Z@60"
    assert SystemClock().told() == "system"
