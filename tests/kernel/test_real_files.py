"""Both speeds over recorded market data: the same decisions, the same state."""

from pathlib import Path

import pytest

from pipeline.feeds.files import feed_of
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.importing import import_files
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FUTURES = "databento/nautilus/historical_bars_catalog/databento/futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst"
FILES = [strategy_file(name) for name in ("hold", "ema_cross", "opening_range")]


@pytest.mark.parametrize("name", [FUTURES, "crypto/hftbacktest/spot/btcusdt_20240808.gz"])
def test_a_recorded_day_comes_out_the_same(name, tmp_path):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project")
    store = Store(tmp_path)
    import_files(store, [feed_of(path)], [path], name="x", created_ns=1)
    plan = plan_of(FILES, ["ema_cross.fast=5", "ema_cross.slow=20"], [])
    plain, fast = (
        replay(store, "x", plan, FILES, created_ns=1, speed=speed) for speed in (Speed.INTERPRETED, Speed.COMPILED)
    )
    assert (plain.speed, fast.speed) == (Speed.INTERPRETED, Speed.COMPILED)
    assert (fast.decisions_hash, fast.state_hash) == (plain.decisions_hash, plain.state_hash)
    assert fast.intents > 0
