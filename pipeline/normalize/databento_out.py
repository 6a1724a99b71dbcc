"""Our events as Databento's records: the normaliser backwards, for the simulator.

A quote becomes an mbp-1 record. A print becomes the mbp-1 record of a trade, with the quote that stood before it: its first
48 bytes are the `trades` record but for length and type, so that every schema of it can be cut from the one (`trade_of`).
Only what Databento sends is sent: no cancelled or corrected prints, no price bands, bars of its four lengths in their
first form, sizes of instruments that are counted in whole units and fit 32 bits. Numbers of instruments are the tape's own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import databento_dbn as dbn
import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import AssetClass, BarBasis, BarUnit, Kind, Mark, Side, StatusReason, TradingStatus
from pipeline.instruments import WHOLE_STEP_NANO
from pipeline.normalize.databento import BAR_NS, UNDEF_PRICE, UNDEF_SIZE, UNDEF_TIMESTAMP
from pipeline.normalize.databento_status import REASON_BY_CODE, STATUS_BY_ACTION
from pipeline.ports import Channel, Served, Topic
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, MINUTE_NS, NANO, SECOND_NS

CARRIED: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUOTE: (
        "ts_event_ns",
        "bid_nano",
        "ask_nano",
        "bid_size_steps",
        "ask_size_steps",
        "bid_venue",
        "vendor_seq",
    ),
    Kind.PRINT: ("ts_event_ns", "price_nano", "size_steps", "aggressor", "venue", "vendor_seq"),
    Kind.BAR: (
        "ts_event_ns",
        "bar_unit",
        "bar_length",
        "ts_close_ns",
        "open_nano",
        "high_nano",
        "low_nano",
        "close_nano",
        "volume_steps",
        "basis",
    ),
    Kind.STATUS: ("ts_event_ns", "status", "reason", "is_short_restricted", "is_quoting"),
}
"""What of a served row comes out of the normaliser as it went in."""

MBP_RTYPE, TRADE_RTYPE = 1, 0
TRADE_BYTES: Final = 48
_ACTION, _RECV = 28, 32
"""Where they stand in an mbp-1 record."""

_CHANNEL_BY_LENGTH: Final = {
    SECOND_NS: Channel.BARS_1S,
    MINUTE_NS: Channel.BARS_1M,
    DAY_NS: Channel.BARS_1D,
}
_RTYPE_BY_LENGTH: Final = {length_ns: rtype for rtype, length_ns in BAR_NS.items() if length_ns != HOUR_NS}
_UNSENT: Final = int(Mark.CANCEL | Mark.CORRECTION)
_LAST, _SNAPSHOT, _BAD_TIME = 128, 32, 8
_SIDE_BYTES: Final = {Side.NONE: b"N", Side.BUY: b"B", Side.SELL: b"A"}
_SEQUENCE_BITS: Final = 2**32 - 1
_ACTION_BY_STATUS: Final = {
    TradingStatus.PRE_OPEN: 1,
    TradingStatus.QUOTING: 3,
    TradingStatus.TRADING: 7,
    TradingStatus.HALTED: 8,
    TradingStatus.PAUSED: 9,
    TradingStatus.SUSPENDED: 10,
    TradingStatus.CLOSED: 12,
    TradingStatus.POST_CLOSE: 13,
}
_CODE_BY_REASON: Final = {reason: code for code, reason in reversed(REASON_BY_CODE.items())}
_OTHER_REASON: Final = 2**16 - 1
"""A code that Databento does not use: it comes out as OTHER, which is what it was."""

_LETTERS: Final = {1: b"Y", 0: b"N", -1: b"~"}
_CLASS_BY_ASSET: Final = {
    AssetClass.EQUITY: b"K",
    AssetClass.FUTURE: b"F",
    AssetClass.OPTION: b"C",
    AssetClass.INDEX: b"I",
    AssetClass.FX: b"X",
}


MBP: Final = np.dtype(dbn.MBP1Msg._dtypes)  # noqa: SLF001 - the package's own published array layout has no other name
BBO: Final = np.dtype(dbn.BBOMsg._dtypes)  # noqa: SLF001 - same
_BAR: Final = np.dtype(dbn.OHLCVMsg._dtypes)  # noqa: SLF001 - same
_STATUS: Final = np.dtype(dbn.StatusMsg._dtypes)  # noqa: SLF001 - same
_DEFINITION: Final = np.dtype(dbn.InstrumentDefMsg._dtypes)  # noqa: SLF001 - same


class DatabentoEncoder:
    """`ports.Encoder` for the gateway. It keeps the last quote of each instrument, which trades are sent with."""

    def __init__(self) -> None:
        self.now_ns = 0
        """When the last row encoded was received: where the gateway's clock stands."""
        self.instruments: dict[int, dict[str, Any]] = {}
        """What each instrument is, by its number."""
        self._levels: dict[int, bytes] = {}

    @property
    def symbols(self) -> dict[int, str]:
        """By number."""
        return {number: row["symbol"] for number, row in self.instruments.items()}

    def anew(self) -> "DatabentoEncoder":
        """One that knows the same instruments, for rows that were served before."""
        other = DatabentoEncoder()
        other.instruments = self.instruments
        return other

    def served(self, batch: Blocks, symbols: Mapping[int, str]) -> Iterator[Served]:
        """The events of a batch that Databento would send, in order."""
        found: list[Served] = []
        for block in sorted(batch, key=lambda each: each.kind is not Kind.QUOTE):
            if block.kind is Kind.INSTRUMENT:
                self.instruments |= {row["instrument_id"]: row for row in block.rows()}
            elif block.kind in _MAKERS and len(block):
                self.now_ns = max(self.now_ns, int(block.number("ts_recv_ns").max()))
                found += self._of_block(block, symbols)
        found.sort(key=lambda each: each.seq)
        yield from self._with_levels(found)

    def _of_block(self, block: Block, symbols: Mapping[int, str]) -> Iterator[Served]:
        records, is_sent, channels = _MAKERS[block.kind](block)
        size, raw = records.itemsize, records.tobytes()
        ids, seqs = block.number("instrument_id").tolist(), block.number("seq").tolist()
        for place in np.flatnonzero(is_sent).tolist():
            symbol = symbols.get(ids[place])
            if symbol is not None and self._is_counted(ids[place]):
                channel = channels if isinstance(channels, Channel) else channels[place]
                yield Served(Topic(channel, symbol), seqs[place], raw[place * size : (place + 1) * size])

    def _is_counted(self, number: int) -> bool:
        """Whether its sizes are whole units."""
        known = self.instruments.get(number)
        return known is None or known["size_step_nano"] == WHOLE_STEP_NANO

    def _with_levels(self, found: list[Served]) -> Iterator[Served]:
        """The same with the quote before it in every trade."""
        for served in found:
            payload = served.payload
            if payload[1] != MBP_RTYPE:
                yield served
                continue
            number = int.from_bytes(payload[4:8], "little")
            if served.topic.channel is Channel.QUOTES:
                self._levels[number] = payload[TRADE_BYTES:]
                yield served
            else:
                level = self._levels.get(number, _NO_LEVEL)
                yield served._replace(payload=payload[:TRADE_BYTES] + level)

    def frame(self, payloads: Sequence[bytes]) -> bytes:
        """Records have no frames."""
        return b"".join(payloads)


def is_trade(payload: bytes) -> bool:
    """Whether an mbp-1 record is a trade's."""
    return payload[_ACTION : _ACTION + 1] == b"T"


def received_ns(payload: bytes) -> int:
    """When an mbp-1 record was captured."""
    return int.from_bytes(payload[_RECV : _RECV + 8], "little")


def trade_of(payload: bytes) -> bytes:
    """The `trades` record of a trade's mbp-1 record."""
    return bytes((TRADE_BYTES // 4, TRADE_RTYPE)) + payload[2:TRADE_BYTES]


def bbo_of(payload: bytes, rtype: int, end_ns: int) -> bytes:
    """The sampled record of a quote: dated by the end of its interval, without a last sale."""
    level = np.frombuffer(payload, MBP)[0]
    record = _started(1, BBO, rtype, level["publisher_id"], level["instrument_id"])
    record["ts_event"], record["ts_recv"] = UNDEF_TIMESTAMP, end_ns
    record["price"], record["side"], record["flags"] = UNDEF_PRICE, b"N", _LAST
    for name in ("sequence", "bid_px_00", "ask_px_00", "bid_sz_00", "ask_sz_00", "bid_ct_00", "ask_ct_00"):
        record[name] = level[name]
    return record.tobytes()


def definition_of(row: Mapping[str, Any], ts_ns: int) -> bytes:
    """The definition of an instrument; what a row of ours does not say is undefined."""
    record = _started(1, _DEFINITION, 19, 0, row["instrument_id"])
    for name in _DEFINITION.names or ():
        kind = _DEFINITION[name]
        if kind == np.int64:
            record[name] = UNDEF_PRICE
        elif kind == np.int32:
            record[name] = 2**31 - 1
    record["ts_event"] = record["ts_recv"] = ts_ns
    record["expiration"] = UNDEF_TIMESTAMP if row["expires_ns"] == ABSENT else row["expires_ns"]
    record["activation"] = UNDEF_TIMESTAMP
    record["min_price_increment"] = UNDEF_PRICE if row["tick_nano"] == ABSENT else row["tick_nano"]
    record["display_factor"] = NANO
    if row["multiplier_nano"] != NANO:
        record["unit_of_measure_qty"] = row["multiplier_nano"]
    if row["lot_steps"] != ABSENT:
        record["min_lot_size_round_lot"] = row["lot_steps"]
    record["currency"], record["raw_symbol"] = row["currency"].encode()[:3], row["symbol"].encode()
    record["instrument_class"] = _CLASS_BY_ASSET.get(row["asset_class"], b"K")
    record["security_update_action"] = b"A"
    return record.tobytes()


def _started(count: int, layout: np.dtype[Any], rtype: int, publishers: Any, numbers: Any) -> Numbers:
    records = np.zeros(count, layout)
    records["length"], records["rtype"] = layout.itemsize // 4, rtype
    records["publisher_id"], records["instrument_id"] = publishers, numbers
    return records


_Made = tuple[Numbers, Numbers, Channel | list[Channel]]
"""Records of all rows of a block, which of them are sent, and where."""


def _quotes(block: Block) -> _Made:
    records = _level_records(block, "bid_venue")
    records["action"], records["side"], records["price"] = b"M", b"N", UNDEF_PRICE
    is_sent = np.ones(len(block), np.bool_)
    for side in ("bid", "ask"):
        prices, sizes = block.number(f"{side}_nano"), block.number(f"{side}_size_steps")
        is_there = prices != ABSENT
        records[f"{side}_px_00"] = np.where(is_there, prices, UNDEF_PRICE)
        is_sized = is_there & (sizes != ABSENT)
        is_sent &= ~is_sized | ((sizes >= 0) & (sizes < UNDEF_SIZE))
        records[f"{side}_sz_00"] = np.where(is_sized, sizes, UNDEF_SIZE * is_there).astype(np.uint32)
    return records, is_sent, Channel.QUOTES


def _prints(block: Block) -> _Made:
    records = _level_records(block, "venue")
    prices, sizes = block.number("price_nano"), block.number("size_steps")
    records["action"] = b"T"
    records["side"] = np.array([_SIDE_BYTES.get(Side(code), b"N") for code in block.number("aggressor").tolist()])
    records["price"] = np.where(prices == ABSENT, UNDEF_PRICE, prices)
    records["size"] = np.where(sizes == ABSENT, UNDEF_SIZE, sizes).astype(np.uint32)
    is_taken_back = (block.number("marks") & _UNSENT) != 0
    is_sent = ~is_taken_back & ((sizes == ABSENT) | ((sizes >= 0) & (sizes < UNDEF_SIZE)))
    return records, is_sent, Channel.PRINTS


def _level_records(block: Block, venue: str) -> Numbers:
    """mbp-1 records of the rows, without prices; `sequence` is the vendor's number, its last 32 bits."""
    records = _started(len(block), MBP, MBP_RTYPE, block.number(venue).astype(np.uint16), block.number("instrument_id"))
    records["ts_event"], records["ts_recv"] = block.number("ts_event_ns"), block.number("ts_recv_ns")
    marks, numbers = block.number("marks"), block.number("vendor_seq")
    flags = np.full(len(block), _LAST)
    flags |= np.where(marks & Mark.SNAPSHOT, _SNAPSHOT, 0) | np.where(marks & Mark.UNTRUSTED, _BAD_TIME, 0)
    records["flags"] = flags
    records["sequence"] = np.where(numbers == ABSENT, 0, numbers & _SEQUENCE_BITS)
    return records


def _bars(block: Block) -> _Made:
    lengths = block.number("bar_length")
    rtypes = [_RTYPE_BY_LENGTH.get(length, 0) for length in lengths.tolist()]
    records = _started(len(block), _BAR, 0, 0, block.number("instrument_id"))
    records["rtype"], records["ts_event"] = rtypes, block.number("ts_event_ns")
    volumes = block.number("volume_steps")
    records["volume"] = np.maximum(volumes, 0)
    is_sent = (block.number("bar_unit") == BarUnit.TIME) & (block.number("basis") == BarBasis.VENDOR) & (volumes >= 0)
    is_sent &= (np.array(rtypes) > 0) & (block.number("revision") == 0)
    for name in ("open", "high", "low", "close"):
        prices = block.number(f"{name}_nano")
        records[name] = np.where(prices == ABSENT, UNDEF_PRICE, prices)
    channels = [_CHANNEL_BY_LENGTH.get(length, Channel.BARS_1M) for length in lengths.tolist()]
    return records, is_sent, channels


def _statuses(block: Block) -> _Made:
    records = _started(len(block), _STATUS, 18, 0, block.number("instrument_id"))
    records["ts_event"], records["ts_recv"] = block.number("ts_event_ns"), block.number("ts_recv_ns")
    rows = list(block.rows())
    actions = [_action(row) for row in rows]
    records["action"] = [action or 0 for action in actions]
    records["reason"] = [_reason(row) for row in rows]
    records["is_trading"] = [b"Y" if row["status"] == TradingStatus.TRADING else b"N" for row in rows]
    for name, column in (("is_quoting", "is_quoting"), ("is_short_sell_restricted", "is_short_restricted")):
        records[name] = [_LETTERS.get(row[column], b"~") for row in rows]
    return records, np.array([action is not None for action in actions]), Channel.STATUSES


def _action(row: Mapping[str, Any]) -> int | None:
    """Databento's action: its own where the row has it; None where there is none, as for price bands."""
    own = row["vendor_action"]
    if STATUS_BY_ACTION.get(own) == row["status"]:
        return int(own)
    return _ACTION_BY_STATUS.get(row["status"])


def _reason(row: Mapping[str, Any]) -> int:
    own = row["vendor_reason"]
    if REASON_BY_CODE.get(own) == row["reason"]:
        return int(own)
    return _CODE_BY_REASON.get(StatusReason(row["reason"]), _OTHER_REASON)


_NO_LEVEL: Final = (
    np.array([UNDEF_PRICE, UNDEF_PRICE], np.int64).tobytes() + np.array([0, 0, 0, 0], np.uint32).tobytes()
)
_MAKERS: Final[dict[Kind, Callable[[Block], _Made]]] = {
    Kind.QUOTE: _quotes,
    Kind.PRINT: _prints,
    Kind.BAR: _bars,
    Kind.STATUS: _statuses,
}
