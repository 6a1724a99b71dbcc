"""Massive's stocks feed (until 2025 Polygon.io) and its REST history as events.

    Q         a quote. A side without a price is absent. Sizes are shares; before 2025-11-03 they came in round lots, which are
              taken as 100 shares, by the date of the quote in New York. `c` is `condition`, the indicators `i` are not kept
    T         a print. `x` is `venue`; the conditions `c` are bits, and decide with the hours what it may move (one above 62 has no
              bit and leaves volume only). `i` is `trade_id` where it is a decimal number, else absent; it is unique for an
              exchange only, so a trade is known by (symbol, venue, trade_id), and any event by (symbol, channel, `vendor_seq`)
    A, AM     bars of a second and of a minute, basis VENDOR. One that comes again with other numbers is the next revision; with
              the same ones it is marked DUPLICATE
    LULD      a status LIMITS with both bands; the first of its indicators is `vendor_action`
    status    whatever is no success: REJECTED with the vendor's words; what is acknowledged the connection tells
    NOI, FMV, LV, and what is unknown: counted, and told as IGNORED once a minute at most and on every connection; a field that nobody
              here knows (`unknown field Q.xyz`) is counted in the messages that are looked at for it, some of all

Sizes are whole shares. Where the vendor gives a whole number beside one with a fraction (`s` and `ds`, `v` and `dv`), the whole
one is taken as it is given, and prints with a fraction are counted as IGNORED `fraction of a share`; the two contradicting each
other by a share or more is refused. A volume that has a fraction and nothing beside it (REST bars) is absent: nothing is rounded.

Times are milliseconds on the socket, nanoseconds by REST and for LULD; each is told by its magnitude. 0 or nothing is
UNDEFINED_TS. REST's `correction` says that a trade became void (7, 8, 10, 11): such a print moves nothing and is UNTRUSTED.

Asked for by `tape record --snapshots` and `tape scan`, the snapshot of all shares (REST) becomes rows of kind `snapshot`, of those that changed: last
trade, last quote, the day so far (volume by the latest minute's `av`, prices from the open on), the close before.

From the vendor's own machine specification and field pages, two frames of the live feed (A, LULD) and its REST examples.
Not verified, for no live service was asked: the meaning of LULD indicators and of correction codes; whether quote condition 43
begins a trading pause, so no status is made of it; texts of refusals; whether history before 2025-11-03 was restated in shares; whether a snapshot's day before is adjusted on the morning of a split.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pipeline.block import Blocks, chained
from pipeline.codes import Kind, Origin
from pipeline.normalize.massive_columns import integers
from pipeline.normalize.massive_frames import UNREADABLE, Refused, Unknown, one_by_one
from pipeline.normalize.massive_reading import Known, Maker, Reading, places_by_type
from pipeline.normalize.massive_rows import bands, bars, past_bars, prints, quotes
from pipeline.normalize.massive_snapshots import Ticker, snapshots
from pipeline.normalize.massive_words import (
    EVENT,
    EVENTS,
    PAGE,
    PAST,
    Bands,
    FairValue,
    Imbalance,
    LaunchpadValue,
    MinuteBar,
    Quote,
    SecondBar,
    Status,
    Trade,
    strange_fields,
)
from pipeline.normalize.text import is_text, no_text
from pipeline.ports import Answer, Channel, Message
from pipeline.units import MINUTE_NS, SECOND_NS

_LIVE: Final[dict[type, tuple[Kind, Maker]]] = {
    Quote: (Kind.QUOTE, lambda events, recv_ns: quotes(events, [x.c for x in events], recv_ns)),
    Trade: (Kind.PRINT, prints),
    SecondBar: (Kind.BAR, lambda events, recv_ns: bars(events, SECOND_NS, recv_ns)),
    MinuteBar: (Kind.BAR, lambda events, recv_ns: bars(events, MINUTE_NS, recv_ns)),
    Bands: (Kind.STATUS, bands),
}
_PAST: Final[dict[Channel, tuple[Kind, Maker]]] = {
    Channel.QUOTES: (
        Kind.QUOTE,
        lambda events, recv_ns: quotes(events, [x.c[0] if x.c else 0 for x in events], recv_ns),
    ),
    Channel.PRINTS: (Kind.PRINT, prints),
    Channel.BARS_1S: (Kind.BAR, lambda events, recv_ns: past_bars(events, SECOND_NS, recv_ns)),
    Channel.BARS_1M: (Kind.BAR, lambda events, recv_ns: past_bars(events, MINUTE_NS, recv_ns)),
}
_LEFT_OUT: Final = {Imbalance: "NOI", FairValue: "FMV", LaunchpadValue: "LV"}
_FIRST: Final = -1_000_000
"""A place in front of everything."""


class MassiveMessages:
    """Massive's normaliser: `ports.Normalizer`."""

    def __init__(self) -> None:
        self.trouble = ""
        """Always '': no sequence of Massive's tells of a loss."""
        self._known = Known()
        self._strange = strange_fields()

    def connected(self) -> None:
        """A new connection: instruments keep their ids, bars their revisions."""
        self._known.left_out.hurry()
        self._strange.connected()

    def expect(self, symbols: Sequence[str], ts_recv_ns: int) -> Blocks:
        """Definitions of new symbols, as `ports.Expecting` says."""
        reading = Reading(self._known, symbols, np.full(len(symbols), ts_recv_ns), Origin.INPUT)
        for at, symbol in enumerate(symbols):
            reading.meet(symbol, at)
        return reading.batch()

    def read(self, messages: Sequence[Message]) -> Blocks:
        """The events of these messages, as `ports.Normalizer` says."""
        events: list[Any] = []
        of_message: list[Any]
        counts = []
        decode = EVENTS.decode
        for _, payload in messages:
            try:
                of_message = decode(payload) if is_text(payload) else [Refused(no_text(payload))]
            except UNREADABLE:
                of_message = one_by_one(payload, EVENT)
            events += of_message
            counts.append(len(of_message))
        for what, count in self._strange.met(messages).items():
            self._known.left_out.add(what, count)
        if not events:
            return []
        recv_ns = integers([message.ts_recv_ns for message in messages])
        if (count := counts[0]) and counts.count(count) == len(counts):
            # As a rule; to make an array of the counts takes longer than to repeat by it.
            recv_ns = np.repeat(recv_ns, count) if count > 1 else recv_ns
        else:
            recv_ns = np.repeat(recv_ns, counts)
        reading = Reading(self._known, events, recv_ns, Origin.INPUT)
        for type_, at in places_by_type(events):
            chosen = events if len(at) == len(events) else [events[i] for i in at.tolist()]
            if type_ in _LIVE:
                reading.take(*_LIVE[type_], chosen, at, reading.ids_by_symbol([x.sym for x in chosen]))
            else:
                self._set_aside(reading, type_, chosen, at.tolist(), recv_ns[at].tolist())
        self._known.left_out.tell(reading.told, _FIRST, int(recv_ns[-1]))
        return reading.batch()

    def _set_aside(self, reading: Reading, type_: type, chosen: list[Any], at: list[int], recv_ns: list[int]) -> None:
        """Events that are none of the market's."""
        if type_ in _LEFT_OUT:
            self._known.left_out.add(_LEFT_OUT[type_], len(chosen))
            return
        for event, i, ts_recv_ns in zip(chosen, at, recv_ns, strict=True):
            match event:
                case Status():
                    reading.told.status(event, reading.place(i), ts_recv_ns)
                case Refused():
                    reading.refuse(event.text, i)
                case Unknown():
                    self._known.left_out.add(event.ev)

    def read_history(self, answers: Sequence[Answer]) -> Blocks:
        """The events of fetched pages in the order of their event times, as `ports.Normalizer` says."""
        pages = [_past_events(answer) for answer in answers]
        events = [event for page in pages for event in page]
        if not events:
            return []
        recv_ns = np.repeat(integers([answer.ts_recv_ns for answer in answers]), [len(page) for page in pages])
        reading = Reading(self._known, events, recv_ns, Origin.BACKFILL)
        start = 0
        for answer, page in zip(answers, pages, strict=True):
            self._take_page(reading, answer, page, start)
            start += len(page)
        return reading.batch(by_time=True)

    def read_snapshots(self, answers: Sequence[Answer]) -> Blocks:
        """The shares of snapshots that changed since the one before, as `ports.Polled` says."""
        made = [batch for answer in answers if (batch := self._snapshot(answer))]
        return chained(made) if made else []

    def _snapshot(self, answer: Answer) -> Blocks:
        events = self._known.snapshots.changed(answer.payload)
        if not events:
            return []
        reading = Reading(self._known, events, np.full(len(events), answer.ts_recv_ns), Origin.INPUT)
        for type_, at in places_by_type(events):
            chosen = [events[i] for i in at.tolist()]
            if type_ is Ticker:
                reading.take(Kind.SNAPSHOT, snapshots, chosen, at, reading.ids_by_symbol([x.sym for x in chosen]))
                continue
            for event, i in zip(chosen, at.tolist(), strict=True):
                reading.refuse(event.text, i)
        return reading.batch()

    def _take_page(self, reading: Reading, answer: Answer, page: list[Any], start: int) -> None:
        for type_, at in places_by_type(page):
            chosen = [page[i] for i in at.tolist()]
            if type_ is Refused:
                for event, i in zip(chosen, at.tolist(), strict=True):
                    reading.refuse(event.text, start + i)
                continue
            ids = np.full(len(chosen), reading.meet(answer.topic.symbol, start), np.int32)
            reading.take(*_PAST[answer.topic.channel], chosen, at + start, ids)


def _past_events(answer: Answer) -> list[Any]:
    """What a page holds, oldest first, whichever way it was asked for."""
    channel = answer.topic.channel
    if channel not in PAST:
        return [Refused(f"Massive has no history of {channel}")]
    try:
        page = PAGE.decode(answer.payload)
    except UNREADABLE as error:
        return [Refused(f"a page can't be read: {error}: {answer.payload[:60]!r}")]
    if page.error or page.status in ("ERROR", "NOT_AUTHORIZED", "NOT_FOUND"):
        return [Refused(f"the vendor says: {page.status}: {page.error or page.message}")]
    if bytes(page.results) == b"null":
        return []
    decoder = PAST[channel]
    try:
        events: list[Any] = decoder.page.decode(page.results)
    except UNREADABLE:
        events = one_by_one(page.results, decoder.one)
    return events[::-1] if _is_newest_first(events) else events


def _is_newest_first(events: list[Any]) -> bool:
    times = [event.t for event in events if not isinstance(event, Refused)]
    return bool(times) and times[0] > times[-1]
