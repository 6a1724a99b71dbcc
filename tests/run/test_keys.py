import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from pipeline.errors import ConfigError
from pipeline.run.keys import SERVICE, is_there, key_named


class InMemory(KeyringBackend):
    """A keyring as the library defines one."""

    priority = 1

    def __init__(self, held):
        super().__init__()
        self.held = held

    def get_password(self, service, username):
        if self.held is None:
            raise KeyringError("locked")
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.held[service, username] = password


@pytest.fixture
def kept(monkeypatch):
    before = keyring.get_keyring()
    monkeypatch.delenv("MASSIVE_API_KEY", raising=False)

    def keep(held):
        keyring.set_keyring(InMemory(held))

    yield keep
    keyring.set_keyring(before)


def test_the_environment_comes_first_then_the_keyring(kept, monkeypatch):
    kept({(SERVICE, "MASSIVE_API_KEY"): "from the ring"})
    assert key_named("MASSIVE_API_KEY") == "from the ring"
    monkeypatch.setenv("MASSIVE_API_KEY", "from the environment")
    assert key_named("MASSIVE_API_KEY") == "from the environment"


@pytest.mark.parametrize("held", [{}, None])
def test_a_key_that_is_nowhere_is_one_sentence_that_says_where_it_may_stand(kept, held):
    kept(held)
    assert not is_there("MASSIVE_API_KEY")
    with pytest.raises(ConfigError, match="keyring set tapeworks MASSIVE_API_KEY"):
        key_named("MASSIVE_API_KEY")
