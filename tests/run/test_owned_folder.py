"""A temporary folder goes with its owner, or behind him; nobody else's is touched."""

import resource
import signal
import subprocess
import sys

import pytest

from pipeline.run.owned_folder import owned_folder

OWNING = """
import sys, time
from pathlib import Path
from pipeline.run.owned_folder import owned_folder
with owned_folder("tape-x-", Path(sys.argv[1])) as folder:
    (folder / "socket").touch()
    print(folder, flush=True)
    time.sleep(300)
"""


def owner(root):
    """A process with a folder of its own, and that."""
    process = subprocess.Popen([sys.executable, "-c", OWNING, root], stdout=subprocess.PIPE, text=True)
    return process, root / process.stdout.readline().strip().rpartition("/")[2]


def test_the_folder_of_a_killed_owner_goes_and_that_of_a_living_one_stays(tmp_path):
    (dead, its), (living, theirs) = owner(tmp_path), owner(tmp_path)
    try:
        dead.send_signal(signal.SIGKILL)
        dead.communicate()
        assert its.is_dir()
        with owned_folder("tape-x-", tmp_path) as ours:
            assert {*tmp_path.iterdir()} == {theirs, ours}
            assert (theirs / "socket").exists()
        assert {*tmp_path.iterdir()} == {theirs}
    finally:
        living.kill()
        living.communicate()


def test_what_is_not_surely_a_dead_ones_is_left_alone(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("mine")
    (tmp_path / "tape-x-making").mkdir()
    (tmp_path / "tape-x-making" / ".owner").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "owner").symlink_to(kept)
    (tmp_path / "tape-x-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "tape-x-file").write_text("a file")
    (tmp_path / "other-x").mkdir()
    (tmp_path / "other-x" / "owner").touch()
    (tmp_path / "tape-x-open").mkdir()
    (tmp_path / "tape-x-open").chmod(0o777)
    (tmp_path / "tape-x-open" / "owner").symlink_to(kept)
    before = {*tmp_path.rglob("*")}
    with owned_folder("tape-x-", tmp_path):
        pass
    assert {*tmp_path.rglob("*")} == before
    assert kept.read_text() == "mine"


def test_a_full_disk_leaves_no_folder_behind(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large"), owned_folder("tape-x-", tmp_path):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [*tmp_path.iterdir()]
