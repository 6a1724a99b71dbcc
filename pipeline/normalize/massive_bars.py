"""Revisions of bars: how often each of the last bars of a symbol has come, in a memory that does not grow.

A vendor sends a bar again when a late trade changes it, and after a reconnect may send it again as it was.
"""

from array import array
from typing import Final

BARS_KEPT: Final = 1_024
"""Massive revises a bar of a second for fifteen minutes (polygon.io/blog/aggregate-bar-delays): 900 of them."""


class Revisions:
    """The last bars of one length of one symbol, by their start."""

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._newest = -1
        self._revisions = array("h", [-1]) * BARS_KEPT
        self._contents = array("q", [0]) * BARS_KEPT

    def count(self, start_ns: int, content: int) -> tuple[int, bool]:
        """The revision of a bar that came, and whether it says what was said before; `content` is a hash of it.

        Of a bar older than what is kept nothing is known but that it must have been revised: it is revision 1.
        """
        number = start_ns // self._length_ns
        if number > self._newest:
            self._advance(number)
        elif number <= self._newest - BARS_KEPT:
            return 1, False
        place = number % BARS_KEPT
        is_same = self._revisions[place] >= 0 and self._contents[place] == content
        if not is_same:
            self._revisions[place] = min(self._revisions[place] + 1, 2**15 - 1)
            self._contents[place] = content
        return self._revisions[place], is_same

    def _advance(self, number: int) -> None:
        for skipped in range(max(self._newest + 1, number - BARS_KEPT + 1), number + 1):
            self._revisions[skipped % BARS_KEPT] = -1
        self._newest = number
