"""Continuing: what can't go on as it was (other code, other settings) ends, and a new session begins with its state.

The old session is recovered and ended by the code that recorded it, so it verifies as any other does. What that code
remembers then becomes the first inputs of the new one (see `core.carrying`), which so verifies alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.block import Block
from pipeline.codes import Kind, SessionAction
from pipeline.errors import ConfigError, LogError
from pipeline.log.manifest import Manifest
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.run.fold import Carried, FoldPlan, LocalFold
from pipeline.run.recording import Recorder, fed, is_begun, opened
from pipeline.run.replaying import Instruments, instruments_of
from pipeline.run.verifying import recorded_fold, recorded_plan

_HOLDS: Final = ("position", "order")
"""Rows about something open, where their `quantity_steps` are not 0."""


class Opening(msgspec.Struct, frozen=True):
    """What a session begins with: the state of `session` behind its input `seq`, at session time `ts_ns`."""

    session: str
    seq: int
    ts_ns: int
    fed: int
    """Inputs from feeds in this session and in those it went on from."""
    rows: Carried
    instruments: Instruments

    @property
    def setting(self) -> dict[str, Any]:
        """What the new session's settings say of it, as `continues`."""
        return {"session": self.session, "seq": self.seq, "fed": self.fed, "instruments": len(self.instruments)}


def opening_from(store: Store, name: str, plan: FoldPlan, strategy_files: Sequence[Path]) -> Opening:
    """End the session, if it is open, and give the state in which another one with this plan may begin.

    Raises ConfigError, and leaves the session open, for an import, for one recorded by code that can't hand its state
    over, when the plan lacks a strategy that holds something or a setting leaves no room; LockedError when it is being
    recorded, CorruptError.
    """
    old = store.find_one(name)
    if old.what != "session" or not decides(old):
        raise ConfigError(f"{old.id}: it decided nothing, so there is no state to go on with")
    if "continues" in old.settings and not has_begun(store, old):
        origin = msgspec.to_builtins(old.settings["continues"])["session"]
        raise ConfigError(f"{old.id} stopped before its first input: go on from {origin}")
    rows = state_left(store, old, lambda rows: _check(old, rows, plan, strategy_files))
    log = LogReader(store.folder(old.id))
    before = old.settings.get("continues", {"fed": 0, "instruments": 0})
    assert isinstance(before, dict)
    return Opening(
        session=old.id,
        seq=log.last_seq,
        ts_ns=log.manifest.last_ts_ns,
        fed=fed(log) - before["instruments"] + before["fed"],
        rows=rows,
        instruments=instruments_of(log, log.last_seq),
    )


def decides(session: Manifest) -> bool:
    """Whether strategies or scanners ran in it, so that there is something to go on with."""
    plan = recorded_plan(session)
    return bool(plan.strategies or plan.scanners)


def end(store: Store, session: Manifest) -> None:
    """End an open session, whose recorder was killed, where it stopped, by the code that recorded it.

    Raises LockedError when it is being recorded, CorruptError.
    """
    with (
        recorded_fold(store.folder(session.id), session) as fold,
        opened(store, session, fold, is_resumed=True) as recorder,
    ):
        recorder.session_ns = recorder.session_ns or session.created_ns


def state_left(store: Store, old: Manifest, check: Callable[[Carried], None] = lambda _: None) -> Carried:
    """What a session remembers at its end, by the code that recorded it; one that is open is ended, unless the check raises.

    Raises ConfigError for one whose code can't hand it over, LockedError when it is being recorded, CorruptError.
    """
    if "pipeline/core/carrying.py" not in old.code:
        raise ConfigError(f"{old.id} was recorded by a version that can't hand its state over")
    folder = store.folder(old.id)
    with recorded_fold(folder, old) as fold:
        if old.is_closed:
            for batch in LogReader(folder).batches(what="inputs"):
                fold.reduce(batch)
            check(rows := fold.carried())
        else:
            with opened(store, old, fold, is_resumed=True):
                check(rows := fold.carried())
    seal(folder, store.disk)
    return rows


def begin(recorder: Recorder, start: Sequence[Mapping[str, Any]], opening: Opening) -> None:
    """The first inputs of a session that goes on: that it started, the state, the instruments as last defined.

    They are one commit, so a crash leaves all of them or none. Raises LogError for a state of more than a commit holds.
    """
    rows = [*start, *_state_rows(opening.rows)]
    placed = [
        {**row, "seq": rank, "ts_recv_ns": opening.ts_ns, "ts_event_ns": opening.ts_ns}
        for rank, row in enumerate(rows, 1)
    ]
    batch = [Block.from_rows(Kind.SESSION, placed)]
    if opening.instruments:
        batch.append(_definitions(opening, len(rows) + 1))
    recorder.take(batch)


def has_begun(store: Store, session: Manifest) -> bool:
    """Whether anything stands in it."""
    folder = store.folder(session.id)
    return is_begun(session, folder / JOURNAL) and LogReader(folder).last_seq > 0


def _check(old: Manifest, rows: Carried, plan: FoldPlan, files: Sequence[Path]) -> None:
    """That the plan can begin with what was left. Raises ConfigError."""
    known = {strategy.name for strategy in plan.strategies}
    for key, text in rows:
        kind, _, rest = key.partition("/")
        owner = rest.partition("/")[0]
        if kind in _HOLDS and owner not in known and json.loads(text)["quantity_steps"]:
            symbols = {key: json.loads(text)["symbol"] for key, text in rows if key.startswith("instrument/")}
            of = symbols.get(f"instrument/{json.loads(text)['instrument_id']}", key)
            raise ConfigError(
                f"{old.id}: {owner} has an open {kind} in {of}: keep it in the plan (--strategy {owner}); --fresh begins "
                f"without it, `tape sessions seal {old.id}` ends that session as it is"
            )
    told = _state_rows(rows)
    placed = [{**row, "seq": rank, "ts_recv_ns": old.created_ns} for rank, row in enumerate(told, 1)]
    try:
        with LocalFold(plan, files) as trial:
            trial.reduce([Block.from_rows(Kind.SESSION, placed)])
    except LogError as error:
        raise ConfigError(f"{old.id}: this plan can't begin where it ended: {error}") from None


def _state_rows(rows: Carried) -> list[dict[str, Any]]:
    return [{"action": int(SessionAction.STATE), "key": key, "text": text} for key, text in rows]


def _definitions(opening: Opening, first_seq: int) -> Block:
    rows = [
        {**row, "seq": rank, "ts_recv_ns": opening.ts_ns, "cause_seq": 0, "cause_ord": 0}
        for rank, row in enumerate(opening.instruments, first_seq)
    ]
    return Block.from_rows(Kind.INSTRUMENT, rows)
