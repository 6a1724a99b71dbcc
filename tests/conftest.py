"""Shared by all tests: the folder of real data, the flag that rewrites pinned files, hypothesis profiles."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""Tests start hundreds of processes: where Python may not keep what it compiled, each of them compiles all of ours anew."""

settings.register_profile("desk", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("night", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "desk"))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is there once all tests are known stays until the end: nobody looks through it again for what may go."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_unconfigure():
    gc.unfreeze()  # libraries complain about what is left when all ends


def pytest_addoption(parser):
    parser.addoption(
        "--rewrite", action="store_true", help="write the pinned files anew; read the difference in review"
    )


@pytest.fixture(scope="session")
def shared_data():
    if not SHARED.is_dir():
        pytest.skip("real market data (../shared/data) is not here")
    return SHARED
