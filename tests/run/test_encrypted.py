"""Feeds over TLS: a real handshake with a certificate made here, trusted because it is said to be, or refused for good."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import threading
from urllib.parse import urlsplit

import pytest
from held_against import Account
from live_sessions import Running, live_store, recording
from served_loops import LOOPS, options, serving, settled

from pipeline.codes import FeedAction
from pipeline.feeds.sockets import CA_VARIABLE
from pipeline.run.feeds import feed_named
from pipeline.simulator.faults import Fault, FaultKind

x509 = pytest.importorskip("cryptography.x509")

__all__ = ["live_store"]


def certificate(folder, address="127.0.0.1"):
    """A certificate that signs itself, for an address of this machine, and its key: two files."""
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - where it is there at all
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - same

    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's own authority")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "ours.crt").write_bytes(made.public_bytes(pem))
    (folder / "ours.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "ours.crt", folder / "ours.key"


class Encrypting:
    """What a server says, said over TLS at another port while the block runs; an end on one side is one on the other."""

    def __init__(self, url, files):
        self._at = urlsplit(url)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(*files)
        self._opened = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._opened.wait(30)
        return f"wss://127.0.0.1:{self._port}{self._at.path}"

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._close.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _run(self):
        self._loop, self._close = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._port = server.sockets[0].getsockname()[1]
        self._opened.set()
        await self._close.wait()
        server.close()

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(self._at.hostname, self._at.port)
            ways = [asyncio.create_task(pump(reader, far_writer)), asyncio.create_task(pump(far_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()
        writer.transport.abort()


async def pump(reader, writer):
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()


@pytest.fixture
def files(tmp_path):
    return certificate(tmp_path)


def test_a_day_is_recorded_over_tls_and_its_hole_filled_over_tls_too(files, live_store, monkeypatch):
    monkeypatch.setenv(CA_VARIABLE, str(files[0]))
    rst = Fault(FaultKind.RST, events=700)
    with serving("massive", faults=[rst]) as served, Encrypting(served.urls["massive"], files) as url:
        feed = feed_named("massive", url, LOOPS["massive"].channels)
        running = Running(live_store, recording(feed, **options(served)))
        settled(running, served)
        manifest = running.end()
    assert running.told(FeedAction.CONNECTED)[0]["text"].startswith("wss://127.0.0.1:")
    account = Account(live_store, manifest, served, "massive", why=running.ending.why)
    account.check()
    assert account.missing()
    assert account.filling()


@pytest.mark.parametrize("why", ["nobody signed for it", "it is another host's"])
def test_a_certificate_that_is_not_trusted_ends_the_feed_in_one_clear_line(why, tmp_path, live_store, monkeypatch):
    monkeypatch.delenv(CA_VARIABLE, raising=False)
    files = certificate(tmp_path, "127.0.0.1" if why.startswith("nobody") else "127.0.0.2")
    if not why.startswith("nobody"):
        monkeypatch.setenv(CA_VARIABLE, str(files[0]))
    with serving("massive") as served, Encrypting(served.urls["massive"], files) as url:
        feed = feed_named("massive", url, LOOPS["massive"].channels)
        running = Running(live_store, recording(feed, **options(served)))
        running._thread.join(60)
    assert running.ending.why == "no feed is left"
    (lost,), (ended,) = running.told(FeedAction.LOST), running.told(FeedAction.ENDED)
    assert ": certificate not trusted: " in lost["text"]
    assert CA_VARIABLE in lost["text"]
    assert ended["text"] == f"for good: {lost['text']}"
    assert not running.told(FeedAction.CONNECTED)
