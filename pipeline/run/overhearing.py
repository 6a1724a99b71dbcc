"""Overhearing: what Python opens or calls outside of the log, while the thread that listens does something.

Told by Python's own audit events: what a library in C reads by itself (pyarrow, DuckDB) is not heard, nor what another
thread opens. Python's own code and packages are left out: a module that is loaded is no data.
"""

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, Final

_EVENTS: Final = {
    "open": "opens {}",
    "socket.connect": "connects to {1}",
    "subprocess.Popen": "starts {}",
    "os.system": "starts {}",
    "sqlite3.connect": "opens {}",
}
"""By audit event what is said of it, with its arguments."""

_CODE: Final = frozenset((".py", ".pyc", ".so", ".pyd"))
_PYTHON: Final = tuple(
    {str(Path(folder)) for folder in (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values())}
    | {"/usr/share/zoneinfo", "/dev/urandom"}
)


class Overheard:
    """What was heard so far; each thing once, in the order in which it came."""

    def __init__(self) -> None:
        self._heard: dict[str, None] = {}
        self.thread = get_ident()

    @property
    def said(self) -> list[str]:
        """`opens levels.csv`, `connects to ('10.0.0.1', 80)`..."""
        return list(self._heard)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit event."""
        if event == "open" and _is_code(arguments[0]):
            return
        self._heard[_EVENTS[event].format(*map(_plain, arguments))] = None


_LISTENING: Final[list[Overheard]] = []
_HOOKED: Final[list[bool]] = []


@contextmanager
def overhearing(heard: Overheard | None = None) -> Iterator[Overheard]:
    """Listen to this thread until the block ends, `heard` being what was heard before.

    The hook behind it stays for the life of the process, and does nothing then.
    """
    if not _HOOKED:
        sys.addaudithook(_hook)
        _HOOKED.append(True)
    heard = heard or Overheard()
    _LISTENING.append(heard)
    try:
        yield heard
    finally:
        _LISTENING.remove(heard)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _LISTENING and event in _EVENTS:
        for heard in _LISTENING:
            if heard.thread == get_ident():
                heard.hear(event, arguments)


def _is_code(opened: Any) -> bool:
    """Whether it is a module, or belongs to Python; a number is a file that was open before."""
    if isinstance(opened, int):
        return True
    path = str(_plain(opened))
    return Path(path).suffix in _CODE or path.startswith(_PYTHON)


def _plain(argument: Any) -> Any:
    return argument.decode(errors="replace") if isinstance(argument, bytes) else argument
