"""Measure: medians of several runs, and what a figure is held against."""

import gc
import statistics
import time
import timeit
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """One measured figure, the limit it is held against, and whether it may not be smaller or not be larger."""

    name: str
    value: float
    unit: str
    limit: float
    at_least: bool = True
    beside: str = ""

    @property
    def is_kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self) -> str:
        sign = ">=" if self.at_least else "<="
        kept = "yes" if self.is_kept else "NO"
        return f"| {self.name} | {self.value:,.3g} {self.unit} | {sign} {self.limit:,.3g} | {kept} | {self.beside} |"


def seconds(work: Callable[[], object], *, runs: int = 5, warm: int = 1) -> float:
    """Median seconds of a call, after some that are not counted."""
    for _ in range(warm):
        work()
    taken = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def ratio(ours: Callable[[], object], theirs: Callable[[], object], *, runs: int = 5) -> tuple[float, float, float]:
    """Median of theirs/ours over pairs run in turn (1: as fast, 0.5: half as fast), and both medians in seconds."""
    ours()
    theirs()
    pairs = [(seconds(ours, runs=1, warm=0), seconds(theirs, runs=1, warm=0)) for _ in range(runs)]
    return (
        statistics.median(b / a for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def slowness() -> float:
    """How much slower this machine runs Python now than the one for which absolute limits were stated.

    The mean of two things that were measured there: a numpy scalar index (52 ns) and a uuid4 (1.8 us).
    """
    values = np.arange(100.0)
    index_ns = min(timeit.repeat("values[5]", globals={"values": values}, number=100_000, repeat=7)) / 100_000 * 1e9
    uuid_us = min(timeit.repeat(uuid.uuid4, number=10_000, repeat=7)) / 10_000 * 1e6
    return (index_ns / 52 + uuid_us / 1.8) / 2
