"""Ports: the few verbs through which the shell reaches the world. Live, paper, backtest and replay differ only here."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from pipeline.block import Block, Blocks
from pipeline.intents import CancelRequest, OrderRequest


class Feed(Protocol):
    """Market data, or any other inputs, as they come in."""

    name: str

    def events(self) -> AsyncIterator[Blocks]:
        """Blocks whose `seq` counts from 1 within the batch; the sequencer gives them their final place."""
        ...


class FileFeed(Protocol):
    """Inputs from a file: the same as Feed, but nobody waits."""

    name: str

    def events(self) -> Iterator[Blocks]:
        """Blocks whose `seq` counts from 1 within the batch. Raises FeedError with file and position."""
        ...


class Scanner(Protocol):
    """Decides what is worth trading."""

    def update(self, blocks: Blocks) -> Blocks:
        """Fold inputs; candidates and universe changes come out."""
        ...

    def get_active_stock_list(self) -> list[str]:
        """Symbols picked at this moment, best first."""
        ...


class Broker(Protocol):
    """Takes orders, answers with events."""

    async def submit(self, request: OrderRequest) -> None:
        """Ask for an order; the outcome comes as an event. The intent is durable before this is called."""
        ...

    async def cancel(self, request: CancelRequest) -> None:
        """Ask for a cancel; the outcome comes as an event."""
        ...

    def events(self) -> AsyncIterator[Blocks]:
        """Acknowledgements, fills, cancels."""
        ...

    async def snapshot(self) -> Blocks:
        """Account, positions and open orders as the broker sees them now."""
        ...


class EventLog(Protocol):
    """The tape."""

    def append(self, blocks: Sequence[Block]) -> None:
        """One commit. Raises PoisonedError after any earlier failure."""
        ...

    def read(self, from_seq: int = 1) -> Iterator[Blocks]:
        """All that is there from that `seq`, in order."""
        ...


class Clock(Protocol):
    """What time it is for a recording."""

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        ...

    async def sleep_until(self, ts_ns: int) -> None:
        """Return when `now_ns()` has reached this time."""
        ...


class Notify(Protocol):
    """Tells a person."""

    def send(self, text: str) -> None:
        """Say it; never raises."""
        ...
