"""Crew: worker processes that share out jobs; the death of one costs nothing but its job's time.

Each worker has a thread here that hands it a job and waits for its rows. A worker that dies (killed, out of memory, a
bug) is replaced and its job tried once more; the second time the job is given up and told, the others go on.
"""

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import msgspec

from pipeline.errors import TapeError
from pipeline.log.backtests import CellRow
from pipeline.run.cell import Job
from pipeline.run.worker import BOOT, Compiling, Done, Failed, Ready, Said, Setup

Rows = tuple[CellRow, ...]

TRIES: Final = 2
"""How often a job may take its worker with it."""


class DiedError(Exception):
    """A worker's process ended before it answered."""


class Crew:
    """So many workers, started when there is work; ended by `with`, whatever they are doing."""

    def __init__(self, setup: Setup, count: int, told: Callable[[str], None]) -> None:
        self.ready: Ready | None = None
        """How the code runs, as the first worker said."""
        self._setup = setup
        self._count = count
        self._told = told
        self.is_over = threading.Event()
        """Set when no more is wanted."""
        self._taking = threading.Lock()
        self._starting = threading.Lock()
        self._workers: set[_Worker] = set()
        self._threads: list[threading.Thread] = []
        self._answers: queue.Queue[tuple[Job, Rows | str] | BaseException | None] = queue.Queue()

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, Rows | str] | None]:
        """Each job with its rows, or with why there are none, as they are done; None now and then while nothing is.

        Raises TapeError when no job can be run at all, and what the iterator raises.
        """
        self._threads = [threading.Thread(target=self._hand_out, args=(jobs,), daemon=True) for _ in range(self._count)]
        for thread in self._threads:
            thread.start()
        left = len(self._threads)
        while left:
            try:
                answer = self._answers.get(timeout=1.0)
            except queue.Empty:
                yield None
                continue
            if answer is None:
                left -= 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                yield answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over.set()
        for worker in list(self._workers):
            worker.kill()
        for thread in self._threads:
            thread.join()

    def _hand_out(self, jobs: Iterator[Job]) -> None:
        """One worker's thread."""
        worker = None
        try:
            while (job := self._next(jobs)) is not None:
                rows: Rows | str = ""
                for _ in range(TRIES):
                    try:
                        worker = worker or self._started()
                        rows = worker.run(job)
                        break
                    except DiedError as death:
                        self._bury(worker)
                        worker, rows = None, f"its worker died {TRIES} times, {death}"
                        if self.is_over.is_set():
                            return
                        self._told(f"a worker died over {named(job)}, {death}; another one takes its place")
                self._answers.put((job, rows))
        except BaseException as error:  # noqa: BLE001 - raised where the rows are taken: a thread has nobody above it
            self._answers.put(error)
        finally:
            self._bury(worker)
            self._answers.put(None)

    def _next(self, jobs: Iterator[Job]) -> Job | None:
        with self._taking:
            return None if self.is_over.is_set() else next(jobs, None)

    def _started(self) -> "_Worker":
        """A worker that is ready. They begin together and are set up one at a time: what the first compiles the others load."""
        worker = _Worker()
        self._workers.add(worker)
        if self.is_over.is_set():  # nobody would kill it any more
            worker.kill()
        with self._starting:
            try:
                self.ready = worker.set_up(self._setup, self._told)
            except BaseException:
                self._bury(worker)
                raise
            return worker

    def _bury(self, worker: "_Worker | None") -> None:
        if worker is not None:
            self._workers.discard(worker)
            worker.end()


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on our own code
            [sys.executable, "-P", "-c", BOOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def set_up(self, setup: Setup, told: Callable[[str], None]) -> Ready:
        """Wait until it can take cells. Raises TapeError when it can't, DiedError."""
        said = self._asked(setup)
        while isinstance(said, Compiling):
            told("compiling the strategies, once: up to a minute")
            said = self._heard()
        if isinstance(said, Failed):
            raise TapeError(said.reason)
        assert isinstance(said, Ready)
        return said

    def run(self, job: Job) -> Rows | str:
        """The rows of its cells, or why there are none. Raises DiedError."""
        said = self._asked(job)
        if isinstance(said, Failed):
            return said.reason
        assert isinstance(said, Done)
        return said.rows

    def kill(self) -> None:
        """End the process, whatever it is doing; who waits for it learns that it died."""
        self._process.kill()

    def end(self) -> None:
        """The same, and let go of the pipes, on which nobody may be waiting; again does nothing."""
        self.kill()
        with suppress(BrokenPipeError), self._process:  # what it was asked, and died before it read, goes nowhere
            pass

    def _asked(self, message: msgspec.Struct) -> Said:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise DiedError(self._end()) from None
        return self._heard()

    def _heard(self) -> Said:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise DiedError(self._end())
        said: Said = msgspec.json.decode(line, type=Said)
        return said

    def _end(self) -> str:
        code = self._process.wait()
        return f"killed by signal {-code}" if code < 0 else f"with exit code {code}"


def named(job: Job) -> str:
    """A job as a person would call it: its session, or the first and the last, the day of its picks, the parameters."""
    first, last = job.cells[0], job.cells[-1]
    sessions = first.session if first is last else f"{first.session}..{last.session}"
    return " ".join(
        [sessions, *([first.day] if first.day else []), *(f"{name}={value}" for name, value in first.params.items())]
    )
