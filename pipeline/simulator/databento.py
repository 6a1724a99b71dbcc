"""Databento's live gateway without a socket: its lines, its header, its records, what it sends again, its faults of words.

A session has one dataset, whichever the client names: what is served is the tape. Schemas are trades, mbp-1, tbbo, bbo-1s,
bbo-1m, ohlcv-1s, ohlcv-1m, ohlcv-1d, status and definition; symbols are raw symbols, numbers, or ALL_SYMBOLS. A subscription
with `start` is sent again what was served from that event time on, all subscriptions in one order, before the session goes
on with what is new. The gateway's clock stands at the last row that was served.

The conversation is as the vendor's own client (databento 0.87) reads it; texts of errors and acknowledgements are not
verified. There is neither compression nor `ts_out`, and a sampled quote is sent with the first event of the next interval.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.normalize import databento_words as words
from pipeline.normalize.databento_out import (
    DatabentoEncoder,
    bbo_of,
    definition_of,
    is_trade,
    received_ns,
    trade_of,
)
from pipeline.ports import Channel, Encoder, Topic
from pipeline.simulator.venue import History, HttpAnswer
from pipeline.units import INT64_MAX, MINUTE_NS, SECOND_NS

CLOSED: Final = 1000
"""TCP has no codes: any ends it."""

AUTH_WITHIN_S: Final = 30.0
HEARTBEAT_S: Final = 30.0
ALL_SYMBOLS: Final = "ALL_SYMBOLS"
_VERSION: Final = "0.7.0"
_CHANNELS: Final = {
    "trades": (Channel.PRINTS,),
    "mbp-1": (Channel.QUOTES, Channel.PRINTS),
    "tbbo": (Channel.PRINTS,),
    "bbo-1s": (Channel.QUOTES,),
    "bbo-1m": (Channel.QUOTES,),
    "ohlcv-1s": (Channel.BARS_1S,),
    "ohlcv-1m": (Channel.BARS_1M,),
    "ohlcv-1d": (Channel.BARS_1D,),
    "status": (Channel.STATUSES,),
    "definition": (),
}
_SAMPLED: Final = {"bbo-1s": (195, SECOND_NS), "bbo-1m": (196, MINUTE_NS)}
_MBP_RTYPE: Final = 1
_ROWS_MAX: Final = 2**31


@dataclass(frozen=True, slots=True)
class DatabentoFaults:
    """What goes wrong, counted over the venue's connections.

    `refuses_auth` refuses every key; the first `crowded` connections are refused as too many; the first `acks_lost`
    acknowledgements of each connection never come; `unresolved` are symbols that nobody knows.
    """

    refuses_auth: bool = False
    crowded: int = 0
    acks_lost: int = 0
    unresolved: frozenset[str] = frozenset()


class _Subscription(NamedTuple):
    """What a client asked for; `start_ns` is from when it is to be sent again, None: from now on."""

    schema: str
    symbols: tuple[str, ...]
    start_ns: int | None
    id: str


class DatabentoVenue:
    """`venue.Venue` of a gateway. With a `key`, any other one is refused; without, every one is taken."""

    def __init__(self, *, key: str = "", faults: DatabentoFaults | None = None, history: History | None = None) -> None:
        self.name = "databento"
        self.path = ""
        self.channels: AbstractSet[Channel] = frozenset(words.SCHEMAS)
        self._encoder = DatabentoEncoder()
        self.encoder: Encoder = self._encoder
        self._key = key
        self._faults = faults or DatabentoFaults()
        self._history = history
        self._connections = 0

    def conversation(self, headers: Mapping[str, str]) -> "DatabentoConversation":  # noqa: ARG002 - TCP has none
        """A new connection, which may be one of those that fail."""
        self._connections += 1
        return DatabentoConversation(
            number=self._connections,
            key=self._key,
            faults=self._faults,
            is_crowded=self._connections <= self._faults.crowded,
            encoder=self._encoder,
            history=self._history,
            acks_lost=self._faults.acks_lost,
        )

    def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], history: History) -> HttpAnswer:  # noqa: ARG002 - there is nothing to ask for
        """A gateway answers no GET."""
        return HttpAnswer(404, b"", {})


@dataclass(slots=True)
class DatabentoConversation:
    """`venue.Conversation` with one client, `venue.Framing`, `venue.Timed` and `venue.Scolding` too."""

    number: int
    key: str
    faults: DatabentoFaults
    is_crowded: bool
    encoder: DatabentoEncoder
    history: History | None
    acks_lost: int = 0
    wanted: AbstractSet[Topic] = frozenset()
    close_code: int | None = None
    is_binary: bool = True
    _dataset: str = ""
    _is_authenticated: bool = False
    _is_started: bool = False
    _heartbeat_s: float = HEARTBEAT_S
    _waiting: list[_Subscription] = field(default_factory=list)
    _mapped: set[int] = field(default_factory=set)
    _numbers: dict[str, set[int]] = field(default_factory=dict)
    """By schema, the instruments it is subscribed for."""
    _samples: dict[str, "_Samples"] = field(default_factory=dict)
    _has_spoken: bool = False
    _spoke_s: float = 0.0

    @property
    def _challenge(self) -> str:
        return hashlib.sha256(f"tapeworks {self.number}".encode()).hexdigest()[:32]

    def connected(self) -> list[bytes]:
        """The gateway speaks first."""
        return [words.line_of({"lsg_version": _VERSION}), words.line_of({"cram": self._challenge})]

    def hear(self, payload: bytes) -> list[bytes]:
        """A line of the client's."""
        if self.close_code is not None:
            return []
        said = words.words_of(payload)
        if "auth" in said:
            return self._authenticate(said)
        if not self._is_authenticated:
            return self._refuse("Authentication required")
        if "schema" in said:
            return self._subscribe(said)
        if "start_session" in said:
            return self._start()
        return self._end(5, f"Invalid message: {payload[:60]!r}")

    def _authenticate(self, said: Mapping[str, str]) -> list[bytes]:
        if self.is_crowded:
            return self._refuse("Too many connections: the limit is 10 sessions")
        if said.get("encoding", "dbn") != "dbn" or said.get("compression", "none") != "none":
            return self._refuse("Only encoding=dbn and compression=none are served here")
        if said.get("ts_out", "0") != "0":
            return self._refuse("ts_out is not served here")
        signed = hashlib.sha256(f"{self._challenge}|{self.key}".encode()).hexdigest()
        is_right = not self.key or said["auth"] == f"{signed}-{self.key[-5:]}"
        if self.faults.refuses_auth or not is_right:
            return self._refuse("Authentication failed")
        self._is_authenticated, self._dataset = True, said.get("dataset", "")
        if said.get("heartbeat_interval_s", "").isdecimal():
            self._heartbeat_s = float(said["heartbeat_interval_s"])
        return [words.line_of({"success": "1", "session_id": str(self.number)})]

    def _refuse(self, why: str) -> list[bytes]:
        self.close_code = CLOSED
        return [words.line_of({"success": "0", "error": why})]

    def _end(self, code: int, text: str) -> list[bytes]:
        """An error that ends the session."""
        self.close_code = CLOSED
        header = [] if self._is_started else [words.header(self._dataset, self.encoder.now_ns)]
        return [*header, words.error_record(code, text, self.encoder.now_ns)]

    def _subscribe(self, said: Mapping[str, str]) -> list[bytes]:
        start = said.get("start")
        if said["schema"] not in _CHANNELS:
            return self._end(5, f"Schema {said['schema']} is not served here; there are {', '.join(_CHANNELS)}")
        if start is not None and (self._is_started or not start.isdecimal()):
            return self._end(5, "start is a number of nanoseconds, and given before the session starts")
        symbols = tuple(filter(None, said.get("symbols", "").split(",")))
        asked = _Subscription(said["schema"], symbols, None if start is None else int(start), said.get("id", "0"))
        if self._is_started:
            return self._begin(asked, self.encoder.now_ns)
        self._waiting.append(asked)
        return []

    def _start(self) -> list[bytes]:
        """The header, what belongs to each subscription, what is sent again."""
        if self._is_started:
            return []
        self._is_started = True
        starts = [asked.start_ns for asked in self._waiting if asked.start_ns is not None]
        now_ns = self.encoder.now_ns
        past, past_ns = self._past() if starts else ([], 0)
        now_ns = max(now_ns, past_ns)
        begun = [record for asked in self._waiting for record in self._begin(asked, now_ns)]
        done = [words.system_record(words.REPLAY_COMPLETED, "Replay completed", now_ns)] if starts else []
        return [words.header(self._dataset, min([*starts, now_ns])), *begun, *self.frame(past), *done]

    def _begin(self, asked: _Subscription, now_ns: int) -> list[bytes]:
        """A subscription holds from here on: its mappings, its acknowledgement, what can't be resolved."""
        records: list[bytes] = []
        numbers = self._numbers.setdefault(asked.schema, set())
        topics: set[Topic] = set()
        for symbol in asked.symbols:
            rows = self._resolved(symbol)
            if not rows:
                text = f"Failed to resolve symbol: {symbol}"
                records.append(words.error_record(words.UNRESOLVED, text, now_ns))
            for number, name in rows:
                numbers.add(number)
                topics |= {Topic(channel, name) for channel in _CHANNELS[asked.schema]}
                if number not in self._mapped:
                    self._mapped.add(number)
                    records.append(words.mapping_record(number, name, now_ns))
                if asked.schema == "definition" and asked.start_ns is not None:
                    records.append(definition_of(self.encoder.instruments[number], now_ns))
        self.wanted = self.wanted | topics
        if asked.schema in _SAMPLED:
            self._samples.setdefault(asked.schema, _Samples(*_SAMPLED[asked.schema]))
        if self.acks_lost:
            self.acks_lost -= 1
        else:
            text = f"Subscription request {asked.id} for {asked.schema} data succeeded"
            records.insert(0, words.system_record(words.SUBSCRIPTION_ACK, text, now_ns))
        return records

    def _resolved(self, text: str) -> list[tuple[int, str]]:
        """The instruments that a client means."""
        rows = [(number, str(row["symbol"])) for number, row in self.encoder.instruments.items()]
        unknown = self.faults.unresolved
        return [
            (number, symbol)
            for number, symbol in rows
            if symbol not in unknown and text in (ALL_SYMBOLS, symbol, str(number))
        ]

    def _past(self) -> tuple[list[bytes], int]:
        """All that was asked for again, as the encoder gives it, and the moment after the last of it."""
        assert self._waiting
        blocks = [
            block
            for asked in self._waiting
            if asked.start_ns is not None and self.history is not None
            for topic in self._topics(asked)
            for block in self.history.rows(topic, asked.start_ns, INT64_MAX, _ROWS_MAX)
        ]
        again = self.encoder.anew()
        found = {served.seq: served.payload for served in again.served(blocks, again.symbols)}
        return list(found.values()), again.now_ns + 1

    def _topics(self, asked: _Subscription) -> Iterator[Topic]:
        names = {name for symbol in asked.symbols for _, name in self._resolved(symbol)}
        return (Topic(channel, name) for channel in _CHANNELS[asked.schema] for name in sorted(names))

    def frame(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Events as records of the schemas that are subscribed."""
        self._has_spoken = True
        records = [record for payload in payloads for record in self._records(payload)]
        return [b"".join(records)] if records else []

    def size(self, payload: bytes) -> int:
        """Bytes of one more event of this sort; a quote that is only sampled adds none."""
        if payload[1] != _MBP_RTYPE:
            return len(payload)
        number = int.from_bytes(payload[4:8], "little")
        if not is_trade(payload):
            return len(payload) if self._has("mbp-1", number) else 0
        is_quoted = self._has("mbp-1", number) or self._has("tbbo", number)
        return (len(trade_of(payload)) if self._has("trades", number) else 0) + (len(payload) if is_quoted else 0)

    def _records(self, payload: bytes) -> Iterator[bytes]:
        if payload[1] != _MBP_RTYPE:
            yield payload
            return
        number = int.from_bytes(payload[4:8], "little")
        if is_trade(payload):
            if self._has("trades", number):
                yield trade_of(payload)
            if self._has("mbp-1", number) or self._has("tbbo", number):
                yield payload
            return
        if self._has("mbp-1", number):
            yield payload
        for schema, samples in self._samples.items():
            if self._has(schema, number):
                yield from samples.taken(number, payload)

    def _has(self, schema: str, number: int) -> bool:
        return number in self._numbers.get(schema, ())

    def waited(self, elapsed_s: float) -> list[bytes]:
        """Heartbeats, when there was nothing else to say; who has not shown a key by now is let go."""
        if not self._is_authenticated:
            is_late = elapsed_s >= AUTH_WITHIN_S and self.close_code is None
            return self._refuse("Authentication timed out") if is_late else []
        if self._has_spoken or not self._is_started:
            self._has_spoken, self._spoke_s = False, elapsed_s
        if elapsed_s - self._spoke_s < self._heartbeat_s:
            return []
        self._spoke_s = elapsed_s
        return [words.system_record(words.HEARTBEAT, "Heartbeat", self.encoder.now_ns)]

    def too_slow(self) -> list[bytes]:
        """What waited was thrown away: an error says so."""
        return [words.error_record(words.SKIPPED, "Records skipped after slow reading", self.encoder.now_ns)]


class _Samples:
    """Quotes once an interval: the last one of each instrument that had any."""

    def __init__(self, rtype: int, interval_ns: int) -> None:
        self._rtype = rtype
        self._interval_ns = interval_ns
        self._interval = 0
        self._last: dict[int, bytes] = {}

    def taken(self, number: int, payload: bytes) -> Iterator[bytes]:
        """One more quote; with the first of a new interval come those of the one before, and its end."""
        interval = received_ns(payload) // self._interval_ns
        if interval > self._interval and self._last:
            end_ns = (self._interval + 1) * self._interval_ns
            yield from (bbo_of(last, self._rtype, end_ns) for last in self._last.values())
            yield words.system_record(words.END_OF_INTERVAL, "End of interval", end_ns)
            self._last = {}
        self._interval = max(interval, self._interval)
        self._last[number] = payload
