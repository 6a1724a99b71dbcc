"""Saved: statements that people keep, one in a file of a store's folder `queries/`, as plain text under a checked name."""

import os
import re
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigError, NotFoundError
from pipeline.names import did_you_mean
from pipeline.sandbox.speech import Limits

FOLDER: Final = "queries"
CHARS_MAX: Final = Limits().statement_chars
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_SUFFIX: Final = ".sql"


class SavedQueries:
    """The statements that were saved in the store of a folder."""

    def __init__(self, home: str | Path) -> None:
        self._folder = Path(home) / FOLDER

    def names(self) -> list[str]:
        """Their names, in order. What lies there under another sort of name is none of them."""
        if not self._folder.is_dir():
            return []
        found = (path for path in self._folder.iterdir() if path.suffix == _SUFFIX and path.is_file())
        return sorted(path.stem for path in found if _NAME.fullmatch(path.stem) and not path.is_symlink())

    def read(self, name: str) -> str:
        """One of them. Raises ConfigError for what is no name, NotFoundError where there is none of it, or none that is text."""
        path = self._path(name)
        try:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(fd, encoding="utf-8", newline="") as file:
                text = file.read(CHARS_MAX + 1)
        except (OSError, UnicodeDecodeError) as error:
            hint = did_you_mean(name, self.names())
            raise NotFoundError(f"no saved query {name!r} that can be read ({type(error).__name__}){hint}") from None
        if len(text) > CHARS_MAX:
            raise NotFoundError(f"{path}: longer than the {CHARS_MAX:,} characters that a statement may have")
        return text

    def save(self, name: str, sql: str) -> None:
        """Keep a statement, in place of one of the same name: all of it or none. Raises ConfigError, OSError."""
        path = self._path(name)
        if len(sql) > CHARS_MAX:
            raise ConfigError(f"query {name!r}: {len(sql):,} characters; {CHARS_MAX:,} are accepted")
        try:
            content = sql.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"query {name!r}: characters that are none (half of a pair); text is accepted") from None
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(path)

    def delete(self, name: str) -> None:
        """Forget one. Raises ConfigError, NotFoundError."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise NotFoundError(f"no saved query {name!r}{did_you_mean(name, self.names())}") from None

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name[:80]!r} is no name of a query: lower-case letters, digits, _ and -, at most 64 of them"
            )
        return self._folder / f"{name}{_SUFFIX}"
