"""Beginning: what is recorded live, and the session it goes into: a new one, an unfinished one, or one that goes on from another."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio
import msgspec
from blake3 import blake3

from pipeline.block import Block
from pipeline.codes import AccountAction, Kind, RequestAction, SessionAction
from pipeline.errors import ConfigError, VenueError
from pipeline.execution.broker import standing
from pipeline.execution.reports import Standing
from pipeline.feeds.line import Times
from pipeline.feeds.sockets import is_loopback
from pipeline.feeds.vendor import WATCHED, Vendor
from pipeline.instruments import spelling_meant
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.normalize.conditions import IN_FORCE
from pipeline.ports import Channel
from pipeline.provenance import Mode
from pipeline.run.accounts import begin_on, left_to, unsettled, where
from pipeline.run.brokers import AtBroker
from pipeline.run.clock import Ticking
from pipeline.run.code import Code
from pipeline.run.continuing import Opening, begin, decides, opening_from
from pipeline.run.control import Request
from pipeline.run.environment import machine, packages
from pipeline.run.fold import BEGAN_WITH, FoldPlan, LocalFold, Speed
from pipeline.run.halting import halted
from pipeline.run.intake import Intake
from pipeline.run.missing import Since, missing_in
from pipeline.run.picks import PICKED_BY, Picks
from pipeline.run.recording import SHELL_KINDS, Recorder, opened, start_rows
from pipeline.run.strategies import strategy_entries
from pipeline.units import HOUR_NS, NANO

_PURPOSE: Final = "tapeworks: which account at a broker"

RESUMED_WITHIN_NS: Final = 12 * HOUR_NS
"""A session that stopped longer ago, or is further ahead of a clock set back, is another day's, and is left as it is."""

BYTES_FREE_MIN: Final = 2**30
"""With less room than this the session is ended and sealed, while there is still room to do so."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What to record, and how long. `keeps_raw`: every message stands on the tape as received, for `tape renormalize`."""

    vendors: tuple[Vendor, ...]
    symbols: tuple[str, ...]
    plan: FoldPlan
    strategy_files: tuple[Path, ...]
    clock: Ticking
    until_ns: int | None = None
    watched: tuple[str, ...] = ()
    """Symbols of which only `watch_channels` are subscribed, until the scanner picks one."""
    watch_channels: frozenset[Channel] = frozenset()
    keeps_raw: bool = False
    is_fresh: bool = False
    """Whether an unfinished session is left alone instead of going on with it."""
    bytes_free_min: int = BYTES_FREE_MIN
    account: str = ""
    """What its strategies trade on, and what outlives the session (`run.accounts`); '': nothing does."""
    snapshot_every_s: float | None = None
    """How often vendors are asked for a snapshot of all that is recorded or watched, seconds of the clock; None: never."""
    broker: AtBroker | None = None
    """Where its orders go; None: nowhere, fills are simulated."""
    speed: Speed = Speed.AUTO
    """How its handlers run; AUTO: compiled."""
    times: Times | None = None
    """Time-outs of its feeds; None: those that feeds have."""

    def desired(self, symbols: AbstractSet[str]) -> frozenset[str]:
        """These symbols, whole, and those that are only watched, with their mark."""
        return frozenset(symbols) | {_marked(symbol) for symbol in self.watched}

    @property
    def settings(self) -> dict[str, Any]:
        """As the session keeps them; two recordings with equal settings and code may be one session."""
        feeds = [
            {"name": each.name, "url": each.url, "channels": sorted(each.channels), **each.options}
            for each in self.vendors
        ]
        settings = {"plan": self.plan, "feeds": feeds, "symbols": self.symbols, "raw": self.keeps_raw}
        if self.watched:
            settings |= {"watched": self.watched, "watch_channels": sorted(self.watch_channels)}
        if self.account:
            settings |= {"account": self.account}
        if self.broker:
            settings |= {"broker": self.broker.setting}
        if self.snapshot_every_s:
            settings |= {"snapshot_every_s": self.snapshot_every_s}
        if any(each.has_conditions and Channel.PRINTS in each.channels for each in self.vendors):
            settings |= {"conditions": IN_FORCE}
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))  # as a manifest gives them back
        return told


def _marked(symbol: str) -> str:
    feed, colon, name = symbol.rpartition(":")
    return f"{feed}{colon}{WATCHED}{name}"


@dataclass(frozen=True, slots=True)
class Begun:
    """A session being recorded into."""

    manifest: Manifest
    recorder: Recorder
    intake: Intake
    symbols: frozenset[str]
    """Those asked for at the start, and those the operator added or dropped since."""
    picks: Picks
    """Those in the universe, with their feed in front."""
    missing: Sequence[Since] = ()
    """Since when each feed is missing, where it goes on."""
    how: str = "new"
    """How it began, in a word or two for people."""
    halt: str = ""
    """Why nothing is entered from its beginning; '' when something may be."""


class _Asked(NamedTuple):
    """What the broker says of the account, and which one it is, as a short hash; '' where it does not say."""

    told: Standing
    number: str


@contextmanager
def begun(
    store: Store,
    recording: Recording,
    code: Code,
    fold: LocalFold,
    reading: Callable[[str, int], None] = lambda _name, _count: None,
) -> Iterator[Begun]:
    """The session that is recorded into, open. `reading` hears of one to go on with, and how many inputs it has, before they are read.

    One that nobody ended and that has these feeds, symbols, settings and code goes on; with other code or settings a new
    one begins with its state. Raises ConfigError as `opening_from` does, LockedError, CorruptError, PoisonedError.
    """
    now_ns = recording.clock.now_ns()
    unfinished, note = (None, "") if recording.is_fresh else _unfinished(store, recording, now_ns, reading)
    told = f"; {note}" if note else ""
    asked = _asked(recording.broker, unfinished) if recording.broker else None
    if unfinished is not None and _is_same(unfinished, recording, code):
        with opened(store, unfinished, fold, is_resumed=True, note=note, is_live=True) as recorder:
            halt = _heed_halt(store, recorder, recording, fold)
            log = LogReader(store.folder(unfinished.id))
            how = f"resumed{told}{'; ' if halt else ''}{halt}"
            yield replace(_resumed(log, unfinished, recorder, recording, now_ns, how=how), halt=halt)
        return
    opening = _opening(store, unfinished, recording) if unfinished else None
    left = _left(store, recording, now_ns, asked) if opening is None else None
    missing = _missing(store, unfinished, recording) if unfinished else ()
    settings = recording.settings | ({"continues": opening.setting} if opening else {})
    settings |= {"begins_with": left.session} if left is not None else {}
    settings |= {"broker_account": asked.number} if asked is not None and asked.number else {}
    cash = _cash_row(asked.told, recording.account) if asked is not None and opening is None else None
    manifest = _created(store, recording, code, settings, now_ns)
    if recording.account:
        begin_on(store, recording.account, manifest.id, now_ns=now_ns)
    with opened(store, manifest, fold, is_live=True) as recorder:
        start = _start(recording, settings, code, fold, opening, left)
        symbols = frozenset(recording.symbols)
        begins_with = opening or left
        if begins_with is None:
            recorder.session_ns = now_ns
            recorder.say(start)
        else:
            begin(recorder, start, begins_with)
        if cash is not None:
            recorder.take([cash(max(now_ns, recorder.session_ns))])
        halt = _heed_halt(store, recorder, recording, fold)
        told += f"; {halt}" if halt else ""
        intake = _intake(recording, max(now_ns, recorder.session_ns))
        if begins_with is not None and begins_with.instruments:
            intake.know(Block.from_rows(Kind.INSTRUMENT, begins_with.instruments))
        recorder.flush()
        picks = _picks(LogReader(store.folder(manifest.id)), recording)
        anew = ", its scanners anew" if opening and recording.plan.scanners else ""
        how = f"goes on from {unfinished.id}{anew}{told}" if unfinished else f"new{told}"
        yield Begun(manifest, recorder, intake, symbols, picks, missing, how, halt)


def _start(
    recording: Recording,
    settings: Mapping[str, Any],
    code: Code,
    fold: LocalFold,
    opening: Opening | None,
    left: Opening | None,
) -> list[dict[str, Any]]:
    """The first rows of a new session."""
    start = start_rows(settings, code.hashes, seed=0)
    if any(plan.strategy.warm_up for plan in fold.plans):
        start.append({"action": int(SessionAction.WARMING), "key": "warm_up"})
    if opening is not None and recording.plan.scanners:
        start.append({"action": int(SessionAction.SETTING), "key": "scanners", "text": '"begun anew"'})
    if left is not None:
        start.append({"action": int(SessionAction.SETTING), "key": "account_left_by", "text": json.dumps(left.session)})
    return start


def _picks(log: LogReader, recording: Recording) -> Picks:
    """What is picked, or held, at the end of a log."""
    names = [strategy.name for strategy in recording.plan.strategies]
    picks = Picks([vendor.name for vendor in recording.vendors], names)
    picks.recall(log.batches(what="all", kinds=PICKED_BY))
    return picks


def _opening(store: Store, unfinished: Manifest, recording: Recording) -> Opening | None:
    """The state to go on with; None where nothing decided, so there is none."""
    if not decides(unfinished):
        return None
    return opening_from(store, unfinished.id, recording.plan, recording.strategy_files)


def _left(store: Store, recording: Recording, now_ns: int, asked: _Asked | None) -> Opening | None:
    """What its account has, where it has one on which something was traded before."""
    if not recording.account:
        return None
    names = [strategy.name for strategy in recording.plan.strategies]
    feeds, at = [vendor.name for vendor in recording.vendors], recording.broker
    return left_to(
        store,
        recording.account,
        names,
        feeds,
        now_ns=now_ns,
        broker=where(at.what, asked.number if asked else "") if at else "",
    )


def _asked(at: AtBroker, unfinished: Manifest | None) -> _Asked | None:
    """Ask the broker how the account stands; None where it does not say and a session goes on all the same.

    Raises VenueError where a new one would begin: wrong keys are seen before that; ConfigError for another account than that of the
    session that goes on.
    """
    try:
        told = anyio.run(standing, at.venue, at.timeout_s)
    except VenueError:
        if unfinished is None:
            raise
        return None
    number = blake3(told.number.encode(), derive_key_context=_PURPOSE).hexdigest()[:8] if told.number else ""
    before = unfinished.settings.get("broker_account", "") if unfinished else ""
    if unfinished and before and number and before != number:
        raise ConfigError(
            f"{at.venue.name}: these keys are of another account than the one {unfinished.id} traded on; "
            "use its keys, or leave that session with --fresh --account NAME"
        )
    return _Asked(told, number)


def _cash_row(told: Standing, account: str) -> Callable[[int], Block]:
    """What the broker says that the account has, as a row of a moment."""

    def row(now_ns: int) -> Block:
        columns = {"account": account, "currency": told.currency, "cash_nano": told.cash_nano}
        columns |= {"buying_power_nano": told.buying_power_nano, "ts_event_ns": now_ns, "ts_recv_ns": now_ns}
        return Block.from_rows(Kind.ACCOUNT, [{"seq": 1, "action": int(AccountAction.OPENING_CASH), **columns}])

    return row


def _missing(store: Store, unfinished: Manifest, recording: Recording) -> Sequence[Since]:
    log = LogReader(store.folder(unfinished.id))
    return missing_in(log.batches(kinds=[Kind.FEED]), len(recording.vendors), _last_ns(log))


def _heed_halt(store: Store, recorder: Recorder, recording: Recording, fold: LocalFold) -> str:
    """Where the kill switch was thrown, by hand or by a loss, and nobody reset it, nothing is entered; what is to be said of it.

    One that somebody reset while nobody recorded is reset in a session that goes on, too.
    """
    if not recording.plan.strategies:
        return ""
    why = halted(store, recording.account)
    if why is None:
        if recording.account and _is_held_back(fold):
            recorder.request(Request(RequestAction.RESET.name, text="it was reset while nobody recorded"))
        return ""
    recorder.request(why.request)
    return f"enters nothing: {why.reason} (`tape halt --reset` lets it)"


def _is_held_back(fold: LocalFold) -> bool:
    """Whether somebody asked for a halt, which is not what a broker's words bring about."""
    account = json.loads(dict(fold.carried())["account"])
    return bool((account["is_halted"] or account["is_reducing"]) and not account["is_stray"])


def _resumed(
    log: LogReader, manifest: Manifest, recorder: Recorder, recording: Recording, now_ns: int, how: str
) -> Begun:
    intake = _intake(recording, max(now_ns, recorder.session_ns))
    symbols, picks = set(recording.symbols), _picks(log, recording)
    for batch in log.batches(what="inputs"):
        if fed := [block for block in batch if block.kind not in SHELL_KINDS]:
            intake.recall(fed)
        for block in batch:
            if block.kind is Kind.REQUEST:
                _follow(symbols, zip(block.number("action").tolist(), block.text("target"), strict=True))
    missing = missing_in(log.batches(kinds=[Kind.FEED]), len(recording.vendors), recorder.session_ns)
    return Begun(manifest, recorder, intake, frozenset(symbols), picks, missing, how)


def symbol_meant(target: str) -> str:
    """The symbol that a request adds or drops, as the session asks its feeds for it, whichever way it was written."""
    feed, colon, name = target.strip().rpartition(":")
    return f"{feed.lower()}{colon}{spelling_meant(name.strip())}"


def _follow(symbols: set[str], requests: Iterator[tuple[int, str]]) -> None:
    """Add and drop what the operator added and dropped."""
    for action, target in requests:
        if action == RequestAction.ADD_SYMBOL:
            symbols.add(symbol_meant(target))
        elif action == RequestAction.DROP_SYMBOL:
            symbols.discard(symbol_meant(target))


def _intake(recording: Recording, start_ns: int) -> Intake:
    return Intake(
        [vendor.name for vendor in recording.vendors],
        [vendor.normalizer() for vendor in recording.vendors],
        start_ns=start_ns,
        keeps_raw=recording.keeps_raw,
        fresh=[vendor.normalizer for vendor in recording.vendors],
    )


def _created(store: Store, recording: Recording, code: Code, settings: Mapping[str, Any], now_ns: int) -> Manifest:
    names = "-".join(vendor.name for vendor in recording.vendors)
    manifest = store.create_session(
        f"{datetime.fromtimestamp(now_ns // NANO, UTC):%Y-%m-%d}-{names}",
        mode=Mode.LIVE if recording.broker else Mode.PAPER,
        created_ns=now_ns,
        settings=settings,
        strategies=strategy_entries(recording.plan, recording.strategy_files, code),
        packages=packages(),
        platform=machine(),
        seed=0,
    )
    return store.keep_code(manifest.id, code.texts)


def _unfinished(
    store: Store, recording: Recording, now_ns: int, reading: Callable[[str, int], None]
) -> tuple[Manifest | None, str]:
    """The newest live session of these feeds that nobody ended and nobody records, when it is this day's; what is to be said of it.

    A clock that was set back since makes no other day of it: session time is the highest there was, and stands until the
    clock has caught up. Raises LockedError when it is being recorded.
    """
    names, others = [vendor.name for vendor in recording.vendors], ""
    for manifest in reversed(store.sessions()):
        feeds: Any = manifest.settings.get("feeds", [])
        if manifest.state != "open" or [feed["name"] for feed in feeds] != names:
            continue
        is_other = manifest.settings.get("account", "") != recording.account
        if not is_other and recording.account:  # somebody may have traded on it since, or said what it has
            pending = unsettled(store, recording.account)
            is_other = pending is None or pending.id != manifest.id
        is_other = is_other or manifest.settings.get("broker") != recording.settings.get("broker")
        if is_other or _is_practice(feeds) != _is_practice([{"url": vendor.url} for vendor in recording.vendors]):
            continue
        log = LogReader(store.folder(manifest.id))
        reading(manifest.id, log.last_seq)
        ago_ns = now_ns - _last_ns(log)
        if abs(ago_ns) < RESUMED_WITHIN_NS:
            store.lock(manifest.id).release()
            behind = f"the clock shows {-ago_ns / NANO:,.1f} s before its last input: session time stands until then"
            return manifest, behind if ago_ns < 0 else ""
        how = f"{abs(ago_ns) / HOUR_NS:,.0f} h {'ago' if ago_ns > 0 else 'ahead of this clock'}"
        others = others or f"{manifest.id} stopped {how}: another day's, left open as it is"
    return None, others


def _is_practice(feeds: Sequence[Mapping[str, str]]) -> bool:
    """Whether feeds are served on this machine: no session goes on from a real market to one that is served, or back."""
    return any(is_loopback(feed["url"]) for feed in feeds)


def _last_ns(log: LogReader) -> int:
    """Session time at the end of a log; 0 when nothing was written."""
    times = [
        int(block.number("ts_recv_ns").max())
        for batch in log.batches(what="inputs", columns=["ts_recv_ns"])
        for block in batch
    ]
    return max(times, default=0)


def _is_same(manifest: Manifest, recording: Recording, code: Code) -> bool:
    """Whether settings and code are those it began with."""
    old = {name: value for name, value in manifest.settings.items() if name not in (*BEGAN_WITH, "broker_account")}
    return old == recording.settings and manifest.code == code.hashes
