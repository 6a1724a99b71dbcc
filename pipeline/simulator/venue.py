"""Venue: a vendor's server without a socket. What a client sends goes in, what it is to hear comes out.

`Conversation` and `Venue` are what every vendor has. `Framing`, `Timed` and `Scolding` are what some conversations can do
besides; the exchange looks whether they can.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol, runtime_checkable

from pipeline.block import Blocks
from pipeline.ports import Channel, Encoder, Topic
from pipeline.simulator.snapshots import Standing


class History(Protocol):
    """What has been served so far, for those who ask by REST."""

    def rows(self, topic: Topic, from_ns: int, to_ns: int, rows_max: int) -> Blocks:
        """The oldest `rows_max` rows of a topic by event time, from a moment until another, exclusive."""
        ...

    def standing(self) -> Standing:
        """How all shares stand as of what was served."""
        ...


class HttpAnswer(NamedTuple):
    """What a GET is answered with."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Conversation(Protocol):
    """The server's side of one connection. Every method gives the messages that are to be sent, in order."""

    wanted: AbstractSet[Topic]
    """What the client is subscribed to; symbol '*' means all."""

    close_code: int | None
    """Set when the server ends the connection behind what was just given; None as long as it goes on."""

    def connected(self) -> list[bytes]:
        """A client is there."""
        ...

    def hear(self, payload: bytes) -> list[bytes]:
        """The client said something."""
        ...


@runtime_checkable
class Framing(Protocol):
    """A conversation whose frames depend on the connection: on its own numbers, or on the encoding it agreed to."""

    is_binary: bool
    """Whether all its messages, replies too, are binary ones; others are sent as text."""

    def frame(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Events as the encoder gave them, as frames in order, instead of the encoder's `frame`."""
        ...

    def size(self, payload: bytes) -> int:
        """How many bytes one more of the same event adds to a frame; 0 for an event that gets a frame of its own, or none."""
        ...


@runtime_checkable
class Timed(Protocol):
    """A conversation that says something when time passes: heartbeats, or that nobody logged in."""

    def waited(self, elapsed_s: float) -> list[bytes]:
        """Called ten times a second with the seconds since the connection opened; may set `close_code`."""
        ...


@runtime_checkable
class Scolding(Protocol):
    """A conversation that tells a client that it reads too slowly, before the connection ends."""

    def too_slow(self) -> list[bytes]:
        """The client's buffer is full."""
        ...


class Venue(Protocol):
    """One vendor: its conversations, its messages, its REST."""

    name: str
    path: str
    """Path of the WebSocket's address, e.g. `/stocks`."""
    channels: AbstractSet[Channel]
    encoder: Encoder

    def conversation(self, headers: Mapping[str, str]) -> Conversation:
        """A new connection, with the headers of its handshake."""
        ...

    def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], history: History) -> HttpAnswer:
        """Answer a GET."""
        ...
