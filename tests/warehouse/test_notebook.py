"""The notebook in the docs runs from its first cell to its last, over a generated day, and carries no results of another one."""

import json
from pathlib import Path

import pytest

CELLS = json.loads((Path(__file__).resolve().parents[2] / "docs" / "asking.ipynb").read_text())["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_every_cell_runs(generated, monkeypatch):
    monkeypatch.setenv("TAPE_HOME", str(generated))
    names = {}
    for number, source in enumerate(CODE):
        if "import polars" in source:
            pytest.importorskip("polars")
        exec(compile(source, f"cell {number}", "exec"), names)
    assert len(names["frame"]) == names["table"].num_rows > 0


def test_no_cell_carries_a_result():
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS if cell["cell_type"] == "code"
    )
