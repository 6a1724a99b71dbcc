"""Every fault over real sockets, as a plain client sees it, and as the ledger tells it."""

import asyncio
import json
import math
import socket
from collections import Counter
from urllib.error import HTTPError

import pytest
from tiny_clients import ALL, bounded, client_of, events_of, expected, get, rules, served
from tiny_venue import START_NS, TinyDay, TinyVenue
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from pipeline.errors import ConfigError
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange, Rules
from pipeline.simulator.faults import HUGE_BYTES, Fault, FaultKind
from pipeline.simulator.ledger import ListLedger
from pipeline.simulator.served import GeneratedTape

COUNT = 2_000
EVERYTHING = expected(COUNT, *ALL)


def exchange_of(*faults, count=COUNT, how=None):
    ledger = ListLedger()
    door = Door("tiny", TinyVenue(), refusing=TinyVenue(is_refusing=True))
    return Exchange(GeneratedTape(TinyDay(count)), [door], how or rules(), faults, ledger), ledger


async def until_closed(client):
    """`seq` of all events heard, and how it ended."""
    heard = []
    try:
        while True:
            frame = json.loads(await client.recv())
            heard += [event["seq"] for event in frame if isinstance(event, dict)]
    except ConnectionClosed as error:
        return heard, error


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011])
@pytest.mark.parametrize("place", [{"events": 500}, {"row": EVERYTHING[500]}, {"at_ns": START_NS + 500_000_000}])
def test_a_close_code_comes_at_its_place_behind_all_in_front_of_it(code, place):
    async def run():
        exchange, ledger = exchange_of(Fault(FaultKind(f"close-{code}"), **place))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            heard, error = await until_closed(client)
        assert heard == EVERYTHING[:500] == ledger.rows(1)
        assert error.rcvd.code == code
        assert [(sent.what, sent.code) for sent in ledger][-2:] == [(f"close-{code}", code), ("gone", 0)]

    bounded(run)


@pytest.mark.parametrize("kind", [FaultKind.CLOSE_1006, FaultKind.FIN])
def test_tcp_ends_without_a_word(kind):
    async def run():
        exchange, ledger = exchange_of(Fault(kind, events=500))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            heard, error = await until_closed(client)
        assert isinstance(error, ConnectionClosedError)
        assert error.rcvd is None
        assert heard == EVERYTHING[: len(heard)]
        assert ledger.rows(1) == EVERYTHING[:500]
        assert kind in [sent.what for sent in ledger]

    bounded(run)


async def raw_client(url, *topics):
    """A client on a bare socket, past its handshake: what a FIN or an RST looks like from below."""
    host, port = url.removeprefix("ws://").split("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /tiny HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    text = json.dumps({"want": topics}).encode()
    writer.write(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)  # masked with nothing
    return reader, writer


@pytest.mark.parametrize(("kind", "is_reset"), [(FaultKind.FIN, False), (FaultKind.RST, True)])
def test_fin_and_rst_are_what_the_socket_sees(kind, is_reset):
    async def run():
        exchange, _ = exchange_of(Fault(kind, events=500))
        async with served(exchange) as (url,):
            reader, writer = await raw_client(url, *ALL)
            if is_reset:
                with pytest.raises(ConnectionResetError):
                    while await reader.read(65_536):
                        pass
            else:
                while await reader.read(65_536):
                    pass
            writer.close()

    bounded(run)


def test_mute_answers_pings_and_sends_nothing_then_goes_on():
    async def run():
        fault = Fault(FaultKind.MUTE, events=300, lasts_s=0.5)
        exchange, ledger = exchange_of(fault, how=rules(speed=1.0))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            heard = [event["seq"] for event in await events_of(client, 300)]
            await (await client.ping())
            await client.send(json.dumps({"want": []}))
            after = [event["seq"] for event in await events_of(client, 300)]
        assert heard == EVERYTHING[:300]
        assert after[0] > heard[-1] + 300
        assert ledger.rows(1)[:600] == heard + after[:300]
        assert [sent.what for sent in ledger].count("mute") == 1

    bounded(run)


def test_the_clock_is_told_during_an_outage_and_nothing_else_is():
    """A recorder that starts in the middle of it asks how late the day is."""

    async def run():
        exchange, _ = exchange_of(Fault(FaultKind.OUTAGE, lasts_s=600.0))
        async with exchange.opened() as ((_, url),):
            assert json.loads((await get(url, "/tape/clock"))[2])["session_ns"] == START_NS
            with pytest.raises(HTTPError, match="503"):
                await get(url, "/quotes/AAA?from=0&to=1")

    bounded(run)


def test_an_outage_loses_everybody_and_lets_nobody_in_until_it_is_over():
    async def run():
        fault = Fault(FaultKind.OUTAGE, row=EVERYTHING[400], lasts_s=0.4)
        exchange, ledger = exchange_of(fault, count=4_000, how=rules(speed=2.0))
        async with served(exchange) as (url,):
            async with client_of(url, *ALL) as client:
                heard, error = await until_closed(client)
            assert error.rcvd is None
            assert heard == EVERYTHING[: len(heard)]
            refused = []
            while True:
                try:
                    async with client_of(url, *ALL) as client:
                        events = await events_of(client, 100)
                        break
                except InvalidStatus as answer:
                    refused.append(answer.response.status_code)
                    await asyncio.sleep(0.05)
            assert len(refused) > 1
            assert set(refused) == {503}
            missed = events[0]["seq"] - heard[-1] - 1
            page = json.loads((await get(url, f"/quotes/AAA?from=0&to={2**62}&max=9999"))[2])
            held = [seq for seq, _ in page if heard[-1] < seq < events[0]["seq"]]
            assert missed > 300
            assert held == [seq for seq in expected(4_000, ["quotes", "AAA"]) if heard[-1] < seq < events[0]["seq"]]
        assert Counter(sent.what for sent in ledger)["connected"] == 2

    bounded(run)


def test_whoever_logs_in_while_logins_are_refused_is_told_and_closed():
    async def run():
        exchange, _ = exchange_of(Fault(FaultKind.REFUSE_AUTH, lasts_s=0.3))
        async with served(exchange) as (url,):
            async with client_of(url, *ALL) as client:
                assert json.loads(await client.recv()) == ["who are you"]
                with pytest.raises(ConnectionClosed, match="1008"):
                    await client.recv()
            await asyncio.sleep(0.35)
            async with client_of(url, *ALL) as client:
                assert len(await events_of(client, COUNT)) == COUNT

    bounded(run)


def test_slow_acks_come_late_and_what_they_acknowledge_too():
    async def run():
        exchange, _ = exchange_of(Fault(FaultKind.SLOW_ACKS, lasts_s=0.4))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.recv()
            assert json.loads(await client.recv()) == ["wanted", 2]
            assert len(await events_of(client, COUNT)) == COUNT

    bounded(run)


def test_duplicates_are_the_last_events_again():
    async def run():
        exchange, ledger = exchange_of(Fault(FaultKind.DUPLICATE, events=700, count=30))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            heard = [event["seq"] for event in await events_of(client, COUNT + 30)]
        assert heard == EVERYTHING[:700] + EVERYTHING[670:700] + EVERYTHING[700:] == ledger.rows(1)
        assert ledger.rows(1, "duplicate") == EVERYTHING[670:700]

    bounded(run)


def test_late_events_come_behind_younger_ones_and_none_is_lost():
    async def run():
        exchange, ledger = exchange_of(Fault(FaultKind.LATE, events=700, count=30, lasts_s=0.2), how=rules(speed=2.0))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            heard = [event["seq"] for event in await events_of(client, COUNT)]
        late = EVERYTHING[700:730]
        assert sorted(heard) == EVERYTHING
        assert heard.index(late[0]) > 800
        assert ledger.rows(1, "late") == late == heard[heard.index(late[0]) :][:30]
        assert [seq for seq in heard if seq not in late] == EVERYTHING[:700] + EVERYTHING[730:]

    bounded(run)


def test_what_is_late_at_the_end_of_the_day_still_comes():
    async def run():
        exchange, _ = exchange_of(Fault(FaultKind.LATE, events=1_990, count=30, lasts_s=60.0))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            assert [event["seq"] for event in await events_of(client, COUNT)] == EVERYTHING

    bounded(run)


def test_a_huge_frame_is_the_last_event_again_and_again():
    async def run():
        exchange, ledger = exchange_of(Fault(FaultKind.HUGE, events=500))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            sizes, heard = [], set()
            while len(heard) < COUNT:
                payload = await client.recv()
                sizes.append(len(payload))
                heard |= {event["seq"] for event in json.loads(payload) if isinstance(event, dict)}
        assert sorted(heard) == EVERYTHING
        assert max(sizes) >= HUGE_BYTES
        assert [set(sent.rows) for sent in ledger if sent.what == "huge"] == [{EVERYTHING[499]}]

    bounded(run)


def test_a_huge_frame_breaks_a_limit():
    async def run():
        exchange, _ = exchange_of(Fault(FaultKind.HUGE, events=500))
        async with served(exchange) as (url,), client_of(url, *ALL, max_size=2**20) as client:
            heard, error = await until_closed(client)
        assert heard == EVERYTHING[:500]
        assert error.sent.code == 1009

    bounded(run)


def test_garbage_comes_between_good_frames_and_reads_as_nothing():
    async def run():
        exchange, ledger = exchange_of(Fault(FaultKind.GARBAGE, events=500, count=9))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            heard, garbage = [], []
            while len(heard) < COUNT:
                payload = await client.recv(decode=False)
                try:
                    heard += [event["seq"] for event in json.loads(payload.decode()) if isinstance(event, dict)]
                except ValueError:
                    garbage.append((len(heard), len(payload)))
        assert heard == EVERYTHING
        assert garbage == [(500, sent.count_bytes) for sent in ledger if sent.what == "garbage"]
        assert len(garbage) == 9

    bounded(run)


def test_a_fault_by_count_happens_once_to_the_first_that_comes_so_far():
    async def run():
        exchange, ledger = exchange_of(Fault(FaultKind.CLOSE_1011, events=500), how=rules(clients_first=2))
        async with served(exchange) as (url,), client_of(url, *ALL) as one, client_of(url, *ALL) as two:
            first, second = await asyncio.gather(until_closed(one), until_closed_or(two, COUNT))
        assert sorted((len(first[0]), len(second))) == [500, COUNT]
        assert [sent.what for sent in ledger].count("close-1011") == 1

    async def until_closed_or(client, count):
        return await events_of(client, count)

    bounded(run)


def test_a_fault_of_one_protocol_leaves_the_other_alone():
    async def run():
        ledger = ListLedger()
        doors = [Door("one", TinyVenue()), Door("two", TinyVenue())]
        fault = Fault(FaultKind.RST, row=EVERYTHING[300], protocol="two")
        exchange = Exchange(GeneratedTape(TinyDay(COUNT)), doors, rules(clients_first=2), [fault], ledger)
        async with served(exchange) as (one, two), client_of(one, *ALL) as first, client_of(two, *ALL) as second:
            events, (heard, error) = await asyncio.gather(events_of(first, COUNT), until_closed(second))
        assert [event["seq"] for event in events] == EVERYTHING
        assert len(heard) <= 300
        assert error.rcvd is None

    bounded(run)


def test_several_faults_happen_in_their_order():
    async def run():
        faults = [
            Fault(FaultKind.DUPLICATE, events=100, count=5),
            Fault(FaultKind.GARBAGE, row=EVERYTHING[200], count=1),
            Fault(FaultKind.DUPLICATE, at_ns=START_NS + 300_000_000, count=5),
            Fault(FaultKind.CLOSE_1000, events=400),
        ]
        exchange, ledger = exchange_of(*faults)
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            async for _ in client:
                pass
        assert [sent.what for sent in ledger if sent.what not in ("events", "words", "connected", "gone")] == [
            "duplicate", "garbage", "duplicate", "close-1000"
        ]  # fmt: skip
        assert ledger.rows(1, "duplicate") == EVERYTHING[95:100] + EVERYTHING[295:300]

    bounded(run)


def test_a_fault_that_nobody_can_have_is_refused():
    tape = GeneratedTape(TinyDay(10))
    with pytest.raises(ConfigError, match="'massive' is not served here, only tiny"):
        Exchange(tape, [Door("tiny", TinyVenue())], Rules(math.inf), [Fault(FaultKind.RST, protocol="massive")])
    with pytest.raises(ConfigError, match="asks who comes"):
        Exchange(tape, [Door("tiny", TinyVenue())], Rules(math.inf), [Fault(FaultKind.REFUSE_AUTH)])


def test_only_this_machine_is_served():
    async def run():
        exchange, _ = exchange_of()
        async with exchange.opened() as ((_, url),):
            port = int(url.split(":")[2].split("/")[0])
            with socket.socket() as other, pytest.raises(OSError):
                other.settimeout(2)
                other.connect((socket.gethostbyname(socket.gethostname()), port))
                if other.getpeername()[0].startswith("127."):
                    raise OSError("this machine's name means loopback")

    bounded(run)
