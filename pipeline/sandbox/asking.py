"""Asking: SQL that a person typed, answered by a worker that is killed when it has answered, or takes too long.

A worker costs about half a second, so one waits in spare; each statement has one of its own, so that nothing of one is
there for the next. What this process holds (its environment, its files, its connections) no worker has.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, TypeVar

import msgspec
import pyarrow as pa

from pipeline.errors import TapeError
from pipeline.log.store import Store
from pipeline.sandbox.closing import ROOMS, Protection
from pipeline.sandbox.speech import (
    Accepted,
    Answered,
    Ask,
    GoOn,
    Heard,
    Limits,
    Loaded,
    Ready,
    Said,
    Unanswered,
)
from pipeline.sandbox.worker import BOOT
from warehouse.kept import keep
from warehouse.logs import chosen
from warehouse.views import closure, views

AT_ONCE_MAX: Final = 2
"""Statements that are answered at the same time; others wait their turn."""

_LINE_BYTES_MAX: Final = 1 << 20
_ENVIRONMENT: Final = {
    name: os.environ[name] for name in ("SYSTEMROOT",) if sys.platform == "win32" and name in os.environ
}
"""Empty, but for what Windows begins no process without."""
_BY_THE_SYSTEM: Final = frozenset(-int(getattr(signal, name, 0)) for name in ("SIGKILL", "SIGALRM", "SIGXCPU")) - {0}

Kind = TypeVar("Kind", Ready, Accepted, Loaded, Answered)


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of an answered statement."""

    table: pa.Table
    cut: str
    """Which rows these are when some were left out, `the first 200,000 rows`; empty: all."""
    loading_s: float
    """Seconds that opening the logs and working out slow answers took."""
    answering_s: float
    """Seconds that the statement took."""
    protection: Protection


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A statement that was not answered."""

    what: Literal["refused", "failed", "stopped"]
    """`refused`: it is none that is accepted. `failed`: DuckDB or the log has a fault with it. `stopped`: it met a limit."""
    line: str
    """Why, and what is accepted: one line."""
    seconds: float
    """From when it was asked."""


class Sandbox:
    """Answers statements over the store in a folder. May be used by several threads; `close` ends what waits in spare."""

    def __init__(self, home: str | Path, limits: Limits | None = None, *, answers_per_worker: int = 1) -> None:
        self._home = Path(home).resolve()
        self._limits = limits or Limits()
        self._answers_per_worker = answers_per_worker
        self._lock = threading.Lock()
        self._turn = threading.BoundedSemaphore(AT_ONCE_MAX)
        self._spare: _Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def protection(self) -> Protection:
        """What holds around a worker on this system. Raises OSError when none comes up."""
        worker = self._taken()
        try:
            return worker.ready()
        finally:
            self._put_back(worker)

    def ask(self, sql: str, over: Sequence[str] = ("all",)) -> Answer | NoAnswer:
        """Answer one select statement over the logs named, as `warehouse.connect` takes them.

        Of nothing that is in the statement anything is raised. Raises OSError when the system lets no worker begin.
        """
        began = time.monotonic()
        if reason := _unspeakable(sql, over, self._limits):
            return NoAnswer("refused", reason, 0.0)
        with self._turn:
            used = [self._taken()]
            try:
                answer = self._asked(used, sql, over)
            finally:
                self._put_back(used[-1])
        if isinstance(answer, Unanswered):
            what = answer.what if answer.what in ("refused", "failed", "stopped") else "failed"
            return NoAnswer(what, answer.line, time.monotonic() - began)  # type: ignore[arg-type]  # one of the three
        return answer

    def close(self) -> None:
        """End the worker that waits."""
        with self._lock:
            worker, self._spare = self._spare, None
        if worker:
            worker.end()

    def _asked(self, used: "list[_Worker]", sql: str, over: Sequence[str]) -> Answer | Unanswered:
        """The last of `used` is the one that answers."""
        try:
            accepted = self._accepted(used[-1], sql, over)
            if isinstance(accepted, Unanswered):
                return accepted
            began = time.monotonic()
            self._keep(accepted.views, over)
            if not used[-1].is_of(self._home):  # the folder of what is kept is new, and it may not look into it
                used[-1].end()
                used.append(_Worker(self._home, self._limits))
                self._accepted(used[-1], sql, over)
            return self._answered(used[-1], began)
        except _EndedError as error:
            return Unanswered("stopped", str(error))
        except (TapeError, pa.ArrowInvalid, msgspec.DecodeError) as error:
            used[-1].end()  # it may still wait for a word that was due
            return Unanswered("failed", str(error))

    def _accepted(self, worker: "_Worker", sql: str, over: Sequence[str]) -> Accepted | Unanswered:
        worker.ready()
        with worker.within(self._limits.wall_s):
            worker.say(Ask(sql, tuple(over)))
            return worker.heard(Accepted)

    def _answered(self, worker: "_Worker", began: float) -> Answer | Unanswered:
        with worker.within(self._limits.load_s):
            worker.say(GoOn())
            loaded = worker.heard(Loaded)
        if isinstance(loaded, Unanswered):
            return loaded
        running = time.monotonic()
        with worker.within(self._limits.wall_s):
            said = worker.heard(Answered)
            if isinstance(said, Unanswered):
                return said
            table = worker.table(said.size)
        return Answer(table, said.cut, running - began, time.monotonic() - running, worker.ready())

    def _keep(self, names: Iterable[str], over: Sequence[str]) -> None:
        """Keep what is slow, here: a worker can't write, and would work it out each time. Raises TapeError."""
        wanted = [view for view in views() if view.name in set(names)]
        if any(view.kept for view in closure(wanted)[0]):
            keep(wanted, chosen(Store(self._home), over))

    def _taken(self) -> "_Worker":
        """A worker for a statement, as it stands or begun now."""
        with self._lock:
            worker, self._spare = self._spare, None
        if worker and worker.is_of(self._home):
            return worker
        if worker:
            worker.end()
        return _Worker(self._home, self._limits)

    def _put_back(self, worker: "_Worker") -> None:
        """Where it has answered as often as it may, another one in its place, which comes up by itself."""
        if worker.is_ended or worker.answers >= self._answers_per_worker:
            worker.end()
            worker = _Worker(self._home, self._limits)
        with self._lock:
            self._spare, surplus = worker, self._spare
        if surplus:
            surplus.end()


class _EndedError(Exception):
    """The worker ended before it had answered; `str()` is why, in one line."""


class _Worker:
    """One process, begun; it says when it is ready."""

    def __init__(self, home: Path, limits: Limits) -> None:
        self._limits = limits
        self._rooms = _rooms(home)
        self._decode = msgspec.json.Decoder(Said).decode
        self._protection: Protection | None = None
        self._late_s = 0.0
        self.answers = 0
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-I", "-B", "-c", BOOT, str(home), msgspec.json.encode(limits).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._pipe_in, self._pipe_out = self._process.stdin, self._process.stdout

    @property
    def is_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def is_of(self, home: Path) -> bool:
        """Whether it lives, and may read all that is there by now: a folder that came later it can't."""
        return not self.is_ended and self._rooms == _rooms(home)

    def ready(self) -> Protection:
        """Wait for it. Raises OSError when it doesn't come up."""
        if self._protection is None:
            try:
                with self.within(self._limits.start_s):
                    said = self.heard(Ready)
            except _EndedError as error:
                raise OSError(f"no worker for SQL came up: {error}") from None
            assert isinstance(said, Ready)
            self._protection = Protection(said.landlock_abi, said.no_sockets, said.weaker)
        return self._protection

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Kill it when the block takes longer: nothing else stops one long call."""
        killer = threading.Timer(seconds, self._kill_late, (seconds,))
        killer.daemon = True
        killer.start()
        try:
            yield
        finally:
            killer.cancel()

    def say(self, said: Heard) -> None:
        """Say this. Raises _EndedError."""
        self.answers += isinstance(said, Ask)
        try:
            self._pipe_in.write(msgspec.json.encode(said) + b"\n")
            self._pipe_in.flush()
        except OSError:
            raise self._ended() from None

    def heard(self, kind: type[Kind]) -> Kind | Unanswered:
        """What it says next: this, or why it doesn't answer. Raises _EndedError, and DecodeError for anything else."""
        line = self._pipe_out.readline(_LINE_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise self._ended()
        said = self._decode(line)
        if not isinstance(said, (kind, Unanswered)):
            raise msgspec.DecodeError(f"the worker said {type(said).__name__} where {kind.__name__} was due")
        return said

    def table(self, size: int) -> pa.Table:
        """The rows that follow, looked through: whoever wrote them ran a stranger's SQL. Raises _EndedError, ArrowInvalid."""
        if size > self._limits.bytes * 2 + _LINE_BYTES_MAX:
            raise pa.ArrowInvalid(f"the worker has {size:,} bytes where {self._limits.bytes:,} are the limit")
        content = self._pipe_out.read(size)
        if len(content) < size:
            raise self._ended()
        table = pa.ipc.open_stream(pa.py_buffer(content)).read_all()
        table.validate(full=True)
        return table

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._pipe_in, self._pipe_out):
            with contextlib.suppress(OSError):  # what was still to be flushed has no reader any more
                pipe.close()

    def _kill_late(self, seconds: float) -> None:
        self._late_s = seconds
        self._process.kill()

    def _ended(self) -> _EndedError:
        """Why it ended, for people."""
        if self._late_s:
            return _EndedError(
                f"it took longer than {self._late_s:g} s and was ended: ask for less, or over fewer logs"
            )
        code = self._process.wait()
        if code in _BY_THE_SYSTEM:
            return _EndedError("the system ended it: it took too much memory or time")
        return _EndedError(f"the process that answered ended ({code}): most likely it took more memory than it may")


def _rooms(home: Path) -> frozenset[str]:
    return frozenset(room for room in ROOMS if (home / room).is_dir())


def _unspeakable(sql: str, over: Sequence[str], limits: Limits) -> str:
    """Why a statement isn't even sent; empty when it is."""
    if len(sql) > limits.statement_chars:
        return f"the statement has {len(sql):,} characters; {limits.statement_chars:,} are accepted"
    if sum(map(len, over)) > limits.statement_chars:
        return f"{len(over):,} logs are named; name fewer, or all"
    try:
        "".join((sql, *over)).encode()
    except UnicodeEncodeError:
        return "the statement has characters that are none (half of a pair); text is accepted"
    return ""
