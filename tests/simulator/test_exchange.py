"""The exchange over real sockets on loopback: what is served arrives, once and in order, to whoever asked for it."""

import asyncio
import json
import math

import pytest
from tiny_clients import ALL, PRINTS, QUOTES, bounded, client_of, events_of, expected, get, rules, served
from tiny_venue import START_NS, TinyDay, TinyVenue
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline.errors import ConfigError
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange
from pipeline.simulator.ledger import ListLedger
from pipeline.simulator.served import GeneratedTape


def test_thousands_of_events_arrive_once_and_in_order_with_nothing_lost():
    async def run():
        ledger = ListLedger()
        exchange = Exchange(GeneratedTape(TinyDay(30_000)), [Door("tiny", TinyVenue())], rules(), ledger=ledger)
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            events = await events_of(client, 30_000)
        assert [event["seq"] for event in events] == expected(30_000, *ALL) == ledger.rows(1)
        assert exchange.is_over

    bounded(run)


def test_a_paced_day_comes_in_order_not_before_its_time_and_waits_for_the_first_client():
    async def run():
        tape = GeneratedTape(TinyDay(2_000))
        exchange = Exchange(tape, [Door("tiny", TinyVenue())], rules(speed=10.0))
        async with served(exchange) as (url,):
            await asyncio.sleep(0.1)
            assert exchange.session_ns == START_NS
            async with client_of(url, *ALL) as client:
                early = []
                for _ in range(20):
                    events = [event for event in json.loads(await client.recv()) if isinstance(event, dict)]
                    early += [event for event in events if event["ts"] + 5_000_000 > exchange.session_ns]
                    early_seq = [event["seq"] for event in events]
                    assert early_seq == sorted(early_seq)
                assert early == []

    bounded(run)


def test_a_day_at_any_speed_is_the_same_events_in_the_same_order():
    async def run():
        for speed in (50.0, 1_000.0, math.inf):
            exchange = Exchange(GeneratedTape(TinyDay(3_000)), [Door("tiny", TinyVenue())], rules(speed=speed))
            async with served(exchange) as (url,), client_of(url, *ALL) as client:
                assert [event["seq"] for event in await events_of(client, 3_000)] == expected(3_000, *ALL)

    bounded(run)


def test_each_client_hears_what_it_asked_for():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(9_000)), [Door("tiny", TinyVenue())], rules(clients_first=4))
        wishes = [[[QUOTES, "AAA"]], [[PRINTS, "*"]], [[QUOTES, "BBB"], [PRINTS, "CCC"]], ALL]
        async with served(exchange) as (url,), asyncio.TaskGroup() as group:

            async def check(topics):
                async with client_of(url, *topics) as client:
                    wanted = expected(9_000, *topics)
                    assert [event["seq"] for event in await events_of(client, len(wanted))] == wanted

            for topics in wishes:
                group.create_task(check(topics))

    bounded(run)


def test_a_client_may_ask_for_more_and_for_less_while_the_day_goes_on():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(3_000)), [Door("tiny", TinyVenue())], rules(speed=2.0))
        async with served(exchange) as (url,), client_of(url, [QUOTES, "AAA"]) as client:
            assert {event["symbol"] for event in await events_of(client, 50)} == {"AAA"}
            await client.send(json.dumps({"want": [[QUOTES, "BBB"]], "drop": [[QUOTES, "AAA"]]}))
            while json.loads(await client.recv())[0] != "wanted":
                pass
            assert {event["symbol"] for event in await events_of(client, 50)} == {"BBB"}

    bounded(run)


@pytest.mark.parametrize("per_frame", [1, 7, 50])
def test_a_frame_holds_no_more_than_it_may(per_frame):
    async def run():
        door = Door("tiny", TinyVenue())
        exchange = Exchange(GeneratedTape(TinyDay(1_000)), [door], rules(frame_events_max=per_frame))
        async with served(exchange) as (url,), client_of(url, *ALL) as client:
            sizes, count = [], 0
            while count < 1_000:
                frame = [event for event in json.loads(await client.recv()) if isinstance(event, dict)]
                sizes.append(len(frame))
                count += len(frame)
        assert max(sizes) == per_frame

    bounded(run)


def test_two_protocols_on_two_ports_serve_one_day_at_once():
    async def run():
        ledger = ListLedger()
        doors = [Door("one", TinyVenue()), Door("two", TinyVenue())]
        exchange = Exchange(GeneratedTape(TinyDay(6_000)), doors, rules(clients_first=2), ledger=ledger)
        async with (
            served(exchange) as (one, two),
            client_of(one, [QUOTES, "*"]) as first,
            client_of(two, [PRINTS, "*"]) as second,
        ):
            assert one != two
            quotes, prints = await asyncio.gather(events_of(first, 4_000), events_of(second, 2_000))
        assert [event["seq"] for event in quotes] == expected(6_000, [QUOTES, "*"])
        assert [event["seq"] for event in prints] == expected(6_000, [PRINTS, "*"])
        assert {sent.protocol for sent in ledger} == {"one", "two"}

    bounded(run)


def test_pages_of_history_equal_what_was_served_and_go_no_further():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(4_000)), [Door("tiny", TinyVenue())], rules(speed=4.0))
        async with served(exchange) as (url,), client_of(url) as client:
            assert json.loads((await get(url, f"/quotes/AAA?from=0&to={2**62}&max=100000"))[2]) == []
            await client.send(json.dumps({"want": ALL}))
            heard = [event for event in await events_of(client, 1_500) if event["symbol"] == "BBB"]
            _, _, body = await get(url, f"/prints/BBB?from=0&to={heard[-1]['ts'] + 1}&max=100000")
            assert json.loads(body) == [[each["seq"], each["ts"]] for each in heard if each["kind"] == "PRINT"]
            paged, from_ns = [], 0
            while page := json.loads((await get(url, f"/quotes/BBB?from={from_ns}&to={heard[-1]['ts']}&max=40"))[2]):
                assert len(page) <= 40
                paged += page
                from_ns = page[-1][1] + 1
            assert paged == [[e["seq"], e["ts"]] for e in heard if e["kind"] == "QUOTE" and e["ts"] < heard[-1]["ts"]]
            everything = json.loads((await get(url, f"/quotes/AAA?from=0&to={2**62}&max=100000"))[2])
            assert [seq for seq, _ in everything] == expected(4_000, [QUOTES, "AAA"])[: len(everything)]

    bounded(run)


def test_the_clock_tells_where_the_day_stands():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(1_000)), [Door("tiny", TinyVenue())], rules(speed=5.0))
        async with served(exchange) as (url,):
            status, headers, body = await get(url, "/tape/clock")
            assert (status, headers["Content-Type"]) == (200, "application/json")
            assert json.loads(body) == {
                "session_ns": START_NS, "speed": 5.0, "has_begun": False, "is_over": False, "last_seq": 0
            }  # fmt: skip
            async with client_of(url, *ALL) as client:
                await events_of(client, 100)
                now = json.loads((await get(url, "/tape/clock"))[2])
                assert now["has_begun"]
                assert START_NS < now["session_ns"] <= exchange._clock()["session_ns"]

    bounded(run)


def test_another_path_or_method_is_refused():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(10)), [Door("tiny", TinyVenue())], rules())
        async with exchange.opened() as ((_, url),):
            with pytest.raises(InvalidStatus, match="404"):
                await connect(url.replace("/tiny", "/other"))
            port = int(url.split(":")[2].split("/")[0])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"DELETE /prints/AAA HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"405" in await reader.readline()
            writer.close()

    bounded(run)


def test_a_taken_port_is_told():
    async def run():
        tape = GeneratedTape(TinyDay(10))
        async with Exchange(tape, [Door("tiny", TinyVenue())], rules()).opened() as ((_, url),):
            port = int(url.split(":")[2].split("/")[0])
            with pytest.raises(ConfigError, match=f"port {port} for tiny"):
                async with Exchange(tape, [Door("tiny", TinyVenue(), port)], rules()).opened():
                    pass

    bounded(run)


def test_a_client_that_does_not_read_is_told_so_and_cut_off_while_others_lose_nothing():
    async def run():
        ledger = ListLedger()
        exchange = Exchange(
            GeneratedTape(TinyDay(60_000)),
            [Door("tiny", TinyVenue())],
            rules(clients_first=2, buffer_bytes=100_000, grace_s=5.0, patience_s=0.5),
            ledger=ledger,
        )
        async with (
            served(exchange) as (url,),
            client_of(url, *ALL) as good,
            client_of(url, *ALL, max_queue=1) as slow,
        ):
            events = await events_of(good, 60_000)
            assert [event["seq"] for event in events] == expected(60_000, *ALL)
            words = []
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    words.append(json.loads(await slow.recv()))
            assert closed.value.rcvd.code == 1008
            assert words[-1] == ["too slow"]
            heard = [event["seq"] for frame in words for event in frame if isinstance(event, dict)]
            assert heard == expected(60_000, *ALL)[: len(heard)] == ledger.rows(2)
            assert len(heard) < 60_000
            assert ("slow", 1008) in [(sent.what, sent.code) for sent in ledger if sent.client == 2]

    bounded(run)


def test_a_client_that_never_reads_again_is_let_go_all_the_same():
    async def run():
        exchange = Exchange(
            GeneratedTape(TinyDay(60_000)),
            [Door("tiny", TinyVenue())],
            rules(buffer_bytes=50_000, grace_s=0.2, patience_s=0.2),
        )
        async with exchange.opened() as ((_, url),), client_of(url, *ALL, max_queue=1, close_timeout=0.1):
            await exchange.serve()
            assert exchange.is_over
            assert not exchange._here()

    bounded(run)


def test_the_day_goes_on_when_a_client_leaves_and_another_comes():
    async def run():
        exchange = Exchange(GeneratedTape(TinyDay(3_000)), [Door("tiny", TinyVenue())], rules(speed=2.0))
        async with served(exchange) as (url,):
            async with client_of(url, *ALL) as client:
                first = await events_of(client, 300)
            async with client_of(url, *ALL) as client:
                second = await events_of(client, 300)
        assert first[-1]["seq"] < second[0]["seq"]
        seqs = [event["seq"] for event in second]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))

    bounded(run)
