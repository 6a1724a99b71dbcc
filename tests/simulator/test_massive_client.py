"""Massive's own client against a day served on loopback: it receives what was served."""

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from client_environments import python_with
from tiny_clients import rules

from pipeline.codes import BarBasis, Kind, Mark, TradingStatus
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange
from pipeline.simulator.massive import MassiveFaults, MassiveVenue
from pipeline.simulator.served import GeneratedTape
from pipeline.units import MINUTE_NS, NANO

pytestmark = pytest.mark.clients

DAY = replace(DAYS["premarket"], instruments=3, quotes=1_500)
KEY = "the-right-key"
MS_NS = 10**6


@pytest.fixture(scope="module")
def python():
    return python_with("massive", "massive>=2.9,<3", "websockets>=14")


@pytest.fixture(scope="module")
def tape():
    return GeneratedTape(GeneratedMarket(DAY))


async def client(python, port, what, *names, key=KEY):
    """What the client got; its log stands in front of it."""
    command = [python, Path(__file__).with_name("massive_client.py"), str(port), key, what, *names]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def received(python, tape):
    """What it received of a whole day by its socket, and by REST afterwards."""
    exchange = Exchange(tape, [Door("massive", MassiveVenue(key=KEY))], rules())
    first, second, _ = tape.symbols.values()
    ms = DAY.starts_ns // MS_NS

    async def run():
        async with exchange.opened() as (address,):
            port = urlsplit(address.url).port
            topics = ("T.*", f"Q.{first}", "AM.*", "LULD.*")
            stream = asyncio.create_task(client(python, port, "stream", *topics))
            await exchange.serve()
            rest = {
                "trades": await client(python, port, "trades", first),
                "quotes": await client(python, port, "quotes", second),
                "minutes": await client(python, port, "minutes", first, str(ms), str(ms + 10**9)),
                "conditions": await client(python, port, "conditions"),
            }
        return {"stream": await stream, **rest}

    return asyncio.run(run())


def rows(tape, kind, symbol=None):
    """Rows of the day as they are, with the names of their shares."""
    return [
        {**row, "symbol": tape.symbols[row["instrument_id"]]}
        for portion in tape.portions()
        for block in portion.blocks
        if block.kind is kind
        for row in block.rows()
        if symbol in (None, tape.symbols[row["instrument_id"]])
    ]


def prints(tape, symbol=None):
    """Those that Massive has messages for."""
    return [row for row in rows(tape, Kind.PRINT, symbol) if not row["marks"] & (Mark.CANCEL | Mark.CORRECTION)]


def minutes(tape, symbol=None):
    found = rows(tape, Kind.BAR, symbol)
    return [row for row in found if row["basis"] == BarBasis.VENDOR and row["bar_length"] == MINUTE_NS]


def of_type(received, name):
    return [event for event in received["stream"] if event["event_type"] == name]


def by_symbol(pairs):
    """Values by their symbol: order across symbols is nobody's promise."""
    found = {}
    for symbol, value in pairs:
        found.setdefault(symbol, []).append(value)
    return found


def test_its_stream_receives_the_trades(received, tape):
    got = by_symbol(
        (each["symbol"], (each["price"], each["size"], each["timestamp"], each["sequence_number"]))
        for each in of_type(received, "T")
    )
    assert got == by_symbol(
        (
            row["symbol"],
            (row["price_nano"] / NANO, row["size_steps"], row["ts_event_ns"] // MS_NS, row["vendor_seq"]),
        )
        for row in prints(tape)
    )
    assert sum(map(len, got.values())) > 500


def test_its_stream_receives_the_quotes_it_asked_for(received, tape):
    first = next(iter(tape.symbols.values()))
    got = [
        (each["bid_price"], each["ask_price"], each["bid_size"], each["ask_size"]) for each in of_type(received, "Q")
    ]
    assert got == [
        (row["bid_nano"] / NANO, row["ask_nano"] / NANO, row["bid_size_steps"], row["ask_size_steps"])
        for row in rows(tape, Kind.QUOTE, first)
    ]
    assert len(got) > 500


def test_its_stream_receives_bars_and_bands(received, tape):
    bars = [
        (each["symbol"], each["start_timestamp"], each["close"], each["volume"]) for each in of_type(received, "AM")
    ]
    assert bars == [
        (row["symbol"], row["ts_event_ns"] // MS_NS, row["close_nano"] / NANO, row["volume_steps"])
        for row in minutes(tape)
    ]
    bands = [(each["symbol"], each["high_price"], each["low_price"]) for each in of_type(received, "LULD")]
    limits = [row for row in rows(tape, Kind.STATUS) if row["status"] == TradingStatus.LIMITS]
    assert bands == [(row["symbol"], row["limit_up_nano"] / NANO, row["limit_down_nano"] / NANO) for row in limits]
    assert len(bars) > 50
    assert len(bands) > 5


def test_its_rest_client_pages_through_trades_and_quotes(received, tape):
    first, second, _ = tape.symbols.values()
    got = [(each["price"], each["size"], each["sip_timestamp"], each["sequence_number"]) for each in received["trades"]]
    assert got == [
        (row["price_nano"] / NANO, row["size_steps"], row["ts_event_ns"], row["vendor_seq"])
        for row in sorted(prints(tape, first), key=lambda row: row["ts_event_ns"])
    ]
    got = [(each["bid_price"], each["ask_size"], each["sip_timestamp"]) for each in received["quotes"]]
    newest_first = sorted(rows(tape, Kind.QUOTE, second), key=lambda row: row["ts_event_ns"], reverse=True)
    assert sorted(got) == sorted(
        (row["bid_nano"] / NANO, row["ask_size_steps"], row["ts_event_ns"]) for row in newest_first
    )
    assert [each[2] for each in got] == [row["ts_event_ns"] for row in newest_first]
    assert len(got) > 100


def test_its_rest_client_gets_each_minute_in_its_last_form(received, tape):
    last = {row["ts_event_ns"]: row for row in minutes(tape, next(iter(tape.symbols.values())))}
    got = [(each["timestamp"], each["close"], each["volume"]) for each in received["minutes"]]
    assert got == [
        (start // MS_NS, row["close_nano"] / NANO, row["volume_steps"]) for start, row in sorted(last.items())
    ]
    assert len(got) > 10


def test_its_rest_client_reads_the_conditions(received):
    (odd_lot,) = (each for each in received["conditions"] if each["id"] == 37)
    assert odd_lot["update_rules"]["consolidated"] == {
        "updates_high_low": False,
        "updates_open_close": False,
        "updates_volume": True,
    }


def outcome(python, tape, venue, key):
    """What becomes of a client of a venue that will not have it."""

    async def run():
        async with Exchange(tape, [Door("massive", venue)], rules()).opened() as (address,):
            return await client(python, urlsplit(address.url).port, "stream", "T.*", key=key)

    return asyncio.run(run())


def test_a_wrong_key_is_its_auth_error(python, tape):
    assert outcome(python, tape, MassiveVenue(key=KEY), "wrong") == {"refused": "authentication failed"}


def test_evicted_it_knocks_until_its_lifetime_budget_is_spent(python, tape):
    venue = MassiveVenue(key=KEY, faults=MassiveFaults(evictions=100))
    assert "1008" in outcome(python, tape, venue, KEY)["ended"]
    assert venue._connections == 6
