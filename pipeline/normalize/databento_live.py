"""Databento's live sessions as events: the records of `normalize.databento`, as a gateway sends them.

    mbp-1, tbbo, bbo-1s/1m, and their consolidated kin   a quote
    trades                                               a print
    ohlcv-1s/1m/1h/1d                                    a vendor's bar
    status                                               a status
    definition                                           an instrument, when it says more than the one before it
    symbol mapping                                       an instrument, when the symbol is new
    system                                               SLOW, UNSUBSCRIBED; the end of a replay BACKFILLED
    error                                                REJECTED; 7, records left out for a slow reader, GAP_OPENED

What was acknowledged, and which symbols are unknown, is told by the connection, for every vendor in the same words.

A record makes rows of its own channel only: the trades that mbp-1 and tbbo contain come a second time by `trades`, which
is what prints are asked for by. So no print is there twice, and none is missing that was asked for. A trade's record in
mbp-1 repeats the quote in front of it, and is left out altogether; by tbbo, whose records are trades only, quotes are made
of them. Which of the two it is shows in the instrument's first record that is no trade.

`ts_recv_ns` is our clock's, as for every live feed; Databento's capture time is left out where a record has an event time,
and stands in for it where there is none (mark UNDEFINED_TS; a sampled quote is dated by the end of its interval), as in
`normalize.databento`. It decides too what is history: what was captured before the gateway's first mapping or acknowledgement
of the session, all by its own clock, was replayed, and is of origin BACKFILL. What of that was seen already is known by its
identity further on, and dropped there; that is why a `sequence` of 0, which names nothing, is no `vendor_seq`. A trade that is
sent again is known there too (`feeds.repeats`), and marked.

A number means what it was mapped to on this connection. A record whose number was never mapped is refused.
Heartbeats and ends of intervals are no events. What maps to no event is counted, and told as IGNORED.

In a session of 2023 that Databento published, mappings carry the gateway's time and come before the data. Not verified, as no
live gateway was asked: times and texts of its system records, which are younger; whether a bar is ever sent again.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import databento_dbn as dbn
import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind, Origin
from pipeline.errors import UnitError
from pipeline.instruments import Instrument
from pipeline.normalize import databento_words as words
from pipeline.normalize.databento import (
    PLACES_A_RECORD,
    REFUSED_BY_RTYPE,
    SCHEMA_BY_RTYPE,
    blocks_of,
)
from pipeline.normalize.databento_numbers import Mapped
from pipeline.normalize.databento_records import Group, dtype_of, groups
from pipeline.normalize.databento_symbols import instrument_of_definition, instrument_of_symbol, mapped_symbols
from pipeline.normalize.ignored import Ignored
from pipeline.normalize.rows import TEXT_LENGTH_MAX, ranked
from pipeline.normalize.text import shown
from pipeline.ports import Answer, Message
from pipeline.units import ABSENT, INT64_MAX

_DEFINITION: Final = 19
_QUOTE_RTYPES: Final = frozenset((1, 177, 192, 193, 194, 195, 196))
_WITH_TRADES: Final = frozenset((1, 177))
_SILENT: Final = frozenset((words.HEARTBEAT, words.END_OF_INTERVAL))
_TOLD: Final = {
    words.SLOW_READER: FeedAction.SLOW,
    words.REPLAY_COMPLETED: FeedAction.BACKFILLED,
    words.UNSUBSCRIBE_ACK: FeedAction.UNSUBSCRIBED,
}


class DatabentoRecords:
    """Databento's live normaliser: `ports.Normalizer`. The dataset is told by each session's header."""

    def __init__(self, dataset: str = "") -> None:
        self.trouble = ""
        self._dataset = dataset
        self._mapped = Mapped()
        self._known: dict[int, Instrument] = {}
        self._has_quotes = np.zeros(0, np.bool_)
        """By id, whether it had a record of quotes that is no trade."""
        self._live_from_ns = INT64_MAX
        self._ignored = Ignored()

    def connected(self) -> None:
        """A new session: numbers are mapped anew, instruments keep their ids."""
        self.trouble = ""
        self._mapped.forget()
        self._live_from_ns = INT64_MAX
        self._ignored.all_due()

    def read(self, messages: Sequence[Message]) -> Blocks:
        """The events of these messages, as `ports.Normalizer` says."""
        reading = _Reading()
        for is_market, run in groupby(messages, _is_market):
            if is_market:
                self._records(reading, list(run))
            else:
                for message in run:
                    reading.now_ns = message.ts_recv_ns
                    self._word(reading, message.payload)
        if messages:
            reading.now_ns = messages[-1].ts_recv_ns
            for row in self._ignored.due():
                reading.feed(**row)
        return reading.batch()

    def read_history(self, answers: Sequence[Answer]) -> Blocks:
        """There is none apart from what a session replays: every page is refused."""
        reading = _Reading()
        for answer in answers:
            reading.now_ns = answer.ts_recv_ns
            reading.refuse("Databento's history comes by its live session, not in pages", origin=Origin.BACKFILL)
        return reading.batch()

    def _word(self, reading: "_Reading", payload: bytes) -> None:
        """A line, the header, or a control record."""
        if words.is_line(payload):
            return
        try:
            if words.is_header(payload):
                self._dataset = words.metadata_of(payload).dataset
            elif len(payload) < words.RECORD_HEADER_BYTES:
                reading.refuse(f"{len(payload)} bytes are no record{shown(payload)}")
            elif payload[1] == words.MAPPING:
                self._map(reading, payload)
            else:
                self._control(reading, payload)
        except (dbn.DBNError, ValueError, OverflowError, UnitError) as error:
            reading.refuse(f"can't be read: {error}{shown(payload)}")

    def _map(self, reading: "_Reading", payload: bytes) -> None:
        """A number's symbol; a symbol never met before is an instrument. Raises UnitError, ValueError."""
        layout = dtype_of(words.MAPPING, len(payload), ts_out=False)
        if layout is None:
            raise ValueError(f"a symbol mapping of {len(payload)} bytes")
        records = np.frombuffer(payload, layout)
        self._spoken_at(int(records["ts_event"][0]))
        for number, symbol in mapped_symbols(records):
            instrument = instrument_of_symbol(symbol, self._dataset, number)
            self._meet(reading, instrument)
            self._mapped.learn(number, instrument.symbol)

    def _spoken_at(self, ts_ns: int) -> None:
        """The gateway's time: the first of a session divides what it sends again from what is new."""
        self._live_from_ns = min(self._live_from_ns, ts_ns)

    def _meet(self, reading: "_Reading", instrument: Instrument) -> None:
        id_ = self._mapped.id_of(instrument.symbol)
        if id_ not in self._known:
            self._known[id_] = instrument
            reading.instrument(id_, instrument)

    def _control(self, reading: "_Reading", payload: bytes) -> None:
        """What the gateway says of the session. Raises ValueError."""
        rtype, code, ts_ns, text = words.control_of(payload)
        said = f"the gateway says: {text}"
        if rtype == words.ERROR and code == words.UNRESOLVED:
            return
        if rtype == words.ERROR:
            is_gap = code == words.SKIPPED
            if is_gap:
                self.trouble = "records were left out, as we read too slowly"
            reading.feed(action=FeedAction.GAP_OPENED if is_gap else FeedAction.REJECTED, code=code, text=said)
        elif code in _TOLD:
            reading.feed(action=_TOLD[code], code=code, text=said)
        elif code == words.SUBSCRIPTION_ACK:
            self._spoken_at(ts_ns)
        elif code not in _SILENT:
            self._ignored.note(f"system record {code}")

    def _records(self, reading: "_Reading", messages: Sequence[Message]) -> None:
        """Messages of whole records, all at once; one by one when one of them is damaged."""
        found, count, problem = groups(b"".join(message.payload for message in messages))
        if problem and len(messages) > 1:
            for message in messages:
                self._records(reading, [message])
            return
        recv_ns = _times(messages, found, count)
        for group in found:
            times = recv_ns[group.places]
            for block in self._blocks(group):
                reading.add(_placed(block, group.places, times))
        reading.passed(count)
        if problem:
            reading.now_ns = messages[-1].ts_recv_ns
            reading.refuse(f"{problem}{shown(messages[-1].payload)}")

    def _blocks(self, group: Group) -> Iterator[Block]:
        """The rows of records of one type, `seq` their place in the group."""
        if group.rtype == _DEFINITION:
            yield from self._definitions(group.records)
        elif group.rtype in SCHEMA_BY_RTYPE:
            yield from self._market(group)
        else:
            what = REFUSED_BY_RTYPE.get(group.rtype, f"record type {group.rtype}")
            self._ignored.note(what, len(group.records))

    def _market(self, group: Group) -> Iterator[Block]:
        ids = self._mapped.ids(group.records["instrument_id"])
        if len(self._has_quotes) <= self._mapped.id_max:
            self._has_quotes = np.append(self._has_quotes, np.zeros(self._mapped.id_max + 64, np.bool_))
        is_known = ids > 0
        places = np.arange(len(ids))
        records = group.records
        if not is_known.all():
            yield _unmapped(records[~is_known]["instrument_id"], places[~is_known])
            records, ids, places = records[is_known], ids[is_known], places[is_known]
        if not len(records):
            return
        if group.rtype in _WITH_TRADES:
            is_told = self._quotes_told(ids, records["action"] == b"T")
            if not is_told.all():
                records, ids, places = records[is_told], ids[is_told], places[is_told]
        for block in blocks_of(records, ids) if len(records) else ():
            if block.kind is Kind.PRINT and group.rtype in _QUOTE_RTYPES:
                continue
            yield self._dated(_moved(block, places))

    def _quotes_told(self, ids: Numbers, is_trade: Numbers) -> Numbers:
        """(n,) bool: records whose quote is not known already."""
        if not is_trade.any():
            if not self._has_quotes[ids].all():
                self._has_quotes[ids] = True
            return ~is_trade
        first = np.full(len(self._has_quotes), len(ids))
        np.minimum.at(first, ids[~is_trade], np.flatnonzero(~is_trade))
        is_repeat = is_trade & (self._has_quotes[ids] | (np.arange(len(ids)) > first[ids]))
        self._has_quotes[ids[~is_trade]] = True
        return ~is_repeat

    def _dated(self, block: Block) -> Block:
        """The block with the origin of each row, by when Databento captured it; a `sequence` of 0 is none."""
        if block.kind is Kind.FEED:
            return block.with_columns(position=np.full(len(block), ABSENT))
        if "vendor_seq" in block.columns and not block.number("vendor_seq").all():
            numbers = block.number("vendor_seq")
            block = block.with_columns(vendor_seq=np.where(numbers == 0, ABSENT, numbers))
        is_past = block.number("ts_recv_ns") < self._live_from_ns
        if not is_past.any():
            return block
        return block.with_columns(origin=np.where(is_past, Origin.BACKFILL, Origin.INPUT).astype(np.int8))

    def _definitions(self, records: Numbers) -> Iterator[Block]:
        rows: list[dict[str, Any]] = []
        for place, record in enumerate(records):
            try:
                instrument = instrument_of_definition(record, self._dataset)
            except (UnitError, OverflowError, ValueError) as error:
                yield _refused([place], [f"a definition: {error}"])
                continue
            id_ = self._mapped.id_of(instrument.symbol)
            if self._known.get(id_) != instrument:
                self._known[id_] = instrument
                rows.append({"seq": place * PLACES_A_RECORD, "instrument_id": id_, **instrument.row()})
        if rows:
            yield Block.from_rows(Kind.INSTRUMENT, rows)


class _Reading:
    """The rows of one call, each at its place."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._place = 0
        self._blocks: list[Block] = []

    def batch(self) -> Blocks:
        return ranked(self._blocks)

    def add(self, block: Block) -> None:
        """Rows whose `seq` counts from what was passed so far."""
        self._blocks.append(block.with_columns(seq=block.number("seq") + self._place))

    def passed(self, count: int) -> None:
        """So many records are behind us."""
        self._place += count * PLACES_A_RECORD

    def instrument(self, id_: int, instrument: Instrument) -> None:
        self._row(Kind.INSTRUMENT, instrument_id=id_, **instrument.row())

    def refuse(self, text: str, **values: Any) -> None:
        self.feed(action=FeedAction.REJECTED, text=text, **values)

    def feed(self, *, text: str, **values: Any) -> None:
        self._row(Kind.FEED, text=text[:TEXT_LENGTH_MAX], **values)

    def _row(self, kind: Kind, **values: Any) -> None:
        times = {"ts_event_ns": self.now_ns, "ts_recv_ns": self.now_ns}
        self._blocks.append(Block.from_rows(kind, [{"seq": self._place, **times, **values}]))
        self.passed(1)


def _is_market(message: Message) -> bool:
    payload = message.payload
    is_word = len(payload) < words.RECORD_HEADER_BYTES or words.is_line(payload) or words.is_header(payload)
    return not is_word and payload[1] not in words.CONTROL


def _times(messages: Sequence[Message], found: Sequence[Group], count: int) -> Numbers:
    """(count,) int64: when each record came."""
    recv_ns = np.empty(count, np.int64)
    if len(messages) == 1:
        recv_ns[:] = messages[0].ts_recv_ns
        return recv_ns
    sizes = np.empty(count, np.int64)
    for group in found:
        sizes[group.places] = group.records.itemsize
    ends = np.cumsum([len(message.payload) for message in messages])
    of_message = np.searchsorted(ends, np.cumsum(sizes) - sizes, "right")
    return np.array([message.ts_recv_ns for message in messages], np.int64)[of_message]


def _placed(block: Block, places: Numbers, times: Numbers) -> Block:
    """Rows of a group, `seq` counted over all records, received when we received them."""
    recv_ns = times[block.number("seq") // PLACES_A_RECORD]
    block = _moved(block, places).with_columns(ts_recv_ns=recv_ns)
    return block if block.kind in _DATED else block.with_columns(ts_event_ns=recv_ns)


def _moved(block: Block, places: Numbers) -> Block:
    """Rows of records whose places are these."""
    seq = block.number("seq")
    return block.with_columns(seq=places[seq // PLACES_A_RECORD] * PLACES_A_RECORD + seq % PLACES_A_RECORD)


_DATED: Final = frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS))


def _unmapped(numbers: Numbers, places: Numbers) -> Block:
    return _refused(places.tolist(), [f"instrument {number} was never mapped to a symbol" for number in numbers])


def _refused(places: Sequence[int], reasons: Sequence[str]) -> Block:
    seq = np.array(places) * PLACES_A_RECORD
    action = FeedAction.REJECTED
    text = [reason[:TEXT_LENGTH_MAX] for reason in reasons]
    return Block.of(Kind.FEED, len(seq), seq=seq, ts_event_ns=0, ts_recv_ns=0, action=action, text=text)
