"""Sessions to read, made by the store and the real journal."""

from collections.abc import Callable
from pathlib import Path

import pytest
from store_samples import START_NS, write_steps

from pipeline.block import Blocks
from pipeline.log import manifest
from pipeline.log.journal import Journal, Limits
from pipeline.log.manifest import Manifest
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from pipeline.provenance import Mode


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def begun(store: Store) -> Callable[..., tuple[Manifest, Journal]]:
    """Make an open session and its journal."""

    def begin(
        hint: str = "day", segment_bytes: int = 64 * 2**20, created_ns: int = START_NS
    ) -> tuple[Manifest, Journal]:
        made = store.create_session(hint, mode=Mode.IMPORT, created_ns=created_ns)
        limits = Limits(segment_bytes=segment_bytes)
        folder = store.folder(made.id) / JOURNAL
        return made, Journal.create(folder, log_id=bytes.fromhex(made.log_id), limits=limits)

    return begin


@pytest.fixture
def ended(store: Store, begun) -> Callable[..., tuple[Manifest, Blocks]]:
    """Make a session that was written and ended; its manifest and all of its rows."""

    def end(hint: str = "day", steps: int = 10, segment_bytes: int = 64 * 2**20, **more) -> tuple[Manifest, Blocks]:
        created_ns = more.pop("created_ns", START_NS)
        made, journal = begun(hint, segment_bytes, created_ns)
        written = write_steps(journal, steps, **more)
        journal.close()
        return manifest.update(store.folder(made.id), state="ended"), written

    return end
