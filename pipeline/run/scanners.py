"""Scanners by their files: a definition in TOML, with the fields of its own or the list of symbols that stand beside it."""

from pathlib import Path

from pipeline.errors import ConfigError, NotFoundError
from pipeline.run.loading import load_module
from pipeline.scanner.field import Field
from pipeline.scanner.fields import FIELDS, with_own
from pipeline.scanner.fold import FieldScanner
from pipeline.scanner.lists import ListScanner
from pipeline.scanner.reading import definition_from, is_list, list_from, tables_of


def load_scanner(path: Path, scanner_id: int = 1) -> FieldScanner | ListScanner:
    """The scanner that a file defines. Raises NotFoundError, ConfigError, and StrategyError for what is wrong in its own fields."""
    text = text_of(path)
    if is_list(text, str(path)):
        beside = tables_of(text, str(path)).get("symbols_file")
        listed = text_of(path.parent / beside) if isinstance(beside, str) and beside else ""
        return ListScanner(list_from(text, str(path), listed), scanner_id)
    own = tables_of(text, str(path)).get("own_fields")
    if not isinstance(own, str) or not own:
        return FieldScanner(definition_from(text, str(path), FIELDS), FIELDS, scanner_id)
    beside = path.parent / own
    fields = with_own(own_fields(beside), str(beside))
    return FieldScanner(definition_from(text, str(path), fields, own_text=text_of(beside)), fields, scanner_id)


def own_fields(path: Path) -> tuple[Field, ...]:
    """The `FIELDS` of a Python file. Raises ConfigError when it has none, StrategyError naming the line that fails."""
    text_of(path)
    found = getattr(load_module(path), "FIELDS", None)
    if not isinstance(found, tuple) or not all(isinstance(each, Field) for each in found) or not found:
        raise ConfigError(f"{path}: a file of fields ends in `FIELDS = (my_field,)`; this one has none")
    return found


def text_of(path: Path) -> str:
    """A file's text. Raises NotFoundError, ConfigError."""
    try:
        return path.read_text()
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start}: not UTF-8") from None
