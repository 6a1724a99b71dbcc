"""Tokens for Coinbase: a fresh JWT for each message, signed with the key's private half.

The only part of the feed that reads a clock and draws chance; neither reaches the tape.
"""

import secrets
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pipeline.errors import ConfigError

LIFE_S: Final = 120
"""From `nbf` to `exp`, as Coinbase wants it."""

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey
_ACCEPTED: Final = "accepted are an EC P-256 or Ed25519 key in PEM, or the base64 of 32 or 64 bytes of Ed25519"


class Token(Protocol):
    """Makes a new token; `uri` is `METHOD host/path` for REST, '' for a message of a stream."""

    def __call__(self, uri: str = "") -> str:
        """The token."""
        ...


def token_maker(
    key_name: str,
    secret: str,
    *,
    now_s: Callable[[], float] = time.time,
    nonce: Callable[[], str] = secrets.token_hex,
) -> Token:
    """Makes a new token whenever it is called: ES256 for an EC key, EdDSA for an Ed25519 one.

    `key_name` is like `organizations/{id}/apiKeys/{id}`; `secret` the private key as Coinbase hands it out.
    Raises ConfigError, which does not repeat the secret.
    """
    if not key_name:
        raise ConfigError("the name of the Coinbase key is empty")
    key = _private_key(secret)
    algorithm = "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"

    def token(uri: str = "") -> str:
        starts_s = int(now_s())
        claims: dict[str, object] = {"sub": key_name, "iss": "cdp", "nbf": starts_s, "exp": starts_s + LIFE_S}
        claims |= {"uri": uri} if uri else {}
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_name, "nonce": nonce()})

    return token


def _private_key(secret: str) -> PrivateKey:
    text = secret.replace("\\n", "\n").strip()  # an environment variable often holds PEM on one line
    try:
        if not text.startswith("-----BEGIN"):
            raw = b64decode("".join(text.split()), validate=True)
            return Ed25519PrivateKey.from_private_bytes(
                raw[:32] if len(raw) == 64 else raw
            )  # the rest is the public key
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, Base64Error):
        raise ConfigError(f"the secret of the Coinbase key can't be read; {_ACCEPTED}") from None
    is_p256 = isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    if not (is_p256 or isinstance(key, Ed25519PrivateKey)):
        raise ConfigError(f"the secret of the Coinbase key is a {type(key).__name__}; {_ACCEPTED}")
    return key  # type: ignore[return-value]  # one of the two, as just seen
