"""Hiding: secrets out of what is told. What a library or a stranger's server says of a request may hold its key."""

import base64
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

STARS: Final = "***"


def hidden(text: str, secrets: Iterable[bytes]) -> str:
    """The text with stars for every secret, as it is, as an address or a literal has it, or as HTTP's basic password.

    >>> hidden("HTTP 401 for ?apiKey=k%2F1 of k/1", [b"k/1"])
    'HTTP 401 for ?apiKey=*** of ***'
    """
    for secret in secrets:
        for form in sorted(_forms(secret), key=len, reverse=True):
            text = text.replace(form, STARS)
    return text


def _forms(secret: bytes) -> set[str]:
    plain = secret.decode("utf-8", "replace")
    basic = {base64.b64encode(secret + behind).decode().rstrip("=") for behind in (b"", b":")} if secret else set()
    return {plain, quote(plain, safe=""), repr(plain)[1:-1], *basic} - {""}
