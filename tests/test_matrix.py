"""`just matrix`: what differs is named and makes it fail, and an environment is made anew for other requirements."""

import json
import re
from dataclasses import replace

from matrix import worker
from matrix.environments import CHOICES, ROOT, found_python, is_made, stamp
from matrix.sessions import record
from matrix.table import WAYS, Cell, table
from pipeline.log.store import Store

RECORDED = {"day": ("aa" * 32, "bb" * 32)}
HERE = ("3.12.1", "2.1.0", "0.66.0", "24.0.0", "1.5.0")
CELLS = [Cell(HERE, "day", way, *RECORDED["day"]) for way in WAYS]


def test_equal_hashes_are_equal():
    told, is_equal = table(CELLS, RECORDED)
    assert is_equal
    assert "| 3.12.1 | 2.1.0 | 0.66.0 | 24.0.0 | 1.5.0 | equal | equal | equal |" in told


def test_a_planted_difference_is_named_and_fails():
    for planted, named in (
        (replace(CELLS[1], decisions_hash="cc" * 32), "decisions cccccccccccc, recorded aaaaaaaaaaaa"),
        (replace(CELLS[1], state_hash="cc" * 32), "state cccccccccccc, recorded bbbbbbbbbbbb"),
        (replace(CELLS[1], problem="seq 7 ord 1: fill"), "day, compiled: seq 7 ord 1: fill"),
        (Cell(HERE, "day", "compiled"), "decisions , recorded"),
    ):
        told, is_equal = table([CELLS[0], planted, CELLS[2]], RECORDED)
        assert not is_equal
        assert "| equal | 0 of 1 equal | equal |" in told
        assert named in told


def test_what_was_not_run_is_no_proof():
    assert not table([], RECORDED)[1]
    assert not table(CELLS[:2], RECORDED)[1]
    assert not table(CELLS, RECORDED | {"night": RECORDED["day"]})[1]
    told, is_equal = table([Cell(("3.14-highest",), "day", way, problem="no wheel") for way in WAYS], RECORDED)
    assert not is_equal
    assert "| 3.14-highest | - | - | - | - | 0 of 1 equal |" in told


def test_a_worker_says_the_hashes_that_were_recorded(tmp_path, capsys):
    """Over the generated sessions, in this environment; one that isn't there is a problem with a name."""
    recorded = record(Store(tmp_path), tmp_path / "no-data")
    worker.main(["verify", str(tmp_path), "interpreted", *recorded, "absent"])
    *found, absent = map(json.loads, capsys.readouterr().out.splitlines())
    assert {each["session"]: (each["decisions_hash"], each["state_hash"]) for each in found} == recorded
    assert [each["problem"] for each in found] == ["", ""]
    assert "absent" in absent["problem"]


def test_the_newest_python_of_pyenv_is_found_without_a_path_to_it(tmp_path):
    for name in ("3.12.9", "3.12.10", "3.13.0", "pypy3.12-7", "3.12.11"):
        python = tmp_path / "versions" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        if name != "3.12.11":  # one that was not built to its end
            python.touch()
    found = found_python("3.12", {"PYENV_ROOT": str(tmp_path)})
    assert found == str(tmp_path / "versions" / "3.12.10" / "bin" / "python")
    assert found_python("3.3", {"PYENV_ROOT": str(tmp_path)}) is None


def test_an_environment_is_made_anew_for_other_requirements(tmp_path):
    text = '[project]\ndependencies = ["numpy>=2.1", "click>=8"]\n'
    first = stamp(text, "python", CHOICES[0])
    assert not is_made(tmp_path, first)
    (tmp_path / "made").write_text(first)
    assert is_made(tmp_path, first)
    assert is_made(tmp_path, stamp(text + "[tool.ruff]\nline-length = 100\n", "python", CHOICES[0]))
    for other in (
        stamp(text.replace("2.1", "2.2"), "python", CHOICES[0]),
        stamp(text, "another", CHOICES[0]),
        stamp(text, "python", CHOICES[1]),
    ):
        assert not is_made(tmp_path, other)


def test_the_page_tells_the_lower_bounds_that_were_tried():
    """Whoever changes a bound of these runs `just matrix` again and writes down what came of it."""
    bounds = dict(re.findall(r'"(numpy|numba|pyarrow|duckdb)>=([\d.]+)"', (ROOT / "pyproject.toml").read_text()))
    assert len(bounds) == 4
    page = (ROOT / "docs" / "environments.md").read_text()
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| 3.")]
    for place, name in enumerate(("numpy", "numba", "pyarrow", "duckdb"), 1):
        assert any(row[place] == bounds[name] or row[place].startswith(f"{bounds[name]}.") for row in rows), name
