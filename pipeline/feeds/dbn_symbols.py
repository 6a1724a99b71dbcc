"""Which instrument a number in a DBN file means: by date from the metadata, by symbol mapping records, else itself."""

from collections.abc import Iterator
from datetime import date

import databento_dbn as dbn
import numpy as np

from pipeline.block import Numbers
from pipeline.instruments import Instrument
from pipeline.normalize.databento_symbols import instrument_of_symbol, mapped_symbols
from pipeline.units import DAY_NS

_EPOCH = date(1970, 1, 1)


class Symbols:
    """The source's own numbers for instruments: dense from 1, one for each symbol.

    The vendor's numbers hold for a day (UTC) and come back for other instruments, so they are looked up by (day, number).
    """

    def __init__(self, metadata: dbn.Metadata) -> None:
        self._dataset: str = metadata.dataset
        self._dated = _dated_symbols(metadata)
        self._mapped: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._ids_by_day: dict[int, dict[int, int]] = {}

    def learn(self, records: Numbers) -> None:
        """Take over symbol mapping records: from here on they hold."""
        for number, symbol in mapped_symbols(records):
            if self._mapped.get(number) != symbol:
                self._mapped[number] = symbol
                self._ids_by_day.clear()

    def id_of(self, symbol: str) -> int:
        """Our number of a symbol, a new one when it was not seen before."""
        return self._ids.setdefault(symbol, len(self._ids) + 1)

    def ids_of(self, records: Numbers) -> tuple[Numbers, list[tuple[int, int, Instrument]]]:
        """(n,) int32, our number for each record; and (record, number, instrument) for those never seen before.

        Raises UnitError when a symbol is none.
        """
        numbers = records["instrument_id"]
        ids = np.zeros(len(records), np.int32)
        found: list[tuple[int, int, Instrument]] = []
        for day, is_today in _by_day(_times(records)):
            known = self._ids_by_day.setdefault(day, {})
            for number, rows in _by_number(numbers, is_today):
                if number not in known:
                    symbol = self._symbol(number, day)
                    is_new = symbol not in self._ids
                    known[number] = self.id_of(symbol)
                    if is_new:
                        first = int(rows.argmax())
                        found.append((first, known[number], instrument_of_symbol(symbol, self._dataset, number)))
                ids[rows] = known[number]
        return ids, found

    def _symbol(self, number: int, day: int) -> str:
        if number in self._mapped:
            return self._mapped[number]
        dated = self._dated.get(number, [])
        if len({symbol for *_, symbol in dated}) == 1:
            return dated[0][2]
        return next((symbol for first, last, symbol in dated if first <= day < last), str(number))


def _times(records: Numbers) -> Numbers:
    """(n,) uint64 nanoseconds, by receive time where there is one."""
    names = records.dtype.names or ()
    times: Numbers = records["ts_recv" if "ts_recv" in names else "ts_event"]
    return times


def _by_day(times: Numbers) -> Iterator[tuple[int, Numbers | None]]:
    """Each UTC day since 1970 with the mask of its rows; None: all of them."""
    first, last = int(times.min()) // DAY_NS, int(times.max()) // DAY_NS
    if first == last:
        yield first, None
        return
    days = times // np.uint64(DAY_NS)
    for day in np.unique(days).tolist():
        yield day, days == day


def _by_number(numbers: Numbers, is_today: Numbers | None) -> Iterator[tuple[int, Numbers]]:
    """Each of the vendor's numbers with the mask of its rows."""
    first = numbers[0]
    if is_today is None and (numbers == first).all():
        yield int(first), np.ones(len(numbers), np.bool_)
        return
    for number in np.unique(numbers if is_today is None else numbers[is_today]).tolist():
        rows = numbers == number
        yield number, rows if is_today is None else rows & is_today


def _dated_symbols(metadata: dbn.Metadata) -> dict[int, list[tuple[int, int, str]]]:
    """(first day, day after the last, symbol) by the vendor's number."""
    dated: dict[int, list[tuple[int, int, str]]] = {}
    for raw_symbol, intervals in metadata.mappings.items():
        for interval in intervals:
            text = interval["symbol"]
            number, symbol = (text, raw_symbol) if text.isdecimal() else (raw_symbol, text)
            if number.isdecimal():
                days = [(interval[name] - _EPOCH).days for name in ("start_date", "end_date")]
                dated.setdefault(int(number), []).append((days[0], days[1], symbol))
    return dated
