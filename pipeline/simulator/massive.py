"""Massive's server without a socket: its handshake, its subscriptions, its faults of words.

The conversation is as the vendor's official client (massive 2.9.1) expects it. What is said on a refusal is known from its
source and from others' reports; texts and close codes of auth_failed and auth_timeout are not verified.

Acknowledgements that come late are the host's: it holds back what `hear` gives. Those that never come are `acks_lost`.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pipeline.normalize.massive_out import MassiveEncoder
from pipeline.normalize.massive_words import PREFIXES, topic_of
from pipeline.ports import Channel, Encoder, Topic
from pipeline.simulator.massive_rest import answer
from pipeline.simulator.venue import History, HttpAnswer

POLICY: Final = 1008
"""Close code of a connection that breaks a rule; seen of max_connections."""

AUTH_WITHIN_S: Final = 30.0
"""How long a client may stay without a key; that there is a limit is known, how long it is not."""

_CHANGED: Final = {"subscribe": "subscribed to:", "unsubscribe": "unsubscribed to:"}
_encode: Final = msgspec.json.Encoder().encode


class _Said(msgspec.Struct):
    action: str
    params: str = ""


_SAID: Final = msgspec.json.Decoder(_Said)


@dataclass(frozen=True, slots=True)
class MassiveFaults:
    """What goes wrong, counted over the venue's connections.

    `refuses_auth` refuses every key; `auth_timeouts` connections are told that no key came in time, then `evictions` that
    there are too many (after they were let in); the first `acks_lost` acknowledgements of each connection never come;
    `unauthorized` are topics, as `Q.AAPL` or `Q.*`, that nobody is entitled to.
    """

    refuses_auth: bool = False
    auth_timeouts: int = 0
    evictions: int = 0
    acks_lost: int = 0
    unauthorized: frozenset[str] = frozenset()


class MassiveVenue:
    """`venue.Venue` of Massive's stocks. With a `key`, any other one is refused; without, every one is taken."""

    def __init__(self, *, key: str = "", faults: MassiveFaults | None = None) -> None:
        self.name = "massive"
        self.path = "/stocks"
        self.channels: AbstractSet[Channel] = frozenset(PREFIXES)
        self.encoder: Encoder = MassiveEncoder()
        self._key = key
        self._faults = faults or MassiveFaults()
        self._connections = 0

    def conversation(self, headers: Mapping[str, str]) -> "MassiveConversation":  # noqa: ARG002  the key comes in a message
        """A new connection, which may be one of those that fail."""
        number, faults = self._connections, self._faults
        self._connections += 1
        return MassiveConversation(
            key=self._key,
            refuses_auth=faults.refuses_auth,
            times_out=number < faults.auth_timeouts,
            is_evicted=0 <= number - faults.auth_timeouts < faults.evictions,
            acks_lost=faults.acks_lost,
            unauthorized=faults.unauthorized,
        )

    def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], history: History) -> HttpAnswer:
        """Answer a GET of trades, quotes, bars or conditions."""
        return answer(path, query, headers, history, key=self._key)


@dataclass(slots=True)
class MassiveConversation:
    """`venue.Conversation` with one client of Massive, `venue.Timed` and `venue.Scolding` too."""

    key: str = ""
    refuses_auth: bool = False
    times_out: bool = False
    is_evicted: bool = False
    acks_lost: int = 0
    unauthorized: AbstractSet[str] = frozenset()
    close_code: int | None = None
    wanted: AbstractSet[Topic] = field(default_factory=frozenset)
    is_authenticated: bool = False

    def connected(self) -> list[bytes]:
        """Massive speaks first."""
        return _status("connected", "Connected Successfully")

    def hear(self, payload: bytes) -> list[bytes]:
        """What the client asked for; what it says is always one object."""
        if self.close_code is not None:
            return []
        try:
            said = _SAID.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return _status("error", "invalid message")
        if said.action == "auth":
            return self._authenticate(said.params)
        if said.action not in _CHANGED:
            return _status("error", f"unknown action: {said.action[:40]}")
        if not self.is_authenticated:
            return _status("error", "not authorized")
        return self._change(said.action, said.params)

    def _authenticate(self, key: str) -> list[bytes]:
        if self.times_out:
            return self._timed_out()
        if not key or self.refuses_auth or (self.key and key != self.key):
            self.close_code = POLICY
            return _status("auth_failed", "authentication failed")
        self.is_authenticated = True
        success = _status("auth_success", "authenticated")
        if not self.is_evicted:
            return success
        self.close_code = POLICY
        return success + _status("max_connections", "Maximum number of websocket connections exceeded.")

    def waited(self, elapsed_s: float) -> list[bytes]:
        """Who has not shown a key by now is let go."""
        is_late = elapsed_s >= AUTH_WITHIN_S and not self.is_authenticated and self.close_code is None
        return self._timed_out() if is_late else []

    def _timed_out(self) -> list[bytes]:
        self.close_code = POLICY
        return _status("auth_timeout", "No authentication request received.")

    def too_slow(self) -> list[bytes]:
        """The status that is sent in front of such a close; its words are not known."""
        return _status("slow_consumer", "Connection closed: the client reads too slowly.")

    def _change(self, action: str, params: str) -> list[bytes]:
        """One acknowledgement a topic, all in one message."""
        statuses: list[dict[str, str]] = []
        for text in filter(None, map(str.strip, params.split(","))):
            topic = topic_of(text)
            if topic is None:
                statuses.append(_word("error", f"unknown channel: {text[:80]}"))
            elif action == "subscribe" and not self._may(topic, text):
                statuses.append(_word("error", f"not authorized: {text}"))
            else:
                self.wanted = self.wanted | {topic} if action == "subscribe" else self.wanted - {topic}
                statuses.append(_word("success", f"{_CHANGED[action]} {text}"))
        kept, self.acks_lost = statuses[self.acks_lost :], max(0, self.acks_lost - len(statuses))
        return [_encode(kept)] if kept else []

    def _may(self, topic: Topic, text: str) -> bool:
        return text not in self.unauthorized and f"{PREFIXES[topic.channel]}.*" not in self.unauthorized


def _word(status: str, message: str) -> dict[str, str]:
    return {"ev": "status", "status": status, "message": message}


def _status(status: str, message: str) -> list[bytes]:
    return [_encode([_word(status, message)])]
