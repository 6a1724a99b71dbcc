"""Sealing while recording: segments that are closed become Parquet in a process of their own, one after the other; many parts fewer.

That takes a second of work for each of them, which a thread would take from the loop that decides. The process yields to all
others, and only writes files; what counts is decided here, under the lock that the recorder holds (`log.seal`).
One that dies is replaced and its segment tried once more. A segment that nobody can seal stays as it is: the recording goes
on, for the journal is the truth, and sealing at the end of the session, or `tape check`, tells it again.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from pipeline.errors import LogError, TapeError
from pipeline.log.compacting import compact
from pipeline.log.disk import Disk
from pipeline.log.manifest import SealedPart
from pipeline.log.reader import JOURNAL
from pipeline.log.seal import NewParts, drop_unfinished, seal_segment
from pipeline.log.segments import numbers
from pipeline.run.code import ROOT
from pipeline.run.sealing_words import Asked, Compacted, Failed, Neighbours, Said, Segment, Written

BOOT: Final = (
    "import signal, sys; [signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)]; "
    f"sys.path.insert(0, {str(ROOT)!r}); from pipeline.run.sealing_worker import main; main()"
)
"""What the process' Python is given to run. Signals to a whole group are for the recorder, which tells when it is over."""

TRIES: Final = 2
"""How often a segment may take its worker with it."""

_LOOK_EVERY_S: Final = 1.0
_LEAVING_S: Final = 10.0
"""How long the segment in hand is waited for at the end; one that takes longer is sealed with the rest."""

_NICENESS: Final = 10
"""It yields to who decides, and yet gets on while others keep every core busy: journals are three times as large as what becomes of them."""


class DiedError(Exception):
    """The worker's process ended before it answered."""


class Sealing:
    """Runs inside its `with` block, under the lock that the recorder holds.

    With `is_ready` the process is there before there is work for it: a session must not be disturbed later.
    """

    def __init__(self, folder: Path, disk: Disk, *, is_ready: bool = False) -> None:
        self.trouble = ""
        """What went wrong, for people; '' when nothing did."""
        self._folder = folder
        self._disk = disk
        self._is_over = threading.Event()
        self._is_ready = is_ready
        self._is_damaged = False
        """Whether a part could not be read: none is put together any more."""
        self._may_be_fewer = True
        """Whether there are parts that nobody has looked at since; looking reads the manifest."""
        self._worker: _Worker | None = None
        self._thread = threading.Thread(target=self._run, name="sealing", daemon=True)

    @property
    def worker_id(self) -> int:
        """Process id of the worker, 0 while there is none."""
        return self._worker.process_id if self._worker is not None else 0

    def __enter__(self) -> Self:
        if self._is_ready:
            self._worker = _Worker()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the segment in hand, if all is well and not for long; what is left is sealed at the end."""
        self._is_over.set()
        if error is None:
            self._thread.join(_LEAVING_S)
        while self._thread.is_alive():  # between two of its steps it may have made another worker
            if (worker := self._worker) is not None:
                worker.kill()
            self._thread.join(_LOOK_EVERY_S)
        self._bury()

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                if not self._is_sealed() and not self._is_compacted():
                    self._is_over.wait(_LOOK_EVERY_S)
        except (TapeError, OSError) as error:
            if not self._is_over.is_set():
                self.trouble = f"{error}; sealed at the end instead"

    def _is_sealed(self) -> bool:
        """Whether a segment was sealed. Raises LogError, OSError."""
        is_one_closed = len(numbers(self._disk, self._folder / JOURNAL)) >= 2
        is_sealed = is_one_closed and seal_segment(self._folder, self._disk, written=self._written)
        self._may_be_fewer |= is_sealed and not self._is_damaged
        return is_sealed

    def _is_compacted(self) -> bool:
        """Whether parts were put into one, for which there is time when no segment waits. What goes wrong leaves the parts as they are."""
        try:
            self._may_be_fewer = self._may_be_fewer and compact(self._folder, self._disk, written=self._compacted)
        except (TapeError, OSError) as error:
            self._may_be_fewer, self._is_damaged = False, True
            if not self._is_over.is_set():
                self.trouble = f"{error}; its parts stay as they are"
        return self._may_be_fewer

    def _written(self, folder: Path, _disk: Disk) -> NewParts:
        """The oldest unsealed segment as parts, written by the worker. Raises LogError, OSError."""
        said = self._said(Segment(str(folder.resolve())))
        assert isinstance(said, Written)
        return said.new

    def _compacted(self, folder: Path, _disk: Disk, parts: Sequence[SealedPart]) -> SealedPart:
        """These parts as one, written by the worker. Raises as `_written` does."""
        said = self._said(Neighbours(str(folder.resolve()), tuple(parts)))
        assert isinstance(said, Compacted)
        return said.part

    def _said(self, asked: Asked) -> Said:
        death: DiedError | None = None
        for _ in range(TRIES):
            if self._is_over.is_set():
                break
            try:
                self._worker = worker = self._worker or _Worker()
                said = worker.ask(asked)
            except DiedError as died:
                death = died
                self._bury()
                drop_unfinished(self._folder, self._disk)
                self.trouble = f"the process that seals died, {died}; another one took its place"
                continue
            if isinstance(said, Failed):
                raise LogError(said.reason)
            return said
        raise LogError(f"the process that seals died {TRIES} times over one segment, {death}")

    def _bury(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()


class _Worker:
    """The process and the pipes to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on our own code
            [sys.executable, "-P", "-c", BOOT, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if sys.platform != "win32":
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)

    @property
    def process_id(self) -> int:
        return self._process.pid

    def ask(self, asked: Asked) -> Said:
        """What came of it. Raises DiedError."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(asked) + b"\n")
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise DiedError(self._how()) from None
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise DiedError(self._how())
        said: Said = msgspec.json.decode(line, type=Said)
        return said

    def kill(self) -> None:
        """End the process, whatever it is doing; who waits for it learns that it died."""
        self._process.kill()

    def end(self) -> None:
        """The same, and let go of the pipes, on which nobody may be waiting."""
        self.kill()
        with suppress(BrokenPipeError), self._process:  # what was asked last may still wait to be flushed
            pass

    def _how(self) -> str:
        code = self._process.wait()
        return f"killed by signal {-code}" if code < 0 else f"with exit code {code}"
