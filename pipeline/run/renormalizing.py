"""Renormalizing: a session made again from the messages that another one kept, after a normaliser was mended.

The messages, pages and facts of the old session go through today's normalisers, with the remarks and requests where they
stood and the timers of the same grid. Its decisions are not made again: `tape replay` does that, over the new session.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from pipeline.block import Block, Blocks
from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.feeds.inbox import Item
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.ports import Normalizer
from pipeline.provenance import Mode
from pipeline.run import rawness
from pipeline.run.environment import machine, packages
from pipeline.run.intake import Intake
from pipeline.run.recording import opened, start_rows

Row = tuple[int, Kind, dict[str, Any]]
"""`seq`, kind and columns of an input."""

_KEPT = (Kind.NOTE, Kind.REQUEST, Kind.ACCOUNT, Kind.REFERENCE)
"""Inputs that no normaliser makes."""

_READ = (Kind.RAW, Kind.TIMER, *_KEPT)


def renormalize(
    store: Store,
    name: str,
    normalizers: Mapping[str, Callable[[], Normalizer]],
    *,
    created_ns: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Make the session again and seal it; `normalizers` by the names of feeds.

    Raises ConfigError for a session that kept no messages, or a feed that is none of these.
    """
    old = store.find_one(name)
    feeds = [feed["name"] for feed in _feeds(old)]
    for feed in feeds:
        if feed not in normalizers:
            raise ConfigError(f"{old.id}: its feed {feed!r} is unknown here; known are {', '.join(normalizers)}")
    log = LogReader(store.folder(old.id))
    # What decided over the old one decides nothing here.
    settings = {name: value for name, value in old.settings.items() if name != "plan"} | {"renormalized": old.id}
    new = store.create_session(
        f"{old.id}-again",
        mode=Mode.IMPORT,
        created_ns=created_ns,
        settings=settings,
        packages=packages(),
        platform=machine(),
    )
    intake = Intake(feeds, [normalizers[feed]() for feed in feeds], start_ns=old.first_ts_ns, keeps_raw=True)
    with opened(store, new, None) as recorder:
        recorder.session_ns = old.first_ts_ns
        recorder.say(start_rows(settings, {}, seed=0))
        for batch in _batches(_rows(log), intake, feeds):
            recorder.take(batch)
            progress(recorder.last_seq)
    return seal(store.folder(new.id), store.disk)


def _feeds(manifest: Manifest) -> Sequence[dict[str, Any]]:
    feeds: Any = manifest.settings.get("feeds", [])
    if not feeds or not manifest.settings.get("raw"):
        raise ConfigError(f"{manifest.id} kept no messages: record with --raw to be able to make it again")
    return feeds  # type: ignore[no-any-return]  # settings are JSON


def _rows(log: LogReader) -> Iterator[Row]:
    """The inputs that are read, in their order."""
    for batch in log.batches(kinds=_READ):
        placed = [(row["seq"], block.kind, row) for block in batch for row in block.rows()]
        yield from sorted(placed, key=lambda each: each[0])


def _batches(rows: Iterator[Row], intake: Intake, feeds: Sequence[str]) -> Iterator[Blocks]:
    """Inputs of the new session. Messages stand behind the timers that fell due among them, so timers wait for these."""
    numbers = {feed: number for number, feed in enumerate(feeds, 1)}
    ticked_ns = 0
    for kind, run in groupby(rows, key=lambda row: row[1]):
        same = [row for _, _, row in run]
        if kind is Kind.TIMER:
            ticked_ns = same[-1]["ts_recv_ns"]
            continue
        first_ns = min(row["ts_recv_ns"] for row in same)
        if kind is not Kind.RAW:
            yield from _ticks(intake, ticked_ns)
            yield [Block.from_rows(kind, [{**row, "seq": rank} for rank, row in enumerate(same, 1)])]
            continue
        yield from _ticks(intake, min(ticked_ns, first_ns))
        yield from intake.taken(_items(same, numbers))
    yield from _ticks(intake, ticked_ns)


def _ticks(intake: Intake, until_ns: int) -> Iterator[Blocks]:
    if batch := intake.ticked(until_ns):
        yield batch


def _items(rows: Sequence[dict[str, Any]], numbers: Mapping[str, int]) -> list[Item]:
    block = Block.from_rows(Kind.RAW, rows)
    return [(numbers[name], item) for name, item in rawness.items_of(block)]
