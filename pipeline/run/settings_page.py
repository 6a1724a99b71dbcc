"""The page of engine settings, from the lines that declare them."""

import ast
import inspect
from collections.abc import Iterator

from pipeline.core import settings
from pipeline.core.settings import EngineSettings


def settings_page() -> str:
    """Every setting with its default and what is said of it."""
    lines = [
        "# Settings",
        "",
        "What the account, the simulated venue, the bars and the risk gate go by. `--set NAME=VALUE` of `tape record`, `replay`, `backtest` and `refill` sets one;",
        "a session keeps all of them. Times are nanoseconds, money is in the account's currency. What a venue's model assumes, and what is dangerous about it, is in",
        "[orders.md](orders.md).",
        "",
        "| setting | default | what it is |",
        "|---|---|---|",
        *(f"| `{name}` | {_shown(getattr(EngineSettings(), name))} | {text} |" for name, text in _told()),
    ]
    return "\n".join(lines) + "\n"


def _told() -> Iterator[tuple[str, str]]:
    """Names in the order of their declaration, and the sentence beneath each."""
    tree = ast.parse(inspect.getsource(settings))
    declared = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "EngineSettings")
    for field, below in zip(declared.body, [*declared.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            is_told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            assert is_told, f"setting {field.target.id}: a sentence beneath it says what it is"
            yield field.target.id, " ".join(str(below.value.value).split())  # type: ignore[union-attr]


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
