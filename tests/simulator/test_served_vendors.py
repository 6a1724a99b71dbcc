"""The vendors' protocols over real sockets: what our own feeds make of a served day is the day, in what each protocol carries."""

import asyncio
import json
import math
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from tiny_clients import bounded, get
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from pipeline.codes import FeedAction, Kind, Mark
from pipeline.feeds import alpaca, coinbase_advanced, massive
from pipeline.feeds.dialogue import DialogueError
from pipeline.normalize import alpaca_out, coinbase_advanced_out, massive_out
from pipeline.normalize.alpaca_words import Encoding
from pipeline.ports import Channel, Message
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.exchange import Exchange, Rules
from pipeline.simulator.faults import Fault, FaultKind
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.ledger import ListLedger
from pipeline.simulator.names import COINS, share_symbol
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venues import VENUES, doors_of
from pipeline.units import MINUTE_NS

SHARES = frozenset(map(share_symbol, range(3)))
COIN_NAMES = frozenset(name for name, _, _ in COINS[:3])
SHARE_DAY = replace(DAYS["premarket"], instruments=3, quotes=1_500)
COIN_DAY = replace(DAYS["crypto"], instruments=3, quotes=1_500)
COIN_CHANNELS = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.BARS_5M, Channel.HEARTBEATS))
FEEDS = {
    "massive": (massive.vendor("key"), massive_out, SHARES, SHARE_DAY),
    "alpaca": (alpaca.vendor("key", "secret"), alpaca_out, SHARES, SHARE_DAY),
    "alpaca in json": (alpaca.vendor("key", "secret", encoding=Encoding.JSON), alpaca_out, SHARES, SHARE_DAY),
    "coinbase": (coinbase_advanced.vendor(channels=COIN_CHANNELS), coinbase_advanced_out, COIN_NAMES, COIN_DAY),
}


def exchange_of(*protocols, day, speed=math.inf, faults=(), clients=1):
    tape, ledger = GeneratedTape(GeneratedMarket(day, is_whole=True)), ListLedger()
    history = ServedHistory(tape)
    rules = Rules(speed, clients_first=clients)
    return Exchange(tape, doors_of(protocols, history, 0), rules, faults, ledger, history), tape, ledger


@asynccontextmanager
async def connected(url, vendor):
    async with connect(
        url, max_size=2**26, max_queue=2_000, close_timeout=0.5, additional_headers=vendor.headers()
    ) as client:
        dialogue = vendor.dialogue()
        for words in dialogue.connected():
            await client.send(words, text=words.startswith(b"{"))
        yield client, dialogue


async def hear(url, vendor, symbols, until):
    """All messages, the conversation led as our feed does, until the server ends it or `until` says so."""
    messages = []
    async with connected(url, vendor) as (client, dialogue):
        try:
            while not until.is_set():
                wanted = vendor.topics(symbols)
                for words in dialogue.want(wanted) if dialogue.is_ready else ():
                    await client.send(words, text=words.startswith(b"{"))
                try:
                    async with asyncio.timeout(0.2):
                        payload = await client.recv(decode=False)
                except TimeoutError:
                    continue
                messages.append(Message(len(messages), payload))
                if dialogue.concerns(payload):
                    for words in dialogue.hear(payload):
                        await client.send(words, text=words.startswith(b"{"))
        except ConnectionClosed:
            pass
    return messages


def facts(blocks, symbols, out, kind, step_ns=1):
    """By symbol, the carried fields of a kind's rows in their order, without cancels."""
    found = {}
    for block in blocks:
        for row in block.rows() if block.kind is kind else ():
            if row["marks"] & Mark.CANCEL:
                continue  # who takes it back says which trade, and not where and how it was made
            cut = {**row, "ts_event_ns": row["ts_event_ns"] // step_ns * step_ns}
            found.setdefault(symbols[row["instrument_id"]], []).append(repr([cut[name] for name in out.CARRIED[kind]]))
    return found


def symbols_of(blocks):
    return {
        row["instrument_id"]: row["symbol"] for block in blocks if block.kind is Kind.INSTRUMENT for row in block.rows()
    }


@pytest.mark.parametrize("protocol", FEEDS)
def test_what_a_feed_hears_is_what_was_served(protocol):
    vendor, out, symbols, day = FEEDS[protocol]

    async def run():
        exchange, tape, ledger = exchange_of(protocol.split()[0], day=day)
        over = asyncio.Event()
        async with exchange.opened() as ((_, url),):
            listening = asyncio.create_task(hear(url, vendor, symbols, over))
            await exchange.serve()
            await asyncio.sleep(0.5)
            over.set()
            messages = await listening
        heard = vendor.normalizer().read(messages)
        assert not [
            row
            for block in heard
            if block.kind is Kind.FEED
            for row in block.rows()
            if row["action"] == FeedAction.REJECTED
        ]
        portions = list(tape.portions())
        sent = set(ledger.rows(1))
        for kind in (Kind.PRINT, Kind.BAR):
            step_ns = getattr(out, "TIME_STEP_NS", {}).get(kind, 1)
            blocks = [kept(block, sent) for portion in portions for block in portion.blocks]
            wanted = facts(blocks, tape.symbols, out, kind, step_ns)
            assert wanted == facts(heard, symbols_of(heard), out, kind, step_ns)
            assert sum(map(len, wanted.values())) > 10

    bounded(run)


def kept(block, sent):
    """Those rows of a block that were sent."""
    return block.take(np.isin(block.number("seq"), sorted(sent)))


def test_two_vendors_serve_one_day_at_once_and_who_comes_later_knows_its_steps():
    async def run():
        exchange, _, ledger = exchange_of(day=replace(COIN_DAY, lasts_ns=40 * MINUTE_NS), speed=1_000.0)
        over = asyncio.Event()
        assert set(VENUES) >= {name.split()[0] for name in FEEDS}
        async with exchange.opened() as addresses, asyncio.TaskGroup() as group:
            urls = dict(addresses)
            group.create_task(exchange.serve())
            first = group.create_task(hear(urls["massive"], FEEDS["massive"][0], COIN_NAMES, over))
            await asyncio.sleep(0.7)
            second = group.create_task(hear(urls["coinbase"], FEEDS["coinbase"][0], COIN_NAMES, over))
            await asyncio.sleep(1.5)
            over.set()
            messages = await first, await second
        for name, mine in zip(("massive", "coinbase"), messages, strict=True):
            heard = FEEDS[name][0].normalizer().read(mine)
            assert {Kind.INSTRUMENT, Kind.QUOTE, Kind.PRINT} <= {block.kind for block in heard}, name
        assert {sent.protocol for sent in ledger} == {"massive", "coinbase"}

    bounded(run)


@pytest.mark.parametrize("protocol", ["massive", "alpaca"])
def test_a_vendor_refuses_who_logs_in_while_it_does(protocol):
    vendor, _, symbols, day = FEEDS[protocol]

    async def run():
        exchange, _, _ = exchange_of(protocol, day=day, faults=[Fault(FaultKind.REFUSE_AUTH, lasts_s=60.0)])
        async with exchange.opened() as ((_, url),):
            with pytest.raises(DialogueError) as refused:
                await hear(url, vendor, symbols, asyncio.Event())
            assert refused.value.is_fatal

    bounded(run)


def test_pages_of_a_vendor_are_what_it_sent():
    async def run():
        exchange, tape, ledger = exchange_of("massive", day=SHARE_DAY)
        over = asyncio.Event()
        symbol = share_symbol(0)
        async with exchange.opened() as ((_, url),):
            vendor = FEEDS["massive"][0]
            listening = asyncio.create_task(hear(url, vendor, SHARES, over))
            await exchange.serve()
            over.set()
            await listening
            base = url.replace("ws://", "http://").removesuffix("/stocks")
            whole = massive.vendor("key", rest_url=base)
            topic = next(topic for topic in whole.topics({symbol}) if topic.channel is Channel.PRINTS)
            asking = whole.history(topic, SHARE_DAY.starts_ns, SHARE_DAY.starts_ns + 2 * SHARE_DAY.lasts_ns)
            pages, question = [], next(asking)
            while True:
                _, _, body = await get(base, question.url.removeprefix(base))
                pages.append(body)
                try:
                    question = asking.send(body)
                except StopIteration:
                    break
        assert pages
        sent = set(ledger.rows(1))
        served_ids = [
            row["trade_id"]
            for portion in tape.portions()
            for block in portion.blocks
            for row in (kept(block, sent).rows() if block.kind is Kind.PRINT else ())
            if tape.symbols[row["instrument_id"]] == symbol
        ]
        paged = [int(each["id"]) for page in pages for each in json.loads(page)["results"]]
        assert sorted(paged) == sorted(served_ids)
        assert len(paged) > 50

    bounded(run)
