"""The sessions: generated and real ones, recorded in today's environment, interpreted."""

from pathlib import Path

from pipeline.feeds.files import feed_of
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.importing import import_files
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS

REAL = Path(
    "databento/nautilus/historical_bars_catalog/databento/futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst"
)
NAMES = ("hold", "ema_cross", "opening_range")
PARAMS = ["opening_range.open_minute=480", "ema_cross.fast=5", "ema_cross.slow=20"]
SCANNER = Path(__file__).resolve().parents[1] / "tests" / "busy.toml"

Hashes = tuple[str, str]
"""Of decisions, and of the state."""


def record(store: Store, shared: Path) -> dict[str, Hashes]:
    """Record all of them and give the hashes of each."""
    files = [strategy_file(name) for name in NAMES]
    plan = plan_of(files, PARAMS, [])
    day = Day(seed=3, quotes=1_200, starts_ns=Day().starts_ns + 50 * MINUTE_NS, lasts_ns=30 * MINUTE_NS)
    generated = record_generated(store, day, plan, files, created_ns=1)
    found = {generated.id: (generated.decisions_hash, generated.state_hash)}
    picked = plan_of(files, PARAMS, [], [SCANNER])
    runs = [replay(store, generated.id, picked, files, created_ns=2, speed=Speed.INTERPRETED)]
    if (path := shared / REAL).is_file():
        import_files(store, [feed_of(path)], [path], name="real", created_ns=3)
        runs.append(replay(store, "real", plan, files, created_ns=4, speed=Speed.INTERPRETED))
    return found | {run.run: (run.decisions_hash, run.state_hash) for run in runs}
