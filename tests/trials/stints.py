"""Long trials in stints: what was lived stands in `passed.jsonl`, the next stint begins behind it.

A trial is a function of a seed that raises when something is wrong. A line of the file is a stretch of seeds that were
really lived and passed: name, first seed, how many, how many executions in all, the day, and which code it was. Ctrl-C and
SIGTERM end a stint behind the seed that is being lived; nothing that failed or was not reached is ever written.
"""

import fcntl
import hashlib
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEDGER = Path(__file__).with_name("passed.jsonl")
SAVED_EVERY_S = 20


@cache
def code() -> str:
    """What all sources of the pipeline hash to: totals say which code they are of."""
    content = hashlib.sha256()
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        content.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:12]


def stretches(ledger: Path = LEDGER) -> list[dict]:
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def totals(ledger: Path = LEDGER) -> dict[str, tuple[int, int]]:
    """Of each trial the seeds that passed and the executions in them."""
    found: dict[str, tuple[int, int]] = {}
    for each in stretches(ledger):
        seeds, executions = found.get(each["name"], (0, 0))
        found[each["name"]] = seeds + each["count"], executions + each["executions"]
    return dict(sorted(found.items()))


def next_seed(name: str, ledger: Path = LEDGER) -> int:
    """The first seed that nobody has lived yet, from 0 on."""
    reached = 0
    for each in sorted((each for each in stretches(ledger) if each["name"] == name), key=lambda each: each["first"]):
        if each["first"] <= reached:
            reached = max(reached, each["first"] + each["count"])
    return reached


@contextmanager
def _alone(ledger: Path):
    with ledger.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def record(name: str, first: int, count: int, executions: int, ledger: Path = LEDGER) -> None:
    """Write down that these seeds passed; a stretch of the same day and code that ends where they begin grows."""
    if not count:
        return
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    fresh = {"name": name, "first": first, "count": count, "executions": executions, "day": day, "code": code()}
    with _alone(ledger):
        known = stretches(ledger)
        for each in known:
            same = all(each[key] == fresh[key] for key in ("name", "day", "code"))
            if same and each["first"] + each["count"] == first:
                each["count"] += count
                each["executions"] += executions
                break
        else:
            known.append(fresh)
        temporary = ledger.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(each) + "\n" for each in known))
        temporary.replace(ledger)


@contextmanager
def stopping():
    """Let Ctrl-C and SIGTERM be seen between two seeds only."""
    asked = []
    before = {each: signal.signal(each, lambda *_: asked.append(1)) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def live(
    name: str,
    life: Callable[[int], int],
    first: int,
    count: int,
    *,
    again: str,
    ledger: Path = LEDGER,
    is_kept: bool = True,
    until_s: float = float("inf"),
    stopped: list | None = None,
    words=sys.stdout,
) -> int:
    """Live `count` seeds from `first`; how many passed. `life` gives its executions; what it raises is told and raised.

    None begins after `until_s`; when somebody stopped it, `stopped` has something in it. `again` with the seed put in is the command that repeats one.
    """
    print(f"{name}: seeds {first}..{first + count - 1}", file=words, flush=True)
    saved, seed, executions, began = first, first, 0, time.monotonic()
    next_save = began + SAVED_EVERY_S
    with stopping() as asked:
        try:
            while seed < first + count and not asked and time.monotonic() < began + until_s:
                executions += life(seed)
                seed += 1
                if is_kept and time.monotonic() > next_save:
                    record(name, saved, seed - saved, executions, ledger)
                    saved, executions, next_save = seed, 0, time.monotonic() + SAVED_EVERY_S
                    rate = (seed - first) / (time.monotonic() - began)
                    print(f"{name}: {seed - first} passed, at seed {seed}, {rate:.0f} seeds/s", file=words, flush=True)
        except BaseException as error:
            told = [f"{name}: seed {seed} FAILED: {error!r}", *getattr(error, "__notes__", [])]
            print(*told, f"again: {again.format(seed=seed)}", sep="\n", file=words, flush=True)
            raise
        finally:
            if is_kept:
                record(name, saved, seed - saved, executions, ledger)
    if stopped is not None:
        stopped += asked
    print(f"{name}: {seed - first} seeds passed, {first}..{seed - 1}", file=words, flush=True)
    return seed - first
