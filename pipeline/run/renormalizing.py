"""Renormalizing: a session made again from the messages that another one kept, after a normaliser was mended.

The messages, pages and facts of the old session go through today's normalisers, with the remarks and requests where they
stood and the timers of the same grid. Instruments are defined where they were, and numbered anew, for a mended normaliser may
meet others first: what reference data say goes with the instrument, by its venue and symbol. Its decisions are not made again:
`tape replay` does that, over the new session, which trades on no account and goes on from none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from pipeline.block import Block, Blocks
from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.feeds.inbox import Item
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.normalize.conditions import IN_FORCE
from pipeline.normalize.grid import QUIET_NS
from pipeline.ports import Normalizer
from pipeline.provenance import Mode
from pipeline.run import rawness
from pipeline.run.environment import machine, packages
from pipeline.run.intake import LIVE_TIMER_NS, Intake
from pipeline.run.recording import opened, start_rows
from pipeline.units import INT64_MAX

Row = tuple[int, Kind, dict[str, Any]]
"""`seq`, kind and columns of an input."""

Name = tuple[str, str]
"""Venue and symbol."""

_READ: Final = (Kind.RAW, Kind.TIMER, Kind.INSTRUMENT, Kind.REFERENCE, Kind.NOTE, Kind.REQUEST)

_OF_DECISIONS: Final = ("plan", "account", "continues", "begins_with")
"""Settings of what decided over the old one: over the new one nothing decides, and nothing is traded."""

_DEFINED_AT_ONCE: Final = 2_048
"""Instruments in one commit."""


def renormalize(
    store: Store,
    name: str,
    normalizers: Mapping[str, Callable[[], Normalizer]],
    *,
    created_ns: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Make the session again and seal it; `normalizers` by the names of feeds.

    One that was itself made again stands for the one that was recorded. Raises ConfigError for a session that kept no messages, or a feed that is none of these.
    """
    old = _recorded(store, store.find_one(name))
    feeds = [feed["name"] for feed in _feeds(old)]
    for feed in feeds:
        if feed not in normalizers:
            raise ConfigError(f"{old.id}: its feed {feed!r} is unknown here; known are {', '.join(normalizers)}")
    log = LogReader(store.folder(old.id))
    settings = {name: value for name, value in old.settings.items() if name not in _OF_DECISIONS}
    settings |= {"renormalized": old.id}
    if "conditions" in settings:
        settings |= {"conditions": IN_FORCE}
    new = store.create_session(
        f"{old.settings.get('renormalized', old.id)}-again",
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
        for batch in _Again(intake, feeds).batches(_rows(log)):
            recorder.take(batch)
            progress(recorder.last_seq)
    return seal(store.folder(new.id), store.disk)


def _recorded(store: Store, manifest: Manifest) -> Manifest:
    """The session whose messages these are; itself where that one was deleted."""
    origin = manifest.settings.get("renormalized")
    return next((each for each in store.sessions() if each.id == origin), manifest)


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


class _Again:
    """What makes inputs of the new session of those of the old one."""

    def __init__(self, intake: Intake, feeds: Sequence[str]) -> None:
        self._intake = intake
        self._feeds = {feed: number for number, feed in enumerate(feeds, 1)}
        self._old: dict[int, Name] = {}
        """Instruments of the old session by its numbers."""
        self._new: dict[Name, int] = {}
        """Numbers of the new one."""

    def batches(self, rows: Iterator[Row]) -> Iterator[Blocks]:
        """Inputs of the new session, in order."""
        for batch in self._made(rows):
            for block in batch:
                if block.kind is Kind.INSTRUMENT:
                    names = zip(block.text("venue"), block.text("symbol"), strict=True)
                    self._new |= dict(zip(names, block.number("instrument_id").tolist(), strict=True))
            yield batch

    def _made(self, rows: Iterator[Row]) -> Iterator[Blocks]:
        """Messages stand behind the timers that fell due among them, so timers wait for these."""
        ticked: list[int] = []
        for kind, run in groupby(rows, key=itemgetter(1)):
            same = [row for _, _, row in run]
            if kind is Kind.TIMER:
                ticked = [row["ts_recv_ns"] for row in same]
                continue
            first_ns = min(row["ts_recv_ns"] for row in same)
            if kind is Kind.RAW:
                yield from _ticks(self._intake, _ticked_before(first_ns, ticked))
                yield from self._intake.taken(_items(same, self._feeds))
            elif kind is Kind.INSTRUMENT:
                yield from _ticks(self._intake, _ticked_before(first_ns, ticked))
                yield from self._defined(same)
            else:
                yield from _ticks(self._intake, ticked)
                yield from self._told(same) if kind is Kind.REFERENCE else [_ranked(kind, same)]
        yield from _ticks(self._intake, ticked)

    def _defined(self, rows: Sequence[dict[str, Any]]) -> Iterator[Blocks]:
        """Instruments that the old session meets here for the first time, as today's normalisers define them."""
        new = []
        for row in rows:
            if row["instrument_id"] not in self._old:
                self._old[row["instrument_id"]] = row["venue"], row["symbol"]
                new.append(row)
        yield from self._introduced(new)

    def _introduced(self, rows: Sequence[dict[str, Any]]) -> Iterator[Blocks]:
        for (number, ts_ns), run in groupby(rows, key=itemgetter("source", "ts_recv_ns")):
            symbols = [self._old[row["instrument_id"]][1] for row in run]
            for start in range(0, len(symbols) if number else 0, _DEFINED_AT_ONCE):
                yield from self._intake.introduced(number, symbols[start : start + _DEFINED_AT_ONCE], ts_ns)

    def _told(self, rows: Sequence[dict[str, Any]]) -> Iterator[Blocks]:
        """What reference data say, behind the definitions. Of an instrument that today's normalisers know by no such name, nothing."""
        yield from self._introduced([row for row in rows if self._number(row) is None])
        if told := [{**row, "instrument_id": number} for row in rows if (number := self._number(row)) is not None]:
            yield _ranked(Kind.REFERENCE, told)

    def _number(self, row: Mapping[str, Any]) -> int | None:
        return self._new.get(self._old[row["instrument_id"]])


def _ranked(kind: Kind, rows: Sequence[dict[str, Any]]) -> Blocks:
    return [Block.from_rows(kind, [{**row, "seq": rank} for rank, row in enumerate(rows, 1)])]


def _ticked_before(first_ns: int, times_ns: Sequence[int]) -> Sequence[int]:
    """The timers in front of messages that these did not bring: where the grid paused, those in front of the pause were theirs."""
    times_ns = [ts_ns for ts_ns in times_ns if ts_ns <= first_ns]
    is_paused = bool(times_ns) and first_ns - times_ns[-1] >= LIVE_TIMER_NS
    return [ts_ns for ts_ns in times_ns if ts_ns <= times_ns[-1] - QUIET_NS] if is_paused else times_ns


def _ticks(intake: Intake, times_ns: Sequence[int]) -> Iterator[Blocks]:
    """The timers of these times, in as few batches as they come in without a pause that was none."""
    for place, ts_ns in enumerate(times_ns, 1):
        next_ns = times_ns[place] if place < len(times_ns) else INT64_MAX
        if next_ns - intake.session_ns > QUIET_NS and (batch := intake.ticked(ts_ns)):
            yield batch


def _items(rows: Sequence[dict[str, Any]], numbers: Mapping[str, int]) -> list[Item]:
    block = Block.from_rows(Kind.RAW, rows)
    return [(numbers[name], item) for name, item in rawness.items_of(block)]
