"""Clients of a tiny exchange: what the tests of it have in common."""

import asyncio
import json
import math
import urllib.request
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect

from pipeline.simulator.client import Manners
from pipeline.simulator.exchange import Rules

QUOTES, PRINTS = "quotes", "prints"
ALL = [[QUOTES, "*"], [PRINTS, "*"]]


def bounded(test):
    """Run it in a loop of its own, a minute at most."""

    async def within():
        async with asyncio.timeout(60):
            await test()

    asyncio.run(within())


def rules(speed=math.inf, **manners):
    first = manners.pop("clients_first", 1)
    patience_s = manners.pop("patience_s", 10.0)
    return Rules(speed, clients_first=first, patience_s=patience_s, manners=Manners(**manners))


@asynccontextmanager
async def served(exchange):
    """The addresses of an exchange that serves its day meanwhile."""
    async with exchange.opened() as addresses, asyncio.TaskGroup() as group:
        task = group.create_task(exchange.serve())
        yield [address.url for address in addresses]
        await task


@asynccontextmanager
async def client_of(url, *topics, **options):
    async with connect(url, **{"max_size": 2**26, "close_timeout": 0.3, **options}) as client:
        assert json.loads(await client.recv()) == ["hello"]
        await client.send(json.dumps({"want": topics}))
        yield client


async def events_of(client, count):
    """The next `count` events; words in between are passed over."""
    found = []
    while len(found) < count:
        found += [event for event in json.loads(await client.recv()) if isinstance(event, dict)]
    return found


def expected(count, *topics):
    """`seq` of the tiny day's events; definitions come first and have none."""
    days = [(index + 4, "prints" if index % 3 == 2 else "quotes", "ABC"[index // 3 % 3] * 3) for index in range(count)]
    return [seq for seq, channel, symbol in days if {(channel, symbol), (channel, "*")} & {tuple(t) for t in topics}]


async def get(url, path):
    def fetched():
        with urllib.request.urlopen(url.replace("ws://", "http://").removesuffix("/tiny") + path, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()

    return await asyncio.to_thread(fetched)
