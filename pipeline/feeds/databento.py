"""Databento Live: its conversation with a gateway, and the value the connection needs.

    server   lsg_version=...
    server   cram=CHALLENGE
    client   auth=...|dataset=XNAS.ITCH|...|heartbeat_interval_s=10|slow_reader_behavior=warn|...
    server   success=1|session_id=...
    client   schema=trades|stype_in=raw_symbol|symbols=AAPL,MSFT|...|id=1001|is_last=1      for each schema
    client   start_session=0
    server   a DBN header, then records: acknowledgements, mappings, the market

The lines that are said, and the signature of the challenge, are made by Databento's own package (`databento.live.gateway`,
`databento.common.cram`), its records decoded with `databento_dbn`. The package's client is not used: it owns thread, loop
and reconnecting, ends without a word on a clean FIN, answers a reset within a tenth of a second and without replay, breaks
on an unknown key in a line, and makes an object of each record on the thread that must not wait (databento 0.87, seen on
loopback). Here the one supervised connection owns all of that, and the bytes go on as they came.

After a loss each schema is asked for from where the stream was whole (`dialogue.Replaying`): what was missed comes on the
connection itself, in front of what is new. An error that says records were left out ends the connection for that reason.

There is no word for an end of a subscription: what is not wanted any more is given back here, and the gateway goes on
sending it until the next connection.

Not verified, as no live gateway was asked: texts of refusals, and how acknowledgements name their subscription (by its id,
else they are taken in the order of asking).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.feeds.databento_socket import GATEWAYS, may_speak_plainly
from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.vendor import Vendor
from pipeline.normalize import databento_words as words
from pipeline.normalize.databento_live import DatabentoRecords
from pipeline.normalize.databento_symbols import instrument_of_symbol
from pipeline.ports import Channel, Topic
from pipeline.units import DAY_NS, INT64_MAX, MINUTE_NS, SECOND_NS

PORT: Final = 13_000
DATASET: Final = "XNAS.ITCH"
SENTINEL: Final = "SPY"
HEARTBEAT_S: Final = 10
"""How often the gateway says something when there is nothing to say; 5 to 1,800 are accepted, 30 is its own default."""

SLOW_READER: Final = "warn"
"""A gateway that is told nothing leaves quotes out for a slow reader; with `warn` it sends all of them, late."""

SYMBOLS_A_LINE: Final = 500
"""As Databento's own client does it."""

MARGIN_NS: Final = 2 * SECOND_NS
"""What is asked for again before the end of what was whole: one instrument may be ahead of another by that much."""

FIRST_ID: Final = 1_001
"""Of subscriptions: large enough not to be taken for the 1 of mbp-1."""

_SPEAKING: Final = frozenset((words.SYSTEM, words.ERROR))
_HEARTBEATS: Final = Topic(Channel.HEARTBEATS, "")
_QUIET_S: Final = {
    Channel.HEARTBEATS: 2.0 * HEARTBEAT_S,
    Channel.QUOTES: 15.0,
    Channel.PRINTS: 60.0,
    Channel.BARS_1S: 60.0,
    Channel.BARS_1M: 150.0,
}
"""How long SPY may be silent in its market's hours; without a sentinel only heartbeats count."""

_BAR_NS: Final = {Channel.BARS_1S: SECOND_NS, Channel.BARS_1M: MINUTE_NS, Channel.BARS_1D: DAY_NS}
_ALWAYS_OPEN: Final = "24/7"
_TOO_MANY: Final = re.compile(r"limit|too many|connections", re.IGNORECASE)
_TOO_MANY_S: Final = 10.0
_LIMIT_CODE: Final = 3
_WORD: Final = re.compile(r"[A-Za-z0-9._/\-+$^=]+")


@cache
def _said() -> tuple[Any, Callable[[str, str], str]]:
    """Databento's own words, and its signature of a challenge."""
    from databento.common import cram  # noqa: PLC0415  # it imports pandas: a second that only a live session has to pay
    from databento.live import gateway  # noqa: PLC0415  # same

    return gateway, cram.get_challenge_response


@dataclass(slots=True)
class _Asked:
    """A subscription that waits for its acknowledgement."""

    id: int
    topics: frozenset[Topic]


@dataclass(slots=True)
class DatabentoDialogue:
    """One connection's conversation with a gateway: `dialogue.Dialogue`, and `dialogue.Replaying`."""

    key: str
    dataset: str
    schemas: Mapping[Channel, str]
    has_definitions: bool = False
    is_ready: bool = False
    acknowledged: AbstractSet[Topic] = frozenset()
    refused: dict[Topic, str] = field(default_factory=dict)
    whole_until_ns: int | None = None
    _is_whole: bool = True
    _live_from_ns: int = INT64_MAX
    _is_started: bool = False
    _next_id: int = FIRST_ID
    _waiting: list[_Asked] = field(default_factory=list)
    _asked: frozenset[Topic] = frozenset()
    _granted: frozenset[Topic] = frozenset()
    """What the gateway sends, wanted or not."""
    _defined: frozenset[str] = frozenset()
    """Symbols whose definitions were asked for."""

    def connected(self) -> list[bytes]:
        """The gateway speaks first."""
        return []

    def concerns(self, payload: bytes) -> bool:
        """Whether it is a line or a record of the gateway's own; of the others the time is kept."""
        rtype = payload[1]
        if rtype in _SPEAKING or words.is_line(payload):
            self._is_whole = self._is_whole and not (rtype == words.ERROR and words.is_skip(payload))
            return True
        if rtype == words.MAPPING:
            self._live_from_ns = min(self._live_from_ns, words.first_ns(payload))
        elif not words.is_header(payload):
            self._passed(words.first_ns(payload))
        return False

    def _passed(self, ts_ns: int) -> None:
        """So far the stream is whole, once what was asked for again is over and nothing was left out since."""
        if self._is_whole and ts_ns >= self._live_from_ns:
            self.whole_until_ns = max(self.whole_until_ns or 0, ts_ns)

    def hear(self, payload: bytes) -> list[bytes]:
        """A line or a record of the gateway's own. Raises DialogueError; ValueError for a record that can't be read."""
        if words.is_line(payload):
            return self._hear_line(words.words_of(payload))
        rtype, code, ts_ns, text = words.control_of(payload)
        if rtype == words.ERROR:
            self._hear_error(code, text)
        elif code == words.SUBSCRIPTION_ACK:
            self._live_from_ns = min(self._live_from_ns, ts_ns)
            self._grant(text)
        elif code == words.REPLAY_COMPLETED:
            self._live_from_ns = 0
        elif code == words.HEARTBEAT and self._live_from_ns < INT64_MAX:
            self._passed(ts_ns)
        return []

    def _hear_line(self, said: Mapping[str, str]) -> list[bytes]:
        gateway, sign = _said()
        if "cram" in said:
            return [
                bytes(
                    gateway.AuthenticationRequest(
                        auth=sign(said["cram"], self.key),
                        dataset=self.dataset,
                        compression="none",
                        heartbeat_interval_s=HEARTBEAT_S,
                        slow_reader_behavior=SLOW_READER,
                    )
                )
            ]
        if "success" in said:
            if said["success"] != "1":
                raise _refusal(said.get("error", "no reason given"))
            self.is_ready = True
            self.acknowledged = frozenset({_HEARTBEATS})
        elif "error" in said:
            raise _refusal(said["error"])
        return []

    def _hear_error(self, code: int, text: str) -> None:
        if code == words.UNRESOLVED:
            self._refuse(text)
        elif code == words.SKIPPED:
            raise DialogueError(f"databento: records were left out: {text}"[:300], code=code, floor_s=1.0)
        elif code == words.AGED_OUT:
            # what is that old can't be had any more: the next connection asks for what is new
            self.whole_until_ns = None
            raise DialogueError(f"databento: too old to be replayed: {text}"[:300], code=code)
        elif code in words.FATAL_CODES:
            raise DialogueError(f"databento: error {code}: {text}"[:300], code=code, is_fatal=True)
        elif code == _LIMIT_CODE:
            raise DialogueError(f"databento: error {code}: {text}"[:300], code=code, floor_s=_TOO_MANY_S)

    def _refuse(self, text: str) -> None:
        """A symbol that can't be resolved: the one behind the word `symbol`, else the first one of ours that is named."""
        symbols = {topic.symbol for topic in self._asked}
        said = _WORD.findall(text)
        behind = next((place for place, word in enumerate(said) if word.lower().startswith("symbol")), -1)
        named = next((word for word in [*said[behind + 1 :], *said] if word.strip(".") in symbols), "").strip(".")
        for topic in self._asked:
            if topic.symbol == named:
                self.refused[topic] = text
        self._granted = frozenset(topic for topic in self._granted if topic.symbol != named)
        self.acknowledged = self.acknowledged - self.refused.keys()

    def _grant(self, text: str) -> None:
        """An acknowledgement names its subscription by the id we gave; one that doesn't is for the oldest that waits."""
        if not self._waiting:
            return
        named = set(re.findall(r"\d+", text))
        asked = next((each for each in self._waiting if str(each.id) in named), self._waiting[0])
        self._waiting.remove(asked)
        self._granted |= asked.topics - self.refused.keys()
        self.acknowledged = self.acknowledged | (self._granted & self._asked)

    def want(self, topics: AbstractSet[Topic]) -> list[bytes]:
        """Ask for what is missing; the first time begin the session."""
        if not self.is_ready:
            return []
        wanted = frozenset(topic for topic in topics if topic.channel in self.schemas)
        missing = wanted - self._asked
        for gone in self._asked - wanted:
            self.refused.pop(gone, None)
        self._asked = wanted
        self.acknowledged = (self._granted & wanted) | {_HEARTBEATS}
        lines = [*self._definitions(missing), *self._subscriptions(missing - self._granted)]
        if lines and not self._is_started:
            self._is_started = True
            lines.append(bytes(_said()[0].SessionStart()))
        return lines

    def _definitions(self, missing: AbstractSet[Topic]) -> Iterator[bytes]:
        """Definitions are sent when a day begins: those of today are asked for from there, before the session starts."""
        symbols = {topic.symbol for topic in missing} - self._defined if self.has_definitions else set()
        self._defined |= symbols
        for chunk in _chunks(sorted(symbols)):
            yield self._line("definition", chunk, frozenset(), None if self._is_started else 0)

    def _subscriptions(self, missing: AbstractSet[Topic]) -> Iterator[bytes]:
        for channel, schema in self.schemas.items():
            start_ns = self._start_ns(channel)
            for chunk in _chunks(sorted(topic.symbol for topic in missing if topic.channel is channel)):
                yield self._line(schema, chunk, frozenset(Topic(channel, symbol) for symbol in chunk), start_ns)

    def _start_ns(self, channel: Channel) -> int | None:
        """From when on it is to be sent again: a bar is dated by its start, and was missed when its end was."""
        if self.whole_until_ns is None or self._is_started:  # a session that runs replays nothing
            return None
        return max(0, self.whole_until_ns - MARGIN_NS - _BAR_NS.get(channel, 0))

    def _line(self, schema: str, symbols: Sequence[str], topics: frozenset[Topic], start_ns: int | None) -> bytes:
        self._waiting.append(_Asked(self._next_id, topics))
        self._next_id += 1
        said = _said()[0].SubscriptionRequest(
            schema=schema, stype_in="raw_symbol", symbols=",".join(symbols), start=start_ns, id=self._next_id - 1
        )
        return bytes(said)


def _refusal(text: str) -> DialogueError:
    """Why we may not come in: for good, unless there are too many of us."""
    is_crowd = bool(_TOO_MANY.search(text))
    said = f"databento: {text}"[:300]
    return DialogueError(said, is_fatal=not is_crowd, floor_s=_TOO_MANY_S if is_crowd else 0.0)


def _chunks(symbols: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(symbols)
    while chunk := list(islice(rest, SYMBOLS_A_LINE)):
        yield chunk


def vendor(
    key: str,
    *,
    dataset: str = DATASET,
    channels: AbstractSet[Channel] = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.STATUSES)),
    quote_schema: str = "mbp-1",
    has_definitions: bool | None = None,
    url: str | None = None,
) -> Vendor:
    """A dataset of Databento Live as a feed; one dataset a session.

    key               the API key
    dataset           as XNAS.ITCH, EQUS.MINI, GLBX.MDP3
    channels          what is subscribed of every symbol
    quote_schema      what quotes are had by: mbp-1, tbbo, bbo-1s, bbo-1m, or for consolidated datasets their kin
    has_definitions   whether instruments are asked for; None: for all but shares, which have nothing to say
    url               tcp://host:port of a simulator; None: the dataset's own gateway

    Raises ConfigError for a channel or schema it lacks, and for an address that is neither Databento's nor this machine.
    """
    if not channels or not channels <= words.SCHEMAS.keys():
        accepted = ", ".join(words.SCHEMAS)
        raise ConfigError(f"databento: channels are {accepted}; asked for were {', '.join(sorted(channels))}")
    if quote_schema not in words.SCHEMAS[Channel.QUOTES]:
        raise ConfigError(f"databento: quotes come by {', '.join(words.SCHEMAS[Channel.QUOTES])}, not {quote_schema!r}")
    url = url or f"tcp://{dataset.lower().replace('.', '-')}{GATEWAYS}:{PORT}"
    _check_address(url)
    of_dataset = instrument_of_symbol(SENTINEL, dataset, 0)
    is_shares = of_dataset.calendar == "XNYS"
    schemas = {
        channel: quote_schema if channel is Channel.QUOTES else words.SCHEMAS[channel][0]
        for channel in sorted(channels)
    }
    watched = next((channel for channel in _QUIET_S if channel in channels), None)
    defines = not is_shares if has_definitions is None else has_definitions
    return Vendor(
        name="databento",
        url=url,
        dialogue=lambda: DatabentoDialogue(key, dataset, schemas, defines),
        normalizer=DatabentoRecords,
        channels=channels,
        topics=lambda symbols: frozenset(
            {_HEARTBEATS, *(Topic(channel, symbol) for channel in channels for symbol in symbols)}
        ),
        calendar=of_dataset.calendar or _ALWAYS_OPEN,
        quiet_s=_QUIET_S if is_shares else {Channel.HEARTBEATS: _QUIET_S[Channel.HEARTBEATS]},
        sentinel=Topic(watched, SENTINEL) if is_shares and watched is not None else None,
        secrets=(key.encode(),),
        account=f"{dataset} {key}",
        options={"channels": " ".join(sorted(channels)), "dataset": dataset, "quotes": quote_schema, "url": url},
    )


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "tcp" or not may_speak_plainly(url) or parts.username or parts.query:
        raise ConfigError(f"databento: {url!r}; accepted are tcp://NAME{GATEWAYS}:PORT and tcp://127.0.0.1:PORT")
