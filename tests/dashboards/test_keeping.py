"""Keeping: answers over finished sessions are there before a page asks, and nothing is left behind."""

import os
import shutil
import subprocess
import sys

import pytest
from pages_served import SESSION

from dashboards.keeping import keep_some
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.generating import record_generated
from pipeline.run.strategies import plan_of
from pipeline.simulator.generate import Day


@pytest.fixture
def own(home, tmp_path):
    return Store(shutil.copytree(home, tmp_path / "own", ignore=shutil.ignore_patterns("cache")))


def kept(store):
    return {(path.parent.name, path.stem) for path in (store.home / "cache" / "marts").rglob("*.parquet")}


def test_answers_are_kept_until_there_is_nothing_to_do(own):
    done = {}
    assert keep_some(own, done)
    (run,) = own.runs()
    assert {(SESSION, "trades"), (run.id, "trades"), (SESSION, "feed_health"), (run.id, "equity")} <= kept(own)
    assert not keep_some(own, done)


def test_a_damaged_log_keeps_nothing_from_the_others(own):
    day = record_generated(own, Day(quotes=200), plan_of([], [], []), [], created_ns=9)
    part = max((own.folder(day.id)).rglob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    assert keep_some(own, {})
    assert (SESSION, "trades") in kept(own)
    assert day.id not in {name for name, _ in kept(own)}


def test_who_records_goes_first(own):
    open_ = own.create_session("live", mode=Mode.PAPER, created_ns=9)
    segment = own.folder(open_.id) / JOURNAL / "00000001"
    segment.touch()
    assert not keep_some(own, {})
    assert kept(own) == set()
    os.utime(segment, (1, 1))
    assert keep_some(own, {})  # a crash left it open: it will not hold up the answers over all others


def test_it_ends_with_the_pages(own):
    own.home.joinpath("sessions").rename(own.home / "elsewhere")
    command = [sys.executable, "-m", "dashboards.keeping", str(own.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as keeper:
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.wait(1)
        keeper.stdin.close()
        assert keeper.wait(60) == 0
