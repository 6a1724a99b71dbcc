"""Which instrument a number in a DBN file means: by date from the metadata, by symbol mapping records, else itself."""

from datetime import date
from typing import Final, NamedTuple

import databento_dbn as dbn
import numpy as np

from pipeline.block import Numbers
from pipeline.instruments import Instrument
from pipeline.normalize.databento_symbols import instrument_of_symbol, mapped_symbols
from pipeline.units import DAY_NS

_EPOCH = date(1970, 1, 1)


class _Known(NamedTuple):
    """The vendor's numbers met on a day, ascending, and ours for each."""

    numbers: Numbers
    ids: Numbers


_NOTHING_KNOWN: Final = _Known(np.array([-1], np.int64), np.zeros(1, np.int32))
"""A number that no vendor gives, so that there is always one to look at."""


class Symbols:
    """The source's own numbers for instruments: dense from 1, one for each symbol.

    The vendor's numbers hold for a day (UTC) and come back for other instruments, so they are looked up by (day, number).
    """

    def __init__(self, metadata: dbn.Metadata) -> None:
        self._dataset: str = metadata.dataset
        self._dated = _dated_symbols(metadata)
        self._mapped: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._known_by_day: dict[int, _Known] = {}

    def learn(self, records: Numbers) -> None:
        """Take over symbol mapping records: from here on they hold."""
        for number, symbol in mapped_symbols(records):
            if self._mapped.get(number) != symbol:
                self._mapped[number] = symbol
                self._known_by_day.clear()

    def id_of(self, symbol: str) -> int:
        """Our number of a symbol, a new one when it was not seen before."""
        return self._ids.setdefault(symbol, len(self._ids) + 1)

    def ids_of(self, records: Numbers) -> tuple[Numbers, list[tuple[int, int, Instrument]]]:
        """(n,) int32, our number for each record; and (record, number, instrument) for those never seen before.

        Raises UnitError when a symbol is none.
        """
        numbers = np.ascontiguousarray(records["instrument_id"])
        days = _times(records) // np.uint64(DAY_NS)
        if (days == days[0]).all():
            return self._ids_of_day(int(days[0]), numbers, np.arange(len(numbers)))
        ids = np.zeros(len(numbers), np.int32)
        found: list[tuple[int, int, Instrument]] = []
        for day in np.unique(days).tolist():
            rows = np.flatnonzero(days == day)
            ids[rows], found_today = self._ids_of_day(day, numbers[rows], rows)
            found += found_today
        return ids, found

    def _ids_of_day(
        self, day: int, numbers: Numbers, rows: Numbers
    ) -> tuple[Numbers, list[tuple[int, int, Instrument]]]:
        """Our numbers for the vendor's of one day, which stand at these rows; a table is asked, all at once."""
        known = self._known_by_day.get(day, _NOTHING_KNOWN)
        places = np.minimum(np.searchsorted(known.numbers, numbers), len(known.numbers) - 1)
        is_known = known.numbers[places] == numbers
        found: list[tuple[int, int, Instrument]] = []
        if not is_known.all():
            unknown = np.flatnonzero(~is_known)
            fresh, first = np.unique(numbers[unknown], return_index=True)
            known = self._known_by_day[day] = self._with(known, fresh, rows[unknown[first]], day, found)
            places = np.searchsorted(known.numbers, numbers)
        return known.ids[places], found

    def _with(
        self, known: "_Known", fresh: Numbers, rows: Numbers, day: int, found: list[tuple[int, int, Instrument]]
    ) -> "_Known":
        """The table with numbers never seen on this day, in the order in which they came; new symbols go to `found`."""
        ids = np.zeros(len(fresh), np.int32)
        for place in np.argsort(rows).tolist():
            number = int(fresh[place])
            symbol = self._symbol(number, day)
            is_new = symbol not in self._ids
            ids[place] = self.id_of(symbol)
            if is_new:
                found.append((int(rows[place]), int(ids[place]), instrument_of_symbol(symbol, self._dataset, number)))
        numbers, all_ids = np.concatenate([known.numbers, fresh]), np.concatenate([known.ids, ids])
        order = np.argsort(numbers)
        return _Known(numbers[order], all_ids[order])

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
