"""Scanners by their files: a definition in TOML, with the fields of its own or the list of symbols that stand beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.errors import ConfigError, NotFoundError, StrategyError
from pipeline.kernel.determinism import breaches_of
from pipeline.names import nearest
from pipeline.run.code import imports_of, is_installed
from pipeline.run.following import ScannerPlan, fields_in, scanner_of
from pipeline.run.loading import load_module
from pipeline.run.trading_days import special_days
from pipeline.scanner.field import Field, words_of
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.lists import ListScanner
from pipeline.scanner.reading import is_list, tables_of

_KEPT: Final = ("block", "codes", "errors", "hours", "scanner", "units")
"""What fields of one's own may import of `pipeline`: it is pure, and kept with every log that has a scanner."""


def load_scanner(path: Path, scanner_id: int = 1) -> FieldScanner | ListScanner:
    """The scanner that a file defines. Raises NotFoundError, ConfigError, and StrategyError for what is wrong in its own fields."""
    return scanner_of(_read(path), scanner_id)


def scanner_plan(path: Path) -> ScannerPlan:
    """A scanner as a session keeps it: texts, and names without folders. Raises as `load_scanner` does."""
    plan = _read(path)
    scanner_of(plan)
    return msgspec.structs.replace(plan, file=path.name, fields_file=Path(plan.fields_file).name)


def scanner_plans(paths: Sequence[Path]) -> list[ScannerPlan]:
    """The scanners of one session. Raises as `load_scanner` does, and ConfigError for two of one name: their picks are told apart by it."""
    plans = [scanner_plan(path) for path in paths]
    first: dict[str, Path] = {}
    for path, plan in zip(paths, plans, strict=True):
        name = tables_of(plan.text, str(path))["name"]
        if name in first:
            raise ConfigError(
                f"{path}: name: {name!r} is that of {first[name]} too; accepted is a name of its own for each scanner of a session"
            )
        first[name] = path
    return plans


def text_of(path: Path) -> str:
    """A file's text. Raises NotFoundError, ConfigError."""
    try:
        return path.read_text()
    except FileNotFoundError:
        raise no_such_file(path, "no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start}: not UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; accepted is a file") from None


def no_such_file(path: Path, what: str) -> NotFoundError:
    """What to raise for a file that is not there, with the one beside it that may have been meant."""
    beside = [other.name for other in path.parent.glob(f"*{path.suffix}")] if path.suffix else []
    near = nearest(path.name, beside)
    hint = f"; did you mean {path.with_name(near)}?" if near else ""
    return NotFoundError(f"{path}: {what}{hint}")


def _read(path: Path) -> ScannerPlan:
    text = text_of(path)
    tables = tables_of(text, str(path))
    listed, own = (_beside(path, key, tables.get(key)) for key in _BESIDE)
    if is_list(text, str(path)):
        return ScannerPlan(str(path), text, text_of(listed) if listed else "")
    if own is None:
        return ScannerPlan(str(path), text, days=special_days())
    fields_text = text_of(own)
    words = tuple(map(words_of, _checked_fields(own)))
    return ScannerPlan(
        str(path), text, fields_file=str(own), fields_text=fields_text, fields_words=words, days=special_days()
    )


_BESIDE: Final = {"symbols_file": "", "own_fields": ".py"}
"""Keys that name a file beside the definition, and how its name ends."""


def _beside(path: Path, key: str, name: Any) -> Path | None:
    """The file that a key of a definition names. Raises NotFoundError, ConfigError; for what is no name whoever reads the definition."""
    if not isinstance(name, str) or not name.strip():
        return None
    beside, suffix = path.parent / name, _BESIDE[key]
    what = f"a {suffix} file" if suffix else "a file"
    if not name.isprintable() or beside.is_dir() or beside.suffix != (suffix or beside.suffix):
        raise ConfigError(f"{path}: {key}: {name!r}: accepted is the name of {what} beside this one")
    if not beside.is_file():
        raise no_such_file(beside, f"no such file, and {key} of {path.name} names it")
    return beside


def _checked_fields(path: Path) -> tuple[Field, ...]:
    """The fields of a file; one is refused that would find something else the second time, by the rules that strategies are held to.

    Raises StrategyError naming file, line, rule and what is accepted, ConfigError for imports that no log would keep.
    """
    module = load_module(path)
    fields = fields_in(module)
    if breaches := breaches_of(path, vars(module)):
        raise StrategyError(str(breaches[0]))
    for line, name in imports_of(path):
        top, _, rest = name.partition(".")
        if not (rest.partition(".")[0] in _KEPT if top == "pipeline" else is_installed(name)):
            raise ConfigError(
                f"{path}: line {line}: fields of your own are one file, and {name!r} would not be kept with the log; accepted are "
                f"installed packages, what only computes of the standard library, and of pipeline {', '.join(_KEPT)}"
            )
    return fields
