"""Tidy: the house rules a linter does not know."""

import ast
import re
from pathlib import Path

import pytest

import pipeline
from pipeline.codes import Kind

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "strategies", "warehouse", "dashboards")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "common", "base", "manager", "helpers", "helper", "misc", "info"}
LINES_MAX = 420
"""A file that needs more has two nouns in it."""

FUNCTION_LINES_MAX = 70
"""A screen."""


def names(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("path", SOURCES, ids=names(SOURCES))
def test_a_file_fits_its_room(path):
    assert path.stem not in FORBIDDEN_NAMES
    assert len(path.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", SOURCES, ids=names(SOURCES))
def test_a_function_fits_a_screen_and_a_public_name_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path}: a module says what lives in it"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < FUNCTION_LINES_MAX, f"{path}:{node.lineno} {node.name}"


def test_every_file_of_tests_has_a_name_of_its_own():
    """Folders of tests are no packages: of two files of one name only one would be run."""
    found = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(found) == sorted(set(found))


def test_the_map_names_every_module_once():
    text = pipeline.__doc__
    for path in (path for path in SOURCES if path.parts[len(ROOT.parts)] == "pipeline" and path.stem[0] != "_"):
        module = path.relative_to(ROOT / "pipeline").with_suffix("").as_posix().replace("/", ".")
        assert text.count(f"`{module}`") == 1, (
            f"{module} stands {text.count(f'`{module}`')} times in pipeline/__init__.py"
        )


def test_the_map_names_no_module_that_is_not_there():
    for module in re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", pipeline.__doc__):
        assert module == "seq" or (ROOT / "pipeline" / (module.replace(".", "/") + ".py")).is_file(), module


def test_every_kind_has_a_staging_view():
    staged = "\n".join(path.read_text() for path in (ROOT / "warehouse" / "staging").glob("*.sql"))
    for kind in Kind:
        assert re.search(rf"\bfrom log\.{kind.name.lower()}\b", staged), kind


def test_every_view_says_its_grain():
    for path in (ROOT / "warehouse").glob("*/*.sql"):
        assert path.read_text().startswith("-- grain: "), path


def test_nothing_is_put_off():
    words = re.compile("TO" + "DO|FIX" + "ME|raise NotImpl" + "emented|XX" + "X")
    for path in SOURCES:
        assert not words.search(path.read_text()), path


def test_the_lock_carries_no_address():
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", (ROOT / "requirements.lock").read_text())


def test_every_lint_exception_has_its_reason():
    section = (ROOT / "pyproject.toml").read_text().split("[tool.ruff.lint]")[1].split("[tool.mypy]")[0]
    for line in section.splitlines():
        if re.match(r'\s+"[A-Z]+\d*",', line):
            assert "#" in line, line
    for path in SOURCES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for mark in re.finditer(r"#\s*(noqa: [A-Z0-9, ]+|type: ignore\[[^\]]+\])(.*)", line):
                assert len(mark[2].strip()) > 5 or "type: ignore" in mark[1], (
                    f"{path}:{number}: no reason beside {mark[1]}"
                )
