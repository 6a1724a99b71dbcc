"""A real S3 server on loopback, and a store with a session and a run over it to push there."""

import pytest
from object_server import ENVIRONMENT, Bucket, serving_objects, uri_of

from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import MINUTE_NS, Day

FILES = [strategy_file("ema_cross")]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The folder of its bucket `tapes`, and the port it listens on."""
    with serving_objects(tmp_path_factory.mktemp("objects")) as served:
        yield served


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """The environment of who has the keys, and a cache of its own."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("TAPE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


@pytest.fixture
def bucket(server, keys, tmp_path):
    """An empty place in the bucket: its folder on this machine, and its URI. The server only sees what is done through it."""
    folder, port = server
    return Bucket(folder / tmp_path.name, uri_of(port, tmp_path.name))


@pytest.fixture
def folder(tmp_path, keys):
    """A far store on a mounted path."""
    (tmp_path / "mounted").mkdir()
    return f"file://{tmp_path}/mounted"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A store with the sealed session `generated-3` and a run over it; nobody may change it."""
    store = Store(tmp_path_factory.mktemp("recorded"))
    day = Day(seed=3, instruments=2, quotes=1_500, lasts_ns=20 * MINUTE_NS)
    session = record_generated(store, day, plan_of(FILES, ["fast=5", "slow=20"], []), FILES, created_ns=1)
    replay(store, session.id, plan_of(FILES, ["fast=6", "slow=24"], []), FILES, created_ns=2)
    return store
