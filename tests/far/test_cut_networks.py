"""The way to a far store is cut in the middle: one line, nothing half seen, and the same command goes on."""

import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from commands import tape

from pipeline.errors import CorruptError, FarError
from pipeline.log.far import Far
from pipeline.log.pulling import pull
from pipeline.log.pushing import push
from pipeline.log.store import Store
from pipeline.log.visiting import visit

ID = "generated-3"


class Way:
    """A way to a server through which so many bytes go, up or down; behind them it is cut, and nobody comes through any more."""

    def __init__(self, port, bytes_left):
        self.left = bytes_left
        self._to = port
        self._open = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """No byte more."""
        self.left = 0
        for each in (self._listening, *self._open):
            end(each)

    def _accept(self):
        while self.left > 0:
            try:
                client = self._listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source, target):
        with suppress(OSError):
            while self.left > 0 and (piece := source.recv(16_384)):
                target.sendall(piece[: max(self.left, 0)])
                self.left -= len(piece)
        if self.left <= 0:
            self.cut()
        end(target)


def end(connection):
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Who waits less long between fewer tries."""
    monkeypatch.setattr("pipeline.log.far._TRIES", 2)


@contextmanager
def way(bucket, bytes_left):
    """The bucket's URI by a way that will be cut."""
    port = int(bucket.uri.partition("127.0.0.1:")[2].partition("&")[0])
    made = Way(port, bytes_left)
    try:
        yield made, bucket.uri.replace(f"127.0.0.1:{port}", f"127.0.0.1:{made.port}")
    finally:
        made.cut()


def test_a_push_whose_network_is_cut_is_seen_by_nobody_and_goes_on(recorded, bucket):
    size = sum(part.size for part in recorded.manifest(ID).parts)
    with way(bucket, size // 2) as (made, uri):
        said = tape(recorded.home, "push", ID, "--to", uri)
        assert made.left <= 0
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("tape: s3://")
    assert said.stderr.count("\n") == 1
    assert Far(bucket.uri).manifests() == {}
    assert push(recorded, ID, Far(bucket.uri)).is_new


@pytest.mark.parametrize("share", [0.6, pytest.param(0.1, marks=pytest.mark.soak)])
def test_a_pull_whose_network_is_cut_takes_nothing_and_goes_on(recorded, bucket, tmp_path, share):
    push(recorded, ID, Far(bucket.uri))
    size = sum(part.size for part in recorded.manifest(ID).parts)
    store = Store(tmp_path / "home")
    with way(bucket, 1 << 40) as (made, uri):
        there = Store(visit(uri))
        made.left = int(share * size)
        with pytest.raises(
            (FarError, CorruptError), match="s3://"
        ):  # an answer that was cut may look like a short object
            pull(store, there, ID)
    assert (store.sessions(), store.unreadable()) == ([], {})
    assert pull(store, Store(visit(bucket.uri)), ID).is_new
    assert store.sessions()[0].parts == recorded.manifest(ID).parts
