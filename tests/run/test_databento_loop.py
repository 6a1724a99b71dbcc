"""A day served by Databento's gateway with faults, recorded live: every hole is marked, and filled by the gateway's replay."""

import dataclasses

import pytest
from live_sessions import Running, live_store, recording
from served_days import MARKET, Served, facts

from pipeline.codes import FeedAction, Kind, Origin
from pipeline.feeds.databento import vendor
from pipeline.log.reader import LogReader
from pipeline.normalize.databento_out import CARRIED, DatabentoEncoder
from pipeline.ports import Channel
from pipeline.run.clock import ScaledClock
from pipeline.run.verifying import verify
from pipeline.simulator.databento import DatabentoVenue
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.faults import Fault, FaultKind
from pipeline.simulator.served import GeneratedTape
from pipeline.units import MINUTE_NS

__all__ = ["live_store"]

SPEED = 400.0
DAY = dataclasses.replace(DAYS["premarket"], instruments=3, quotes=1_000, lasts_ns=30 * MINUTE_NS)
KINDS = (Kind.QUOTE, Kind.PRINT, Kind.BAR)
CHANNELS = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.BARS_1M))


def can_be_sent(tape):
    """All rows of the day that the gateway has records for."""
    encoder = DatabentoEncoder()
    list(encoder.served(tape.definitions, tape.symbols))
    return {served.seq for portion in tape.portions() for served in encoder.served(portion.live(), tape.symbols)}


def recorded_day(store, fault):
    """A whole day recorded while something went wrong: the manifest, its log, and what was served."""
    tape = GeneratedTape(GeneratedMarket(DAY))
    with Served(
        tape, {"databento": lambda history: DatabentoVenue(history=history)}, speed=SPEED, faults=[fault]
    ) as served:
        feed = vendor("simulated", url=served.urls["databento"], channels=CHANNELS)
        what = dataclasses.replace(
            recording(feed, symbols=tuple(tape.symbols.values())), clock=ScaledClock(tape.starts_ns, SPEED)
        )
        running = Running(store, what)
        running.until(lambda _: served.is_served.is_set(), seconds=90)
        count = len(can_be_sent(tape))
        running.until(lambda recorder: sum(recorder.kinds.get(kind, 0) for kind in MARKET) >= 0.97 * count)
        manifest = running.end()
    return manifest, LogReader(store.folder(manifest.id)), tape


def symbols_of(log):
    return {
        row["instrument_id"]: row["symbol"]
        for batch in log.batches(kinds=[Kind.INSTRUMENT])
        for block in batch
        for row in block.rows()
    }


def actions(log):
    found = [row for batch in log.batches(kinds=[Kind.FEED]) for block in batch for row in block.rows()]
    return [FeedAction(row["action"]) for row in found]


@pytest.mark.parametrize("kind", [FaultKind.FIN, FaultKind.RST, FaultKind.GARBAGE, FaultKind.OUTAGE])
def test_what_was_missed_is_replayed_once_and_marked(kind, live_store):
    fault = Fault(kind, at_ns=DAY.starts_ns + 8 * MINUTE_NS, lasts_s=1.5, count=3)
    manifest, log, tape = recorded_day(live_store, fault)
    batches = list(log.batches(kinds=KINDS))
    recorded = facts(batches, symbols_of(log), CARRIED)
    sent = can_be_sent(tape)
    expected = facts([portion.blocks for portion in tape.portions()], tape.symbols, CARRIED, sent)
    for key, rows in expected.items():
        if key[1] in KINDS:
            assert sorted(recorded[key]) == sorted(rows), key
    told = actions(log)
    assert {FeedAction.LOST, FeedAction.GAP_OPENED, FeedAction.GAP_CLOSED, FeedAction.BACKFILLED} <= set(told)
    fetched = sum(int((block.number("origin") == Origin.BACKFILL).sum()) for batch in batches for block in batch)
    assert fetched > 0
    assert verify(live_store, manifest.id).identical
