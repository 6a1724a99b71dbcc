"""Numbers of a live session: which instrument of ours each of the gateway's numbers means, as long as a connection lasts."""

import numpy as np

from pipeline.block import Numbers


class Mapped:
    """Our ids, dense from 1, one a symbol and for good; the gateway's numbers for them, until they are forgotten."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._by_number: dict[int, int] = {}
        self._numbers = self._ours = np.zeros(0, np.int64)
        self._is_sorted = True

    def id_of(self, symbol: str) -> int:
        """Our id of a symbol, a new one when it was not met before."""
        return self._ids.setdefault(symbol, len(self._ids) + 1)

    @property
    def id_max(self) -> int:
        """The largest id given."""
        return len(self._ids)

    def learn(self, number: int, symbol: str) -> None:
        """From here on the number means this symbol."""
        self._by_number[number] = self.id_of(symbol)
        self._is_sorted = False

    def forget(self) -> None:
        """No number means anything."""
        self._by_number.clear()
        self._is_sorted = False

    def ids(self, numbers: Numbers) -> Numbers:
        """(n,) int32: our ids; 0 where a number was never mapped."""
        if not self._is_sorted:
            self._numbers = np.array(sorted(self._by_number), np.int64)
            self._ours = np.array([self._by_number[number] for number in self._numbers.tolist()], np.int32)
            self._is_sorted = True
        if not len(self._numbers):
            return np.zeros(len(numbers), np.int32)
        places = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        return np.where(self._numbers[places] == numbers, self._ours[places], 0).astype(np.int32)
