"""Scanning now: a vendor is asked how its market stands, and a scanner looks at once, or again and again.

No stream is opened and nothing is left behind, unless it is to be kept: then all that came and what the scanner made of it is a session of
its own, which `tape scan SESSION --at` explains later and `tape verify` makes again. It is sealed however following ends; only a
process that is killed outright leaves it open, for `tape sessions seal`. What needs time to be known (changes over
minutes, relative volume by the time of day) is absent at first: a scan of now knows no more than the answers and the store's facts.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Final

import anyio
import msgspec

from pipeline.block import Block, Blocks, row_count
from pipeline.codes import FeedAction
from pipeline.core.settings import EngineSettings
from pipeline.errors import ConfigError, TapeError, TheirsError
from pipeline.feeds.facts import Fact
from pipeline.feeds.fetching import fetching
from pipeline.feeds.history import Fetch, HistoryError
from pipeline.feeds.inbox import Inbox, Item
from pipeline.feeds.polling import Polling
from pipeline.feeds.vendor import Question, Vendor
from pipeline.instruments import Instrument
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.clock import Ticking
from pipeline.run.code import code_of
from pipeline.run.environment import machine, packages
from pipeline.run.fold import FoldPlan, LocalFold
from pipeline.run.following import ScannerPlan, scanner_of
from pipeline.run.intake import LIVE_TIMER_NS, Intake
from pipeline.run.recording import opened, start_rows
from pipeline.run.referencing import facts_block, spelt_out
from pipeline.run.scanning import AnyScanner, Scanned, scanned_by
from pipeline.scanner.fold import FieldScanner
from pipeline.units import NANO

_AHEAD_NS: Final = NANO
"""So long before a scanner looks again the vendor is asked."""

_ENDS_WITHIN_S: Final = 0.1
"""So soon is a wish to end heeded."""


@dataclass(frozen=True, slots=True)
class Now:
    """What to scan: the scanner, whose market, and which symbols of it, `*` for all."""

    plan: ScannerPlan
    vendor: Vendor
    symbols: frozenset[str]
    clock: Ticking
    every_s: float | None = None
    """How often; None: once."""
    until_ns: int | None = None
    """When following ends, by the clock; None: when it is asked to."""


def scan_now(
    store: Store,
    now: Now,
    seen: Callable[[Scanned], None],
    *,
    is_kept: bool = False,
    asked: Event | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Scan once, or until it ends; `seen` is given what was seen each time.

    asked    set by any thread, or by a signal's handler, to end it
    told     hears when the vendor does not answer, and when it does again

    Raises ConfigError for a vendor that can't be asked, TheirsError when the only answer there would be does not come, or when
    the first one is refused for good; KeyboardInterrupt when it is asked to end before the only one was there.
    """
    if now.vendor.snapshots is None:
        raise ConfigError(
            f"--feed {now.vendor.name}: can't be asked for a snapshot of the market; massive and alpaca can"
        )
    symbols = now.symbols if now.vendor.has_whole_market else spelt_out(store, now.symbols)
    if not symbols:
        raise ConfigError(
            f"--symbols: {now.vendor.name} is asked by names, and the store's reference data know none: name some"
        )
    with _taking(store, now, is_kept=is_kept) as taking:
        is_over = anyio.run(_Looking(store, now, symbols, taking, seen, told, asked or Event()).run)
        if not is_over and now.every_s is None:
            raise KeyboardInterrupt


class _Taking:
    """Where inputs go, and the scanner behind them."""

    def __init__(self, name: str, scanner: AnyScanner, take: Callable[[Blocks], None]) -> None:
        self.name = name
        self.scanner = scanner
        self.take = take
        self.events = 0


class _Looking:
    """One scan of now, however long."""

    def __init__(
        self,
        store: Store,
        now: Now,
        symbols: AbstractSet[str],
        taking: _Taking,
        seen: Callable[[Scanned], None],
        told: Callable[[str], None],
        asked: Event,
    ) -> None:
        self._store = store
        self._now = now
        self._symbols = symbols
        self._taking = taking
        self._seen = seen
        self._told = told
        self._asked = asked
        self._is_refused = False
        self._is_over = False
        self._inbox = Inbox()
        start_ns = now.clock.now_ns()
        self._intake = Intake([now.vendor.name], [now.vendor.normalizer()], start_ns=start_ns)

    async def run(self) -> bool:
        """Whether it came to its own end, and was not asked to before."""
        failure: TapeError | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._heed, group.cancel_scope)
            try:
                await self._scan()
            except TapeError as error:  # raised below, for the group would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return self._is_over

    async def _heed(self, scope: anyio.CancelScope) -> None:
        """A signal rings no bell; what was begun without waiting is done first, so commits are whole."""
        while not self._asked.is_set():  # noqa: ASYNC110 - see above
            await anyio.sleep(_ENDS_WITHIN_S)
        scope.cancel()

    async def _scan(self) -> None:
        """Ask, look, tell; again where it is to follow."""
        now, clock = self._now, self._now.clock
        async with fetching() as fetch:
            polling = Polling(now.vendor, 1, self._inbox, clock, self._noting(fetch), lambda: self._symbols)
            await self._ask(polling, is_first=True)
            await self._look(LIVE_TIMER_NS)
            while now.every_s is not None:
                due_ns = _next(clock.now_ns(), int(now.every_s * NANO))
                if now.until_ns is not None and due_ns > now.until_ns:
                    break
                await clock.sleep_until(due_ns - _AHEAD_NS)
                await self._ask(polling)
                await self._look(self._slot_ns)
        self._is_over = True

    def _noting(self, fetch: Fetch) -> Fetch:
        """The same, with a note when asking again won't help."""

        async def noting(question: Question) -> bytes:
            try:
                return await fetch(question)
            except HistoryError as error:
                self._is_refused |= error.is_final or _has_no_host(error)
                raise

        return noting

    @property
    def _slot_ns(self) -> int:
        scanner = self._taking.scanner
        return scanner.definition.schedule.every_s * NANO if isinstance(scanner, FieldScanner) else LIVE_TIMER_NS

    def _introduce(self, now_ns: int) -> None:
        """Define what the store knows facts of, with these facts."""
        for batch in self._intake.introduced(1, sorted(spelt_out(self._store, self._symbols)), now_ns, self._known_of):
            self._take(batch)

    def _known_of(self, instruments: Sequence[Instrument]) -> Block | None:
        return facts_block(self._store, instruments, self._now.clock.now_ns())

    async def _ask(self, polling: Polling, *, is_first: bool = False) -> None:
        """Take in the vendor's answers, all at the moment at which the last one is there: no timer falls due among them.

        Raises TheirsError when there is none and nobody waits for the next ones, or there won't be any.
        """
        is_answered = await polling.poll()
        items = self._inbox.take(0.0)
        if not is_answered and (self._now.every_s is None or (is_first and self._is_refused)):
            raise TheirsError(f"{self._now.vendor.name}: {_why(items)}")
        self._tell(items)
        now_ns = self._now.clock.now_ns()
        if not self._taking.events:
            self._introduce(now_ns)
        stamped: list[Item] = [(number, item._replace(ts_recv_ns=now_ns)) for number, item in items]
        for batch in self._intake.taken(stamped):
            self._take(batch)

    def _tell(self, items: list[Item]) -> None:
        """That there is no snapshot, and that there is one again."""
        for fact in (item for _, item in items if isinstance(item, Fact)):
            if fact.action is FeedAction.MUTE:
                self._told(f"{self._now.vendor.name}: no snapshot, it is asked again and again: {fact.text}")
            elif fact.action is FeedAction.HEARD:
                self._told(f"{self._now.vendor.name}: snapshots are there again")

    async def _look(self, step_ns: int) -> None:
        """Wait for the next timer at which the scanner is due, and tell what it saw there."""
        clock = self._now.clock
        await clock.sleep_until(_next(clock.now_ns(), step_ns))
        if ticks := self._intake.ticked(clock.now_ns()):
            self._take(ticks)
        self._seen(scanned_by(self._taking.name, self._taking.scanner, self._taking.events))

    def _take(self, batch: Blocks) -> None:
        self._taking.events += row_count(batch)
        self._taking.take(batch)


def _next(ts_ns: int, step_ns: int) -> int:
    return ts_ns - ts_ns % step_ns + step_ns


def _why(items: list[Item]) -> str:
    mute = (item for _, item in items if isinstance(item, Fact) and item.action is FeedAction.MUTE)
    return next((fact.text for fact in mute), "no answer")


def _has_no_host(error: BaseException | None) -> bool:
    """Whether it came of a name that no machine has."""
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return error is not None


@contextmanager
def _taking(store: Store, now: Now, *, is_kept: bool) -> Iterator[_Taking]:
    if is_kept:
        with _kept(store, now) as taking:
            yield taking
        return
    scanner, last = scanner_of(now.plan), 0

    def take(batch: Blocks) -> None:
        nonlocal last
        scanner.update([block.with_columns(seq=block.number("seq") + last) for block in batch])
        last += row_count(batch)

    yield _Taking(f"{now.vendor.name} now", scanner, take)


@contextmanager
def _deleted_where_nobody_answers(store: Store, id_: str) -> Iterator[None]:
    try:
        yield
    except (TheirsError, KeyboardInterrupt):
        store.delete(id_)
        raise


@contextmanager
def _kept(store: Store, now: Now) -> Iterator[_Taking]:
    """A session for what comes and what the scanner makes of it; sealed behind the block."""
    plan, code, start_ns = FoldPlan((), EngineSettings().as_dict(), (now.plan,)), code_of([]), now.clock.now_ns()
    asked = {"feed": now.vendor.name, "url": now.vendor.url, "every_s": now.every_s}
    settings = {"plan": msgspec.to_builtins(plan), "scan": asked}
    manifest = store.create_session(
        f"{datetime.fromtimestamp(start_ns // NANO, UTC):%Y-%m-%d}-scan-{now.vendor.name}",
        mode=Mode.PAPER,
        created_ns=start_ns,
        settings=settings,
        packages=packages(),
        platform=machine(),
        seed=0,
    )
    manifest = store.keep_code(manifest.id, code.texts)
    with _deleted_where_nobody_answers(store, manifest.id), ExitStack() as stack:
        fold = stack.enter_context(LocalFold(plan, []))
        recorder = stack.enter_context(opened(store, manifest, fold))
        recorder.session_ns = start_ns
        recorder.say(start_rows(settings, code.hashes, seed=0))

        def take(batch: Blocks) -> None:
            recorder.take(batch)
            recorder.flush()

        (scanner,) = fold.scanners
        yield _Taking(manifest.id, scanner, take)
    seal(store.folder(manifest.id), store.disk)
