"""Code: the sources that reduce, found by following imports, so that a log can keep the code that made it.

Only our own packages are followed; third-party packages are named by version in the manifest instead.
"""

import ast
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from blake3 import blake3

from pipeline.errors import ConfigError
from pipeline.log.manifest import code_hash

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder that holds the packages."""

PACKAGES: Final = ("pipeline", "strategies")
FOLD: Final = "pipeline/run/fold.py"
"""The entry: what runs in the process that folds recorded code."""


@dataclass(frozen=True, slots=True)
class Code:
    """Source files by their path below the root, '/' between folders."""

    sources: Mapping[str, bytes]

    @property
    def hashes(self) -> dict[str, str]:
        """The blake3 of each file, in order of names."""
        return {name: blake3(self.sources[name]).hexdigest() for name in sorted(self.sources)}

    @property
    def texts(self) -> dict[str, str]:
        """Each file's text, as a log keeps it."""
        return {name: source.decode() for name, source in self.sources.items()}

    @property
    def hash(self) -> str:
        """One blake3 over names and contents, as the manifest keeps it."""
        return code_hash(self.hashes)


def code_of(strategy_files: Sequence[Path]) -> Code:
    """The fold, the engine, these strategies, and all of ours that they import.

    A strategy from outside the root is kept under `strategies/`. Raises ConfigError when a file can't be parsed or is no UTF-8,
    when two have one name, or when one imports a module that could not be kept.
    """
    sources: dict[str, bytes] = {}
    files = {place_of(path): path for path in strategy_files}
    for path in strategy_files:
        if files[place_of(path)].resolve() != path.resolve():
            raise ConfigError(f"{path} and {files[place_of(path)]} have one name: rename one of them")
        _check_is_one_file(path)
    waiting = [(FOLD, ROOT / FOLD), *files.items()]
    while waiting:
        name, path = waiting.pop()
        if name not in sources:
            sources[name] = path.read_bytes()
            waiting.extend(
                (module, ROOT / module) for module in _imported(path, sources[name], is_ours=name not in files)
            )
    return Code(sources)


def is_todays(code: Mapping[str, str], strategy_files: Sequence[Path]) -> bool:
    """Whether recorded sources, given as the blake3 of each, are those that stand here, strategies in these files.

    Much cheaper than to follow imports again, and as good: the same sources import the same.
    """
    files = {place_of(path): path for path in strategy_files}
    paths = {name: files.get(name, ROOT / name) for name in code}
    return all(path.is_file() and blake3(path.read_bytes()).hexdigest() == code[name] for name, path in paths.items())


def place_of(strategy_file: Path) -> str:
    """The name under which a strategy's source is kept: `strategies/<its name>`."""
    return f"strategies/{strategy_file.name}"


def _check_is_one_file(path: Path) -> None:
    """A strategy is a text, and imports ours, the standard library and installed packages: a module beside it would not be kept."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is no UTF-8, as which a log keeps a strategy's source") from None
    for line, module in imports_of(path):
        if module.partition(".")[0] not in PACKAGES and not is_installed(module):
            raise ConfigError(
                f"{path}: line {line}: a strategy is one file; {module!r} beside it would not be kept with the log"
            )


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """What a file imports, with the line: `a.b` of `import a.b`, `a` of `from a import b`, '.' of what stands beside it."""
    for node in _imports(_tree(path, path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        else:
            yield node.lineno, "." if node.level else node.module or "."


def is_installed(module: str) -> bool:
    """Whether a module is of the standard library or of a package that is installed."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    spec = importlib.util.find_spec(top) if top else None
    origin = Path(spec.origin).resolve() if spec and spec.origin else None
    installed = (Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))
    return origin is not None and any(origin.is_relative_to(folder) for folder in installed)


def _tree(path: Path, source: bytes) -> ast.Module:
    try:
        return ast.parse(source, filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path}: line {getattr(error, 'lineno', '?')}: {error}") from None


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements, also those within functions. Expressions, nine nodes of ten, hold none and are passed by."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, ())
            if isinstance(inner, list):
                waiting += inner


_TEXTS: Final = re.compile(rb"(\"{3}|'{3})(?:[^\\]|\\.)*?\1", re.DOTALL)
_LINES: Final = re.compile(
    rb"^[ \t]*(import[ \t][^\n]*|from[ \t]+[\w.]+[ \t]+import[ \t]*(?:\([^)]*\)|[^\n]*))", re.MULTILINE
)
"""Import statements, each on lines of its own: so our style has it."""


def imports_of_ours(path: Path, source: bytes) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements of a module in our style, found without a tree of all that is in it: of the engine's, that takes 0.3 s."""
    lines = b"\n".join(match[1] for match in _LINES.finditer(_TEXTS.sub(b"", source)))
    try:
        return _imports(ast.parse(lines))
    except SyntaxError:  # a line that goes on in the next one
        return _imports(_tree(path, source))


@cache
def _imported(path: Path, source: bytes, *, is_ours: bool) -> tuple[str, ...]:
    """Files of ours that a source imports, its packages' `__init__` included."""
    modules: list[str] = []
    for node in imports_of_ours(path, source) if is_ours else _imports(_tree(path, source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif node.module and not node.level:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(dict.fromkeys(name for module in modules for name in _files_of(module)))


@cache
def _files_of(module: str) -> tuple[str, ...]:
    """The files of a module of ours and of the packages it is in; of what is none, those of the packages."""
    above = module.rpartition(".")[0]
    if module.partition(".")[0] not in PACKAGES:
        return ()
    names = (f"{module.replace('.', '/')}{ending}" for ending in (".py", "/__init__.py"))
    return (*(_files_of(above) if above else ()), *(name for name in names if (ROOT / name).is_file()))
