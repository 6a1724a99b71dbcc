"""Trails: waypoints come back as they were left, or not at all."""

import os
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, CorruptError
from pipeline.log import cache, trail
from pipeline.log.trail import About, Trail, Waypoint, found, name_of, opened

ABOUT = About("day", {"strategies": []}, {"a.py": "00"})
WAYPOINTS = [
    Waypoint(100 * i, 1_000 * i, bytes([i]) * 40 * i, b"" if i % 2 else b"moves of " + bytes([i])) for i in range(1, 6)
]


@pytest.fixture
def made(tmp_path):
    """A folder with a trail of five waypoints."""
    with opened(tmp_path, "x", ABOUT) as made:
        for waypoint in WAYPOINTS:
            made.add(waypoint)
    return tmp_path / trail.FOLDER / "x"


def read_all(folder):
    """What can be read, from the first on; as a reader goes back to the one before a damaged one."""
    with Trail(folder) as read:
        while read.places:
            try:
                return [read.read(place) for place in list(read.places)]
            except CorruptError:
                continue
    return []


def test_waypoints_come_back_as_they_were_left(made):
    assert read_all(made) == WAYPOINTS
    with Trail(made) as read:
        assert read.end_seq == 500
        assert [read.place_before(seq).seq for seq in (100, 199, 200, 9_999)] == [100, 100, 200, 500]
        assert read.place_before(99) is None
        assert [read.place_until(ts).seq for ts in (1_000, 2_999, 10**9)] == [100, 200, 500]
        assert read.place_until(999) is None


@given(st.data())
@settings(max_examples=150)
def test_any_damage_ends_the_trail_before_it(tmp_path_factory, data):
    home = tmp_path_factory.mktemp("trail")
    with opened(home, "x", ABOUT) as made:
        for waypoint in WAYPOINTS:
            made.add(waypoint)
        ends = [place.end for place in made.places]
    path = home / trail.FOLDER / "x" / trail.FILE
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        content = content[:at] + data.draw(st.binary(max_size=60))
    path.write_bytes(content)
    whole = sum(end <= at for end in ends)
    got = read_all(path.parent)
    assert got[:whole] == WAYPOINTS[:whole]
    assert got == WAYPOINTS[: len(got)]


def test_who_writes_goes_on_behind_the_last_whole_waypoint(made):
    path = made / trail.FILE
    content = bytearray(path.read_bytes())
    with Trail(made) as read:
        content[read.places[2].offset + 90] ^= 1
    path.write_bytes(content)
    with Trail(made, is_written=True) as written:
        with pytest.raises(CorruptError, match="not what was written"):
            written.read(written.places[2])
        assert written.end_seq == 200
        written.add(WAYPOINTS[2])
    assert read_all(made) == WAYPOINTS[:3]


def test_one_writes_and_others_read(made, tmp_path):
    with opened(tmp_path, "x", ABOUT) as first, opened(tmp_path, "x", ABOUT) as second:
        assert (first.is_written, second.is_written) == (True, False)
        assert second.read(second.places[-1]) == WAYPOINTS[-1]


def test_a_long_trail_grows_ever_more_slowly(tmp_path, monkeypatch):
    monkeypatch.setattr(trail, "SPACING", 10)
    monkeypatch.setattr(trail, "SIZE_STEP", 500)
    with opened(tmp_path, "x", ABOUT) as made:
        seqs = []
        for number in range(60):
            seqs.append(trail.next_seq(made.end_seq, made.state_bytes))
            made.add(Waypoint(seqs[-1], number, bytes(range(50)), b""))
        steps = [b - a for a, b in pairwise(seqs)]
        assert steps[0] == 10
        assert steps == sorted(steps)
        assert max(steps) >= 160


def test_trails_are_found_by_what_they_are_of(tmp_path):
    plan = {"strategies": [{"name": "x", "params": {"fast": 3}}], "settings": {}}
    names = {
        name_of("s", plan, "c" * 64),
        name_of("t", plan, "c" * 64),
        name_of("s", {**plan, "settings": {"cash": 1}}, "c" * 64),
    }
    assert len(names) == 3
    for code in ("c" * 64, "d" * 64):
        with opened(tmp_path, name_of("s", plan, code), About("day", plan, {"a.py": code})):
            pass
    assert {about.code["a.py"][0] for _, about in found(tmp_path, "s", plan)} == {"c", "d"}
    assert found(tmp_path, "t", plan) == []


def test_the_least_recently_used_goes_first(tmp_path, monkeypatch):
    for number, name in enumerate(("old", "new")):
        with opened(tmp_path, name, ABOUT) as made:
            made.add(Waypoint(1, 1, random.Random(number).randbytes(900), b""))
        os.utime(tmp_path / trail.FOLDER / name / cache.INDEX, ns=(number, number))
    monkeypatch.setenv(trail.LIMIT_VARIABLE, "0.000002")
    with opened(tmp_path, "next", ABOUT) as made:
        assert made.is_written
    kept = [entry.key for entry in cache.entries_of(tmp_path / trail.FOLDER)]
    assert kept == ["new", "next"]


def test_all_can_be_dropped(made, tmp_path):
    size = sum(entry.size for entry in trail.entries(tmp_path))
    assert size > made.joinpath(trail.FILE).stat().st_size > 0
    assert trail.clear(tmp_path) == size
    assert trail.entries(tmp_path) == []


def test_a_limit_of_nothing_makes_none(tmp_path, monkeypatch):
    monkeypatch.setenv(trail.LIMIT_VARIABLE, "0")
    assert opened(tmp_path, "x", ABOUT) is None
    monkeypatch.setenv(trail.LIMIT_VARIABLE, "much")
    with pytest.raises(ConfigError, match="TAPE_TRAILS_GIB='much': write how many GiB cache/trails may take"):
        opened(tmp_path, "x", ABOUT)
