"""A huge frame is as huge as it is said to be, whatever came before it, and each event in it is encoded once."""

import asyncio
import json

import pytest
from test_served_vendors import COIN_DAY, COIN_NAMES, FEEDS, SHARE_DAY, exchange_of, hear
from tiny_clients import bounded

from pipeline.block import between
from pipeline.feeds import alpaca, databento, massive
from pipeline.normalize.alpaca_words import CONTENT_TYPE
from pipeline.ports import Channel
from pipeline.simulator import alpaca as alpaca_venue
from pipeline.simulator.days import GeneratedMarket
from pipeline.simulator.faults import HUGE_BYTES, Fault, FaultKind
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venues import VENUES

FAULTS = [Fault(FaultKind.HUGE, events=count) for count in (151, 333, 454)]


def test_it_is_more_than_feeds_take():
    for vendor in (massive.vendor("k"), alpaca.vendor("k", "s"), databento.vendor("k")):
        assert vendor.frame_bytes_max < HUGE_BYTES


@pytest.mark.parametrize("name", ["massive", "alpaca", "alpaca in json"])
def test_a_frame_is_huge_whatever_came_before_it(name, monkeypatch):
    vendor, _, symbols, day = FEEDS[name]
    encoded = []

    def packed(payload):
        encoded.append(payload)
        return written(payload)

    written = alpaca_venue.packed
    monkeypatch.setattr(alpaca_venue, "packed", packed)

    async def run():
        exchange, _, ledger = exchange_of(name.split()[0], day=day, faults=FAULTS)
        over = asyncio.Event()
        async with exchange.opened() as ((_, url),):
            listening = asyncio.create_task(hear(url, vendor, symbols, over))
            await exchange.serve()
            over.set()
            await listening
        huge = [sent for sent in ledger if sent.what == "huge"]
        assert len(huge) == len(FAULTS)
        for sent in huge:
            assert HUGE_BYTES <= sent.count_bytes < 1.05 * HUGE_BYTES
            assert len(set(sent.rows)) == 1
        count = sum(len(sent.rows) for sent in ledger if sent.what == "events")
        assert len(encoded) <= count + 10 * len(FAULTS)

    bounded(run)


def conversation_of(name):
    """A connection that wants all of a day, and the day's events."""
    venue = VENUES[name.split()[0]]
    tape = GeneratedTape(GeneratedMarket(COIN_DAY if name == "coinbase" else SHARE_DAY, is_whole=True))
    made = venue.make(ServedHistory(tape))
    conversation = made.conversation({"content-type": CONTENT_TYPE} if name == "alpaca" else {})
    if name == "coinbase":
        for channel in ("level2", "market_trades"):
            asked = {"type": "subscribe", "channel": channel, "product_ids": sorted(COIN_NAMES)}
            conversation.hear(json.dumps(asked).encode())
    list(made.encoder.served(tape.definitions, tape.symbols))
    batches = (between(portion.blocks, 0, 2**62) for portion in tape.portions())
    return conversation, [event for batch in batches for event in made.encoder.served(batch, tape.symbols)]


@pytest.mark.parametrize("name", ["alpaca", "alpaca in json", "coinbase", "databento"])
def test_the_size_of_an_event_is_what_it_adds_to_a_frame(name):
    conversation, events = conversation_of(name)
    first = {}
    for event in events:
        first.setdefault(event.topic.channel, event.payload)
    assert {Channel.QUOTES, Channel.PRINTS} <= first.keys()
    for channel, payload in first.items():
        size = conversation.size(payload)
        two, three = (conversation.frame([payload] * count) for count in (2, 3))
        assert conversation.size(payload) == size
        assert len(two) == len(three) or size == 0
        if size:
            assert len(three[0]) - len(two[0]) == size, channel
    sizes = {channel: conversation.size(payload) for channel, payload in first.items()}
    if name == "databento":
        assert sizes[Channel.QUOTES] == 0  # nobody subscribed
    else:
        assert sizes[Channel.QUOTES] > 40
        assert sizes[Channel.PRINTS] > 40
