"""The list of mutants is true: each rule's text stands once in its file, is another one without it, and its tests are there.

The runs themselves are `just mutants`.
"""

import mutants
import pytest
from mutants import MUTANTS, Mutant

ROOT = mutants.ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_a_rule_stands_where_the_list_says(mutant):
    text = (ROOT / mutant.file).read_text()
    assert text.count(mutant.text) == 1
    compile(text.replace(mutant.text, mutant.instead), mutant.file, "exec")
    for words in mutant.tests.split():
        path, _, name = words.partition("::")
        assert (ROOT / path).exists()
        assert not name or f"def {name}(" in (ROOT / path).read_text()


def test_names_are_their_own():
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)


def test_every_rule_of_the_gate_is_on_the_list():
    lines = (ROOT / mutants.RISK).read_text().splitlines()
    asked = {line.split("(")[0].strip() for line in lines if line.strip().endswith(("(case),", "(case, crowd),"))}
    assert len(asked) == 30
    assert {f"risk {name}" for name in asked} <= {each.name for each in MUTANTS}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A house of one rule and two tests, one of which holds it."""
    for name in ("pipeline", "strategies", "warehouse", "dashboards", "scanners", "tests", "docs"):
        (tmp_path / "house" / name).mkdir(parents=True)
    home = tmp_path / "house"
    (home / "pipeline" / "rule.py").write_text("def is_right(x):\n    return x > 0\n")
    (home / "pipeline" / "__init__.py").touch()
    (home / "pyproject.toml").touch()
    (home / "README.md").touch()
    body = "from pipeline.rule import is_right\n\n\ndef test_it():\n    assert {}\n"
    (home / "tests" / "test_holds.py").write_text(body.format("not is_right(-1)"))
    (home / "tests" / "test_looks_away.py").write_text(body.format("is_right(1)"))
    monkeypatch.setattr(mutants, "ROOT", home)
    monkeypatch.setattr(mutants, "CAUGHT", home / "caught.jsonl")
    return home


def test_a_rule_that_a_test_holds_is_caught_and_one_that_none_holds_is_named(house, monkeypatch):
    made = [
        Mutant(name, "pipeline/rule.py", "x > 0", "True", f"tests/test_{name}.py") for name in ("holds", "looks_away")
    ]
    monkeypatch.setattr(mutants, "MUTANTS", made)
    with pytest.raises(SystemExit, match="1 of 2 were missed by nobody: looks_away"):
        mutants.run([])
    ((name, kept),) = mutants.caught().items()
    assert (name, kept["by"]) == ("holds", "tests/test_holds.py::test_it")
    monkeypatch.setattr(mutants, "_verdict", lambda *_: pytest.fail("it is known to be caught"))
    mutants.run(["holds"])
