"""Alpaca's market data server without a socket: its conversations, its messages, and the errors it can be made to say.

Subscriptions are kept by wire channel, so an acknowledgement says exactly what is subscribed; events go by our channels:
who has asked for `bars` gets their updates too, who has asked for `statuses` price bands too. The real server was never
seen: its words are those of its documentation and of its clients.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from pipeline.normalize.alpaca_out import AlpacaEncoder, framed, packed
from pipeline.normalize.alpaca_words import CONTENT_TYPE, READERS, UNREADABLE, WIRE_CHANNELS, WRITERS, Asked, Encoding
from pipeline.ports import Channel, Encoder, Topic
from pipeline.simulator.alpaca_rest import page_of
from pipeline.simulator.venue import Conversation, History, HttpAnswer

AUTH_WITHIN_S: Final = 10.0
POLICY_CLOSE: Final = 1008

ERRORS: Final[Mapping[int, str]] = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    500: "internal error",
}

_CHANNELS: Final = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_WITH_TRADES: Final = ("corrections", "cancelErrors")
_CHANNEL_OF: Final = {name: channel for channel, names in WIRE_CHANNELS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Words:
    """What the server will say.

    `keys` are those that are known, with their secrets, None when any will do. The first `refused_auths` of all
    connections are answered with `refused_code`. `symbols_max` bounds the symbols of a connection, over all channels.
    The first `lost_acks` acknowledgements of each connection are not sent.
    """

    keys: Mapping[str, str] | None = None
    refused_auths: int = 0
    refused_code: int = 406
    symbols_max: int | None = None
    lost_acks: int = 0


class AlpacaConversation:
    """One connection: in JSON, or in MessagePack when its handshake says so."""

    def __init__(self, venue: "AlpacaVenue", headers: Mapping[str, str]) -> None:
        lower = {name.lower(): value for name, value in headers.items()}
        self.is_binary = lower.get("content-type", "") == CONTENT_TYPE
        self.wanted: AbstractSet[Topic] = frozenset()
        self.close_code: int | None = None
        self._encoding = Encoding.MSGPACK if self.is_binary else Encoding.JSON
        self._venue = venue
        self._by_header = (lower.get("apca-api-key-id", ""), lower.get("apca-api-secret-key", ""))
        self._is_known = False
        self._symbols: dict[str, set[str]] = {name: set() for name in _CHANNELS}
        self._acks = 0

    def connected(self) -> list[bytes]:
        """`connected`; and `authenticated` for a client whose handshake brought the right key."""
        greeting = [self._say(T="success", msg="connected")]
        return greeting + (self._authenticate(*self._by_header) if self._by_header[0] else [])

    def hear(self, payload: bytes) -> list[bytes]:
        """Answer auth, subscribe and unsubscribe."""
        try:
            asked = READERS[self._encoding].asked(payload)
        except UNREADABLE:
            return [self._error(400)]
        if asked.action == "auth":
            return [self._error(403)] if self._is_known else self._authenticate(asked.key, asked.secret)
        if not self._is_known:
            return [self._error(401)]
        if asked.action not in ("subscribe", "unsubscribe"):
            return [self._error(400)]
        return self._change(asked)

    def waited(self, elapsed_s: float) -> list[bytes]:
        """The end of a client that does not say who it is."""
        if self._is_known or elapsed_s < AUTH_WITHIN_S or self.close_code is not None:
            return []
        self.close_code = POLICY_CLOSE
        return [self._error(404)]

    def too_slow(self) -> list[bytes]:
        """The client's buffer is full."""
        return [self._error(407)]

    def frame(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Events as the venue's encoder gave them, in JSON, as one frame of this connection."""
        if self.is_binary:
            once = {payload: packed(payload) for payload in dict.fromkeys(payloads)}
            payloads = [once[payload] for payload in payloads]
        return [framed(payloads, self._encoding)]

    def size(self, payload: bytes) -> int:
        """Bytes of one more event of this sort in a frame."""
        return len(packed(payload)) if self.is_binary else len(payload) + 1

    def _authenticate(self, key: str, secret: str) -> list[bytes]:
        code = self._venue.refusal(key, secret)
        if code is not None:
            return [self._error(code)]
        self._is_known = True
        return [self._say(T="success", msg="authenticated")]

    def _change(self, asked: Asked) -> list[bytes]:
        symbols_max = self._venue.words.symbols_max
        changed = {name: self._changed(name, asked) for name in _CHANNELS}
        if symbols_max is not None and asked.action == "subscribe" and sum(map(len, changed.values())) > symbols_max:
            return [self._error(405)]
        self._symbols = changed
        self.wanted = frozenset(
            Topic(_CHANNEL_OF[name], symbol) for name, symbols in self._symbols.items() for symbol in symbols
        )
        self._acks += 1
        return [self._state()] if self._acks > self._venue.words.lost_acks else []

    def _changed(self, name: str, asked: Asked) -> set[str]:
        symbols = set(asked.symbols(name))
        return self._symbols[name] | symbols if asked.action == "subscribe" else self._symbols[name] - symbols

    def _state(self) -> bytes:
        """All that is subscribed to now."""
        state = {name: sorted(symbols) for name, symbols in self._symbols.items()}
        return self._say(T="subscription", **state, **dict.fromkeys(_WITH_TRADES, state["trades"]))

    def _error(self, code: int) -> bytes:
        return self._say(T="error", code=code, msg=ERRORS[code])

    def _say(self, **message: Any) -> bytes:
        return WRITERS[self._encoding]([message])


class AlpacaVenue:
    """Alpaca: `words` are what its conversations say, `feed` is the end of their address."""

    def __init__(self, words: Words | None = None, *, feed: str = "sip") -> None:
        self.name = "alpaca"
        self.path = f"/v2/{feed}"
        self.channels: AbstractSet[Channel] = frozenset(WIRE_CHANNELS)
        self.encoder: Encoder = AlpacaEncoder()
        self.words = words or Words()
        self._auths = 0

    def conversation(self, headers: Mapping[str, str]) -> Conversation:
        """A new connection, with the headers of its handshake."""
        return AlpacaConversation(self, headers)

    def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], history: History) -> HttpAnswer:
        """Answer a GET for trades, quotes or bars."""
        lower = {name.lower(): value for name, value in headers.items()}
        if not self._knows(lower.get("apca-api-key-id", ""), lower.get("apca-api-secret-key", "")):
            return HttpAnswer(403, b'{"message":"forbidden."}', {"Content-Type": "application/json"})
        return page_of(path, query, history)

    def refusal(self, key: str, secret: str) -> int | None:
        """The error that answers an auth; None for a client that is let in."""
        self._auths += 1
        if self._auths <= self.words.refused_auths:
            return self.words.refused_code
        return None if self._knows(key, secret) else 402

    def _knows(self, key: str, secret: str) -> bool:
        keys = self.words.keys
        return bool(key and secret) if keys is None else keys.get(key) == secret and bool(secret)
