"""Inbox: what came from all sockets, on its way from the socket thread to the core thread, in one order.

Bound: `bytes_max` of payload and `count_max` items. Full means that the core is behind: sockets are not read until it
took what waits, then TCP slows the vendors, and a vendor may cut us off, which becomes an event like any loss. Nothing
that came is dropped. A connection looks for room before it reads on, so what passes the bound is at most what each of them
had in its hands; facts always find room.
"""

from collections.abc import Sequence
from threading import Condition
from typing import Final

from pipeline.feeds.bell import Bell
from pipeline.feeds.facts import Fact
from pipeline.ports import Answer, Message, Reported, Warmed

COUNT_MAX: Final = 500_000
BYTES_MAX: Final = 256 * 2**20

Item = tuple[int, Message | Fact | Answer | Warmed | Reported]
"""A feed's number, and what came of it; 0 for a broker."""


def messages_in(items: Sequence[Item]) -> int:
    """How many of them are messages."""
    return sum(isinstance(item, Message) for _, item in items)


class Inbox:
    """One thread puts, one thread takes all that is there."""

    def __init__(self, *, count_max: int = COUNT_MAX, bytes_max: int = BYTES_MAX) -> None:
        self.peak_count = 0
        self.peak_bytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._items: list[Item] = []
        self._bytes = 0
        self._changed = Condition()
        self._is_awaited = False
        self._is_woken = False
        self._bells: list[Bell] = []
        """Of those who wait for room."""

    @property
    def has_room(self) -> bool:
        """Whether a socket may be read."""
        return len(self._items) < self._count_max and self._bytes < self._bytes_max

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits. Core thread: what was stamped before this is asked is taken or waits, but for what is being put."""
        return not self._items

    def message_count(self) -> int:
        """How many messages wait. Core thread."""
        with self._changed:
            return messages_in(self._items)

    def put(self, items: Sequence[Item], byte_count: int) -> None:
        """Hand over items in their order, with so many bytes of payload; never waits. Socket thread."""
        with self._changed:
            self._items += items
            self._bytes += byte_count
            self.peak_count = max(self.peak_count, len(self._items))
            self.peak_bytes = max(self.peak_bytes, self._bytes)
            if self._is_awaited:
                self._changed.notify()

    def wake(self) -> None:
        """Have whoever takes look up at once, though nothing came. Any thread."""
        with self._changed:
            self._is_woken = True
            self._changed.notify()

    async def room(self) -> None:
        """Return when there is room. Socket thread."""
        while not self.has_room:
            bell = Bell()
            self._bells.append(bell)
            # Looked at behind the line above: who takes meanwhile either finds the bell or leaves room.
            if not self.has_room:
                await bell.wait()

    def take(self, timeout_s: float) -> list[Item]:
        """All that waits, in the order it was put; after `timeout_s` seconds without anything, or woken, []. Core thread."""
        with self._changed:
            if not self._items and timeout_s > 0:
                self._is_awaited = True
                self._changed.wait_for(lambda: self._items or self._is_woken, timeout_s)
                self._is_awaited = False
            self._is_woken = False
            items, self._items = self._items, []
            self._bytes = 0
        while self._bells:
            self._bells.pop().ring()
        return items
