"""Our events as Databento's records, and what of them comes back."""

import databento_dbn as dbn
import numpy as np
import pytest
from databento_samples import RECV_NS, generated, messages, opening, rows

from pipeline.block import Block
from pipeline.codes import AssetClass, BarBasis, Kind, Mark, Side, StatusReason, TradingStatus
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.normalize import databento_words as words
from pipeline.normalize.databento_live import DatabentoRecords
from pipeline.normalize.databento_out import CARRIED, DatabentoEncoder, bbo_of, definition_of, trade_of
from pipeline.ports import Channel, Message
from pipeline.units import ABSENT, MINUTE_NS, NANO, SECOND_NS

START_NS = 1_750_000_000 * SECOND_NS
SYMBOLS = {1: "SPY"}


def block(kind, *given):
    header = {"instrument_id": 1, "ts_event_ns": START_NS, "ts_recv_ns": START_NS + 5}
    return Block.from_rows(kind, [{"seq": seq, **header, **row} for seq, row in enumerate(given, 1)])


def encoder(size_step_nano=WHOLE_STEP_NANO):
    made = DatabentoEncoder()
    instrument = Instrument("SPY", "X", size_step_nano, AssetClass.EQUITY)
    list(made.served([block(Kind.INSTRUMENT, instrument.row())], SYMBOLS))
    return made


def decoded(payload):
    decoder = dbn.DBNDecoder(has_metadata=False)
    return decoder.write_and_decode(payload)


def as_sent(served):
    """What a client of trades and mbp-1 gets, without the trades in mbp-1."""
    return trade_of(served.payload) if served.topic.channel is Channel.PRINTS else served.payload


def test_a_generated_day_comes_back_in_the_fields_that_are_carried():
    tape, made = generated(), DatabentoEncoder()
    list(made.served(tape.definitions, tape.symbols))
    normalizer = DatabentoRecords()
    normalizer.read(messages(*opening(*tape.symbols.values(), at_ns=0)))
    kinds = set()
    for portion in tape.portions():
        sent = list(made.served(portion.live(), tape.symbols))
        got = normalizer.read([Message(RECV_NS, as_sent(served)) for served in sent])
        seqs = [served.seq for served in sent]
        assert seqs == sorted(seqs)
        for back in got:
            source = next(each for each in portion.live() if each.kind is back.kind)
            source = source.take(np.isin(source.number("seq"), seqs))
            for name in CARRIED[back.kind]:
                expected, found = source.number(name).tolist(), back.number(name).tolist()
                if name == "reason":
                    expected = [StatusReason.OTHER if each == StatusReason.VOLATILITY else each for each in expected]
                assert found == expected, (back.kind, name)
            kinds.add(back.kind)
    assert {Kind.QUOTE, Kind.PRINT, Kind.BAR} <= kinds


def test_a_trade_goes_with_the_quote_that_stood_before_it():
    batch = [
        block(Kind.QUOTE, {"bid_nano": 10, "ask_nano": 11, "bid_size_steps": 3, "ask_size_steps": 4, "bid_venue": 2}),
        block(Kind.PRINT, {"price_nano": 11, "size_steps": 7, "aggressor": Side.BUY}).with_columns(seq=np.array([2])),
    ]
    quote, print_ = encoder().served(batch, SYMBOLS)
    (record,) = decoded(print_.payload)
    assert (record.action, record.side, record.price, record.size) == ("T", "B", 11, 7)
    assert (record.levels[0].bid_px, record.levels[0].ask_sz) == (10, 4)
    assert (quote.topic.channel, print_.topic.channel) == (Channel.QUOTES, Channel.PRINTS)
    (alone,) = decoded(trade_of(print_.payload))
    assert isinstance(alone, dbn.TradeMsg)
    assert (alone.side, alone.price, alone.ts_recv) == ("B", 11, START_NS + 5)


def test_a_side_that_is_not_there_is_undefined():
    (served,) = encoder().served([block(Kind.QUOTE, {"bid_nano": 10, "bid_size_steps": 1})], SYMBOLS)
    (record,) = decoded(served.payload)
    assert (record.levels[0].ask_px, record.levels[0].ask_sz) == (dbn.UNDEF_PRICE, 0)


@pytest.mark.parametrize(
    "row",
    [
        {"price_nano": 5, "size_steps": 1, "marks": Mark.CANCEL},
        {"price_nano": 5, "size_steps": 1, "marks": Mark.CORRECTION},
        {"price_nano": 5, "size_steps": 2**32},
        {"price_nano": 5, "size_steps": -1},
    ],
)
def test_prints_that_databento_would_not_send_are_not_sent(row):
    assert list(encoder().served([block(Kind.PRINT, row)], SYMBOLS)) == []


def test_sizes_in_fractions_are_not_sent():
    quote = block(Kind.QUOTE, {"bid_nano": 10, "ask_nano": 11, "bid_size_steps": 3, "ask_size_steps": 4})
    assert list(encoder(size_step_nano=10).served([quote], SYMBOLS)) == []
    huge = block(Kind.QUOTE, {"bid_nano": 10, "ask_nano": 11, "bid_size_steps": 2**32 - 1, "ask_size_steps": 4})
    assert list(encoder().served([huge], SYMBOLS)) == []


def test_only_a_vendors_bars_of_its_lengths_in_their_first_form_are_sent():
    bar = {"bar_length": MINUTE_NS, "basis": BarBasis.VENDOR, "volume_steps": 1, "open_nano": 1}
    bars = [
        bar,
        {**bar, "bar_length": 5 * MINUTE_NS},
        {**bar, "basis": BarBasis.PRINTS},
        {**bar, "revision": 1},
        {**bar, "volume_steps": ABSENT},
        {**bar, "bar_length": SECOND_NS},
    ]
    served = list(encoder().served([block(Kind.BAR, *bars)], SYMBOLS))
    assert [(each.seq, each.topic.channel) for each in served] == [(1, Channel.BARS_1M), (6, Channel.BARS_1S)]


def test_a_status_keeps_databentos_own_codes_and_finds_one_for_others():
    own = {
        "status": TradingStatus.TRADING,
        "vendor_action": 11,
        "reason": StatusReason.MARKET_WIDE,
        "vendor_reason": 121,
    }
    others = {"status": TradingStatus.HALTED, "vendor_action": 7, "reason": StatusReason.NEWS_PENDING, "is_quoting": 0}
    bands = {"status": TradingStatus.LIMITS, "limit_up_nano": 5}
    served = list(encoder().served([block(Kind.STATUS, own, others, bands)], SYMBOLS))
    first, second = (decoded(each.payload)[0] for each in served)
    assert (int(first.action), int(first.reason)) == (11, 121)
    assert (int(second.action), int(second.reason), second.is_quoting) == (8, 30, False)


def test_a_sample_is_dated_by_the_end_of_its_interval():
    (served,) = encoder().served([block(Kind.QUOTE, {"bid_nano": 10, "ask_nano": 11})], SYMBOLS)
    (record,) = decoded(bbo_of(served.payload, 195, START_NS + SECOND_NS))
    assert isinstance(record, dbn.BBOMsg)
    assert (record.ts_event, record.ts_recv, record.price) == (
        dbn.UNDEF_TIMESTAMP,
        START_NS + SECOND_NS,
        dbn.UNDEF_PRICE,
    )
    assert record.levels[0].bid_px == 10


def test_a_definition_comes_back_as_the_instrument_it_was():
    future = Instrument(
        "ESZ4",
        "GLBX.MDP3",
        WHOLE_STEP_NANO,
        AssetClass.FUTURE,
        currency="USD",
        tick_nano=NANO // 4,
        multiplier_nano=50 * NANO,
        lot_steps=1,
        expires_ns=START_NS,
        calendar="CMES",
        vendor_id=7,
    )
    payload = definition_of({**future.row(), "instrument_id": 7}, START_NS)
    (record,) = decoded(payload)
    assert (record.raw_symbol, record.min_price_increment, record.pretty_expiration.year) == ("ESZ4", NANO // 4, 2025)
    normalizer = DatabentoRecords()
    normalizer.read(messages(words.header("GLBX.MDP3", 0)))
    (row,) = rows(normalizer.read(messages(payload)))
    assert {name: row[name] for name in future.row()} == future.row()
