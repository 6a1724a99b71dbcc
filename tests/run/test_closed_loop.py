"""The loop closed: a generated day served over a vendor's protocol, recorded live over real sockets, sealed, verified,
and held against what was really sent."""

import dataclasses

import pytest
from live_sessions import Running, live_store, recording, rows
from served_days import MARKET, Served, facts, live, served_facts

from pipeline.codes import FeedAction, Kind, Side, StatusReason, TradingStatus
from pipeline.log.reader import LogReader
from pipeline.normalize import alpaca_out, coinbase_advanced_out, databento_out, massive_out, strange_fields
from pipeline.run.clock import ScaledClock
from pipeline.run.feeds import feed_named
from pipeline.run.verifying import verify
from pipeline.simulator.alpaca import AlpacaVenue
from pipeline.simulator.coinbase_advanced import CoinbaseVenue
from pipeline.simulator.databento import DatabentoVenue
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.massive import MassiveVenue
from pipeline.simulator.served import GeneratedTape
from pipeline.units import ABSENT, MINUTE_NS

__all__ = ["live_store"]

SPEED = 600.0
CRYPTO = dataclasses.replace(DAYS["crypto"], instruments=4, quotes=1_000, lasts_ns=20 * MINUTE_NS)
PREMARKET = dataclasses.replace(DAYS["premarket"], instruments=4, quotes=1_000, lasts_ns=70 * MINUTE_NS)
"""Past the open, so that bands and halts are served too."""


def of_coinbase(kind, row):
    """Coinbase always names a side."""
    return {"aggressor": int(Side.SELL)} if kind is Kind.PRINT and row["aggressor"] == Side.NONE else {}


def of_alpaca(kind, row):
    """Alpaca tells of bands in messages of their own, without a reason."""
    if kind is not Kind.STATUS:
        return {}
    if row["status"] == TradingStatus.LIMITS:
        return {"reason": int(StatusReason.NONE)}
    return {"limit_down_nano": ABSENT, "limit_up_nano": ABSENT}


def of_databento(kind, row):
    """Databento has no word for a pause after a sudden move."""
    is_sudden = kind is Kind.STATUS and row["reason"] == StatusReason.VOLATILITY
    return {"reason": int(StatusReason.OTHER)} if is_sudden else {}


LOOPS = {
    "massive": (PREMARKET, lambda _: MassiveVenue(), massive_out.CARRIED, None, massive_out.TIME_STEP_NS),
    "alpaca": (PREMARKET, lambda _: AlpacaVenue(), alpaca_out.CARRIED, of_alpaca, {}),
    "coinbase": (
        CRYPTO,
        lambda history: CoinbaseVenue(history=history),
        coinbase_advanced_out.CARRIED,
        of_coinbase,
        {},
    ),
    "databento": (
        PREMARKET,
        lambda history: DatabentoVenue(history=history),
        databento_out.CARRIED,
        of_databento,
        {},
    ),
}
"""By feed: the day, its venue, the fields its protocol carries, what it has no words for, and its steps of time."""


@pytest.mark.parametrize("feed", LOOPS)
def test_what_is_served_is_recorded_whole_and_verified_identical(feed, live_store, monkeypatch):
    monkeypatch.setattr(strange_fields, "FIRST", 10**9)
    day, venue, carried, as_said, time_steps = LOOPS[feed]
    tape = GeneratedTape(GeneratedMarket(day))
    with Served(tape, {feed: venue}, speed=SPEED) as served:
        what = dataclasses.replace(
            recording(feed_named(feed, served.urls[feed], None), symbols=tuple(tape.symbols.values())),
            clock=ScaledClock(tape.starts_ns, SPEED),
        )
        running = Running(live_store, what)
        running.until(lambda _: served.is_served.is_set(), seconds=60)
        sent = len(served.sent(feed))
        running.until(lambda recorder: sum(recorder.kinds.get(kind, 0) for kind in MARKET) >= 0.9 * sent)
        manifest = running.end()
    log = LogReader(live_store.folder(manifest.id))
    symbols = {
        row["instrument_id"]: row["symbol"]
        for batch in log.batches(kinds=[Kind.INSTRUMENT])
        for block in batch
        for row in block.rows()
    }
    recorded = facts(live(log.batches(kinds=MARKET)), symbols, carried)
    expected = served_facts(served, feed, carried, as_said, time_steps)
    assert recorded.keys() == expected.keys()
    for key in expected:
        assert recorded[key] == expected[key], key
    assert manifest.refused == (1 if feed == "databento" else 0)  # it has no SPY, and says so; others keep quiet
    ignored = [row["text"] for row in rows(live_store, manifest, Kind.FEED) if row["action"] == FeedAction.IGNORED]
    assert not [text for text in ignored if text.startswith("unknown field")]
    assert verify(live_store, manifest.id).identical
