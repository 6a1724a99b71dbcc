import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipeline.errors import ConfigError, OperatorError
from pipeline.feeds import massive
from pipeline.kernel.build import CACHE_VARIABLE
from pipeline.ports import Channel, Topic
from pipeline.run.feeds import KEYS, feed_named
from pipeline.run.listening import sole
from pipeline.units import SECOND_NS

LONG = "a" * 80


@pytest.mark.parametrize("name", ["massive", "alpaca", "coinbase"])
@pytest.mark.parametrize(
    "url",
    [
        "garbage",
        "ws://",
        "http://127.0.0.1:1/x",
        "tcp://127.0.0.1:1/x",
        "ws://127.0.0.1:99999/x",
        "ws://127.0.0.1:port/x",
        "wss://a..b/x",
        f"wss://{LONG}.com/x",
        "ws://example.com/x",
        "ws://name:secret@127.0.0.1:1/x",
        "wss://secret@example.com/x",
        "ws://127.0.0.1:1/x?token=secret",
        "ws://127.0.0.1:1/x#secret",
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_recorded(name, url):
    with pytest.raises(ConfigError, match=f"--feed {name}") as refused:
        feed_named(name, url, None)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:99999", "tcp://", "wss://127.0.0.1:1", "tcp://name:secret@127.0.0.1:1"]
)
def test_a_gateway_that_is_none_is_refused_too(url):
    with pytest.raises(ConfigError, match="--feed databento"):
        feed_named("databento", url, None)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://127.0.0.1:1/"])
def test_alpacas_address_names_its_feed(url):
    with pytest.raises(ConfigError, match=r"ws://127\.0\.0\.1:1/v2/sip"):
        feed_named("alpaca", url, None)


OWN = {
    "massive": ("wss://delayed.massive.com/stocks", "https://api.massive.com"),
    "alpaca": ("wss://stream.data.sandbox.alpaca.markets/v2/sip", "https://data.sandbox.alpaca.markets"),
    "alpaca.iex": ("wss://feed.example.com/v2/iex", "https://feed.example.com"),
    "coinbase": ("wss://advanced-trade-ws.coinbase.com/", "https://api.coinbase.com"),
    "databento": ("tcp://glbx-mdp3.lsg.databento.com:13000", ""),
}
"""Hosts that are not this machine, and where their history is asked for."""

SERVED = {
    "massive": "ws://127.0.0.1:9000/stocks",
    "alpaca": "ws://localhost:9001/v2/sip",
    "alpaca.iex": "wss://127.0.0.1:9001/v2/iex",
    "coinbase": "ws://[::1]:9002/",
    "databento": "tcp://127.0.0.1:9003",
}
"""As `tape serve` prints them."""


@pytest.fixture
def keys(monkeypatch):
    for names in KEYS.values():
        for name in names:
            monkeypatch.setenv(name, f"real {name}")
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    monkeypatch.setenv("COINBASE_PRIVATE_KEY", pem.decode())


def asked(feed):
    """Where a vendor is asked for history."""
    question = next(feed.history(Topic(Channel.PRINTS, "X"), SECOND_NS, 3 * SECOND_NS))
    return urlsplit(question.url)


@pytest.mark.parametrize("name", OWN)
def test_a_vendors_other_host_gets_the_real_key_and_its_history_the_vendors_own_address(name, keys):
    url, rest_url = OWN[name]
    feed = feed_named(name, url, None)
    assert feed.url.rstrip("/") == url.rstrip("/")
    assert all(secret.startswith(b"real ") for secret in feed.secrets)
    if rest_url:
        assert f"https://{asked(feed).netloc}" == rest_url
    if name == "databento":
        assert feed.options["dataset"] == "GLBX.MDP3"


@pytest.mark.parametrize("name", OWN)
def test_a_simulator_never_gets_the_real_key(name, keys):
    feed = feed_named(name, SERVED[name], None)
    assert set(feed.secrets) <= {b"simulated"}
    if feed.history is not None:
        assert asked(feed).netloc == urlsplit(SERVED[name]).netloc


@pytest.mark.parametrize("name", [name for name in OWN if name != "coinbase"])
def test_a_host_that_is_not_this_machine_is_not_spoken_to_without_a_key(name, monkeypatch):
    for key in KEYS[name]:
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(ConfigError, match=f"no {KEYS[name][0]}"):
        feed_named(name, OWN[name][0], None)
    assert feed_named(name, SERVED[name], None).name.startswith(name)


HOLDER = """
from pipeline.feeds import massive
from pipeline.run.listening import sole
with sole([massive.vendor("one key")]):
    print("held", flush=True)
    input()
"""


def test_two_recorders_with_one_key_are_kept_apart_whatever_the_hosts(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    delayed = OWN["massive"][0]
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        refused = pytest.raises(OperatorError, match=f"massive: process {process.pid} is connected with the same key")
        with refused, sole([massive.vendor("one key", url=delayed)]):
            pass
        with (
            sole([massive.vendor("another key")]),
            sole([massive.vendor("one key", url=SERVED["massive"], rest_url="http://127.0.0.1:1")]),
        ):
            assert not [path for path in tmp_path.rglob("*") if "key" in path.name]
        process.communicate(b"\n")
    with sole([massive.vendor("one key", url=delayed)]):
        pass
