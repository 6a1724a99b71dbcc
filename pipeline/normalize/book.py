"""A book of price levels, kept for the sake of its best bid and offer."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from pipeline.codes import Side
from pipeline.units import ABSENT

_FORGOTTEN_MAX: Final = 4_096
"""Places in a side's heap that no level stands behind any more, beyond as many as there are levels."""


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


class BookSide:
    """The levels of one side, by price.

    A heap knows the best price. A level that goes leaves its place in the heap behind until it comes to the top, so a
    change costs a look into a dict, and only a new price costs more.
    """

    __slots__ = ("_heap", "_sign", "_sizes")

    def __init__(self, sign: int) -> None:
        """`sign` is 1 where the lowest price is the best (asks), -1 where the highest is."""
        self._sign = sign
        self._sizes: dict[int, int] = {}
        self._heap: list[int] = []

    def load(self, sizes: dict[int, int]) -> None:
        """Forget everything, then take these sizes by price, none of them 0; the dict is kept."""
        self._sizes = sizes
        self._heap = [self._sign * price_nano for price_nano in sizes]
        heapify(self._heap)

    def change(self, price_nano: int, size_steps: int) -> None:
        """A new size takes the place of the old one."""
        sizes = self._sizes
        if not size_steps:
            sizes.pop(price_nano, None)
        elif price_nano in sizes:
            sizes[price_nano] = size_steps
        else:
            sizes[price_nano] = size_steps
            heappush(self._heap, self._sign * price_nano)
            if len(self._heap) > 2 * len(sizes) + _FORGOTTEN_MAX:
                self.load(sizes)

    def best(self) -> tuple[int, int]:
        """Best price and its size, both ABSENT when the side is empty."""
        heap, sizes = self._heap, self._sizes
        while heap:
            price_nano = self._sign * heap[0]
            if price_nano in sizes:
                return price_nano, sizes[price_nano]
            heappop(heap)
        return ABSENT, ABSENT


class Book:
    """Price levels of one instrument. Levels come absolute: a new size takes the place of the old one."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = BookSide(-1)
        self.asks = BookSide(1)

    def load(self, levels: Iterable[Level]) -> None:
        """Forget everything, then take these levels."""
        self.bids.load({})
        self.asks.load({})
        self.change(levels)

    def change(self, levels: Iterable[Level]) -> None:
        """Take these levels over."""
        for side, price_nano, size_steps in levels:
            (self.bids if side is Side.BUY else self.asks).change(price_nano, size_steps)

    def best(self) -> Best:
        """The best bid and offer now; they may cross, as the venue's messages leave them."""
        bid, bid_size = self.bids.best()
        ask, ask_size = self.asks.best()
        return Best(bid, ask, bid_size, ask_size)
