"""Facts: what happens to a feed, on its way from the connection to the tape as a `feed` row.

DECLARED       gives the source its name (`text`): the first event of each feed, live or a file
CONNECTED      a socket is open; `count` is the connection's number, `text` where to. What is read from here on is new
SUBSCRIBED     `count` topics of `channel` were acknowledged, their symbols in `text`; UNSUBSCRIBED: given back, by us or the vendor
REJECTED       topics of `channel` the vendor refuses or doesn't answer for: who and why. Worth an alarm
UNHEARD        `count` symbols of which nothing ever came, though the vendor says it sends them. A thin name may be silent for long
MUTE, HEARD    `channel` says nothing although its market is open, since `from_ns`; and speaks again
SLOW           the socket was not read `count` times, as the core was behind: the vendor may cut us off
LAGGING        what comes is `count` milliseconds old when it comes, for a while; CAUGHT_UP: no longer
CLOCKS_APART   the vendor's clock is ahead of ours, by `count` milliseconds: told once. Worth an alarm
LOST           a connection ended, or none was made (attempt `count`): the socket's or the vendor's `code`, and why
GAP_OPENED     nothing was recorded from `from_ns` on; with a `channel`: of the symbols in front of the colon, as the vendor
               sends them no longer, or has no history of them
GAP_CLOSED     what was asked for flows again: the hole is from `from_ns` to `to_ns`; with a `channel`: of the symbols in `text`
BACKFILLED     `count` pages of history of `channel` were fetched for it; a channel of which none are told keeps its hole
WARMED         `count` rows of history of an instrument lie in front of this, for the strategies that waited for it; or why there are none
ENDED          there will be no more of this feed, and why

Normalisers tell besides: REJECTED of a message or row that was refused (`position`, `text`), IGNORED of `count` messages of a
sort that maps to no event, and of fields that nobody here knows.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block
from pipeline.codes import FeedAction, Kind
from pipeline.normalize.rows import TEXT_LENGTH_MAX
from pipeline.ports import Topic
from pipeline.units import ABSENT

NO_HISTORY: Final = ": no history: "
"""Between a symbol and why its hole can't be filled."""

WITHDRAWN: Final = ": no longer sent by the vendor"
"""Behind the symbols of a hole that the vendor opened on a connection that goes on."""

NO_CODE: Final = ABSENT // 2**32
_CODE_MAX: Final = 2**31 - 1


class Fact(NamedTuple):
    """One thing that happened to a feed, with what a `feed` row has room for."""

    ts_recv_ns: int
    action: FeedAction
    channel: str = ""
    from_ns: int = ABSENT
    to_ns: int = ABSENT
    count: int = ABSENT  # type: ignore[assignment]  # the row's word; nobody counts in a fact
    position: int = ABSENT
    code: int = NO_CODE
    text: str = ""


def feed_block(facts: Sequence[Fact]) -> Block:
    """Facts as `feed` rows in their order, `seq` from 1."""
    columns = dict(zip(Fact._fields, map(list, zip(*facts, strict=True)), strict=True)) if facts else {}
    if facts:
        columns["code"] = [code if abs(code) <= _CODE_MAX else NO_CODE for code in columns["code"]]
        columns["text"] = [text[:TEXT_LENGTH_MAX] for text in columns["text"]]
        columns["ts_event_ns"] = columns["ts_recv_ns"]
    return Block.of(Kind.FEED, len(facts), seq=np.arange(1, len(facts) + 1), **columns)


def about(
    topics: AbstractSet[Topic],
    action: FeedAction,
    ts_recv_ns: int,
    *,
    why: str = "",
    from_ns: int = ABSENT,
    to_ns: int = ABSENT,
) -> Iterator[Fact]:
    """The same fact about many topics: one for each channel and as many symbols as a row's text has room for."""
    for channel in sorted({topic.channel for topic in topics}):
        symbols = sorted(topic.symbol for topic in topics if topic.channel is channel)
        yield from naming(symbols, Fact(ts_recv_ns, action, channel.value, from_ns, to_ns), why)


def naming(symbols: Sequence[str], fact: Fact, why: str = "") -> Iterator[Fact]:
    """The same fact about all of these symbols, as many in a row as its text has room for."""
    for line in _lines(symbols, TEXT_LENGTH_MAX - len(why)):
        yield fact._replace(count=len(line), text=f"{' '.join(line)}{why}")


def _lines(words: Sequence[str], length_max: int) -> Iterator[list[str]]:
    line: list[str] = []
    for word in words:
        if line and sum(map(len, line)) + len(line) + len(word) > length_max:
            yield line
            line = []
        line.append(word)
    yield line
