"""Tokens for Coinbase: signed so that the public half proves it, and none like the one before."""

import base64

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipeline.errors import ConfigError
from pipeline.feeds.coinbase_token import LIFE_S, token_maker

NAME = "organizations/1/apiKeys/2"
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def pem(key, form=PrivateFormat.PKCS8):
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


ED_RAW = ED.private_bytes_raw() + ED.public_key().public_bytes_raw()
SECRETS = {
    "ec as Coinbase writes it": (EC, pem(EC, PrivateFormat.TraditionalOpenSSL), "ES256"),
    "ec on one line": (EC, pem(EC).replace("\n", "\\n"), "ES256"),
    "ed25519 in pem": (ED, pem(ED), "EdDSA"),
    "ed25519 with its public half": (ED, base64.b64encode(ED_RAW).decode() + "\n", "EdDSA"),
    "ed25519 alone": (ED, base64.b64encode(ED_RAW[:32]).decode(), "EdDSA"),
}


@pytest.mark.parametrize(("key", "secret", "algorithm"), SECRETS.values(), ids=SECRETS)
def test_a_token_is_signed_and_says_what_coinbase_wants(key, secret, algorithm):
    token = token_maker(NAME, secret, now_s=lambda: 1_790_000_000.9, nonce=lambda: "a1b2")()
    claims = jwt.decode(
        token, key.public_key(), algorithms=[algorithm], options={"verify_exp": False, "verify_nbf": False}
    )
    assert claims == {"sub": NAME, "iss": "cdp", "nbf": 1_790_000_000, "exp": 1_790_000_000 + LIFE_S}
    header = jwt.get_unverified_header(token)
    assert header == {"alg": algorithm, "kid": NAME, "nonce": "a1b2", "typ": "JWT"}


def test_a_token_of_now_is_valid_now_and_no_two_are_alike():
    make = token_maker(NAME, pem(ED))
    first, second = make(), make()
    assert jwt.decode(first, ED.public_key(), algorithms=["EdDSA"], issuer="cdp")["sub"] == NAME
    assert jwt.get_unverified_header(first)["nonce"] != jwt.get_unverified_header(second)["nonce"]


def test_another_key_does_not_prove_a_token():
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token_maker(NAME, pem(ED))(), other, algorithms=["EdDSA"])


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "not base64!",
        base64.b64encode(b"x" * 40).decode(),
        "-----BEGIN EC PRIVATE KEY-----\nsecretpart\n-----END EC PRIVATE KEY-----\n",
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        ED.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
    ids=["empty", "no base64", "40 bytes", "no key", "rsa", "p-384", "public"],
)
def test_a_secret_that_is_no_key_is_refused_without_showing_it(secret):
    with pytest.raises(ConfigError, match="secret of the Coinbase key") as caught:
        token_maker(NAME, secret)
    assert "secretpart" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ConfigError, match="name"):
        token_maker("", pem(ED))
