"""Each layer alone: what the system and DuckDB's locks hold when no gate stands before them, on this machine."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from attacks import FILES, OTHERS, SECRET, WRITES, attacks

from pipeline.sandbox import closing, landlock

HERE = Path(__file__).parent
BOOT = "import sys, runpy; sys.path[:0] = [{root!r}]; runpy.run_path({script!r}, run_name='__main__')"


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder of files that are nobody's business."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "kept.csv").write_text(f"a\n{SECRET}\n")
    return folder


@pytest.fixture(scope="module")
def report(home, outside):
    """What became of all attacks in one process without a gate, which was begun by one that has a secret."""
    statements = [
        sql for sql in attacks(FILES + WRITES + OTHERS, outside / "kept.csv", outside / "out") if "sleep" not in sql
    ]
    boot = BOOT.format(root=str(closing.ROOT), script=str(HERE / "ungated.py"))
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = [str(home), str(outside / "kept.csv"), str(outside), str(server.getsockname()[1]), str(os.getpid())]
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", boot, *arguments],
            input=json.dumps(statements) + "\n", capture_output=True, text=True, env={}, cwd="/", timeout=250, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found["outcomes"] = dict(zip(statements, found["outcomes"], strict=True))
    found["home is as it was"] = before == {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    return found


def test_nothing_of_a_secret_comes_out_even_without_a_gate(report):
    assert SECRET not in json.dumps(report)
    assert "root:" not in json.dumps(report["outcomes"])
    for sql, (what, *_) in report["outcomes"].items():
        reaches = any(
            word in sql for word in ("kept.csv", "read_", "/proc", "http", "s3:", "glob(", "/out", "arrow", "pandas")
        )
        if reaches and "as (select 1)" not in sql:  # a step of that name is no file
            assert what == "refused", sql


def test_nothing_is_written_even_without_a_gate(report, outside):
    assert report["home is as it was"]
    assert [path.name for path in outside.iterdir()] == ["kept.csv"]
    assert SECRET in (outside / "kept.csv").read_text()


def test_no_setting_is_taken_even_without_a_gate(report):
    assert report["settings"] == {
        "enable_external_access": False, "lock_configuration": True, "python_enable_replacements": False,
        "temp_directory": "", "threads": 2, "memory_limit": report["settings"]["memory_limit"],
    }  # fmt: skip
    assert report["settings"]["memory_limit"].startswith("488.")  # MiB, which are 512 MB
    for sql, (what, *_) in report["outcomes"].items():
        if sql.startswith(
            ("set memory", "set threads", "set enable", "set lock", "set home", "reset", "install", "load")
        ):
            assert what == "refused", sql


def test_no_object_of_python_is_found_by_its_name(report):
    assert report["frame"] == ["canary_of_a_frame"]
    assert report["outcomes"]["select * from secret_frame"][1] == "CatalogException"


def test_the_tape_is_still_there(report):
    assert report["still"][0][0] > 0


@pytest.mark.skipif(
    sys.platform != "linux" or landlock.abi() < landlock.OUTSIDE_ABI,
    reason="this system has no Landlock of that version",
)
def test_the_system_holds_what_python_itself_would_do(report):
    assert report["threads"] == 1
    assert report["protection"] == [landlock.abi(), True, []]
    assert {what: result for what, result in report["tried"].items() if result != "PermissionError"} == {}


def test_its_environment_was_empty(report):
    assert set(report["environment"]) <= {
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "ARROW_DEFAULT_MEMORY_POOL",
        "LC_CTYPE",
    }


def test_its_limits_are_for_good(report):
    assert report["limits"] == {"FSIZE": [0, 0], "CORE": [0, 0], "DATA": [1 << 30] * 2, "AS": [1 << 32] * 2}
    assert report["no new privileges"] == 1


def test_what_is_weaker_on_other_systems_is_said():
    assert closing.weaker(7) == ()
    (line,) = closing.weaker(0)
    assert "no Landlock" in line
    assert "a machine of their own only" in line
    assert "signalling" in closing.weaker(5)[0]
    assert "connections other than TCP" in closing.weaker(7, no_sockets=False)[0]
    assert "close connections to" in closing.weaker(3, no_sockets=False)[1]
    assert "not set all limits of memory" in closing.weaker(7, has_limits=False)[0]
    assert len(closing.weaker(0, no_sockets=False, has_limits=False)) == 3


def test_a_process_with_two_threads_is_not_closed_in():
    """The other thread would keep all its rights."""
    script = (
        f"import sys, threading, time; sys.path.insert(0, {str(closing.ROOT)!r}); from pathlib import Path\n"
        "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"
        "from pipeline.sandbox.closing import close; close(Path('/'), memory=1 << 30)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert "would keep its rights" in done.stderr


def test_what_a_worker_may_read_is_code_and_tape(home):
    told = [path.as_posix() for path in closing.readable(home)]
    assert closing.ROOT.as_posix() not in told
    assert str(home) not in told
    assert f"{home}/accounts" not in told
    assert {"/", "/home", "/root", "/etc", "/proc", "/tmp", str(Path.home())}.isdisjoint(told)
