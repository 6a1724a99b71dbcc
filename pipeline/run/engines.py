"""Engines: what runs the jobs of a backtest. The processes of a `crew` on this machine, unless something else is chosen."""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Event
from types import TracebackType
from typing import Protocol, Self

import msgspec

from pipeline.run.cell import Job
from pipeline.run.crew import Crew, Rows
from pipeline.run.worker import Ready, Setup


class Hands(Protocol):
    """Who runs jobs; ended by `with`, whatever they are doing."""

    ready: Ready | None
    """How the code runs, as the first of them said; None when there was nothing to run."""
    is_over: Event
    """Set when no more is wanted."""

    def run(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, Rows | str] | None]:
        """Each job with its rows, or with why there are none, as they are done; None now and then while nothing is.

        Raises TapeError when no job can be run at all, and what the iterator raises.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class EngineChoice(msgspec.Struct, frozen=True):
    """Which engine runs the jobs: the process pool of this machine."""

    @property
    def decodes_here(self) -> bool:
        """Whether sessions are decoded by who hands out jobs, ahead of them; else by those who run them."""
        return True

    @property
    def at_once(self) -> int:
        """How many jobs at a time, unless it is said: one for each core."""
        return os.cpu_count() or 1

    def opened(self, told: Callable[[str], None], *, for_many: bool = False) -> AbstractContextManager[None]:
        """Within it there is what must be there before anything begins; `for_many` backtests, what each would start anew.

        Raises ConfigError.
        """
        _ = told, for_many
        return contextlib.nullcontext()

    def hands(self, setup: Setup, count: int, told: Callable[[str], None]) -> Hands:
        """At most so many at a time, not yet at work."""
        return Crew(setup, count, told)


PROCESSES = EngineChoice()
