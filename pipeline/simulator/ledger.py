"""Ledger: what the exchange really sent, to whom and when, faults included: what a recording is compared with."""

from typing import Any, NamedTuple, Protocol, TextIO

import msgspec


class Sent(NamedTuple):
    """One thing done to one connection.

    `what` is `connected`, `words` (the conversation's own), `events`, the name of a fault, `slow`, or `gone`; `rows` are
    the `seq` of the events it carried, in order; `code` a close code, 0 without one. `at_ns` is session time.
    A message counts as sent when the socket took it: a connection that breaks may still lose it.
    """

    at_ns: int
    protocol: str
    client: int
    what: str
    rows: tuple[int, ...] = ()
    code: int = 0
    count_bytes: int = 0


class Ledger(Protocol):
    """Whoever keeps the account."""

    def note(self, sent: Sent) -> None:
        """It was done."""
        ...


class ListLedger(list[Sent]):
    """In memory."""

    def note(self, sent: Sent) -> None:
        """It was done."""
        self.append(sent)

    def rows(self, client: int, *whats: str) -> list[int]:
        """`seq` of the events that a client was sent, in order; those sent as one of `whats` where any is named."""
        return [
            row for sent in self if sent.client == client and (not whats or sent.what in whats) for row in sent.rows
        ]


class FileLedger:
    """A JSON object a line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def note(self, sent: Sent) -> None:
        """It was done."""
        row: dict[str, Any] = sent._asdict()
        self._file.write(msgspec.json.encode(row).decode() + "\n")


class NoLedger:
    """Nobody asks."""

    def note(self, sent: Sent) -> None:
        """It was done."""
