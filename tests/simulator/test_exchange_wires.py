"""What some venues do besides: frames of their own, words as time passes, plain TCP."""

import asyncio
import json

import pytest
from tiny_clients import ALL, bounded, expected, rules
from tiny_venue import NumberedVenue, TinyDay, TinyVenue
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange
from pipeline.simulator.faults import Fault, FaultKind
from pipeline.simulator.ledger import ListLedger
from pipeline.simulator.served import GeneratedTape

COUNT = 2_000


def test_a_conversation_that_frames_numbers_its_own_frames_and_sends_them_as_binary():
    async def run():
        ledger = ListLedger()
        door = Door("tiny", NumberedVenue())
        exchange = Exchange(GeneratedTape(TinyDay(COUNT)), [door], rules(speed=2.0), ledger=ledger)
        async with exchange.opened() as ((_, url),), asyncio.TaskGroup() as group:
            group.create_task(exchange.serve())
            numbers, heard, beats = [], set(), 0
            async with connect(url, max_size=2**26, close_timeout=0.3) as client:
                await client.send(json.dumps({"want": ALL}))
                while len(heard) < COUNT:
                    payload = await client.recv()
                    assert isinstance(payload, bytes)
                    message = json.loads(payload)
                    if isinstance(message, dict):
                        numbers.append(message["number"])
                        beats += not message["events"]
                        assert len({event["kind"] for event in message["events"]}) <= 1
                        heard |= {event["seq"] for event in message["events"]}
        assert numbers == list(range(1, len(numbers) + 1))
        assert sorted(heard) == expected(COUNT, *ALL) == ledger.rows(1)
        assert beats >= 3

    bounded(run)


def test_a_conversation_may_end_because_time_passed():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(10)), [Door("tiny", NumberedVenue())], rules())
        async with exchange.opened() as ((_, url),):
            async with connect(url) as client:
                with pytest.raises(ConnectionClosed) as closed:
                    while True:
                        said = json.loads(await client.recv())
            assert said == ["nothing wanted"]
            assert closed.value.rcvd.code == 1008

    bounded(run)


async def come(address):
    port = int(address.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return reader, writer


def wish(*topics):
    return json.dumps({"want": topics}).encode() + b"\n"


def events_in(payload):
    """`seq` of the events in a stretch of tiny frames, one behind the other without a mark between them."""
    decoder, text, found = json.JSONDecoder(), payload.decode(), []
    while text:
        frame, end = decoder.raw_decode(text)
        found += [event["seq"] for event in frame if isinstance(event, dict)]
        text = text[end:]
    return found


def tcp_exchange(*faults, count=COUNT, how=None):
    ledger = ListLedger()
    door = Door("tiny", TinyVenue(), is_tcp=True)
    return Exchange(GeneratedTape(TinyDay(count)), [door], how or rules(), faults, ledger), ledger


def test_over_plain_tcp_a_client_speaks_in_lines_and_hears_all_in_order():
    async def run():
        exchange, ledger = tcp_exchange(Fault(FaultKind.CLOSE_1000, row=COUNT + 3))
        async with exchange.opened() as (address,):
            assert address.url.startswith("tcp://127.0.0.1:")
            reader, writer = await come(address)
            for part in (wish(*ALL)[:5], wish(*ALL)[5:]):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.05)
            await exchange.serve()
            heard = events_in(await reader.read(-1))
            writer.close()
        assert heard == expected(COUNT, *ALL)[:-1] == ledger.rows(1)

    bounded(run)


@pytest.mark.parametrize(
    ("kind", "is_reset"), [(FaultKind.FIN, False), (FaultKind.CLOSE_1006, False), (FaultKind.RST, True)]
)
def test_plain_tcp_ends_as_asked(kind, is_reset):
    async def run():
        exchange, _ = tcp_exchange(Fault(kind, events=500))
        async with exchange.opened() as (address,):
            reader, writer = await come(address)
            writer.write(wish(*ALL))
            await exchange.serve()
            if is_reset:
                with pytest.raises(ConnectionResetError):
                    await reader.read(-1)
            else:
                assert len(events_in(await reader.read(-1))) == 500
            writer.close()

    bounded(run)


def test_plain_tcp_refuses_while_there_is_an_outage():
    async def run():
        exchange, _ = tcp_exchange(Fault(FaultKind.OUTAGE, lasts_s=0.3))
        async with exchange.opened() as (address,):
            reader, writer = await come(address)
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
            writer.close()
            await asyncio.sleep(0.35)
            reader, writer = await come(address)
            assert await reader.readexactly(9) == b'["hello"]'
            writer.close()

    bounded(run)


def test_a_slow_reader_of_plain_tcp_is_let_go():
    async def run():
        how = rules(buffer_bytes=50_000, grace_s=0.2, patience_s=0.2)
        exchange, ledger = tcp_exchange(count=80_000, how=how)
        async with exchange.opened() as (address,):
            _, writer = await come(address)
            writer.write(wish(*ALL))
            await exchange.serve()
            assert not exchange._here()
            writer.close()
        assert "slow" in [sent.what for sent in ledger]
        assert len(ledger.rows(1)) < 80_000

    bounded(run)
