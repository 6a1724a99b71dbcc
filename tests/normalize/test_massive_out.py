"""Our events as Massive's messages and back: what the protocol carries comes through."""

import json

import numpy as np
import pytest
from massive_samples import RECV_NS, of_kind, rows

from pipeline.block import Block
from pipeline.codes import BarBasis, BarUnit, Kind, Mark, Origin, TradingStatus
from pipeline.events import LAYOUTS
from pipeline.normalize.massive import MassiveMessages
from pipeline.normalize.massive_out import CARRIED, TIME_STEP_NS, MassiveEncoder, past_of
from pipeline.normalize.massive_words import SHARES_FROM_NS
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.units import ABSENT, MINUTE_NS

SYMBOLS = {1: "ABCD", 2: "BACpB"}


def served_again(*batches, symbols=SYMBOLS, per_frame=50):
    """What is read of what is served."""
    encoder, normalizer = MassiveEncoder(), MassiveMessages()
    payloads = [served.payload for batch in batches for served in encoder.served(batch, symbols)]
    frames = [encoder.frame(payloads[i : i + per_frame]) for i in range(0, len(payloads), per_frame)]
    return rows(normalizer.read([Message(RECV_NS, frame) for frame in frames])) if frames else []


def facts(row, *, step_ns=None):
    """What the protocol carries of a row; ids are the reader's own, so the order of instruments stands for them."""
    step_ns = step_ns or TIME_STEP_NS[row["kind"]]
    cut = {"ts_event_ns": row["ts_event_ns"] // step_ns * step_ns}
    return tuple(repr({**row, **cut}[name]) for name in CARRIED[row["kind"]])


def test_a_generated_day_comes_through():
    batches = list(GeneratedDay(Day(quotes=1_500, instruments=3)).events())
    symbols = {row["instrument_id"]: row["symbol"] for row in batches[0][0].rows()}
    found = served_again(*batches, symbols=symbols)
    names = {row["instrument_id"]: row["symbol"] for row in of_kind(found, Kind.INSTRUMENT)}
    sent = [{**row, "kind": block.kind} for batch in batches for block in batch for row in block.rows()]
    for kind in (Kind.QUOTE, Kind.PRINT):
        for instrument_id, symbol in symbols.items():
            asked = [facts(row) for row in of_kind(sent, kind) if row["instrument_id"] == instrument_id]
            got = [facts(row) for row in of_kind(found, kind) if names[row["instrument_id"]] == symbol]
            assert asked == got
            assert len(got) > 300
    assert of_kind(found, Kind.FEED) == of_kind(found, Kind.STATUS) == []


def block(kind, **columns):
    count = max(len(column) for column in columns.values() if isinstance(column, list))
    header = {"seq": np.arange(1, count + 1), "ts_event_ns": RECV_NS, "ts_recv_ns": RECV_NS, "instrument_id": 1}
    return Block.of(kind, count, **{**header, **columns})


QUOTES = block(
    Kind.QUOTE,
    ts_event_ns=[RECV_NS, RECV_NS + 1, SHARES_FROM_NS - 1],
    instrument_id=[1, 2, 1],
    bid_nano=[1, 700_000_010_000_000, 1_010_000_000],
    ask_nano=[ABSENT, 700_000_020_000_000, 1_020_000_000],
    bid_size_steps=[1, 2, 300],
    ask_size_steps=[ABSENT, 2, 200],
    bid_venue=[0, 11, 19],
    condition=[43, 0, 1],
    vendor_seq=[ABSENT, 5, 2**62],
)
PRINTS = block(
    Kind.PRINT,
    price_nano=[1, 114_125_000_000, 99_990_000],
    size_steps=[1, 0, 2**40],
    venue=[4, 0, 21],
    conditions=[1 << 62 | 1, 0, 1 << 37 | 1 << 12],
    trade_id=[ABSENT, 71_675_577_320_245, 1],
    vendor_seq=[1, ABSENT, 3],
)
BARS = block(
    Kind.BAR,
    bar_unit=[BarUnit.TIME, BarUnit.TIME],
    ts_event_ns=[RECV_NS // MINUTE_NS * MINUTE_NS, RECV_NS // MINUTE_NS * MINUTE_NS],
    bar_length=[MINUTE_NS, MINUTE_NS // 60],
    ts_close_ns=[RECV_NS // MINUTE_NS * MINUTE_NS + MINUTE_NS, RECV_NS // MINUTE_NS * MINUTE_NS + MINUTE_NS // 60],
    open_nano=[10, 20],
    high_nano=[30, 30],
    low_nano=[10, 10],
    close_nano=[20, 20],
    volume_steps=[7, ABSENT],
    vwap=[1.25, float("nan")],
    basis=[BarBasis.VENDOR, BarBasis.VENDOR],
)
BANDS = block(
    Kind.STATUS,
    status=[TradingStatus.LIMITS, TradingStatus.LIMITS],
    limit_up_nano=[3_630_000_000, ABSENT],
    limit_down_nano=[2_970_000_000, 5],
    vendor_action=[15, ABSENT // 2**32],
)


@pytest.mark.parametrize("sent", [QUOTES, PRINTS, BARS, BANDS], ids=lambda sent: sent.kind.name)
def test_the_edges_come_through(sent):
    found = of_kind(served_again([sent]), sent.kind)
    assert [facts({**row, "kind": sent.kind}) for row in sent.rows()] == [facts(row) for row in found]


@pytest.mark.parametrize("sent", [QUOTES, PRINTS], ids=lambda sent: sent.kind.name)
def test_history_carries_nanoseconds_too(sent):
    topic = Topic(Channel.QUOTES if sent.kind is Kind.QUOTE else Channel.PRINTS, "X")
    encode = MassiveEncoder()._encode
    page = encode({"results": [past_of(sent.kind, row) for row in sent.rows()], "status": "OK"})
    found = of_kind(rows(MassiveMessages().read_history([Answer(topic, RECV_NS, page)])), sent.kind)
    asked = sorted(facts({**row, "kind": sent.kind}, step_ns=1) for row in sent.rows())
    assert asked == sorted(facts(row, step_ns=1) for row in found)
    assert {row["origin"] for row in found} == {Origin.BACKFILL}


def test_what_massive_never_sends_is_not_served():
    batch = [
        block(Kind.PRINT, price_nano=[5, 5, ABSENT], size_steps=[1, 1, 1], marks=[Mark.CANCEL, Mark.CORRECTION, 0]),
        block(Kind.STATUS, status=[TradingStatus.PAUSED]),
        block(Kind.BAR, bar_unit=[BarUnit.TIME, BarUnit.TICKS], bar_length=[MINUTE_NS, 60], basis=[BarBasis.PRINTS, 0]),
        block(Kind.FEED, text=["x"]),
        block(Kind.QUOTE, bid_nano=[5], instrument_id=[9]),
    ]
    assert list(MassiveEncoder().served(batch, SYMBOLS)) == []


def test_served_events_keep_their_order_and_their_topics():
    batch = [
        QUOTES.with_columns(seq=np.array([1, 3, 6])),
        PRINTS.with_columns(seq=np.array([2, 4, 5])),
    ]
    served = list(MassiveEncoder().served(batch, SYMBOLS))
    assert [one.seq for one in served] == [1, 2, 3, 4, 5, 6]
    assert served[2].topic == Topic(Channel.QUOTES, "BACpB")
    assert json.loads(served[1].payload)["ev"] == "T"


def test_sizes_are_whole_numbers_on_the_wire():
    trade, quote = (json.loads(next(MassiveEncoder().served([sent], SYMBOLS)).payload) for sent in (PRINTS, QUOTES))
    assert [type(trade["s"]), type(quote["bs"])] == [int, int]


def test_the_table_of_what_is_carried_names_columns():
    for kind, names in CARRIED.items():
        assert set(names) <= set(LAYOUTS[kind].names)
    assert CARRIED.keys() == TIME_STEP_NS.keys()
