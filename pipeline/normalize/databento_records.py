"""DBN records as arrays: a buffer of bytes cut into runs of one record type, without a loop over records."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import databento_dbn as dbn
import numpy as np

from pipeline.block import Numbers

_HEADER_BYTES: Final = 16
_RUN_GUESS: Final = 64
"""How many records a run is first looked at; while they fit, the next look is eight times as long."""

_CLASSES_BY_RTYPE: Final[dict[int, tuple[type, ...]]] = {
    0: (dbn.TradeMsg,),
    1: (dbn.MBP1Msg,),
    18: (dbn.StatusMsg,),
    19: (dbn.InstrumentDefMsg, dbn.InstrumentDefMsgV2, dbn.InstrumentDefMsgV1),
    21: (dbn.ErrorMsg, dbn.ErrorMsgV1),
    22: (dbn.SymbolMappingMsg, dbn.SymbolMappingMsgV1),
    23: (dbn.SystemMsg, dbn.SystemMsgV1),
    **dict.fromkeys((32, 33, 34, 35), (dbn.OHLCVMsg,)),
    177: (dbn.CMBP1Msg,),
    192: (dbn.CBBOMsg,),
    193: (dbn.CBBOMsg,),
    194: (dbn.CMBP1Msg,),
    195: (dbn.BBOMsg,),
    196: (dbn.BBOMsg,),
}
"""Record classes of DBN 1 to 3 by type: their sizes tell them apart. Types that are only counted need no class."""

_TS_OUT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one type; `end` is the byte behind them. `problem` tells why the bytes here are no record."""

    rtype: int
    records: Numbers
    end: int
    problem: str = ""


_NO_RECORDS: Final = np.empty(0, np.uint8)


def runs(buffer: bytes, *, ts_out: bool) -> Iterator[Run]:
    """The runs of a buffer that starts at a record; a record cut by the buffer's end is left for the next one."""
    start = 0
    while start + _HEADER_BYTES <= len(buffer):
        size, rtype = buffer[start] * 4, buffer[start + 1]
        if size < _HEADER_BYTES:
            yield Run(rtype, _NO_RECORDS, start, f"a record of {size} bytes: its header alone has {_HEADER_BYTES}")
            return
        if start + size > len(buffer):
            return
        dtype = dtype_of(rtype, size, ts_out=ts_out)
        if dtype is None:
            yield Run(rtype, _NO_RECORDS, start, f"record type {rtype} has no layout of {size} bytes")
            return
        count = _run_length(buffer, start, size)
        end = start + count * size
        yield Run(rtype, np.frombuffer(buffer, dtype, count, start), end)
        start = end


def _run_length(buffer: bytes, start: int, size: int) -> int:
    """How many records from `start` on have the size and type of the first."""
    fits = (len(buffer) - start) // size
    # a record starts with its length and its type, one byte each: compared as one number
    heads: Numbers = np.ndarray((fits,), np.uint16, buffer, start, (size,))
    guess = _RUN_GUESS
    while True:
        other = heads[:guess] != heads[0]
        if other.any():
            return int(other.argmax())
        if guess >= fits:
            return fits
        guess *= 8


@cache
def dtype_of(rtype: int, size: int, *, ts_out: bool) -> np.dtype[np.void] | None:
    """The layout of a record of that type and size; None when the type has none of that size."""
    classes = _CLASSES_BY_RTYPE.get(rtype)
    if classes is None:
        return np.dtype((np.void, size))
    bare = size - _TS_OUT_BYTES if ts_out else size
    layouts = (np.dtype(record._dtypes) for record in classes)  # type: ignore[attr-defined]  # noqa: SLF001 - the package's own published array layout has no other name
    found = next((layout for layout in layouts if layout.itemsize == bare), None)
    return _padded(found, size) if found is not None else None


def _padded(layout: np.dtype[Any], size: int) -> np.dtype[np.void]:
    """The layout with room for what follows each record."""
    assert layout.fields is not None
    names = list(layout.names or ())
    return np.dtype(
        {
            "names": names,
            "formats": [layout.fields[name][0] for name in names],
            "offsets": [layout.fields[name][1] for name in names],
            "itemsize": size,
        }
    )


class Group(NamedTuple):
    """All records of one type among others: (n,) records, and the place of each among all, from 0."""

    rtype: int
    records: Numbers
    places: Numbers


def groups(buffer: bytes) -> tuple[list[Group], int, str]:
    """The records of a buffer by type, how many there are, and why the walk went no further; '' at the buffer's end.

    Live streams mix types record by record: put together by type, they are read in whole arrays all the same.
    """
    starts, problem = _starts(buffer)
    if not starts:
        return [], 0, problem
    all_starts = np.array(starts)
    heads = np.frombuffer(buffer, np.uint16, len(buffer) // 2)[all_starts // 2]
    found: list[Group] = []
    for head in np.unique(heads).tolist():
        rtype, size = head >> 8, (head & 0xFF) * 4
        dtype = dtype_of(rtype, size, ts_out=False)
        if dtype is None:
            problem = problem or f"record type {rtype} has no layout of {size} bytes"
        else:
            places = np.flatnonzero(heads == head)
            found.append(Group(rtype, _gathered(buffer, dtype, all_starts[places]), places))
    return found, len(starts), problem


def _starts(buffer: bytes) -> tuple[list[int], str]:
    """Where each record begins, and why the walk went no further. The hot loop of a live feed: one addition a record."""
    starts: list[int] = []
    start, end = 0, len(buffer)
    while start < end:
        size = buffer[start] * 4
        if size < _HEADER_BYTES:
            return starts, f"a record of {size} bytes: its header alone has {_HEADER_BYTES}"
        starts.append(start)
        start += size
    if start > end:
        return starts[:-1], f"a record of {size} bytes is cut after {end - starts[-1]}"
    return starts, ""


def _gathered(buffer: bytes, dtype: np.dtype[np.void], starts: Numbers) -> Numbers:
    """The records that begin at these bytes, one behind the other."""
    size = dtype.itemsize
    if starts[-1] - starts[0] == size * (len(starts) - 1):
        return np.frombuffer(buffer, dtype, len(starts), int(starts[0]))
    words = np.frombuffer(buffer, np.uint32, len(buffer) // 4)
    rows = words[starts[:, None] // 4 + np.arange(size // 4)]
    return rows.view(dtype).reshape(-1)


def is_record(rtype: int, size: int) -> bool:
    """Whether a record of that type may have that many bytes; types that are not known here may have any."""
    return size >= _HEADER_BYTES and dtype_of(rtype, size, ts_out=False) is not None
