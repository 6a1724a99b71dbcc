"""What `tape new` writes works as it stands, keeps to the dialect, and is never written over."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.kernel.checking import refusals
from pipeline.kernel.determinism import breaches_of
from pipeline.run.loading import load_module, strategy_in

ROOT = Path(__file__).parents[2]


def tape(*words):
    return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    for what, name in (("strategy", "burst"), ("scanner", "movers")):
        told = tape("new", what, name, "--into", str(folder))
        assert told.exit_code == 0, told.output
        assert "Next: " in told.output
    return folder


def test_the_tests_that_are_written_pass(drafted):
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(drafted)]
    run = subprocess.run(words, cwd=drafted, capture_output=True, text=True, timeout=250, env=None, check=False)
    assert run.returncode == 0, run.stdout
    assert "6 passed" in run.stdout


def test_the_strategy_keeps_to_the_dialect_and_to_a_page(drafted):
    path = drafted / "burst.py"
    module = load_module(path)
    strategy = strategy_in(module)
    assert strategy.name == "burst"
    assert not {*breaches_of(path, vars(module)), *refusals(strategy)}
    assert all(spec.help for spec in strategy.Params.specs)


def test_what_is_written_is_in_the_house_style(drafted):
    for words in (["check", "--ignore", "INP001,S101,D103,ANN,PLR2004"], ["format", "--check"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--config", str(ROOT / "pyproject.toml"), str(drafted)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("what", "name", "told"),
    [
        ("strategy", "burst", "is there already"),
        ("strategy", "hold", "comes along"),
        ("strategy", "random", "a module of Python has that name"),
        ("strategy", "numpy", "a module of Python has that name"),
        ("strategy", "pipeline", "a module of Python has that name"),
        ("strategy", "Burst", "accepted are small letters"),
        ("strategy", "class", "accepted are small letters"),
        ("strategy", "../burst", "accepted are small letters"),
        ("scanner", "movers", "is there already"),
        ("scanner", "test_it", "accepted are small letters"),
    ],
)
def test_what_can_not_be_written_is_told_in_a_line(drafted, what, name, told):
    before = {path: path.read_bytes() for path in drafted.rglob("*") if path.is_file()}
    result = tape("new", what, name, "--into", str(drafted))
    assert result.exit_code == 2
    assert told in result.output
    assert {path: path.read_bytes() for path in drafted.rglob("*") if path.is_file()} == before
