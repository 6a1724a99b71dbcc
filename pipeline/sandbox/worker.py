"""Worker: the process in which people's SQL runs. It closes itself in first, then imports what reads the tape.

Its arguments are the store's folder and the limits as JSON. It hears and says lines of JSON (`speech`) until the pipe ends
or it is killed, which is the rule: whoever asked kills it once it has answered.
"""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.sandbox import closing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.sandbox.gate import Gate
    from pipeline.sandbox.speech import Ask, Limits, Said

BOOT: Final = f"import sys; sys.path.insert(0, {str(closing.ROOT)!r}); from pipeline.sandbox.worker import main; main()"
"""What its Python is given to run."""

_LESS: Final = "ask for less, or over fewer logs"
_SPARE_S: Final = 2
"""Behind the limit of whoever asked, the system ends a worker that he did not kill: he may be dead."""


def main() -> None:
    """Close in, say how well, answer."""
    home, limits_text = Path(sys.argv[1]), sys.argv[2]
    out = os.dup(1)
    os.dup2(2, 1)  # whatever else prints, prints elsewhere
    protection = closing.close(home, memory=json.loads(limits_text)["process_bytes"])
    _Worker(home, limits_text, out).serve(protection)


class _Worker:
    def __init__(self, home: Path, limits_text: str, out: int) -> None:
        import msgspec  # noqa: PLC0415 - nothing is imported before the process has closed itself in

        from pipeline.sandbox import speech  # noqa: PLC0415 - as above

        self._home = home
        self._limits = msgspec.json.decode(limits_text, type=speech.Limits)
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(speech.Heard).decode
        self._out = out

    def serve(self, protection: closing.Protection) -> None:
        """Answer one statement after the other."""
        from pipeline.sandbox import speech  # noqa: PLC0415 - as above
        from pipeline.sandbox.answering import parser  # noqa: PLC0415 - as above
        from pipeline.sandbox.gate import Gate  # noqa: PLC0415 - as above

        _few_threads(self._limits)
        gate = Gate(parser(self._limits), chars_max=self._limits.statement_chars)
        self._say(speech.Ready(*protection))
        for line in sys.stdin.buffer:
            asked = self._decode(line)
            assert isinstance(asked, speech.Ask)
            self._answer(asked, gate)

    def _answer(self, asked: "Ask", gate: "Gate") -> None:
        import duckdb  # noqa: PLC0415 - as above

        from pipeline.errors import TapeError  # noqa: PLC0415 - as above
        from pipeline.sandbox.gate import RefusedError, one_line  # noqa: PLC0415 - as above
        from pipeline.sandbox.speech import Unanswered  # noqa: PLC0415 - as above

        try:
            self._answered(asked, gate)
        except RefusedError as error:
            self._say(Unanswered("refused", str(error)))
        except duckdb.InterruptException:
            self._say(Unanswered("stopped", f"it takes longer than {self._limits.execution_ms / 1000:g} s: {_LESS}"))
        except (duckdb.Error, TapeError, MemoryError, OSError, RuntimeError, ValueError) as error:
            line = one_line(str(error))
            if isinstance(error, MemoryError) or "out of memory" in line.lower():  # of DuckDB, Arrow or the process
                self._say(Unanswered("stopped", f"it takes more than {self._limits.memory_mb} MB of memory: {_LESS}"))
            else:
                self._say(Unanswered("failed", line))

    def _answered(self, asked: "Ask", gate: "Gate") -> None:
        from pipeline.sandbox import answering, speech  # noqa: PLC0415 - as above

        with _ended_after(self._limits.wall_s):
            wanted = gate.check(asked.sql)
        self._say(speech.Accepted(wanted))
        assert isinstance(self._decode(sys.stdin.buffer.readline()), speech.GoOn)
        with _ended_after(self._limits.load_s):
            connection = answering.over(self._home, asked.over, wanted, self._limits)
        self._say(speech.Loaded())
        with connection, _ended_after(self._limits.wall_s):
            closing.limit_cpu(int(self._limits.wall_s + _SPARE_S) * self._limits.threads)
            content, cut = answering.fetched(connection, asked.sql, self._limits)
            self._say(speech.Answered(content.size, cut))
            self._write(memoryview(content))

    def _say(self, said: "Said") -> None:
        self._write(memoryview(self._encode(said) + b"\n"))

    def _write(self, content: memoryview) -> None:
        while content:
            content = content[os.write(self._out, content) :]


def _few_threads(limits: "Limits") -> None:
    import pyarrow as pa  # noqa: PLC0415 - as above

    pa.set_cpu_count(limits.threads)
    pa.set_io_thread_count(limits.threads)


@contextlib.contextmanager
def _ended_after(seconds: float) -> "Iterator[None]":
    """The system's own alarm ends this process, within one long call too, a little after whoever asked would have."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds + _SPARE_S)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
