"""Splits: those of each instrument that are in force, and what came of a share or a price of some day since."""

from typing import Final

import numpy as np

from pipeline.block import Numbers

SPLIT_RATIO: Final = "split_ratio"
"""The fact: new shares for one old, `as_of` the day on which it comes in force."""

_SAME_WITHIN_DAYS: Final = 5
"""Two providers that tell one ratio of days so near to each other speak of one split: record, ex and payment day differ."""

_KEPT: Final = np.dtype(
    [
        ("id", "<i8"),
        ("day", "<i8"),
        ("ratio", "<f8"),
        ("known_ns", "<i8"),
        ("preference", "<i4"),
        ("provider", "<i4"),
    ]
)


class Splits:
    """Of every instrument all splits in force: one a day, whoever tells of it, the one that is believed."""

    def __init__(self) -> None:
        self.kept = np.zeros(0, _KEPT)
        """Rows of (id, day in days since 1970, ratio, known_ns, preference, provider), by id, then day."""

    def add(self, id_: int, day: int, ratio: float, known_ns: int, preference: int, provider: int) -> None:
        """Take in a split that came in force: whose provider goes before, then the later day, then what was known last counts."""
        if not ratio > 0:
            return
        new = np.array([(id_, day, ratio, known_ns, preference, provider)], _KEPT)
        kept = self.kept
        is_near = (np.abs(kept["day"] - day) <= _SAME_WITHIN_DAYS) & (kept["ratio"] == ratio)
        is_same = (kept["day"] == day) | (is_near & (kept["provider"] != provider))
        same = np.flatnonzero((kept["id"] == id_) & is_same)
        if len(same) and max(map(_worth, kept[same])) > _worth(new[0]):
            return
        rows = np.concatenate([np.delete(kept, same), new])
        self.kept = rows[np.lexsort((rows["day"], rows["id"]))]

    def ratio(self, rows: int, after: Numbers, until: Numbers | None = None) -> Numbers:
        """(rows,) float64: shares now for one that was held at the end of a day, (rows,) int64; 1 without a split since.

        until    (rows,) int64, the last day whose splits count; None: all that are in force
        """
        found = np.ones(rows)
        kept = self.kept[self.kept["id"] < rows]
        is_since = kept["day"] > after[kept["id"]]
        if until is not None:
            is_since &= kept["day"] <= until[kept["id"]]
        np.multiply.at(found, kept["id"][is_since], kept["ratio"][is_since])  # in the order of their days
        return found

    def latest_reverse(self, rows: int) -> tuple[Numbers, Numbers]:
        """(rows,) int64 each: the day of the latest reverse split, -1 without one, and when it was known."""
        day, known_ns = np.full(rows, -1), np.zeros(rows, np.int64)
        kept = self.kept[(self.kept["id"] < rows) & (self.kept["ratio"] < 1.0)]
        day[kept["id"]], known_ns[kept["id"]] = kept["day"], kept["known_ns"]  # the last in order stays
        return day, known_ns


def _worth(row: "np.void") -> tuple[int, int, int]:
    return int(row["preference"]), int(row["day"]), int(row["known_ns"])
