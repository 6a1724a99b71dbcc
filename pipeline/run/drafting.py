"""Drafting: files to begin one's own with: a strategy or a scanner that works as it stands, and its test."""

import keyword
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigError
from strategies import STRATEGIES

_DRAFTS: Final = Path(__file__).with_name("drafts")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def draft_strategy(name: str, folder: Path) -> list[Path]:
    """Write NAME.py and test_NAME.py. Raises ConfigError for a name that no module can have, that another has, or that stands there already."""
    if name in STRATEGIES:
        raise ConfigError(f"{name}: that strategy comes along; accepted is a name of its own")
    if _NAME.fullmatch(name) and _is_taken(name, folder):
        raise ConfigError(
            f"{name}: a module of Python has that name, and its test would hide it; accepted is another one"
        )
    return _write(name, folder, {f"{name}.py": "strategy.py.txt", f"test_{name}.py": "test_strategy.py.txt"})


def draft_scanner(name: str, folder: Path) -> list[Path]:
    """Write NAME.toml and test_NAME.py. Raises ConfigError as `draft_strategy` does."""
    return _write(name, folder, {f"{name}.toml": "scanner.toml.txt", f"test_{name}.py": "test_scanner.py.txt"})


def _is_taken(name: str, folder: Path) -> bool:
    """Whether what is installed has this name; a file of the folder itself has it not."""
    if name in sys.stdlib_module_names:
        return True
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.origin is not None and Path(spec.origin).parent != folder.resolve()


def _write(name: str, folder: Path, drafts: dict[str, str]) -> list[Path]:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.startswith("test_"):
        raise ConfigError(
            f"name {name!r}: accepted are small letters, digits and underscores, a letter first, and no word of Python"
        )
    made = {folder / file: _DRAFTS / draft for file, draft in drafts.items()}
    for path in made:
        if path.exists():
            raise ConfigError(f"{path}: it is there already; accepted is another name, or another folder by --into")
    folder.mkdir(parents=True, exist_ok=True)
    for path, draft in made.items():
        text = draft.read_text().replace("@name@", name).replace("@title@", name.replace("_", " ").capitalize())
        with path.open("x") as file:
            file.write(text)
    return list(made)
