"""Demonstrating: a market of one's own, served by another process on this machine, and recorded live from it."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from pipeline.block import Blocks
from pipeline.config import zone_named
from pipeline.errors import OperatorError
from pipeline.instruments import EXCHANGE_ZONES
from pipeline.log.manifest import Manifest
from pipeline.log.store import Store
from pipeline.run.asking import recording_of
from pipeline.run.beginning import Begun
from pipeline.run.clock import ServedClock
from pipeline.run.drafting import draft_scanner
from pipeline.run.fold import Speed
from pipeline.run.glimpse import glimpse_of
from pipeline.run.live import record
from pipeline.run.turning import Ending
from pipeline.units import NANO

DAY: Final = "2026-11-03"
SPEED: Final = 240
"""80 minutes of a premarket and the open in 20 seconds."""

UNTIL: Final = "09:50"
AT_MOST: Final = "3m"
"""The market ends by itself then, whatever becomes of us."""

_SERVING: Final = (
    "serve", "--generate", "premarket", "--date", DAY, "--speed", str(SPEED), "--protocol", "massive", "--port", "0",
    "--at-most", AT_MOST, "--seed",
)  # fmt: skip
_TOLD: Final = {"connected,": 2, "lost,": 1, "picks": 2, "drops": 1, "buy": 2, "sell": 3}
"""So many happenings with a word in them are told."""

_LOOKED_EVERY: Final = 20


@contextmanager
def served(seed: int) -> Iterator[str]:
    """The address of the market of this seed while the block runs. Raises OperatorError when it does not open."""
    words = [sys.executable, "-m", "pipeline.cli", *_SERVING, str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  # words of our own
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if line[:2] != ["LISTENING", "massive"]:
                _, why = process.communicate(timeout=10)
                raise OperatorError(f"the market did not open: {why.strip() or 'it ended'}")
            yield line[2]
        finally:
            process.terminate()


def record_served(store: Store, url: str, folder: Path, told: Callable[[str], None]) -> tuple[Manifest, Ending]:
    """Record that market until it is over: a scanner picks, two strategies trade on paper what it picks. `folder` is for the scanner's file; `told` hears of what happens, a few lines."""
    scanner, _ = draft_scanner("movers", folder)
    recording = recording_of(
        feeds=[f"massive={url}"],
        symbols=[],
        watch=["*"],
        watch_channels="quotes,prints",
        strategies=["ema_cross", "opening_range"],
        scanners=[str(scanner)],
        params=[
            *("ema_cross.notional=2000", "ema_cross.fast=10", "ema_cross.slow=60"),
            # names as thin as these are quoted a percent wide
            *("opening_range.open_minute=870", "opening_range.minutes=2", "opening_range.spread_bps=150"),
        ],
        settings=[],
        channels=None,
        until=UNTIL,
        clock="served",
        keeps_raw=False,
        is_fresh=True,
        speed=Speed.INTERPRETED,
    )
    ending = Ending()
    assert isinstance(recording.clock, ServedClock)
    with recording.clock.kept():
        return record(store, recording, ending, told=lambda session: _follow(session, told)), ending


def _follow(session: Begun, told: Callable[[str], None]) -> None:
    """Hear of the first happenings of each sort that people want to see."""
    glimpse = glimpse_of(session.manifest, ["massive"])
    left, commits, zone = dict(_TOLD), itertools.count(), zone_named(EXCHANGE_ZONES["XNYS"])

    def see(inputs: Blocks, derived: Blocks) -> None:
        glimpse.add(inputs, derived)
        if next(commits) % _LOOKED_EVERY:
            return
        glimpse.look()
        while glimpse.untold:
            ts_ns, text = glimpse.untold.popleft()
            word = next((word for word in left if f" {word} " in f" {text} "), "")
            if left.get(word):
                left[word] -= 1
                told(f"{datetime.fromtimestamp(ts_ns // NANO, zone):%H:%M:%S}  {text}")

    session.recorder.seen.append(see)
