"""Snapshots polled while a day is recorded over sockets: only what changed is kept, failing polls are events, replays are the same bytes."""

import dataclasses
import json
import random
from itertools import pairwise

import pytest
from live_sessions import Running, live_store, recording
from served_days import DayClock, Served

from pipeline.codes import FeedAction, Kind
from pipeline.core.hashing import packed_rows
from pipeline.errors import ConfigError
from pipeline.feeds.polling import CHANGED, JOURNAL_ROW_BYTES, ROW_BYTES
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Answer, Channel, Topic
from pipeline.provenance import Mode
from pipeline.run.asking import recording_of, seconds_of, told_of_snapshots
from pipeline.run.feeds import feed_named
from pipeline.run.fold import Speed
from pipeline.run.intake import Intake
from pipeline.run.recording import opened, start_rows
from pipeline.run.replaying import replay
from pipeline.run.scanners import load_scanner
from pipeline.run.scanning import scan
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.verifying import verify
from pipeline.simulator.alpaca import AlpacaVenue
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.massive import MassiveVenue
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venue import HttpAnswer
from pipeline.units import MINUTE_NS, NANO

__all__ = ["live_store"]

SPEED = 200.0
DAY = dataclasses.replace(DAYS["premarket"], instruments=6, quotes=750, lasts_ns=35 * MINUTE_NS)
FILES = [strategy_file("hold")]
VENUES = {"massive": MassiveVenue, "alpaca": AlpacaVenue}

OWN = """
import numpy as np
from pipeline.scanner.field import Valued, field_of

@field_of("range_pct", "%", "high less low of the day, over the low", "prints, bars, snapshots")
def range_pct(view):
    high, low = view.of("hod"), view.of("lod")
    return Valued((high.value - low.value) / low.value * 100.0, high.known_ns)

FIELDS = (range_pct,)
"""
SCANNER = """
name = "both"
own_fields = "own.py"
show = ["last", "bid", "ask", "volume", "vwap", "hod", "rth_high", "open"]
limit = 3
[schedule]
every_s = 10
from = "00:00"
until = "23:59"
[[filters]]
field = "range_pct"
op = ">="
threshold = 0.5
[[rank]]
field = "range_pct"
"""


@pytest.fixture
def scanner(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "both.toml").write_text(SCANNER)
    return tmp_path / "both.toml"


def rows(store, manifest, kind, what="all"):
    batches = LogReader(store.folder(manifest.id)).batches(kinds=[kind], what=what)
    return [row for batch in batches for block in batch for row in block.rows()]


def polled(
    store, protocol, scanner, *, symbols, watched=(), url_of=lambda served, protocol: served.urls[protocol], **more
):
    """A day recorded with a scanner while snapshots are polled, and the exchange that served it."""
    with Served(GeneratedTape(GeneratedMarket(DAY)), {protocol: lambda _: VENUES[protocol]()}, speed=SPEED) as served:
        vendor = feed_named(protocol, served.urls[protocol], None)
        what = dataclasses.replace(
            recording(vendor, symbols=symbols, files=FILES),
            plan=plan_of(FILES, [], [], [scanner]),
            watched=watched,
            watch_channels=frozenset((Channel.BARS_1M,)),
            clock=DayClock(served),
            snapshot_every_s=30.0,
            **more,
        )
        running = Running(store, what)
        assert served.is_served.wait(240)
        running.until(lambda _: not running.ending.asked.is_set())
        return running.end(), served


@pytest.mark.parametrize("protocol", VENUES)
def test_a_live_day_with_snapshots_and_own_fields_replays_bit_for_bit(live_store, scanner, protocol):
    tape = GeneratedTape(GeneratedMarket(DAY))
    first, *others = sorted(tape.symbols.values())
    manifest, _ = polled(live_store, protocol, scanner, symbols=(first, *others[:1]), watched=tuple(others[1:]))
    assert manifest.settings["snapshot_every_s"] == 30.0
    told = rows(live_store, manifest, Kind.SNAPSHOT)
    names = {row["instrument_id"]: row["symbol"] for row in rows(live_store, manifest, Kind.INSTRUMENT)}
    assert {names[row["instrument_id"]] for row in told} == set(tape.symbols.values()), "watched ones too"
    for id_ in names:
        mine = [{**row, "seq": 0, "ts_recv_ns": 0} for row in told if row["instrument_id"] == id_]
        assert all(one != next_ for one, next_ in pairwise(mine)), "only what changed"
    assert verify(live_store, manifest.id).identical
    assert verify(live_store, manifest.id, always_apart=True).identical

    live = candidates(live_store, manifest.id)
    assert len(live) > 1_000
    for speed in (Speed.INTERPRETED, Speed.COMPILED):
        again = replay(live_store, manifest.id, plan_of(FILES, [], [], [scanner]), FILES, created_ns=1, speed=speed)
        assert again.decisions_hash == manifest.decisions_hash
        assert candidates(live_store, again.run) == live
    found = scan(live_store, manifest.id, load_scanner(scanner), keep_ns=2)
    assert without_ord(live_store, found.run) == without_ord(live_store, manifest.id)


def candidates(store, name):
    """The table of candidates, as bytes."""
    return b"".join(packed_rows(block) for block in _candidate_blocks(store, name))


def without_ord(store, name):
    """The same but for the places behind an input, which a strategy's rows share."""
    blocks = _candidate_blocks(store, name)
    return b"".join(packed_rows(block.with_columns(ord=block.number("ord") * 0)) for block in blocks)


def _candidate_blocks(store, name):
    batches = LogReader(store.folder(name)).batches(kinds=[Kind.CANDIDATE], what="derived")
    return [block for batch in batches for block in batch]


class FailingSnapshots(MassiveVenue):
    """Massive, whose snapshots are answered by nobody for a while: not the first one, then the next ones, then all."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def get(self, path, query, headers, history):
        if "snapshot" in path:
            self.asked += 1
            if 2 <= self.asked <= 6:
                return HttpAnswer(503, b"", {})
        return super().get(path, query, headers, history)


def test_snapshots_that_fail_for_a_while_are_events_and_the_stream_goes_on(live_store, scanner):
    day = dataclasses.replace(DAY, instruments=3, quotes=800)
    venue = FailingSnapshots()
    with Served(GeneratedTape(GeneratedMarket(day)), {"massive": lambda _: venue}, speed=SPEED) as served:
        what = dataclasses.replace(
            recording(
                feed_named("massive", served.urls["massive"], None),
                symbols=tuple(served.tape.symbols.values()),
                files=FILES,
            ),
            plan=plan_of(FILES, [], [], [scanner]),
            clock=DayClock(served),
            snapshot_every_s=30.0,
        )
        running = Running(live_store, what)
        assert served.is_served.wait(240)
        manifest = running.end()
    assert venue.asked > 6
    told = [row for row in rows(live_store, manifest, Kind.FEED) if row["channel"] == "snapshots"]
    kinds = [FeedAction(row["action"]) for row in told if row["action"] != FeedAction.SLOW]
    assert kinds == [FeedAction.MUTE, FeedAction.HEARD]
    mute = next(row for row in told if row["action"] == FeedAction.MUTE)
    heard = next(row for row in told if row["action"] == FeedAction.HEARD)
    assert "HTTP status 503" in mute["text"]
    between = [
        row
        for row in rows(live_store, manifest, Kind.QUOTE)
        if mute["ts_recv_ns"] < row["ts_recv_ns"] < heard["ts_recv_ns"]
    ]
    assert between, "quotes came while nobody answered polls"
    assert verify(live_store, manifest.id).identical


def test_what_is_told_of_the_bytes_is_what_rows_take(tmp_path):
    """A market of 2,000 shares polled thirty times, three in ten of them moved each time."""
    store, chance, ts_ns = Store(tmp_path), random.Random(1), DAY.starts_ns
    shares = [
        {"ticker": f"S{number}", "price": chance.uniform(1, 100), "volume": chance.randrange(10**6)}
        for number in range(2_000)
    ]
    intake = Intake(["massive"], [MassiveMessages()], start_ns=ts_ns)
    manifest = store.create_session("polled", mode=Mode.IMPORT, created_ns=1)
    with opened(store, manifest, None) as recorder:
        recorder.session_ns = ts_ns
        recorder.say(start_rows({}, {}, seed=0))
        for _ in range(30):
            body = json.dumps({"status": "OK", "tickers": [_told(share, ts_ns, chance) for share in shares]}).encode()
            for batch in intake.taken([(1, Answer(Topic(Channel.SNAPSHOTS, ""), ts_ns, body))]):
                recorder.take(batch)
            ts_ns += 5 * NANO
    folder = store.folder(manifest.id)
    journal = sum(path.stat().st_size for path in folder.rglob("*.seg"))
    sealed = seal(folder)
    count = sealed.kinds["snapshot"]
    assert count == pytest.approx(2_000 * (1 + 29 * CHANGED), rel=0.1)
    assert journal / count == pytest.approx(JOURNAL_ROW_BYTES, rel=0.3)
    parts = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    assert parts / count == pytest.approx(ROW_BYTES, rel=0.5)


def _told(share, ts_ns, chance):
    if chance.random() < CHANGED or "updated" not in share:
        share["price"] = round(share["price"] * chance.gauss(1, 0.001), 2)
        share["volume"] += chance.randrange(100, 5_000)
        share["updated"] = ts_ns - chance.randrange(4 * NANO)
    price, ts = share["price"], share["updated"]
    day = {"o": 1.5, "h": 120.0, "l": 0.5, "c": price, "v": share["volume"], "vw": round(price + 0.1234, 4)}
    quote = {"P": round(price + 0.02, 2), "S": 300, "p": round(price - 0.02, 2), "s": 200, "t": ts}
    return {
        "ticker": share["ticker"], "day": day, "min": {"av": share["volume"], "c": price, "t": ts // 10**6},
        "prevDay": {"c": 3.5}, "lastTrade": {"p": price, "s": 100, "t": ts}, "lastQuote": quote, "updated": ts,
    }  # fmt: skip


def test_what_a_day_will_take_is_told_before_the_start():
    what = recording_of(
        feeds=["massive=ws://127.0.0.1:1/stocks"], symbols=[], strategies=["hold"], scanners=[], params=[], settings=[],
        channels=None, watch=["*"], watch_channels=None, until=None, clock=None, keeps_raw=False, is_fresh=False, snapshots="5s",
    )  # fmt: skip
    assert what.snapshot_every_s == 5.0
    assert told_of_snapshots(what, 8_000) == (
        "snapshots of 8,000 shares every 5 s: some 912 MB from 4:00 to 20:00 once sealed, 3,041 MB at most"
    )
    assert told_of_snapshots(dataclasses.replace(what, snapshot_every_s=None), 8_000) == ""
    raw = dataclasses.replace(what, watched=("A", "B"), keeps_raw=True, snapshot_every_s=60.0)
    assert "of 2 shares every 60 s: some 1 MB" in told_of_snapshots(raw, 8_000)


@pytest.mark.parametrize("text", ["5", "0.5s", "2h", "s", "-1s", "61m"])
def test_how_often_is_said_in_seconds_or_minutes(text):
    with pytest.raises(ConfigError, match=f"--snapshots {text}: write how often"):
        seconds_of(text, "--snapshots")
