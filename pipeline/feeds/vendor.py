"""Vendor: all that the one supervised connection needs to know of a feed, as a value. Each vendor's file makes one."""

from collections.abc import Callable, Generator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from pipeline.feeds.dialogue import Dialogue
from pipeline.ports import Channel, Normalizer, Topic


class Question(NamedTuple):
    """What asks a vendor for a page: a GET, or a POST where there is a form; secrets stand in the headers, never in the address."""

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = None


Questions = Generator[Question, bytes, None]
"""Asks for page after page: yields a question and is sent the body of its answer, which may name the next page."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """One feed of one vendor.

    `url` and `headers` open the connection; `frame_bytes_max` is the largest message taken. `topics` turns symbols into
    what is subscribed. `sentinel` is a topic that is never quiet for long while the market is open, asked for besides;
    `quiet_s` tells for each channel after how many seconds of silence, while its market is open, the connection counts
    as mute. `history` asks for what was missed of a topic between two moments (UTC nanoseconds, the end exclusive);
    None where the vendor has no history; `history_of` are the channels that it has some of. `snapshots` asks for these symbols
    as they stand now, `*` among them for all there are where `has_whole_market`; None where the vendor has no such question.
    `calendar` is whose hours: XNYS, 24/7. `has_conditions`: its prints carry sale conditions, which decide what they move.
    """

    name: str
    url: str
    dialogue: Callable[[], Dialogue]
    normalizer: Callable[[], Normalizer]
    channels: AbstractSet[Channel]
    topics: Callable[[AbstractSet[str]], frozenset[Topic]]
    calendar: str
    quiet_s: Mapping[Channel, float]
    sentinel: Topic | None = None
    headers: Callable[[], Mapping[str, str]] = dict
    frame_bytes_max: int = 16 * 2**20
    history: Callable[[Topic, int, int], Questions] | None = None
    history_of: AbstractSet[Channel] = frozenset()
    snapshots: Callable[[AbstractSet[str]], Iterator[Question]] | None = None
    has_whole_market: bool = False
    has_conditions: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    """What else was set, as the session's settings keep it: no secrets."""
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """The keys, so that a vendor that says one again is not recorded saying it."""
    account: str = field(default="", repr=False)
    """The key that the vendor counts connections by, with what it counts them for besides; '' where it counts none."""


ALL: Final = "*"
"""As a symbol: every one that the vendor has."""

WATCHED: Final = "~"
"""In front of a symbol that is only watched: some channels of it are wanted, not all."""


def watching(vendor: Vendor, channels: AbstractSet[Channel]) -> Vendor:
    """The same feed, where of a symbol with `~` in front only these channels are subscribed.

    So a whole market can be scanned by its bars, while the few that are picked come with every quote.
    """

    def topics(symbols: AbstractSet[str]) -> frozenset[Topic]:
        watched = {symbol.removeprefix(WATCHED) for symbol in symbols if symbol.startswith(WATCHED)}
        whole = {symbol for symbol in symbols if not symbol.startswith(WATCHED)}
        return vendor.topics(whole) | {topic for topic in vendor.topics(watched) if topic.channel in channels}

    return replace(vendor, topics=topics)
