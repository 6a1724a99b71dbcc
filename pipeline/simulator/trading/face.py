"""Face: a broker's API in front of a book, without a socket: requests go in, answers and what a stream tells come out."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from pipeline.simulator.trading.book import Book
from pipeline.simulator.trading.orders import Change
from pipeline.simulator.venue import HttpAnswer


class Call(NamedTuple):
    """A request; names of headers in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Listener(Protocol):
    """The server's side of one stream. Every method gives the messages that are to be sent, in order."""

    is_binary: bool
    close_code: int | None
    """Set when the server ends the stream behind what was just given."""

    def hear(self, payload: bytes, now_ns: int) -> list[bytes]:
        """The client said something."""
        ...

    def waited(self, elapsed_s: float, now_ns: int) -> list[bytes]:
        """So many seconds have passed since the stream opened; may set `close_code`."""
        ...

    def tell(self, change: Change) -> list[bytes]:
        """Something happened in the book."""
        ...


class Face(Protocol):
    """One broker."""

    name: str
    stream_path: str
    book: Book

    def answer(self, call: Call, now_ns: int) -> HttpAnswer:
        """Do what is asked. The book's changes wait for whoever tells them."""
        ...

    def is_order(self, call: Call) -> bool:
        """Whether it asks for an order."""
        ...

    def cancels(self, call: Call) -> list[str]:
        """The ids of orders whose end it asks for."""
        ...

    def listener(self) -> Listener:
        """A new stream."""
        ...
