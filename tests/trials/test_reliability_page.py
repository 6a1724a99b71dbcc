"""The page of what may go wrong: each test that it names is there, and its figures are those of the ledgers."""

import ast
import re

import mutants
import pytest
import totals

ROOT, TEXT = totals.ROOT, totals.PAGE.read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=["::".join(each) for each in NAMED])
def test_a_test_that_is_named_is_there(path, name):
    tree = ast.parse((ROOT / "tests" / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_fault_has_a_test_or_a_reason():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and line.count(" | ") == 3]
    faults = [
        row.strip("|").split(" | ") for row in rows if not row.startswith(("| fault", "| trial", "| `just", "| rules"))
    ]
    faults = [row for row in faults if not row[1].strip().isdigit()]
    assert len(faults) >= 40
    for fault, happens, tests, figure in faults:
        assert happens.strip(), fault
        assert "::" in tests or "no test: " in figure, fault


def test_it_claims_no_more_than_the_ledgers_have():
    """A trial that is being lived may have written more down since; the page is written when it ends."""
    told = re.findall(r"\| `just (.+?)` \| ([\d,]+) \| ([\d,]+) \|", TEXT)
    lived = totals.stints.totals()
    assert {name for name, *_ in told} <= lived.keys()
    assert {"crash", "kill"} <= {name for name, *_ in told}
    for name, *numbers in told:
        claimed = [int(number.replace(",", "")) for number in numbers]
        assert all(ours <= theirs for ours, theirs in zip(claimed, lived[name], strict=True)), name
    assert totals.recorded() in TEXT, "run `python tests/trials total`"
    for row in re.findall(r"\| [\w ]+ \| (\d+) \| (\d+) \|", TEXT):
        listed, caught = map(int, row)
        assert caught <= listed
    assert sum(int(listed) for listed, _ in re.findall(r"\| [\w ]+ \| (\d+) \| (\d+) \|", TEXT)) == len(mutants.MUTANTS)


def test_totals_are_added_up(tmp_path):
    ledger = tmp_path / "passed.jsonl"
    for name, first, count, executions in (("crash", 0, 5, 5), ("fuzz csv", 0, 3, 300), ("crash", 5, 10, 10)):
        totals.stints.record(name, first, count, executions, ledger)
    told = totals.lived(ledger)
    assert "| `just crash` | 15 | 15 | 1,000,000 |" in told
    assert "| `just fuzz csv` | 3 | 300 | 5,000,000 |" in told


def test_no_source_reads_what_can_run():
    """Nothing that comes out of a file may become code: pickles, objects of numpy, tags of YAML."""
    words = re.compile(r"\b(pickle|dill|joblib|shelve|marshal)\b|allow_pickle\s*=\s*True|yaml\.(unsafe_)?load\(")
    for room in ("pipeline", "dashboards", "warehouse", "strategies"):
        for path in (ROOT / room).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
                    assert not words.search(ast.unparse(node)), f"{path}:{node.lineno}"
