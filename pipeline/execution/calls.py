"""Calls: what a broker is asked by REST and what comes of it, without a socket.

A `Talk` is a conversation as a generator: it yields what it asks and is sent what was said, so whoever runs it decides how
calls travel: over httpx, or through a simulated broker on a virtual clock.
"""

from collections.abc import Generator, Mapping
from typing import NamedTuple, TypeVar


class Call(NamedTuple):
    """A request: path and query without the host, a body in JSON or none. Who we are is added where it is sent."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    body: bytes = b""


class Answer(NamedTuple):
    """What was answered; `wait_s` is how long the broker wants to be left alone, 0 where it does not say."""

    status: int
    body: bytes
    wait_s: float = 0.0


class Silence(NamedTuple):
    """Nothing was answered: why. `was_sent` is False only when it is certain that no byte of the request left."""

    why: str
    was_sent: bool = True


class Pause(NamedTuple):
    """Nothing is asked for so many seconds."""

    seconds: float


Said = Answer | Silence
Step = Call | Pause
T = TypeVar("T")
Talk = Generator[Step, Said | None, T]
"""Is sent what a Call came to, and None behind a Pause."""


def ask(call: Call) -> Talk[Said]:
    """Ask one thing."""
    said = yield call
    assert said is not None, "a call is followed by what it came to"
    return said
