"""Generating: a day from the simulator recorded as if it were live, strategies deciding as it comes in."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.block import without_first
from pipeline.errors import ConfigError
from pipeline.feeds.merge import merged
from pipeline.log.manifest import Manifest
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.code import code_of
from pipeline.run.continuing import begin, opening_from
from pipeline.run.environment import machine, packages
from pipeline.run.fold import FOR_LONG, FoldPlan, LocalFold, Speed
from pipeline.run.recording import opened, start_rows
from pipeline.run.strategies import strategy_entries
from pipeline.simulator.generate import Day, GeneratedDay


def record_generated(
    store: Store,
    day: Day,
    plan: FoldPlan,
    strategy_files: Sequence[Path],
    *,
    created_ns: int,
    continues: str | None = None,
) -> Manifest:
    """Record the day with these strategies, seal it, and give its manifest.

    `continues` names a session of the same day that was interrupted: it ends, and its state and the rest of the day
    make this one. Raises StrategyError, LockedError, and ConfigError as `opening_from` does.
    """
    code = code_of(strategy_files)
    settings = {"plan": msgspec.to_builtins(plan), "generated": msgspec.to_builtins(day)}
    if continues and store.find_one(continues).settings.get("generated") != settings["generated"]:
        raise ConfigError(
            f"{continues} is no recording of this generated day: continue it with the same seed and sizes"
        )
    opening = opening_from(store, continues, plan, strategy_files) if continues else None
    if opening:
        settings["continues"] = opening.setting
    manifest = store.create_session(
        f"generated-{day.seed}",
        mode=Mode.PAPER,
        created_ns=created_ns,
        settings=settings,
        strategies=strategy_entries(plan, strategy_files, code),
        packages=packages(),
        platform=machine(),
        seed=day.seed,
    )
    manifest = store.keep_code(manifest.id, code.texts)
    with (
        LocalFold(plan, strategy_files, speed=Speed.AUTO, inputs=FOR_LONG) as fold,
        opened(store, manifest, fold) as recorder,
    ):
        start = start_rows(settings, code.hashes, seed=day.seed)
        if opening:
            begin(recorder, start, opening)
        else:
            recorder.session_ns = day.starts_ns
            recorder.say(start)
        for batch in without_first(merged([GeneratedDay(day)]), opening.fed if opening else 0):
            recorder.take(batch)
    return seal(store.folder(manifest.id), store.disk)
