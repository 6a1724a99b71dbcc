"""Massive's own client connects to the simulator and receives what was served."""

import asyncio
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from client_environments import python_with
from massive_host import hosted

from pipeline.block import Block, concat
from pipeline.codes import BarBasis, Kind, TradingStatus
from pipeline.normalize.massive_out import MassiveEncoder
from pipeline.normalize.rows import ranked
from pipeline.ports import Channel
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.simulator.massive import MassiveFaults, MassiveVenue
from pipeline.units import MINUTE_NS, NANO

pytestmark = pytest.mark.clients

DAY = Day(quotes=1_000, instruments=2)
KEY = "the-right-key"


@pytest.fixture(scope="module")
def python():
    return python_with("massive", "massive>=2.9,<3", "websockets>=14")


@pytest.fixture(scope="module")
def day():
    """A generated day with minutes and bands besides."""
    batches = list(GeneratedDay(DAY).events())
    starts = DAY.starts_ns + np.arange(30) * MINUTE_NS
    bars = Block.of(
        Kind.BAR,
        30,
        seq=np.arange(1, 31),
        ts_event_ns=starts,
        ts_recv_ns=starts + MINUTE_NS,
        instrument_id=1,
        bar_length=MINUTE_NS,
        ts_close_ns=starts + MINUTE_NS,
        open_nano=NANO,
        high_nano=2 * NANO,
        low_nano=NANO,
        close_nano=2 * NANO,
        volume_steps=np.arange(30),
        vwap=1.5,
        basis=int(BarBasis.VENDOR),
    )
    bands = Block.of(
        Kind.STATUS,
        1,
        seq=1,
        ts_event_ns=DAY.starts_ns,
        ts_recv_ns=DAY.starts_ns,
        instrument_id=2,
        status=int(TradingStatus.LIMITS),
        limit_up_nano=3 * NANO,
        limit_down_nano=NANO,
    )
    rows = [block for batch in batches[1:] for block in batch] + [bars, bands]
    whole = ranked(block.with_columns(seq=block.number("ts_recv_ns")) for block in rows)
    symbols = {row["instrument_id"]: row["symbol"] for row in batches[0][0].rows()}
    return whole, symbols


class Served:
    """All of a day, as `venue.History`."""

    def __init__(self, batch, symbols):
        self._kinds = {Channel.QUOTES: Kind.QUOTE, Channel.PRINTS: Kind.PRINT, Channel.BARS_1M: Kind.BAR}
        self._blocks = {block.kind: block for block in concat(batch)}
        self._ids = {symbol: id_ for id_, symbol in symbols.items()}

    def rows(self, topic, from_ns, to_ns, rows_max):
        block = self._blocks[self._kinds[topic.channel]]
        times = block.number("ts_event_ns")
        is_asked = (from_ns <= times) & (times < to_ns) & (block.number("instrument_id") == self._ids[topic.symbol])
        found = block.take(is_asked)
        return [found.take(np.argsort(found.number("ts_event_ns"), kind="stable")[:rows_max])]


def received(python, day, *arguments, venue=None, key=KEY):
    """What the client got."""
    batch, symbols = day
    served = list(MassiveEncoder().served(batch, symbols))

    async def run():
        async with hosted(venue or MassiveVenue(key=KEY), served, Served(batch, symbols)) as port:
            command = [python, Path(__file__).with_name("massive_client.py"), str(port), key, *arguments]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
            assert done.returncode == 0, done.stderr.decode()
            return json.loads(done.stdout.splitlines()[-1])  # its log stands in front

    return asyncio.run(run())


def of_kind(day, kind, instrument_id=None):
    return [
        row
        for block in day[0]
        for row in block.rows()
        if block.kind is kind and instrument_id in (None, row["instrument_id"])
    ]


def test_its_stream_receives_what_was_served(python, day):
    events = received(python, day, "stream", "T.*", "Q.ABCD", "AM.*", "LULD.*")
    symbols = day[1]
    trades = [
        (each["symbol"], each["price"], each["size"], each["id"], each["timestamp"], each["sequence_number"])
        for each in events
        if each["event_type"] == "T"
    ]
    assert trades == [
        (
            symbols[row["instrument_id"]],
            row["price_nano"] / NANO,
            row["size_steps"],
            str(row["trade_id"]),
            row["ts_event_ns"] // 10**6,
            row["vendor_seq"],
        )
        for row in of_kind(day, Kind.PRINT)
    ]
    quotes = [(e["bid_price"], e["ask_price"], e["bid_size"], e["ask_size"]) for e in events if e["event_type"] == "Q"]
    assert quotes == [
        (row["bid_nano"] / NANO, row["ask_nano"] / NANO, row["bid_size_steps"], row["ask_size_steps"])
        for row in of_kind(day, Kind.QUOTE, 1)
    ]
    bars = [(each["volume"], each["start_timestamp"]) for each in events if each["event_type"] == "AM"]
    assert bars == [(row["volume_steps"], row["ts_event_ns"] // 10**6) for row in of_kind(day, Kind.BAR)]
    bands = [each for each in events if each["event_type"] == "LULD"]
    assert [(each["symbol"], each["high_price"], each["low_price"]) for each in bands] == [(symbols[2], 3, 1)]
    assert len(trades) > 200
    assert len(quotes) > 500


def test_a_wrong_key_is_its_auth_error(python, day):
    assert received(python, day, "stream", "T.*", key="wrong") == {"refused": "authentication failed"}


def test_it_knocks_until_its_lifetime_budget_is_spent_when_it_is_evicted(python, day):
    venue = MassiveVenue(key=KEY, faults=MassiveFaults(evictions=100))
    assert "1008" in received(python, day, "stream", "T.*", venue=venue)["ended"]
    assert venue._connections == 6


def test_its_rest_client_pages_through_trades_and_quotes(python, day):
    symbols = day[1]
    trades = received(python, day, "trades", symbols[2])
    rows = sorted(of_kind(day, Kind.PRINT, 2), key=lambda row: (row["ts_event_ns"], row["seq"]))
    assert [(each["price"], each["size"], each["id"], each["sip_timestamp"]) for each in trades] == [
        (row["price_nano"] / NANO, row["size_steps"], str(row["trade_id"]), row["ts_event_ns"]) for row in rows
    ]
    quotes = received(python, day, "quotes", symbols[1])
    rows = sorted(of_kind(day, Kind.QUOTE, 1), key=lambda row: (row["ts_event_ns"], row["seq"]), reverse=True)
    assert [(each["bid_price"], each["ask_size"], each["sequence_number"]) for each in quotes] == [
        (row["bid_nano"] / NANO, row["ask_size_steps"], row["vendor_seq"]) for row in rows
    ]
    assert len(trades) > 100
    assert len(quotes) > 500


def test_its_rest_client_pages_through_minutes(python, day):
    ms = DAY.starts_ns // 10**6
    minutes = received(python, day, "minutes", day[1][1], str(ms), str(ms + 3_600_000))
    assert [(each["volume"], each["vwap"]) for each in minutes] == [
        (row["volume_steps"], 1.5) for row in of_kind(day, Kind.BAR)
    ]


def test_its_rest_client_reads_the_conditions(python, day):
    conditions = received(python, day, "conditions")
    (odd_lot,) = (each for each in conditions if each["id"] == 37)
    assert odd_lot["update_rules"]["consolidated"] == {
        "updates_high_low": False,
        "updates_open_close": False,
        "updates_volume": True,
    }
