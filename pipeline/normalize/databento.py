"""Databento's records as events, whole arrays at a time.

Which record becomes what:

    mbp-1, tbbo, cmbp-1, tcbbo   a quote; and, when its action is T, a print behind it
    bbo-1s/1m, cbbo-1s/1m        a quote at the end of its interval
    trades                       a print
    ohlcv-1s/1m/1h/1d            a vendor's bar, known when it closed
    status                       a status

A trade's record shows the best bid and offer immediately before the effect of the trade (databento.com/docs/schemas/tbbo;
mbp-1 contains the very same records, and in a recorded day of futures all of them repeat the quote in front), so the quote
goes first, then the print. A sampled quote's `ts_event` is the time of the last *trade* (databento.com/docs/schemas/bbo):
its quote is dated by the end of the interval, and its last sale, seen already, is left out.

Sizes are shares or contracts, never lots. The vendor's sentinels are known here and nowhere else. A record that holds a
number that is none becomes a REJECTED event in its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import BarBasis, FeedAction, Kind, Mark, Side
from pipeline.normalize.databento_status import status_columns
from pipeline.normalize.marks import bar_marks, quote_marks, with_mark
from pipeline.normalize.records import Records
from pipeline.normalize.rows import block_of_columns, constant
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, INT64_MAX, MINUTE_NS, SECOND_NS, TS_MAX_NS

UNDEF_PRICE: Final = 2**63 - 1
UNDEF_SIZE: Final = 2**32 - 1
UNDEF_TIMESTAMP: Final = 2**64 - 1

PLACES_A_RECORD: Final = 4
"""`seq` of what record k becomes: 4k its instrument, 4k + 1 the quote, bar or status, 4k + 2 the print or rejection."""

SCHEMA_BY_RTYPE: Final = {
    0: "trades",
    1: "mbp-1",
    18: "status",
    19: "definition",
    32: "ohlcv-1s",
    33: "ohlcv-1m",
    34: "ohlcv-1h",
    35: "ohlcv-1d",
    177: "cmbp-1",
    192: "cbbo-1s",
    193: "cbbo-1m",
    194: "tcbbo",
    195: "bbo-1s",
    196: "bbo-1m",
}
"""Record types that map to events (tbbo's records are mbp-1's)."""

REFUSED_BY_RTYPE: Final = {
    10: "mbp-10",
    17: "ohlcv",
    20: "imbalance",
    24: "statistics",
    36: "ohlcv-eod",
    160: "mbo",
}
"""Record types that map to no event."""

BAR_NS: Final = {32: SECOND_NS, 33: MINUTE_NS, 34: HOUR_NS, 35: DAY_NS}

_SIDES: Final = {b"A": Side.SELL, b"B": Side.BUY, b"N": Side.NONE}
"""Of a trade, the aggressor: A hit the bid, B lifted the offer."""

_ACTIONS: Final = (b"A", b"C", b"F", b"M", b"N", b"R", b"T")
_FLAG_MARKS: Final = {32: Mark.SNAPSHOT, 8: Mark.UNTRUSTED, 4: Mark.UNTRUSTED}
"""F_SNAPSHOT, F_BAD_TS_RECV, F_MAYBE_BAD_BOOK."""
_FLAGS_MARKED: Final = 32 | 8 | 4

_INT16_MAX: Final = 2**15 - 1


@dataclass(frozen=True, slots=True)
class _Header:
    """What every record of a run has in common, checked: the good records and their columns."""

    records: Records
    places: Numbers
    columns: dict[str, Numbers | int]
    marks: Numbers


def blocks_of(records: Numbers, instrument_ids: Numbers, *, delay_ns: int = 0) -> Blocks:
    """The events of records of one type; `seq` is their place (see PLACES_A_RECORD), not yet a rank.

    records          (n,) structured array of one record type of SCHEMA_BY_RTYPE but definition
    instrument_ids   (n,) int32, the source's own numbers
    delay_ns         after its event time, when a record without receive time counts as received
    """
    rtype = int(records["rtype"][0])
    columns = Records(records)
    problems = _problems(columns, rtype)
    rejected = list[Block]()
    places = np.arange(0, PLACES_A_RECORD * len(records), PLACES_A_RECORD)
    if problems is not None:
        bad = problems != ""
        rejected.append(_rejected(places[bad], problems[bad]))
        columns, instrument_ids, places = columns.taken(~bad), instrument_ids[~bad], places[~bad]
    if not len(columns):
        return rejected
    header = _header(columns, instrument_ids, places, rtype, delay_ns)
    return rejected + _BLOCKS_BY_RTYPE[rtype](header)


def _rejected(places: Numbers, reasons: Numbers) -> Block:
    return Block.of(
        Kind.FEED,
        len(places),
        seq=places + 2,
        ts_event_ns=ABSENT,
        ts_recv_ns=ABSENT,
        action=FeedAction.REJECTED,
        position=places // PLACES_A_RECORD,
        text=reasons.tolist(),
    )


def _problems(records: Records, rtype: int) -> Numbers | None:
    """Why each record can't be an event, '' where it can; None when all can (the usual case, found by maxima)."""
    names = records.names
    found: list[tuple[Numbers, str]] = []
    for name in ("ts_event", "ts_recv"):
        if name in names and records[name].max() >= TS_MAX_NS:
            is_wrong = (records[name] >= np.uint64(TS_MAX_NS)) & (records[name] != np.uint64(UNDEF_TIMESTAMP))
            found.append((is_wrong, f"{name} is no time between 1970 and 2100"))
    if rtype in BAR_NS:
        if records["ts_event"].max() >= TS_MAX_NS:
            found.append((records["ts_event"] >= np.uint64(TS_MAX_NS), "a bar without a time"))
        if records["volume"].max() > INT64_MAX:
            found.append((records["volume"] > np.uint64(INT64_MAX), "volume does not fit an int64"))
    elif "ts_recv" in names and records["ts_recv"].max() >= TS_MAX_NS:
        missing = records["ts_recv"] == np.uint64(UNDEF_TIMESTAMP)
        found.append((missing & (records["ts_event"] == np.uint64(UNDEF_TIMESTAMP)), "no time at all"))
    found += [
        (records[name] > _INT16_MAX, f"{name} is unknown")
        for name in ("publisher_id", "bid_pb_00", "ask_pb_00")
        if name in names and records[name].max() > _INT16_MAX
    ]
    found += [
        (records[name] == ABSENT, f"{name} is no price") for name in _prices(names) if records[name].min() == ABSENT
    ]
    found += _unknown_letters(records)
    if not any(wrong.any() for wrong, _ in found):
        return None
    reasons = np.full(len(records), "", object)
    for wrong, reason in found:
        reasons[wrong & (reasons == "")] = reason
    return reasons


def _prices(names: tuple[str, ...]) -> list[str]:
    return [
        name for name in names if name in ("price", "open", "high", "low", "close") or name[:6] in ("bid_px", "ask_px")
    ]


def _unknown_letters(records: Records) -> list[tuple[Numbers, str]]:
    found: list[tuple[Numbers, str]] = []
    for name, known in (("action", _ACTIONS), ("side", tuple(_SIDES))):
        if name in records and records[name].dtype.kind == "S":  # a status has a number for its action
            codes = records.letters(name)
            table = np.zeros(256, np.bool_)
            table[[letter[0] for letter in known]] = True
            if not table[codes].all():
                found += [
                    (codes == code, f"{name} {bytes([code])!r} is unknown")
                    for code in np.unique(codes[~table[codes]]).tolist()
                ]
    return found


def _header(records: Records, instrument_ids: Numbers, places: Numbers, rtype: int, delay_ns: int) -> _Header:
    count = len(records)
    marks = constant("i4", 0, count)
    event_ns = records["ts_event"].astype(np.int64)
    if rtype in BAR_NS:
        recv_ns = event_ns + (BAR_NS[rtype] + delay_ns)
    else:
        recv_ns = records["ts_recv"].astype(np.int64)
        # UNDEF_TIMESTAMP is -1 as int64
        no_event, no_recv = event_ns < 0, recv_ns < 0
        if no_recv.any():
            recv_ns = np.where(no_recv, event_ns + delay_ns, recv_ns)
        if rtype in _SAMPLED:
            event_ns = recv_ns
        elif no_event.any():
            event_ns = np.where(no_event, recv_ns, event_ns)
            marks = with_mark(marks, no_event, Mark.UNDEFINED_TS)
        marks = with_mark(marks, no_recv, Mark.UNDEFINED_TS)
    if "flags" in records:
        flags = records["flags"]
        for bit, mark in _FLAG_MARKS.items() if (flags & _FLAGS_MARKED).any() else ():
            marks = with_mark(marks, (flags & bit) != 0, mark)
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": event_ns,
        "ts_recv_ns": recv_ns,
        "instrument_id": instrument_ids,
    }
    return _Header(records, places, columns, marks)


def _price(column: Numbers) -> Numbers:
    undefined = column == UNDEF_PRICE
    return np.where(undefined, ABSENT, column) if undefined.any() else column


def _size(column: Numbers, prices: Numbers | None = None) -> Numbers:
    """Sizes in steps; absent where undefined, and where there is no price to trade it at."""
    sizes = column.astype(np.int64)
    undefined = sizes == UNDEF_SIZE
    if prices is not None:
        undefined |= prices == ABSENT
    return np.where(undefined, ABSENT, sizes) if undefined.any() else sizes


def _same(column: Numbers) -> Numbers | int:
    """The column as int16, or as one number when it never varies."""
    first = column[0]
    return int(first) if bool((column == first).all()) else column.astype(np.int16)


def _quotes(header: _Header) -> Block:
    records = header.records
    bid, ask = _price(records["bid_px_00"]), _price(records["ask_px_00"])
    names = records.names
    if "bid_pb_00" in names:
        bid_venue, ask_venue = _same(records["bid_pb_00"]), _same(records["ask_pb_00"])
    else:
        bid_venue = ask_venue = _same(records["publisher_id"])
    columns = header.columns | {
        "seq": header.places + 1,
        "bid_nano": bid,
        "ask_nano": ask,
        "bid_size_steps": _size(records["bid_sz_00"], bid),
        "ask_size_steps": _size(records["ask_sz_00"], ask),
        "bid_venue": bid_venue,
        "ask_venue": ask_venue,
        "marks": _both(header.marks, quote_marks(bid, ask)),
    }
    if "sequence" in names:
        columns["vendor_seq"] = records["sequence"].astype(np.int64)
    return block_of_columns(Kind.QUOTE, len(records), columns)


def _both(marks: Numbers, more: Numbers) -> Numbers:
    if not more.any():
        return marks
    return marks | more


def _prints(header: _Header, is_trade: Numbers | None = None) -> Block:
    records, places, marks, columns = header.records, header.places, header.marks, header.columns
    if is_trade is not None:
        rows = np.flatnonzero(is_trade)
        records, places, marks = records.taken(rows), places[rows], marks[rows]
        columns = {name: column[rows] if isinstance(column, np.ndarray) else column for name, column in columns.items()}
    price = _price(records["price"])
    columns = columns | {
        "seq": places + 2,
        "price_nano": price,
        "size_steps": _size(records["size"]),
        "aggressor": _AGGRESSOR[records.letters("side")],
        "venue": records["publisher_id"].astype(np.int16),
        "marks": with_mark(marks, price == ABSENT, Mark.NO_LAST | Mark.NO_HIGH_LOW),
    }
    if "sequence" in records:
        columns["vendor_seq"] = records["sequence"].astype(np.int64)
    return block_of_columns(Kind.PRINT, len(records), columns)


_AGGRESSOR: Final = np.zeros(256, np.int8)
for _letter, _side in _SIDES.items():
    _AGGRESSOR[_letter[0]] = _side


def _quotes_and_prints(header: _Header) -> Blocks:
    is_trade = header.records.letters("action") == ord("T")
    if not is_trade.any():
        return [_quotes(header)]
    return [_quotes(header), _prints(header, is_trade)]


def _sampled_quotes(header: _Header) -> Blocks:
    return [_quotes(header)]


def _trades(header: _Header) -> Blocks:
    return [_prints(header)]


def _bars(header: _Header) -> Blocks:
    records = header.records
    length_ns = BAR_NS[int(records["rtype"][0])]
    event_ns = header.columns["ts_event_ns"]
    columns = header.columns | {
        "seq": header.places + 1,
        "bar_length": length_ns,
        "ts_close_ns": event_ns + length_ns,
        "volume_steps": records["volume"].astype(np.int64),
        "basis": int(BarBasis.VENDOR),
    }
    prices = {f"{name}_nano": _price(records[name]) for name in ("open", "high", "low", "close")}
    columns |= prices | {"marks": header.marks | bar_marks(**prices)}
    return [block_of_columns(Kind.BAR, len(records), columns)]


def _statuses(header: _Header) -> Blocks:
    columns = header.columns | {"seq": header.places + 1, "marks": header.marks} | status_columns(header.records)
    return [block_of_columns(Kind.STATUS, len(header.records), columns)]


_SAMPLED: Final = frozenset((192, 193, 195, 196))
_BLOCKS_BY_RTYPE: Final[dict[int, Callable[[_Header], Blocks]]] = {
    0: _trades,
    1: _quotes_and_prints,
    18: _statuses,
    **dict.fromkeys(BAR_NS, _bars),
    177: _quotes_and_prints,
    194: _quotes_and_prints,
    **dict.fromkeys(_SAMPLED, _sampled_quotes),
}
