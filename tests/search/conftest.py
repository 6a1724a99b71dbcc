"""Stores of four short days, and one in which a search went on undisturbed."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "run"))  # hands_here, cells run in this process
from search_samples import FILE, RANGES, copied, searched

from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.strategies import plan_of
from pipeline.run.sweeping import space_of
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, MINUTE_NS


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store of four short days."""
    store = Store(tmp_path_factory.mktemp("store"))
    plan = plan_of([FILE], [], [])
    for seed in range(1, 5):
        starts_ns = Day().starts_ns + seed * DAY_NS
        day = Day(seed=seed, quotes=120, instruments=1, lasts_ns=20 * MINUTE_NS, starts_ns=starts_ns)
        record_generated(store, day, plan, [FILE], created_ns=seed)
    return store


@pytest.fixture
def store(recorded, tmp_path):
    return copied(recorded, tmp_path / "store")


@pytest.fixture(scope="module")
def space():
    return space_of([FILE], [], [], RANGES)


@pytest.fixture(scope="module")
def whole(recorded, tmp_path_factory, space):
    """The same store after a search that nobody disturbed, and its trials."""
    store = copied(recorded, tmp_path_factory.mktemp("whole") / "store")
    return store, searched(store, space)[1]


@pytest.fixture
def done(whole, tmp_path):
    """A copy of it."""
    return copied(whole[0], tmp_path / "done")
