"""Verifying: recorded inputs folded again with the recorded code, every derived row compared byte for byte."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from blake3 import blake3

from pipeline.block import Block, Blocks, concat
from pipeline.errors import ConfigError, CorruptError
from pipeline.events import LAYOUTS
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.code import ROOT, code_of
from pipeline.run.comparing import Difference, first_difference
from pipeline.run.environment import packages
from pipeline.run.fold import Fold, FoldPlan, Hashes, LocalFold, NoFold, RecordedFold, Speed, recorded_paths
from pipeline.run.overnight import kept_in

LED_TO_ROWS = 6
"""Rows shown of what led to the first difference."""


class Verdict(msgspec.Struct, frozen=True):
    """What came of it. `decisions_hash` is that of the rows derived now.

    `undecided` are the first and last input that a session which nobody ended stopped before deciding upon; `identical`,
    `derived` and the hashes then speak of all before them.
    `same_code`: the project's sources are today's; a strategy from elsewhere is known only as it was recorded.
    """

    id: str
    identical: bool
    events: int
    derived: int
    decisions_hash: str
    state_hash: str
    first_difference: Difference | None
    same_code: bool
    same_packages: bool
    undecided: tuple[int, int] | None = None


def verify(
    store: Store,
    name: str,
    *,
    rows: int = 65_536,
    always_apart: bool = False,
    speed: Speed = Speed.AUTO,
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Fold a session's or run's inputs again with the code it keeps, in batches of `rows` inputs.

    `always_apart` uses a process of its own even when the recorded code is today's; that is plain Python, and COMPILED is refused
    there. Raises NotFoundError, ConfigError, CorruptError when the log or its code is damaged.
    """
    manifest = store.find_one(name)
    if manifest.what == "run" and manifest.state == "open":
        raise ConfigError(f"{manifest.id} was never finished: delete it, and replay its session again")
    folder = store.folder(manifest.id)
    log = LogReader(folder)
    manifest = log.manifest  # of the same moment: a session may end just now
    inputs = LogReader(store.folder(store.session_of(manifest).id)) if manifest.what == "run" else log
    last_seq = _last_reduced(manifest, inputs)
    plan = recorded_plan(manifest)
    check_code(folder, manifest)
    same_code = _is_todays(folder, manifest, plan)
    undecided = log.undecided()
    decided_seq = undecided[0] - 1 if undecided else last_seq
    recorded = _Recorded(log, None if manifest.is_closed else decided_seq)
    count = 0
    difference = None
    with _fold(folder, manifest, plan, apart=always_apart or not same_code, speed=speed) as fold:
        if begun := kept_in(log):
            fold.reduce(begun)
        for window in inputs.windows(to_seq=decided_seq, what="inputs", rows=rows):
            derived = fold.reduce(window.blocks)
            count += sum(map(len, derived))
            difference = first_difference(recorded.up_to(window.last_seq), derived)
            progress(sum(map(len, window.blocks)))
            if difference is not None:
                break
        else:
            difference = first_difference(recorded.up_to(None), [])
        hashes = fold.hashes()
        if undecided and difference is None and not _decides(fold, inputs.batches(*undecided, rows=rows)):
            undecided, hashes = None, fold.hashes()
    if difference is not None:
        difference = msgspec.structs.replace(difference, led_to=_led_to(inputs, log, difference))
    return Verdict(
        id=manifest.id,
        identical=difference is None and _are_recorded(hashes, manifest),
        events=last_seq,
        derived=count,
        decisions_hash=hashes.decisions_hash,
        state_hash=hashes.state_hash,
        first_difference=difference,
        same_code=same_code,
        same_packages=manifest.packages == packages(),
        undecided=undecided if difference is None else None,
    )


def _decides(fold: Fold, batches: Iterator[Blocks]) -> bool:
    """Whether anything is derived from these inputs."""
    count = sum(len(block) for batch in batches for block in fold.reduce(batch))
    return count > 0


def _are_recorded(hashes: Hashes, manifest: Manifest) -> bool:
    """Whether the hashes are those in the manifest, where it has any: a session that resumed has."""
    return (manifest.decisions_hash or hashes.decisions_hash, manifest.state_hash or hashes.state_hash) == (
        hashes.decisions_hash,
        hashes.state_hash,
    )


def recorded_fold(folder: Path, manifest: Manifest) -> Fold:
    """What a log was reduced with, from its first input: in this process where its code is today's. Raises CorruptError."""
    plan = recorded_plan(manifest)
    check_code(folder, manifest)
    return _fold(folder, manifest, plan, apart=not _is_todays(folder, manifest, plan))


def recorded_plan(manifest: Manifest) -> FoldPlan:
    """The plan a log was reduced with; no strategies when it holds inputs alone."""
    plan = manifest.settings.get("plan")
    return msgspec.convert(plan, FoldPlan) if plan else FoldPlan((), {})


def check_code(folder: Path, manifest: Manifest) -> None:
    """Nothing is run whose bytes are not those recorded. Raises CorruptError naming the file."""
    for name, expected in manifest.code.items():
        path = folder / "code" / name
        if not path.is_file() or blake3(path.read_bytes()).hexdigest() != expected:
            raise CorruptError(path, 0, "not the source that was recorded")


def _is_todays(folder: Path, manifest: Manifest, plan: FoldPlan) -> bool:
    """Whether the recorded sources are the ones that stand here today, third-party packages aside."""
    if not manifest.code:
        return True
    today = code_of([_today(folder, strategy.file) for strategy in plan.strategies])
    return today.hash == manifest.code_hash


def _today(folder: Path, file: str) -> Path:
    """The strategy's file as it stands here; one from elsewhere is known only as recorded."""
    path = ROOT / file
    return path if path.is_file() else folder / "code" / file


def _fold(folder: Path, manifest: Manifest, plan: FoldPlan, *, apart: bool, speed: Speed = Speed.AUTO) -> Fold:
    if not manifest.code:
        return NoFold()
    if apart:
        if speed is Speed.COMPILED:
            raise ConfigError(
                f"{manifest.id}: its code runs in a process of its own, which compiles nothing; accepted as speed is auto or interpreted"
            )
        return RecordedFold(manifest.settings["plan"], folder / "code")
    return LocalFold(plan, recorded_paths(plan, folder / "code"), speed=speed, inputs=manifest.inputs)


def _last_reduced(manifest: Manifest, inputs: LogReader) -> int:
    """The last input that was reduced: a run may have stopped before its session's end."""
    to_seq = manifest.settings.get("to_seq", inputs.last_seq)
    assert isinstance(to_seq, int)
    return to_seq


class _Recorded:
    """The derived rows of a log, handed out up to one seq after the other; those behind `to_seq` came while it was read."""

    def __init__(self, log: LogReader, to_seq: int | None) -> None:
        self._windows: Iterator[Blocks] = log.batches(to_seq=to_seq, what="derived")
        self._kept: list[Block] = []
        self._ended = False

    def up_to(self, seq: int | None) -> Blocks:
        """The rows not handed out yet whose `seq` is at most this; None: all the rest."""
        while not self._ended and (seq is None or not self._reaches(seq)):
            blocks = next(self._windows, None)
            if blocks is None:
                self._ended = True
            else:
                self._kept.extend(blocks)
        taken, kept = [], []
        for block in self._kept:
            cut = len(block) if seq is None else int(block.number("seq").searchsorted(seq, side="right"))
            taken.append(block.slice(0, cut))
            kept.append(block.slice(cut, len(block)))
        self._kept = [block for block in kept if len(block)]
        return concat(block for block in taken if len(block))

    def _reaches(self, seq: int) -> bool:
        return any(int(block.number("seq")[-1]) > seq for block in self._kept)


def _led_to(inputs: LogReader, log: LogReader, difference: Difference) -> tuple[dict[str, Any], ...]:
    """The input that was being reduced, and the recorded rows that caused the row, oldest first."""
    rows: list[dict[str, Any]] = []
    row = difference.recorded or difference.derived or {}
    place = (row.get("cause_seq", 0), row.get("cause_ord", 0))
    while place[0] and len(rows) < LED_TO_ROWS:
        found = row_at(inputs if place[1] == 0 else log, *place)
        if found is None:
            break
        rows.insert(0, found)
        place = (found["cause_seq"], found["cause_ord"])
    if not rows or rows[0]["seq"] != difference.seq:
        found = row_at(inputs, difference.seq, 0)
        rows = [*([found] if found else []), *rows]
    return tuple(rows)


def row_at(log: LogReader, seq: int, ord_: int) -> dict[str, Any] | None:
    """One row of a log by its place, its kind added as `kind`."""
    for blocks in log.batches(seq, seq, what="derived" if ord_ else "inputs"):
        for block in blocks:
            for row in block.rows():
                if (row["seq"], row["ord"]) == (seq, ord_):
                    return {"kind": LAYOUTS[block.kind].kind.name.lower(), **row}
    return None
