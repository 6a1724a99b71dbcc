"""The control socket: how another terminal speaks to a session that is being recorded.

One JSON line asks, one answers: `{"action": "NOTE", "target": "", "text": "wide spread"}` ->
`{"ok": true, "seq": 8123}`. A request becomes an input of the session and is answered only after that input is
durable. The socket lives in the session's folder with mode 0600, so who may write the log may speak.
"""

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from pipeline.codes import RequestAction
from pipeline.errors import NotFoundError, OperatorError

SOCKET_NAME: Final = "control.sock"
WAITING_MAX: Final = 64
"""Requests that may wait to become inputs; full means the recorder is stuck, and the next one is told so at once."""

LINE_BYTES_MAX: Final = 64 * 1024
ANSWER_TIMEOUT_S: Final = 10.0


class Request(msgspec.Struct, frozen=True):
    """What is asked."""

    action: str
    target: str = ""
    text: str = ""

    @property
    def code(self) -> RequestAction:
        """The action as a code. Raises OperatorError naming what is accepted."""
        try:
            return RequestAction[self.action]
        except KeyError:
            raise OperatorError(
                f"action {self.action!r} is not one of {', '.join(RequestAction.__members__)}"
            ) from None


class Answer(msgspec.Struct, frozen=True):
    """What became of it: the `seq` of the input it became, or why not."""

    ok: bool
    seq: int = 0
    error: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """A request on its way; whoever takes it resolves `answer` once its input is durable."""

    request: Request
    answer: "Future[Answer]"


class ControlSocket:
    """The recorder's end. Used as a context; `take()` never waits."""

    def __init__(self, folder: Path) -> None:
        self.ring: Callable[[], None] = lambda: None
        """Called by the socket's thread when a request waits; it must not wait itself."""
        self._folder = folder
        self._waiting: queue.Queue[Waiting] = queue.Queue(WAITING_MAX)
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Listen. The writer's lock is held by now, so a socket file that is here belongs to nobody."""
        (self._folder / SOCKET_NAME).unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(self._folder) as path:
            before = os.umask(0o177)
            try:
                self._listener.bind(path)
            finally:
                os.umask(before)
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and tell those who still wait."""
        assert self._listener is not None
        assert self._thread is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for waiting in self.take():
            waiting.answer.set_result(Answer(ok=False, error="the session has ended"))
        self._thread.join(timeout=ANSWER_TIMEOUT_S)
        (self._folder / SOCKET_NAME).unlink(missing_ok=True)

    def take(self) -> list[Waiting]:
        """The requests that wait, oldest first."""
        taken: list[Waiting] = []
        if self._waiting.empty():  # as it is before almost every commit: an exception takes ten times as long
            return taken
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._waiting.get_nowait())
        return taken

    def _serve(self) -> None:
        assert self._listener is not None
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed: the session ends
            with connection, contextlib.suppress(OSError):
                connection.settimeout(ANSWER_TIMEOUT_S)
                connection.sendall(msgspec.json.encode(self._answer(connection)) + b"\n")

    def _answer(self, connection: socket.socket) -> Answer:
        try:
            request = msgspec.json.decode(_line(connection), type=Request)
            request.code  # noqa: B018 - an unknown action is refused before it waits
            waiting = Waiting(request, Future())
            self._waiting.put_nowait(waiting)
            self.ring()
            return waiting.answer.result(timeout=ANSWER_TIMEOUT_S)
        except (OperatorError, msgspec.MsgspecError, ValueError, RecursionError) as error:  # any bytes may be sent here
            return Answer(ok=False, error=str(error))
        except queue.Full:
            return Answer(ok=False, error=f"{WAITING_MAX} requests wait already")
        except TimeoutError:
            return Answer(ok=False, error=f"no answer from the session in {ANSWER_TIMEOUT_S:.0f} s")


def listening_since(folder: Path) -> int | None:
    """Since when this folder's session is recorded by a process that listens now, by the machine's clock; None: it is not."""
    try:
        with _connected(folder):
            return (folder / SOCKET_NAME).stat().st_mtime_ns
    except (NotFoundError, OSError):
        return None


@contextlib.contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    """Raises NotFoundError when nobody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_TIMEOUT_S + 2)
        try:
            with _short(folder) as path:
                connection.connect(path)
        except OSError:
            raise NotFoundError(f"{folder.name} is not being recorded: nobody listens at its {SOCKET_NAME}") from None
        yield connection


def ask(folder: Path, request: Request) -> Answer:
    """Ask the session recorded in this folder. Raises NotFoundError when nobody listens there, or ends before it has answered."""
    with _connected(folder) as connection:
        connection.sendall(msgspec.json.encode(request) + b"\n")
        try:
            return msgspec.json.decode(_line(connection), type=Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise NotFoundError(f"{folder.name}: no whole answer came out of its {SOCKET_NAME}: {error}") from None


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(4096)
        if not piece or len(line) > LINE_BYTES_MAX:
            break
        line += piece
    return line


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A path of the socket that fits the 107 bytes a socket address holds, where the system offers one."""
    if not Path("/proc/self/fd").is_dir():
        yield str(folder / SOCKET_NAME)
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{fd}/{SOCKET_NAME}"
    finally:
        os.close(fd)
