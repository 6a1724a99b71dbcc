"""A generated day with a scanner and a strategy, recorded once, and replayed with other parameters."""

from pathlib import Path

import pytest

from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

FILES = [strategy_file("ema_cross")]
BUSY = Path(__file__).resolve().parents[1] / "busy.toml"


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store with the session `generated-3` and a run over it, both sealed; nobody may change it."""
    home = tmp_path_factory.mktemp("generated")
    store = Store(home)
    day = Day(seed=3, quotes=1_500)
    session = record_generated(store, day, plan("fast=5"), FILES, created_ns=1)
    replay(store, session.id, plan("fast=4"), FILES, created_ns=2)
    return home


def plan(fast: str) -> FoldPlan:
    """The strategy behind what the scanner picks."""
    return plan_of(FILES, [fast, "slow=20", "notional=1000"], [], [BUSY])
