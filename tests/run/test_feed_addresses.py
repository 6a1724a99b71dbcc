import pytest

from pipeline.errors import ConfigError
from pipeline.run.feeds import feed_named

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


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("massive", "ws://127.0.0.1:9000/stocks"),
        ("massive", "wss://delayed.massive.com/stocks"),
        ("alpaca", "ws://localhost:9001/v2/sip"),
        ("coinbase", "ws://[::1]:9002/"),
        ("databento", "tcp://127.0.0.1:9003"),
    ],
)
def test_what_serve_prints_and_the_vendors_own_addresses_are_accepted(name, url):
    assert feed_named(name, url, None).name.startswith(name)
