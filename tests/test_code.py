"""Code: the sources kept with a log are those that reduce, and no others."""

from pipeline.run.code import ROOT, code_of


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
