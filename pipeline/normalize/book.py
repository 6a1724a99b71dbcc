"""A book of price levels, kept for the sake of its best bid and offer."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sortedcontainers import SortedDict

from pipeline.codes import Side
from pipeline.units import ABSENT


class Best(NamedTuple):
    """Best bid and offer, ABSENT where a side is empty; fields as in the `quote` event."""

    bid_nano: int = ABSENT
    ask_nano: int = ABSENT
    bid_size_steps: int = ABSENT
    ask_size_steps: int = ABSENT


class Level(NamedTuple):
    """What stands at a price; a size of 0 takes the level away."""

    side: Side
    price_nano: int
    size_steps: int


class Book:
    """Price levels of one instrument. Levels come absolute: a new size takes the place of the old one."""

    def __init__(self) -> None:
        self._bids: Any = SortedDict()
        self._asks: Any = SortedDict()

    def load(self, levels: Iterable[Level]) -> None:
        """Forget everything, then take these levels."""
        self._bids.clear()
        self._asks.clear()
        self.change(levels)

    def change(self, levels: Iterable[Level]) -> None:
        """Take these levels over."""
        for side, price_nano, size_steps in levels:
            book = self._bids if side is Side.BUY else self._asks
            if size_steps:
                book[price_nano] = size_steps
            else:
                book.pop(price_nano, None)

    def best(self) -> Best:
        """The best bid and offer now; they may cross, as the venue's messages leave them."""
        bid, bid_size = self._bids.peekitem(-1) if self._bids else (ABSENT, ABSENT)
        ask, ask_size = self._asks.peekitem(0) if self._asks else (ABSENT, ABSENT)
        return Best(bid, ask, bid_size, ask_size)
