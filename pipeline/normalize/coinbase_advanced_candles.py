"""Coinbase's candles as bars: when one counts as closed, and how often it was revised since.

A candle is sent again and again while it changes, from its first second on. It becomes a bar when it is over by the
server's clock: at once when the message that brings it was sent behind its end; else when a later candle of its product
comes, or two seconds behind its end (the last change of a candle may be a second late). The same candle with other
values is the next revision, with the same values nothing new.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.normalize.coinbase_advanced_words import CANDLE_NS
from pipeline.units import SECOND_NS

_PATIENCE_NS: Final = 2 * SECOND_NS
_REMEMBERED_MAX: Final = 1_024
"""Candles of a product whose revisions are counted: three and a half days."""

_REVISION_MAX: Final = 2**15 - 1
"""What the column holds."""


class Values(NamedTuple):
    """What a candle says; nanos of price, steps of size."""

    open_nano: int
    high_nano: int
    low_nano: int
    close_nano: int
    volume_steps: int


class Bar(NamedTuple):
    """A candle that is over."""

    instrument_id: int
    start_ns: int
    revision: int
    is_snapshot: bool
    values: Values


class _Open(NamedTuple):
    start_ns: int
    is_snapshot: bool
    values: Values


class Candles:
    """The candles met so far; they outlive connections, so that what was told once is not told again."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._told: dict[int, dict[int, tuple[int, Values]]] = {}

    def take(
        self, instrument_id: int, start_ns: int, values: Values, *, server_ns: int, is_snapshot: bool
    ) -> Iterator[Bar]:
        """A candle as it stands at a moment of the server's clock; bars that are over because of it."""
        waiting = self._open.get(instrument_id)
        if waiting is not None and waiting.start_ns < start_ns:
            del self._open[instrument_id]
            yield from self._tell(instrument_id, waiting)
        candle = _Open(start_ns, is_snapshot, values)
        if server_ns >= start_ns + CANDLE_NS or start_ns in self._told.get(instrument_id, {}):
            if waiting is not None and waiting.start_ns == start_ns:
                del self._open[instrument_id]
            yield from self._tell(instrument_id, candle)
        elif waiting is None or waiting.start_ns <= start_ns:
            self._open[instrument_id] = candle

    def over(self, server_ns: int) -> Iterator[Bar]:
        """Bars that nothing came behind, but whose time is over."""
        due = [
            instrument_id
            for instrument_id, candle in self._open.items()
            if candle.start_ns + CANDLE_NS + _PATIENCE_NS <= server_ns
        ]
        for instrument_id in due:
            yield from self._tell(instrument_id, self._open.pop(instrument_id))

    def told(self, instrument_id: int, start_ns: int, values: Values) -> int | None:
        """The revision under which these values are to be told; None when they were told already."""
        told = self._told.setdefault(instrument_id, {})
        revision, known = told.get(start_ns, (-1, None))
        if known == values:
            return None
        revision = min(revision + 1, _REVISION_MAX)
        told[start_ns] = (revision, values)
        if len(told) > _REMEMBERED_MAX:
            del told[min(told)]
        return revision

    def _tell(self, instrument_id: int, candle: _Open) -> Iterator[Bar]:
        revision = self.told(instrument_id, candle.start_ns, candle.values)
        if revision is not None:
            yield Bar(instrument_id, candle.start_ns, revision, candle.is_snapshot, candle.values)
