"""Tongue: one broker's language, without a socket: what is asked in it, and what its answers and its stream mean.

A tongue keeps nothing of any order. What it can't read is `Unsure` or a `Failed`: never a refusal, never an absence.
"""

from typing import NamedTuple, Protocol

import msgspec

from pipeline.errors import TheirsError
from pipeline.execution.calls import Answer, Call, Said, Silence, Talk
from pipeline.execution.reports import Cancelled, Heard, Placed, Report, Standing
from pipeline.instruments import Instrument
from pipeline.intents import OrderRequest
from pipeline.units import SECOND_NS

CLOCKS_APART_NS = 60 * SECOND_NS
"""How far the broker's clock may be behind ours when it is asked for orders since a moment."""

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, TheirsError)
"""What decoding raises of bytes that are no answer: texts that are not UTF-8 and numbers without end are ValueErrors."""

_TRY_AGAIN = frozenset((408, 409, 425, 429))


class Failed(NamedTuple):
    """A question that was not answered, or not understandably: nothing is known from it."""

    why: str


class StreamError(TheirsError):
    """The broker ends the stream; `is_fatal` when no new one will mend it (a wrong key)."""

    def __init__(self, text: str, *, is_fatal: bool = False) -> None:
        super().__init__(text)
        self.is_fatal = is_fatal


class Conversation(Protocol):
    """Our side of one stream."""

    def opened(self) -> list[bytes]:
        """What is said first."""
        ...

    def hear(self, payload: bytes) -> Heard:
        """What a message means. Raises StreamError."""
        ...


class Tongue(Protocol):
    """One broker."""

    name: str
    quiet_s: float
    """So long may a stream say nothing; longer, and it counts as dead."""

    def unsupported(self, request: OrderRequest, instrument: Instrument) -> str:
        """Why the broker has no such order; '' when it has."""
        ...

    def place(self, request: OrderRequest, instrument: Instrument, client_order_id: str, now_ns: int) -> Call:
        """Ask for an order that is supported."""
        ...

    def placed(self, said: Said) -> Placed:
        """What came of it."""
        ...

    def cancel(self, venue_order_id: str) -> Call:
        """Ask for an order's end."""
        ...

    def cancelled(self, said: Said) -> Cancelled:
        """What came of it."""
        ...

    def find(self, client_order_id: str, venue_order_id: str, since_ns: int) -> Talk[Report | Failed | None]:
        """An order, open or over, that was sent at `since_ns` or later; None: the broker says that there is none."""
        ...

    def orders(self, since_ns: int) -> Talk[list[Report] | Failed]:
        """All orders since a moment, open and over, and all that are open, whenever they were sent."""
        ...

    def standing(self) -> Talk[Standing | Failed]:
        """The account as it stands."""
        ...

    def holding_of(self, symbol: str) -> str:
        """Under which name what was bought of a symbol is held."""
        ...

    def conversation(self) -> Conversation:
        """A new stream."""
        ...


def unsettled(said: Said) -> str:
    """Why an answer decides nothing; '' when it may decide: the server understood, whatever it said."""
    if isinstance(said, Silence):
        return said.why
    if said.status >= 500 or said.status in _TRY_AGAIN or said.status < 200 or 300 <= said.status < 400:
        return f"HTTP status {said.status}: {words_of(said)}".rstrip(": ")
    return ""


def words_of(answer: Answer) -> str:
    """The beginning of a body, for people."""
    return answer.body[:200].decode("utf-8", "replace")
