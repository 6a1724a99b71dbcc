"""Stretches: which parts of an order are filled. Every fill is a stretch of 0 to its quantity, so that none counts twice.

A fill that a stream tells, the same one in a list, and the sum that an order shows when it is asked about all say which
stretch they speak of; what of it was known before is left out, in whatever order they come.
"""


class Stretches:
    """Disjoint stretches [from, to) of whole numbers, in order."""

    def __init__(self, filled: int = 0) -> None:
        self._parts: list[tuple[int, int]] = [(0, filled)] if filled else []

    @property
    def total(self) -> int:
        """How much they cover."""
        return sum(stop - start for start, stop in self._parts)

    def add(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Cover a stretch; those parts of it that were not covered before."""
        new, at = list[tuple[int, int]](), start
        for low, high in self._parts:
            if high <= at:
                continue
            if low >= stop:
                break
            if low > at:
                new.append((at, low))
            at = max(at, high)
        if at < stop:
            new.append((at, stop))
        self._parts = _joined(sorted([*self._parts, *new]))
        return new


def _joined(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in parts:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
