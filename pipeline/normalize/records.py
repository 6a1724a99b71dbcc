"""Records of one type, read by column: a column is copied out of its records once, and looked at many times."""

import numpy as np

from pipeline.block import Numbers


class Records:
    """A structured array whose columns come as contiguous arrays."""

    def __init__(self, records: Numbers) -> None:
        self.names: tuple[str, ...] = records.dtype.names or ()
        self._records = records
        self._columns: dict[str, Numbers] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Numbers:
        if name not in self._columns:
            self._columns[name] = np.ascontiguousarray(self._records[name])
        return self._columns[name]

    def letters(self, name: str) -> Numbers:
        """(n,) uint8: a column of single letters as their bytes."""
        return self[name].view(np.uint8)

    def taken(self, rows: Numbers) -> "Records":
        """The records of an index or a mask."""
        return Records(self._records[rows])
