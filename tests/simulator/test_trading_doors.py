"""A broker's two ports on loopback: requests one behind the other, what is lost on the way, and a stream that ends."""

import asyncio
import contextlib
import json
import time
from contextlib import asynccontextmanager

import httpx
import pytest
from test_trading_faces import alpaca, order
from tiny_clients import bounded
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from pipeline.errors import ConfigError
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.doors import TradingDoors
from pipeline.simulator.trading.mischief import Mischief, Mishap
from pipeline.units import NANO

HEADERS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


@asynccontextmanager
async def at_the_counter(odds=None, timeout_s=30.0, **manners):
    """A client of an open counter, the address of its stream, and its book."""
    face = alpaca(**manners)
    doors = TradingDoors(Counter(face, Mischief(1, odds or {}, late_s=0.05, request_late_s=0.05)), time.time_ns)
    async with (
        doors.opened() as (rest, stream),
        httpx.AsyncClient(base_url=rest.url, headers=HEADERS, timeout=timeout_s) as client,
    ):
        yield client, stream.url, face.book


@asynccontextmanager
async def listening(url):
    async with connect(url, close_timeout=0.3) as stream:
        await stream.send(json.dumps({"action": "auth", "key": "key", "secret": "secret"}))
        await stream.recv()
        await stream.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(await stream.recv())["stream"] == "listening"
        yield stream


async def until(is_so):
    while not is_so():  # noqa: ASYNC110 - what is looked at is the server's
        await asyncio.sleep(0.005)


def test_an_order_from_its_request_to_its_fills():
    async def run():
        async with at_the_counter(parts=lambda _: 2, gap_ns=NANO // 100) as (client, url, _), listening(url) as stream:
            said = (await client.post("/v2/orders", json=order())).json()
            heard = [await stream.recv() for _ in range(3)]
            assert all(isinstance(frame, bytes) for frame in heard)
            updates = [json.loads(frame)["data"] for frame in heard]
            assert [update["event"] for update in updates] == ["new", "partial_fill", "fill"]
            found = (await client.get("/v2/orders", params={"status": "all"})).json()
            assert [(each["id"], each["status"]) for each in found] == [(said["id"], "filled")]

    bounded(run)


@pytest.mark.parametrize(
    ("mishap", "is_done", "status"),
    [
        (Mishap.REFUSED, False, None),
        (Mishap.LOST_REQUEST, False, None),
        (Mishap.LATE_REQUEST, True, None),
        (Mishap.LOST_REPLY, True, None),
        (Mishap.LATE_REPLY, True, 200),
        (Mishap.TWICE, True, 422),
        (Mishap.TOO_MANY, False, 429),
        (Mishap.BROKEN, False, 500),
        (Mishap.NOBODY_KNOWS, True, 504),
    ],
)
def test_what_a_client_sees_of_a_mishap(mishap, is_done, status):
    async def run():
        timeout_s = 0.3 if status is None else 30.0
        async with at_the_counter({mishap: 1.0}, timeout_s) as (client, _, book):
            seen = None
            with contextlib.suppress(httpx.TransportError):
                seen = (await client.post("/v2/orders", json=order())).status_code
            assert seen == status
            await until(lambda: bool(book.orders) or not is_done)
            assert len(book.orders) == is_done

    bounded(run)


def test_a_stream_ends_without_a_word():
    async def run():
        async with at_the_counter({Mishap.DROP: 1.0}) as (client, url, book), listening(url) as stream:
            await client.post("/v2/orders", json=order())
            with pytest.raises(ConnectionClosed):
                await stream.recv()
            async with listening(url):  # a new one is taken
                assert len(book.orders) == 1

    bounded(run)


def test_what_is_no_request_ends_the_connection():
    async def run():
        async with at_the_counter() as (client, _, book):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            writer.write(b"POST /v2/orders HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            assert (await client.get("/v2/account")).status_code == 200
            assert not book.orders

    bounded(run)


def test_a_port_that_is_taken_is_named():
    async def run():
        async with at_the_counter() as (client, _, _):
            with pytest.raises(ConfigError, match=str(client.base_url.port)):
                async with TradingDoors(Counter(alpaca()), time.time_ns).opened(client.base_url.port):
                    pass

    bounded(run)
