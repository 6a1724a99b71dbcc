"""Overhearing: what Python opens, lists, starts or calls outside of the log, while the thread that listens does something.

Told by Python's own audit events (PEP 578), so only what raises one is heard: not what a library in C reads by itself (pyarrow, DuckDB),
what is read on from a file that was open before, a file's size and times, the environment, or a clock. Threads that the
listening one starts are heard with it. A module that is loaded is no data, nor is what belongs to Python itself; the same file
is, when a strategy reads it, and so is a file of data beside an installed package.
"""

import os
import re
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, get_ident
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

_EVENTS: Final = {
    "open": "opens {}",
    "os.listdir": "lists {}",
    "os.scandir": "lists {}",
    "sqlite3.connect": "opens {}",
    "socket.connect": "connects to {1}",
    "socket.sendto": "sends to {1}",
    "socket.sendmsg": "sends to {1}",
    "socket.getaddrinfo": "looks up {}",
    "socket.gethostbyname": "looks up {}",
    "socket.gethostbyaddr": "looks up {}",
    "subprocess.Popen": "starts {}",
    "os.system": "starts {}",
    "os.posix_spawn": "starts {}",
    "os.spawn": "starts {1}",
    "os.exec": "becomes {}",
    "os.fork": "forks",
    "os.forkpty": "forks",
}
"""By audit event what is said of it, with its arguments."""

_FILES: Final = frozenset(("open", "os.listdir", "os.scandir"))

_CODE: Final = frozenset((".py", ".pyc", ".so", ".pyd"))
_PATHS: Final = sysconfig.get_paths()
_LIBRARY: Final = tuple({_PATHS["stdlib"], _PATHS["platstdlib"]})
_PACKAGES: Final = tuple({_PATHS["purelib"], _PATHS["platlib"]})
_ALWAYS: Final = (
    "/usr/share/zoneinfo",
    "/dev/urandom",
    "/dev/null",
    *(f"{folder}{os.sep}{name}" for folder in _PACKAGES for name in ("tzdata", "holidays")),
)
"""What clocks and calendars are made of, and chance."""
_MACHINERY: Final = (
    "<frozen importlib",
    "<frozen zipimport",
    *(f"{folder}{os.sep}{name}" for folder in _LIBRARY for name in (f"importlib{os.sep}", "linecache.py")),
    *(
        f"{folder}{os.sep}importlib_metadata{os.sep}" for folder in _PACKAGES
    ),  # takes the place of Python's own once something loads it
)
"""Of Python, what reads modules: to run them, to ask what is installed, to show their lines."""
_COMPILED: Final = re.compile(r"__pycache__.[^/\\]+\.pyc(\.\d+)?$")
"""What Python keeps of a module it compiled, which it writes beside and then renames."""
_TAPEWORKS: Final = str(Path(__file__).parents[1])


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
        self._heard[_EVENTS[event].format(*map(_plain, arguments))] = None


_LISTENING: Final[list[Overheard]] = []
_HOOKED: Final[list[bool]] = []
_start_only: Final = Thread.start
_STARTED: Final[WeakKeyDictionary[Thread, list[Overheard]]] = WeakKeyDictionary()
"""Threads that were started by one that is heard, and who heard that: they hear all that such a thread does, for it may end later."""


@contextmanager
def overhearing(heard: Overheard | None = None) -> Iterator[Overheard]:
    """Listen to this thread, and to those that it starts, until the block ends, `heard` being what was heard before.

    A thread that was started in such a block is heard behind it too. The hook, and the start of threads that tells whose they are, stay for the life of the process.
    """
    if not _HOOKED:
        sys.addaudithook(_hook)
        Thread.start = _start  # type: ignore[method-assign, assignment]
        _HOOKED.append(True)
    heard = heard or Overheard()
    _LISTENING.append(heard)
    try:
        yield heard
    finally:
        _LISTENING.remove(heard)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        listeners = _listeners()
        if listeners and not (event in _FILES and _is_python(event, arguments[0])):
            for heard in listeners:
                heard.hear(event, arguments)


def _start(thread: Thread) -> None:
    """Start it, and know who heard that: no audit event says so in Python 3.11."""
    if listeners := _listeners():
        _STARTED[thread] = listeners
    _start_only(thread)


def _listeners() -> list[Overheard]:
    """Who hears what this thread does."""
    if not _LISTENING and not _STARTED:
        return []
    here = get_ident()
    own = [heard for heard in _LISTENING if heard.thread == here]
    started_by = _STARTED.get(threading.current_thread(), ()) if _STARTED else ()
    if not started_by:
        return own
    # One that was started while a strategy was loaded is heard by who listens now, too.
    return list({id(heard): heard for heard in (*started_by, *_LISTENING)}.values())


def _is_python(event: str, opened: Any) -> bool:
    """Whether it is a module that is loaded, or belongs to Python; a number is a file that was open before."""
    if isinstance(opened, int):
        return True
    path = str(_plain("." if opened is None else opened))
    if _is_under(path, _ALWAYS):
        return True
    if event != "open":
        return _is_loading()
    if Path(path).suffix in _CODE or _COMPILED.search(path):
        return _is_under(path, _LIBRARY) or _is_under(path, _PACKAGES) or _is_loading()
    if _is_under(path, _PACKAGES):
        return ".dist-info" in path  # what is installed, which packages ask as they are loaded
    return _is_under(path, _LIBRARY) or path in sys.path  # an archive of modules


def _is_under(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _is_loading() -> bool:
    """Whether who asks for this file is Python that loads a module, or the pipeline; nobody else reads code as code."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - an audit event does not say who raised it
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_MACHINERY):
            return True
        if (
            name != __file__
            and not name.startswith("<frozen")
            and not (_is_under(name, _LIBRARY) and not _is_under(name, _PACKAGES))
        ):
            return _is_under(name, (_TAPEWORKS,))
        frame = frame.f_back
    return False


def _plain(argument: Any) -> Any:
    return argument.decode(errors="replace") if isinstance(argument, bytes) else argument
