"""Identity: the id under which a broker knows our order, made of account, session and order id, and the way back.

The same order has the same id whenever it is asked about, so a broker that was sent it once, or twice, has one order. It says
who ordered by short hashes that serve nothing else: what is written at a broker names no account of ours.
"""

import re
from typing import Final

from blake3 import blake3

_PURPOSE: Final = "tapeworks: who ordered, in a client order id"
_ACCOUNT_DIGITS: Final = 8
_SESSION_DIGITS: Final = 10
_ID: Final = re.compile(r"tape-([0-9a-f]{8})-([0-9a-f]{10})-([1-9][0-9]{0,18})")


class Identity:
    """Whose orders they are. At most 44 characters of letters, digits and hyphens; Alpaca takes 128, Coinbase any text.

    >>> identity = Identity("paper", "2026-11-04-premarket")
    >>> identity.order_id(identity.client_order_id(7)), identity.order_id("somebody's")
    (7, None)
    """

    def __init__(self, account: str, session: str) -> None:
        self.account = account
        self._account = _digest(account, _ACCOUNT_DIGITS)
        self._session = _digest(session, _SESSION_DIGITS)

    def client_order_id(self, order_id: int) -> str:
        """What the broker is told."""
        assert order_id > 0, f"order id {order_id}: they count from 1"
        return f"tape-{self._account}-{self._session}-{order_id}"

    def order_id(self, client_order_id: str) -> int | None:
        """Our number of an order of this account, whichever session sent it: none is used twice. None: not ours."""
        match = _ID.fullmatch(client_order_id)
        return int(match[3]) if match and match[1] == self._account else None

    def is_of_session(self, client_order_id: str) -> bool:
        """Whether this session sent it."""
        match = _ID.fullmatch(client_order_id)
        return match is not None and (match[1], match[2]) == (self._account, self._session)


def _digest(text: str, digits: int) -> str:
    return blake3(text.encode(), derive_key_context=_PURPOSE).hexdigest()[:digits]
