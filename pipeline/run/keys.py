"""Keys: secrets of vendors, from the environment or the system's keyring. They go into no log, no setting, no message."""

import os
from typing import Final

from pipeline.errors import ConfigError

SERVICE: Final = "tapeworks"
"""The keyring's name for what is ours: `keyring set tapeworks MASSIVE_API_KEY`."""


def key_named(name: str) -> str:
    """The secret of that name, e.g. MASSIVE_API_KEY. Raises ConfigError that says where it may stand."""
    found = os.environ.get(name) or _in_keyring(name)
    if not found:
        raise ConfigError(f"no {name}: set it in the environment, or keep it with: keyring set {SERVICE} {name}")
    return found


def is_there(name: str) -> bool:
    """Whether `key_named` would find it."""
    return bool(os.environ.get(name) or _in_keyring(name))


def _in_keyring(name: str) -> str | None:
    import keyring  # noqa: PLC0415  # it looks for backends when it is imported
    from keyring.errors import KeyringError  # noqa: PLC0415  # same

    try:
        return keyring.get_password(SERVICE, name)
    except KeyringError:  # no keyring on this machine, or it is locked
        return None
