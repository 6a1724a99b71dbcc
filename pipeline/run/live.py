"""Live: a session recorded from sockets, until a moment, a wish or a fault ends it.

Three threads: `run.listening` holds the sockets, stamps what comes and hands it over; the loop (`run.turning`) decodes, sequences and
reduces; the sync thread makes it durable. All is compiled before the first connection.
"""

import gc
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from pipeline.core.settings import EngineSettings
from pipeline.execution.identity import Identity
from pipeline.feeds.inbox import Inbox
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.run.accounts import settle, used
from pipeline.run.beginning import Begun, Recording, begun
from pipeline.run.brokering import Brokering
from pipeline.run.code import code_of
from pipeline.run.fold import INPUTS_WORTH_COMPILING, LocalFold
from pipeline.run.lasting import unprotected
from pipeline.run.listening import Listening, sole
from pipeline.run.outstanding import outstanding
from pipeline.run.referencing import shares_known
from pipeline.run.replaying import instruments_of
from pipeline.run.turning import Ending, Loop
from pipeline.run.warming import Warming

_SWITCH_S: Final = 0.0005
"""How soon the loop gets the interpreter from a thread that has it: Python's own 5 ms are longer than a decision takes."""


def record(
    store: Store,
    recording: Recording,
    ending: Ending,
    *,
    compiling: Callable[[], None] = lambda: None,
    reading: Callable[[str, int], None] = lambda _name, _count: None,
    told: Callable[[Begun], None] = lambda _: None,
    left: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Record until it ends, seal, and give the manifest; `told` hears of the session before the first connection.

    `reading` hears of a session that nobody ended, and of its inputs, before those are read; it may be long until `told`.
    `left` hears at the end how many messages came that are still to be reduced, when there are any.

    Raises StrategyError, ConfigError, LockedError when the session or a feed's credential is in use, PoisonedError.
    """
    code = code_of(recording.strategy_files)
    with (
        sole(recording.vendors, recording.broker),
        used(store, recording.account),
        LocalFold(
            recording.plan,
            recording.strategy_files,
            speed=recording.speed,
            inputs=INPUTS_WORTH_COMPILING,
            compiling=compiling,
        ) as fold,
        begun(store, recording, code, fold, reading) as session,
    ):
        told(session)
        inbox = Inbox()
        session.recorder.wake_by(inbox.wake)
        symbols = recording.desired(session.symbols | session.picks.symbols)
        known = shares_known(store) if recording.snapshot_every_s else frozenset[str]()
        with (
            undisturbed(),
            Listening(recording, inbox, symbols, session.missing, session.intake.recalled, known) as listening,
            ExitStack() as stack,
        ):
            session.intake.progress = listening.progress
            brokering = _brokering(store, recording, session, fold, inbox)
            if brokering is not None:
                brokering.start(listening.portal)
                stack.callback(brokering.close)
            warming = Warming(fold.plans, recording.vendors, EngineSettings.from_dict(recording.plan.settings))
            loop = Loop(recording, session, inbox, listening, ending, store, warming, left, brokering)
            loop.run()
            ending.lag_s_max = loop.lag_s_max
            if brokering is not None:
                ending.at_broker = brokering.left()
        if recording.account or recording.broker:
            _leave(store, recording, session, fold, ending)
    ending.sealing = session.recorder.sealing.trouble
    return seal(store.folder(session.manifest.id), store.disk)


def _brokering(store: Store, recording: Recording, session: Begun, fold: LocalFold, inbox: Inbox) -> Brokering | None:
    """What carries this session's orders, from what its log knows by now; None where they are simulated."""
    if recording.broker is None:
        return None
    recorder = session.recorder
    recorder.flush()
    names = [plan.strategy.name for plan in fold.plans]
    known = outstanding(store, session.manifest, fold.carried(), names)
    # Not by the session's id: that comes again, in another store or on another day.
    identity = Identity(recording.account, session.manifest.log_id)
    wait, draw = recorder.wait_durable, random.random
    brokering = Brokering(recording.broker, identity, known, inbox, recording.clock, wait_durable=wait, draw=draw)
    recorder.seen.append(brokering.add)
    return brokering


def _leave(store: Store, recording: Recording, session: Begun, fold: LocalFold, ending: Ending) -> None:
    """Settle the account with what the session leaves, and name what of it nobody looks after from now on."""
    recorder = session.recorder
    recorder.flush()
    rows = fold.carried()
    defined = instruments_of(LogReader(store.folder(session.manifest.id)), recorder.last_seq)
    if recording.broker:
        feeds = [vendor.name for vendor in recording.vendors]
        ending.unprotected = [str(each) for each in unprotected(rows, defined, feeds)]
    if recording.account:
        settle(store, recording.account, session.manifest, rows, defined, now_ns=recorder.session_ns)


@contextmanager
def undisturbed() -> Iterator[None]:
    """While this lasts, no thread keeps the interpreter for long, and the garbage collector leaves alone what is there now.

    There are a hundred thousand objects of libraries before the first message; to look through them takes a tenth of a second.
    Where somebody else of this process has seen to that already, it stays his.
    """
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    is_first = gc.get_freeze_count() == 0
    if is_first:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        if is_first:
            gc.unfreeze()
        sys.setswitchinterval(switch_s)
