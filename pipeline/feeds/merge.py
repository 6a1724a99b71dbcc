"""Merge: many sources into the one order of a session.

Rows stand in the order of (session time of their own source, number of the source, place in the source). A source's
session time is the running maximum of its receive times: a row received before the row in front of it keeps its place
and is marked OUT_OF_ORDER. Rows without a receive time (definitions, rejections) take the time of the row in front of
them, the leading ones that of the first timed row. The merged sequence is the same however the sources were chunked.

What is added, at the same places for the same sources:

    feed DECLARED      for every source, in front of everything: its number and name
    feed ENDED         behind a source's last row; REJECTED instead, with the reason, when it could not be read on
    timer              on whole steps of session time (pipeline/normalize/grid.py)
    instrument         one number a (venue, symbol) over all sources; a definition that tells nothing new is left out
    marks              OUT_OF_ORDER; DUPLICATE within 65,536 rows of the kind (pipeline/normalize/marks.py);
                       LATE: a print older than session time by more than the lateness declared

A source that can't be read on does not stop the others: its error is raised when all rows have been given.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pipeline.block import Blocks, chained, cut, row_count
from pipeline.feeds.repeats import Shown
from pipeline.feeds.session_rows import SessionRows
from pipeline.feeds.stretches import NO_TIME_NS, Stretch, Tape, joined
from pipeline.normalize.grid import INTERVAL_NS, QUIET_NS, check_grid
from pipeline.ports import FileFeed
from pipeline.units import ABSENT, SECOND_NS

BATCH_ROWS: Final = 32_768
LATENESS_NS: Final = 10 * SECOND_NS
"""A print this much older than session time is LATE: its bars have closed whatever their lateness."""


def merged(
    sources: Sequence[FileFeed],
    *,
    timer_interval_ns: int | None = INTERVAL_NS,
    quiet_ns: int = QUIET_NS,
    lateness_ns: int = LATENESS_NS,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[Blocks]:
    """All rows of the sources in session order, in batches of `batch_rows` to twice as many rows (the last one may be shorter).

    Raises ConfigError at once for timers that no memory holds, and the first FeedError of a source after everything
    readable was given.
    """
    if timer_interval_ns is not None:
        check_grid(timer_interval_ns, quiet_ns)
    session = SessionRows(
        [source.name for source in sources],
        Shown(len(sources)),
        timer_interval_ns=timer_interval_ns,
        quiet_ns=quiet_ns,
        lateness_ns=lateness_ns,
    )
    return _merged(sources, session, batch_rows)


def _merged(sources: Sequence[FileFeed], session: SessionRows, batch_rows: int) -> Iterator[Blocks]:
    tapes = [Tape(source, number) for number, source in enumerate(sources, 1)]
    batches = (batch for stretch in _stretches(tapes) for batch in session.taken(stretch))
    yield from _rebatched(batches, batch_rows)
    errors = [tape.error for tape in tapes if tape.error is not None]
    if errors:
        raise errors[0]


def _stretches(tapes: Sequence[Tape]) -> Iterator[Stretch]:
    """Stretches of merged rows: each holds all rows up to the earliest end of what the tapes have in hand."""
    for tape in tapes:
        tape.read()
    start_ns = min((tape.first_ns for tape in tapes if tape.first_ns != ABSENT), default=NO_TIME_NS)
    for tape in tapes:
        tape.start(start_ns)
    while live := [tape for tape in tapes if tape.has_rows()]:
        horizon = min((tape.last_ns, tape.number) for tape in live)
        taken = (tape.taken(horizon) for tape in live)
        yield joined([stretch for stretch in taken if stretch is not None])


def _rebatched(batches: Iterable[Blocks], batch_rows: int) -> Iterator[Blocks]:
    """The same rows in batches of no less than `batch_rows` (but the last) and less than twice as many.

    Whole batches are handed on wherever they fit, for joining and cutting costs a copy of each row.
    """
    held: list[Blocks] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += row_count(batch)
        if count < batch_rows:
            continue
        whole, start = chained(held), 0
        while count - start >= 2 * batch_rows:
            yield cut(whole, start, start + batch_rows)
            start += batch_rows
        yield cut(whole, start, count) if start else whole
        held, count = [], 0
    if count:
        yield chained(held)
