"""Code: the sources kept with a log are those that reduce, and no others."""

import ast

import pytest

from pipeline.errors import ConfigError
from pipeline.run.code import ROOT, code_of, imports_of_ours


def test_the_closure_follows_imports_and_leaves_the_shell_out():
    code = code_of([ROOT / "strategies" / "ema_cross.py"])
    assert {"pipeline/core/engine.py", "pipeline/run/fold.py", "strategies/ema_cross.py", "pipeline/events.py"} <= set(
        code.sources
    )
    assert not [
        name
        for name in code.sources
        if name.startswith(("pipeline/cli", "pipeline/feeds", "warehouse", "strategies/hold"))
    ]


def test_no_import_of_ours_is_missed_and_none_in_a_text_is_taken_for_one():
    for name, source in code_of(sorted((ROOT / "strategies").glob("[!_]*.py"))).sources.items():
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert sorted(map(ast.dump, imports_of_ours(ROOT / name, source))) == sorted(map(ast.dump, nodes)), name


def test_what_is_not_in_our_style_is_found_all_the_same(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from pipeline.core import \\\n    strategy\nif strategy: from pipeline.indicators import rsi; import math\n"
    )
    kept = code_of([path]).sources
    assert {"pipeline/core/strategy.py", "pipeline/indicators/rsi.py"} <= set(kept)
    (found,) = imports_of_ours(path, b"from pipeline.core import \\\n    strategy\n")
    assert ast.unparse(found) == "from pipeline.core import strategy"


def test_a_strategy_from_elsewhere_is_kept_beside_ours(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from pipeline.core import strategy\n")
    assert code_of([path]).sources["strategies/mine.py"] == path.read_bytes()


def test_the_hash_sees_every_byte_and_every_name(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("a = 1\n")
    first = code_of([path]).hash
    path.write_text("a = 2\n")
    assert code_of([path]).hash != first


def test_a_strategy_that_is_no_utf_8_is_refused_with_the_byte(tmp_path):
    path = tmp_path / "other.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + b"a = 1\n")
    with pytest.raises(ConfigError, match=r"other\.py: byte 31 is no UTF-8, as which a log keeps"):
        code_of([path])
