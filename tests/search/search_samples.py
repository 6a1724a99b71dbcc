"""A search, and how it is run in this process."""

import shutil

from hands_here import Here

from pipeline.log.store import Store
from pipeline.run.backtesting import backtest
from pipeline.run.fold import Speed
from pipeline.run.optimizing import Bench, Search, optimize
from pipeline.run.strategies import strategy_file

FILE = strategy_file("ema_cross")
RANGES = ("fast=3..12", "slow=9..40")
SEARCH = Search("profit", trades_min=2, trials=9, seed=7, batch=3)


def copied(store, home):
    """A store of its own over the same sessions, which nobody here changes."""
    home.mkdir()
    (home / "sessions").symlink_to(store.home / "sessions")
    for name in ("backtests", "studies"):
        if (store.home / name).is_dir():
            shutil.copytree(store.home / name, home / name)
    return Store(home)


def bench(store, **changes):
    given = {"created_ns": 1, "speed": Speed.INTERPRETED, "engine": Here()} | changes
    return Bench(store, [FILE], **given)


def searched(store, space, search=SEARCH, sessions="last 2", progress=lambda _: None, **changes):
    return optimize(bench(store, **changes), space, store.select([sessions]), search, progress)


def here(monkeypatch):
    """Commands run cells in this process."""
    monkeypatch.setattr(
        "pipeline.run.optimizing.backtest", lambda *words, **options: backtest(*words, **options | {"engine": Here()})
    )
