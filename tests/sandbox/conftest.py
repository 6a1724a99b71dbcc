"""A tape of a few rows, sealed, replayed and recorded again, and a sandbox over it whose worker answers many statements."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "warehouse"))  # warehouse_samples, the hand-written tape
from attacks import SECRET
from warehouse_samples import DECISIONS, INPUTS, written

from pipeline.sandbox.answering import parser
from pipeline.sandbox.asking import Sandbox
from pipeline.sandbox.gate import Gate
from pipeline.sandbox.speech import Limits


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A sealed session with a run over it, and one that is still recorded; nobody may change it."""
    home = tmp_path_factory.mktemp("asked of é's")
    written(home, [*INPUTS, *DECISIONS], state="sealed")
    written(home, DECISIONS, name="run", state="sealed", parents=("day",))
    written(home, [*INPUTS, *DECISIONS], name="open", state="open")
    (home / "accounts").mkdir()
    (home / "accounts" / "kept.csv").write_text(SECRET)
    return home


@pytest.fixture(scope="session")
def sandbox(home):
    """One worker for all statements: the half second that each costs is not what is tested. A secret is where it began."""
    os.environ["TAPE_TEST_KEY"] = SECRET
    patient = Limits(execution_ms=60_000, wall_s=100)  # on a machine that is busy with something else, too
    with Sandbox(home, patient, answers_per_worker=10_000) as sandbox:
        yield sandbox
    del os.environ["TAPE_TEST_KEY"]


@pytest.fixture(scope="session")
def gate():
    return Gate(parser(Limits()), chars_max=Limits().statement_chars)
