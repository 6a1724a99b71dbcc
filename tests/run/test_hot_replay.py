"""Replays read through the hot cache: the same decisions without it, with it, and when it is damaged."""

import pytest

from pipeline.log import cache, hot
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

FILE = strategy_file("ema_cross")
PLAN = plan_of([FILE], ["fast=5", "slow=20"], [])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = Store(tmp_path_factory.mktemp("store"))
    record_generated(made, Day(quotes=900, instruments=3), PLAN, [FILE], created_ns=1)
    return made


@pytest.fixture
def replayed(store, monkeypatch):
    def run(limit_gib, **options):
        monkeypatch.setenv(cache.LIMIT_VARIABLE, limit_gib)
        return replay(store, "last", PLAN, [FILE], created_ns=2, **options)

    return run


def test_the_first_replay_leaves_columns_that_change_nothing(store, replayed):
    plainly = replayed("0")
    assert not hot.entries(store)
    leaving = replayed("1")
    assert hot.has(store, store.find_one("last").id)
    mapped = replayed("1", rows=1_000)
    assert plainly.fills > 0
    for run in (leaving, mapped):
        assert (run.decisions_hash, run.state_hash) == (plainly.decisions_hash, plainly.state_hash)
        assert (run.events, run.fills, run.realized) == (plainly.events, plainly.fills, plainly.realized)


def test_a_damaged_column_is_found_and_made_again(store, replayed):
    before = replayed("1")
    (entry,) = hot.entries(store)
    folder = store.home / cache.FOLDER / entry.key
    path = folder / "quote" / "bid_nano.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert replayed("1").decisions_hash == before.decisions_hash
    path.unlink()
    assert replayed("1").decisions_hash == before.decisions_hash
    assert path.is_file()


def test_a_replay_of_a_part_of_a_session_leaves_nothing(store, replayed):
    hot.clear(store)
    session = store.find_one("last")
    replayed("1", until_ns=(session.first_ts_ns + session.last_ts_ns) // 2)
    assert not hot.entries(store)
