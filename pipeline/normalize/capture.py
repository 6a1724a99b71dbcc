"""What all captures of JSON frames share: instruments met, messages left out, numbers written as text."""

from functools import lru_cache
from typing import Annotated, Final

import msgspec

from pipeline.codes import Side
from pipeline.instruments import Instrument, steps_from_text
from pipeline.normalize.rows import Rows
from pipeline.units import ABSENT, INT64_MAX, TsNs, checked_ts, nano_from_text

Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
"""A number a vendor counts with: ids, sequences, milliseconds."""

MS_NS: Final = 1_000_000

price_nano = lru_cache(8_192)(nano_from_text)
"""Nanos of a price's text; prices come again and again. Raises UnitError."""

size_steps = lru_cache(8_192)(steps_from_text)
"""Steps of a size's text. Raises UnitError."""


def ns_of_ms(ts_ms: int) -> TsNs:
    """Nanoseconds of a count of milliseconds. Raises UnitError outside 1970 to 2100."""
    return checked_ts(ts_ms * MS_NS)


def side_of_quote(price: str, size: str, size_step_nano: int) -> tuple[int, int]:
    """Price and size of one side of a quote, both ABSENT where nobody stands. Raises UnitError."""
    nano, steps = price_nano(price), size_steps(size, size_step_nano)
    return (nano, steps) if nano and steps else (ABSENT, ABSENT)


def print_row(
    price: str, size: str, size_step_nano: int, *, ts_event_ns: int, aggressor: Side, trade_id: int
) -> dict[str, int]:
    """What every venue says of a trade. Raises UnitError."""
    return {
        "ts_event_ns": ts_event_ns,
        "price_nano": price_nano(price),
        "size_steps": size_steps(size, size_step_nano),
        "aggressor": aggressor,
        "trade_id": trade_id,
    }


class Capture:
    """What reading a capture has learned so far.

    A normaliser reads a frame whole before it adds a row, so a frame that can't be read leaves nothing behind.
    """

    def __init__(self) -> None:
        self.ignored: dict[str, int] = {}
        """How many messages of a type were left out."""
        self._ids: dict[str, int] = {}

    def id_of(self, instrument: Instrument, rows: Rows) -> int:
        """The source's number of an instrument; its definition goes in front of its first row."""
        known = self._ids.get(instrument.symbol)
        if known is None:
            known = self._ids[instrument.symbol] = len(self._ids) + 1
            rows.add_instrument(known, instrument)
        return known

    def ignore(self, what: str, count: int = 1) -> None:
        """Count messages that map to no event."""
        self.ignored[what] = self.ignored.get(what, 0) + count
