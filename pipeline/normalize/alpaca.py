"""Alpaca's market data stream v2 for American shares as events, and the pages of its REST.

    t trade             a print; what it may move is in its sale conditions, letters of its tape
    c correction        a print marked CORRECTION: the new trade, `corrects_trade_id` the one it replaces
    x cancel, error     a print marked CANCEL: `corrects_trade_id` is taken back
    q quote             a quote; a price of 0 is nobody
    b, u minute bar     a bar of the vendor's; u is the same minute again, because of late trades: a revision
    d daily bar         a bar of a day, sent again each minute: revisions
    s status            a status; `vendor_action` and `vendor_reason` are its codes, their letters as one number
    l price bands       a status LIMITS with both bands; `vendor_action` is its indicator
    error               REJECTED with the server's code and words; what is acknowledged the connection tells
    i imbalance, n news, o order book, anything else: counted, told as IGNORED; so is a field that nobody here knows
                        (`unknown field t.xyz`), in the messages that are looked at for it, some of all

Sizes are whole shares, in steps of one; a fractional size is refused, never rounded. Until Friday 2025-10-31 sizes of quotes
counted round lots and are multiplied here, by 100 where `lot_shares` does not say otherwise for a symbol (a few dear shares had
smaller lots); since Monday 2025-11-03 they are shares. Which applies goes by the quote's own day in New York. That Alpaca's history
was not restated is the word of the vendor's type documentation, not verified.

Prices come as floats and are the nanos whose nearest float they are; any other is refused, and so are those from 8,388,608 on.
There is no sequence number: a trade is (symbol, exchange, id, time), and what was missed can't be seen. Exchanges are
letters, `venue` their ASCII code.

REST says of a trade whether it was `canceled` or is the `incorrect` one of a correction: a print CANCEL that names itself.
The `corrected` one is a plain print, for which trade it replaces is not said.

Snapshots (REST, by names) become rows of kind `snapshot`, of symbols that changed: last trade, last quote, the bar of the day where it is
today's, the close before. Whether that bar holds premarket is not said.

Nothing here was seen at a live feed: messages are those of the documentation, of alpaca-py's tests and of its client.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import Raw

from pipeline.block import Block, Blocks, Numbers, chained
from pipeline.codes import AssetClass, FeedAction, Kind, Origin
from pipeline.errors import UnitError
from pipeline.instruments import WHOLE_STEP_NANO, Instrument, checked_symbol
from pipeline.normalize.alpaca_columns import ns_of_stamps, ns_of_texts
from pipeline.normalize.alpaca_pages import events_of_page
from pipeline.normalize.alpaca_rows import READING, Found, Memory
from pipeline.normalize.alpaca_snapshots import Snapshot, columns_of, snapshots_of
from pipeline.normalize.alpaca_words import READERS, UNREADABLE, WORDS, Encoding, Refusal, Unread, strange_fields
from pipeline.normalize.ignored import Ignored
from pipeline.normalize.rows import TEXT_LENGTH_MAX, block_of_columns, ranked
from pipeline.normalize.text import shown
from pipeline.ports import Answer, Message

PLACES: Final = 16
"""`seq` of what event k becomes: 16k + 1 its instrument, from 16k + 2 on what the server says, 16k + 15 its row."""

_GROUPS: Final = {type_: group for group, (types, _) in enumerate(READING) for type_ in types}
_SAID: Final = len(READING)
"""The group of what is no market event."""


class _Batch(NamedTuple):
    """Events in order, whatever they are, and when each came; `last_ns` is when the last message came."""

    events: list[Any]
    ts_recv_ns: Numbers
    last_ns: int
    times: Callable[[Sequence[Any]], Numbers]
    origin: Origin

    def header(self, place: int, offset: int) -> dict[str, Any]:
        """When and where a row stands that is made of an event."""
        ts_ns = int(self.ts_recv_ns[place]) if place < len(self.events) else self.last_ns
        return {
            "seq": PLACES * place + offset,
            "ts_event_ns": ts_ns,
            "ts_recv_ns": ts_ns,
            "origin": self.origin,
        }


class AlpacaMessages:
    """A normaliser of Alpaca's live messages in one encoding, and of pages of its history.

    `feed` is Alpaca's word for the feed, which makes the venue: ALPACA.SIP. `lot_shares` are round lots other than 100,
    by symbol, for quotes of before 2025-11-03.
    """

    def __init__(
        self, feed: str = "sip", encoding: Encoding = Encoding.JSON, lot_shares: Mapping[str, int] | None = None
    ) -> None:
        self.trouble = ""
        """Always: without sequence numbers nothing breaks."""
        self._venue = f"ALPACA.{feed.upper()}"
        self._reader = READERS[encoding]
        self._times = ns_of_texts if encoding is Encoding.JSON else ns_of_stamps
        self._ids: dict[str, int] = {}
        self._by_symbol: dict[str, int] = {}
        self._ignored = Ignored()
        self._strange = strange_fields(encoding)
        self._memory = Memory(self._ignored, lot_shares or {})
        self._snapshots: dict[str, Snapshot] = {}

    def connected(self) -> None:
        """What follows comes from a new connection: what was ignored on the last one is told."""
        self._ignored.all_due()
        self._strange.connected()

    def expect(self, symbols: Sequence[str], ts_recv_ns: int) -> Blocks:
        """Definitions of new symbols, as `ports.Expecting` says."""
        rows = [row for spelling in symbols if (row := self._definition(spelling))]
        header = {"ts_recv_ns": ts_recv_ns, "ts_event_ns": ts_recv_ns}
        rows = [{"seq": rank, **header, **row} for rank, row in enumerate(rows, 1)]
        return [Block.from_rows(Kind.INSTRUMENT, rows)] if rows else []

    def read(self, messages: Sequence[Message]) -> Blocks:
        """The events of these messages in their order, `seq` from 1; [] when they tell nothing."""
        if not messages:
            return []
        events: list[Any] = []
        counts: list[int] = []
        for message in messages:
            try:
                events += self._reader.message(message.payload)
            except UNREADABLE as error:
                events += self._one_by_one(message.payload, error)
            counts.append(len(events))
        for what, count in self._strange.met(messages).items():
            self._ignored.note(what, count)
        received = _repeated([message.ts_recv_ns for message in messages], counts)
        return self._blocks(_Batch(events, received, messages[-1].ts_recv_ns, self._times, Origin.INPUT))

    def read_history(self, answers: Sequence[Answer]) -> Blocks:
        """The events of fetched pages, in the order given, of origin BACKFILL; as `read` otherwise."""
        if not answers:
            return []
        events: list[Any] = []
        counts: list[int] = []
        for answer in answers:
            events += events_of_page(answer)
            counts.append(len(events))
        received = _repeated([answer.ts_recv_ns for answer in answers], counts)
        return self._blocks(_Batch(events, received, answers[-1].ts_recv_ns, ns_of_texts, Origin.BACKFILL))

    def read_snapshots(self, answers: Sequence[Answer]) -> Blocks:
        """The symbols of snapshots that changed since the one before, as `ports.Polled` says."""
        made = [batch for answer in answers if (batch := self._snapshot(answer))]
        return chained(made) if made else []

    def _snapshot(self, answer: Answer) -> Blocks:
        header = {"ts_event_ns": answer.ts_recv_ns, "ts_recv_ns": answer.ts_recv_ns}
        rows: dict[Kind, list[dict[str, Any]]] = {Kind.INSTRUMENT: [], Kind.FEED: []}
        told: list[tuple[int, Snapshot]] = []
        for spelling, said in snapshots_of(answer.payload):
            if isinstance(said, Unread):
                row = header | {"action": FeedAction.REJECTED, "text": said.text[:TEXT_LENGTH_MAX]}
                rows[Kind.FEED].append(row)
            elif self._snapshots.get(spelling) != said:
                self._snapshots[spelling] = said
                if spelling not in self._ids and (defined := self._definition(spelling)):
                    rows[Kind.INSTRUMENT].append(header | defined)
                told.append((self._ids.get(spelling, -1), said))
        blocks = []
        if told:
            columns, is_bad = columns_of([said for _, said in told], answer.ts_recv_ns)
            ids = np.array([id_ for id_, _ in told], np.int32)
            columns |= {"seq": np.arange(len(told)), "ts_recv_ns": answer.ts_recv_ns, "instrument_id": ids}
            blocks = [block_of_columns(Kind.SNAPSHOT, len(told), columns).take(~is_bad & (ids > 0))]
            if bad := int(np.count_nonzero(is_bad | (ids <= 0))):
                text = "snapshots that hold a price finer than 1e-9, a time or a symbol that is none"
                rows[Kind.FEED].append(header | {"action": FeedAction.REJECTED, "text": text, "count": bad})
        for kind, first in ((Kind.INSTRUMENT, -len(rows[Kind.INSTRUMENT])), (Kind.FEED, len(told))):
            if rows[kind]:
                numbered = [{"seq": seq, **row} for seq, row in enumerate(rows[kind], first)]
                blocks.append(Block.from_rows(kind, numbered))
        return ranked(blocks)

    def _one_by_one(self, payload: bytes, error: Exception) -> Iterator[Any]:
        """The events of a message of which at least one can't be read; Unread in the places of these."""
        try:
            parts = self._reader.parts(payload)
        except UNREADABLE:
            yield Unread(f"a message of {len(payload)} bytes can't be read: {error}{shown(payload)}")
            return
        for part in parts:
            try:
                yield self._reader.event(part)
            except UNREADABLE as refusal:
                yield from self._unread(part, refusal)

    def _unread(self, part: Raw, error: Exception) -> Iterator[Unread]:
        """Why an event can't be read; nothing for a type that maps to no event."""
        try:
            word = self._reader.head(part).T
        except UNREADABLE:
            yield Unread(f"an event can't be read: {error}{shown(bytes(part))}")
            return
        if word in WORDS:
            yield Unread(f"{word}: {error}{shown(bytes(part))}")
        else:
            self._ignored.note(f"messages of type {word[:20]!r}")

    def _blocks(self, batch: _Batch) -> Blocks:
        blocks: Blocks = []
        feed: list[dict[str, Any]] = []
        for group, found in self._found(batch, blocks):
            if group == _SAID:
                feed += _said(found, batch)
            else:
                made, refused = READING[group][1](found, self._memory)
                blocks.append(made)
                feed += refused
        feed += [batch.header(len(batch.events), k) | row for k, row in enumerate(self._ignored.due(), 1)]
        if feed:
            blocks.append(Block.from_rows(Kind.FEED, feed))
        return ranked(blocks)

    def _found(self, batch: _Batch, blocks: Blocks) -> Iterator[tuple[int, Found]]:
        """The events of each group, READING's or _SAID."""

        def ids_of(symbols: Sequence[str]) -> Numbers:
            return self._ids_of(symbols, batch, blocks)

        events, received, rest = batch.events, batch.ts_recv_ns, (batch.times, ids_of, batch.origin)
        places = np.arange(PLACES - 1, PLACES * (len(events) + 1) - 1, PLACES)
        types = list(map(type, events))
        present = {_GROUPS.get(type_, _SAID) for type_ in set(types)}
        if len(present) == 1:
            yield present.pop(), Found(events, places, received, *rest)
            return
        groups = np.array([_GROUPS.get(type_, _SAID) for type_ in types])
        for group in sorted(present):
            rows = groups == group
            yield group, Found(list(compress(events, rows.tolist())), places[rows], received[rows], *rest)

    def _ids_of(self, symbols: Sequence[str], batch: _Batch, blocks: Blocks) -> Numbers:
        """(n,) int32: instrument ids, -1 for what is no symbol; new ones are defined."""
        try:
            return np.fromiter(map(self._ids.get, symbols), np.int32, len(symbols))
        except TypeError:
            if rows := list(self._definitions(batch)):
                blocks.append(Block.from_rows(Kind.INSTRUMENT, rows))
            return np.array([self._ids.get(symbol, -1) for symbol in symbols], np.int32)

    def _definitions(self, batch: _Batch) -> Iterator[dict[str, Any]]:
        """Of all symbols that the batch meets for the first time, each in front of its first event."""
        for place, event in enumerate(batch.events):
            spelling = getattr(event, "S", None)
            if spelling is not None and spelling not in self._ids and (row := self._definition(spelling)):
                yield batch.header(place, 1) | row

    def _definition(self, spelling: str) -> dict[str, Any] | None:
        """What a new symbol is, from here on known by this spelling; None when it was known by another, or is none."""
        try:
            symbol = checked_symbol(spelling)
        except UnitError:
            return None  # its row is refused
        is_new = symbol not in self._by_symbol
        self._ids[spelling] = self._by_symbol.setdefault(symbol, len(self._by_symbol) + 1)
        if not is_new:
            return None
        instrument = Instrument(symbol, self._venue, WHOLE_STEP_NANO, AssetClass.EQUITY, "USD", calendar="XNYS")
        return {"instrument_id": self._by_symbol[symbol], **instrument.row()}


def _repeated(ts_recv_ns: list[int], counts: list[int]) -> Numbers:
    """(n,) int64: the receive time of each event, from those of the messages and how many events there were behind each."""
    ends = np.array(counts)
    ends[1:] -= ends[:-1].copy()
    repeated: Numbers = np.repeat(np.array(ts_recv_ns, np.int64), ends)
    return repeated


def _said(found: Found, batch: _Batch) -> Iterator[dict[str, Any]]:
    """Feed rows of what is no market event: what the server says, and what can't be read."""
    for seq, event in zip(found.seq.tolist(), found.events, strict=True):
        place = seq // PLACES
        if isinstance(event, Unread):
            yield batch.header(place, 15) | {"action": FeedAction.REJECTED, "text": event.text[:TEXT_LENGTH_MAX]}
        elif isinstance(event, Refusal):
            text = f"the venue says: {event.msg[:TEXT_LENGTH_MAX]}"
            code = event.code if abs(event.code) < 2**31 else 0
            yield batch.header(place, 15) | {"action": FeedAction.REJECTED, "text": text, "code": code}
