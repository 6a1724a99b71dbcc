"""Rawness: what came from outside, kept on the tape as it came, and read from there again.

A row of kind RAW a message, its bytes and when it came; besides messages the pages that were fetched and what happened to
the connection, so that a mended normaliser meets again all that the first one met. `channel` says whose and what:

    massive                    a message of the feed
    massive/quotes/AAPL        a page of history of a topic
    massive!                   a fact, as JSON
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.feeds.facts import Fact
from pipeline.ports import Answer, Channel, Message, Topic

_FACT = "!"
_PAGE = "/"


def block_of(name: str, items: Sequence[Message | Fact | Answer]) -> Block:
    """What a feed brought, as rows, `seq` from 1."""
    times = [item.ts_recv_ns for item in items]
    return Block.of(
        Kind.RAW,
        len(items),
        seq=np.arange(1, len(items) + 1),
        ts_event_ns=times,
        ts_recv_ns=times,
        channel=[_channel(name, item) for item in items],
        payload=[msgspec.json.encode(item) if isinstance(item, Fact) else item.payload for item in items],
    )


def items_of(block: Block) -> Iterator[tuple[str, Message | Fact | Answer]]:
    """The names of feeds, and what they brought. Raises msgspec.MsgspecError, ValueError for rows that are none of ours."""
    payloads: list[bytes] = block.columns["payload"]  # type: ignore[assignment]  # the layout says bytes
    for ts_recv_ns, channel, payload in zip(
        block.number("ts_recv_ns").tolist(), block.text("channel"), payloads, strict=True
    ):
        if channel.endswith(_FACT):
            yield channel[: -len(_FACT)], msgspec.json.decode(payload, type=Fact)
        elif _PAGE in channel:
            name, what, symbol = channel.split(_PAGE, 2)
            yield name, Answer(Topic(Channel(what), symbol), ts_recv_ns, payload)
        else:
            yield channel, Message(ts_recv_ns, payload)


def _channel(name: str, item: Message | Fact | Answer) -> str:
    if isinstance(item, Fact):
        return f"{name}{_FACT}"
    if isinstance(item, Answer):
        return f"{name}{_PAGE}{item.topic.channel}{_PAGE}{item.topic.symbol}"
    return name
