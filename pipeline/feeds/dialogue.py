"""Dialogue: a conversation with a vendor's server, without a socket. Messages in, messages to be sent out.

A dialogue lasts as long as one connection. What it learns of (who we are, what we may have, what was refused) concerns
the conversation alone; the same messages go on to the vendor's normaliser, which knows nothing of conversations.
"""

from collections.abc import Set as AbstractSet
from typing import Protocol, runtime_checkable

from pipeline.errors import TheirsError
from pipeline.ports import Topic


class DialogueError(TheirsError):
    """The vendor ends the conversation, or breaks its rules.

    `is_fatal` when no new connection will mend it (a wrong key, no right to the data); `floor_s` is the shortest wait
    before the next connection; `code` the vendor's own number, 0 where it gave none. The text names the vendor.
    """

    def __init__(self, text: str, *, is_fatal: bool = False, floor_s: float = 0.0, code: int = 0) -> None:
        super().__init__(text)
        self.is_fatal = is_fatal
        self.floor_s = floor_s
        self.code = code


class Dialogue(Protocol):
    """One connection's conversation. Every method gives the messages that are to be sent because of it, in order."""

    is_ready: bool
    """Whether the server has accepted us, so that subscriptions may be asked for."""

    acknowledged: AbstractSet[Topic]
    """What the server says it sends."""

    refused: dict[Topic, str]
    """What the server says it won't send, and why."""

    def connected(self) -> list[bytes]:
        """The connection is open."""
        ...

    def concerns(self, payload: bytes) -> bool:
        """Whether a message is part of the conversation, by a look that costs next to nothing; market data is not."""
        ...

    def hear(self, payload: bytes) -> list[bytes]:
        """Take in a message that concerns the conversation. Raises DialogueError."""
        ...

    def want(self, topics: AbstractSet[Topic]) -> list[bytes]:
        """Ask for what is wanted and not asked for yet, and for an end of what is no longer wanted; [] before `is_ready`."""
        ...


@runtime_checkable
class Replaying(Protocol):
    """A dialogue whose vendor sends again what was missed on the connection itself, in front of what is new."""

    whole_until_ns: int | None
    """Up to when, by the vendor's clock, nothing is missing; None: nothing is known.

    It goes from each connection to the next, and for a session that goes on it is when that had its last event.
    """
