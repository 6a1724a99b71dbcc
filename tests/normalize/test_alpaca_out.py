"""There and back: our events as Alpaca's messages, and these read again, give the same facts in the fields carried."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from alpaca_samples import ALL, BAR, QUOTE, RECEIVED_NS, rows_of, written

from pipeline.block import Block, concat
from pipeline.codes import BarBasis, Kind, Mark, StatusReason, TradingStatus
from pipeline.instruments import COIN_STEP_NANO, Instrument
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_out import CARRIED, CARRIED_BY_MOST, CARRIED_STATUSES, AlpacaEncoder, packed
from pipeline.normalize.alpaca_words import READERS, Encoding
from pipeline.normalize.conditions import CONDITIONS
from pipeline.normalize.rows import ranked
from pipeline.ports import Channel, Message
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.simulator.served import GeneratedTape
from pipeline.units import ABSENT, MINUTE_NS

both = pytest.mark.parametrize("encoding", Encoding)
START_NS = 1_793_801_460_000_000_000


def there_and_back(batch, symbols, encoding, per_frame=7):
    encoder = AlpacaEncoder(encoding)
    served = list(encoder.served(batch, symbols))
    assert [each.seq for each in served] == sorted(each.seq for each in served)
    payloads = [each.payload for each in served]
    frames = [encoder.frame(payloads[k : k + per_frame]) for k in range(0, len(payloads), per_frame)]
    blocks = AlpacaMessages(encoding=encoding).read([Message(RECEIVED_NS, frame) for frame in frames])
    return served, blocks


def facts(blocks, kind, symbols=None, more=()):
    """The carried fields of a kind's rows, and more of them, in order, with the symbol in place of the id."""
    symbols = symbols or {
        row["instrument_id"]: row["symbol"] for row in rows_of(blocks) if row["kind"] is Kind.INSTRUMENT
    }
    names = (*CARRIED[kind], *more)
    return [
        (symbols[row["instrument_id"]], *(row[name] for name in names))
        for block in blocks
        if block.kind is kind
        for row in block.rows()
    ]


@both
def test_a_generated_day_comes_back_the_same(encoding):
    batches = list(GeneratedDay(Day(instruments=3, quotes=800)).events())
    symbols = {row["instrument_id"]: row["symbol"] for row in batches[0][0].rows()}
    for batch in batches[1:]:
        served, back = there_and_back(batch, symbols, encoding)
        market = [block for block in batch if block.kind in CARRIED]
        assert len(served) == sum(map(len, market))
        for kind in {block.kind for block in market}:
            assert facts(back, kind) == facts(batch, kind, symbols)
        marks = [block.number("marks") for block in (*batch, *back) if block.kind is Kind.QUOTE]
        assert (marks[0] == marks[1]).all()


@both
def test_a_generated_market_comes_back_the_same(encoding):
    tape = GeneratedTape(GeneratedMarket(replace(DAYS["premarket"], instruments=3, quotes=4_000)))
    batch = concat(block for portion in tape.portions() for block in portion.live())
    served, back = there_and_back(batch, tape.symbols, encoding)
    channels = [each.topic.channel for each in served]
    assert {Channel.QUOTES, Channel.PRINTS, Channel.BARS_1M, Channel.STATUSES} == set(channels)
    for kind in CARRIED:
        assert repr(facts(back, kind)) == repr(facts(batch, kind, tape.symbols))
    kept, made = (one_of(each, Kind.PRINT) for each in (batch, back))
    is_cancel = kept.number("marks") & Mark.CANCEL != 0
    assert is_cancel.any()
    assert (made.number("marks") & Mark.CANCEL != 0).tolist() == is_cancel.tolist()
    for name in CARRIED_BY_MOST[Kind.PRINT]:
        assert (made.number(name) == kept.number(name))[~is_cancel].all()
    kept, made = (one_of(each, Kind.STATUS) for each in (batch, back))
    is_bands = kept.number("status") == TradingStatus.LIMITS
    assert is_bands.any()
    assert not is_bands.all()
    for name in CARRIED_BY_MOST[Kind.STATUS]:
        assert (made.number(name) == kept.number(name))[~is_bands if name == "reason" else is_bands].all()


def one_of(blocks, kind):
    return next(block for block in blocks if block.kind is kind)


@both
def test_alpacas_own_events_come_back_the_same(encoding):
    revised = BAR | {"T": "u", "v": 50_000}
    daily = BAR | {"T": "d", "t": "2021-02-22T05:00:00Z"}
    one_sided = QUOTE | {"ap": 0, "as": 0, "ax": "", "c": ["Y"], "t": "2026-11-04T14:31:00.000000001Z"}
    first = AlpacaMessages(encoding=encoding).read(
        [Message(RECEIVED_NS, written(encoding, *ALL, revised, daily, one_sided))]
    )
    symbols = {row["instrument_id"]: row["symbol"] for row in rows_of(first) if row["kind"] is Kind.INSTRUMENT}
    served, back = there_and_back(first, symbols, encoding)
    assert len(served) == len(ALL) + 3
    for kind in CARRIED:
        more = CARRIED_BY_MOST.get(kind, ())
        assert repr(facts(back, kind, more=more)) == repr(facts(first, kind, symbols, more))
    channels = [each.topic.channel for each in served]
    assert channels.count(Channel.PRINTS) == 3
    assert channels.count(Channel.BARS_1D) == 1


@both
@pytest.mark.parametrize("status", CARRIED_STATUSES)
@pytest.mark.parametrize("reason", StatusReason)
def test_a_status_comes_back_with_its_reason(encoding, status, reason):
    if status == TradingStatus.HALTED and reason in (StatusReason.VOLATILITY, StatusReason.LIMIT_STATE):
        status = TradingStatus.PAUSED  # said so where CARRIED is
    if status in (TradingStatus.PAUSED, TradingStatus.QUOTING) and reason is StatusReason.ORDER_IMBALANCE:
        return  # tape C has no word for it
    row = Block.of(Kind.STATUS, 1, seq=1, ts_event_ns=START_NS, instrument_id=1, status=int(status), reason=int(reason))
    _, back = there_and_back([row], {1: "AAPL"}, encoding)
    assert facts(back, Kind.STATUS, more=("reason",)) == facts([row], Kind.STATUS, {1: "AAPL"}, ("reason",))


def statuses(**columns):
    return Block.of(Kind.STATUS, 1, seq=1, ts_event_ns=START_NS, instrument_id=1, **columns)


def test_what_the_protocol_has_no_words_for_is_left_out():
    bar = {"seq": 1, "ts_event_ns": START_NS, "instrument_id": 1, "open_nano": 1, "close_nano": 1}
    blocks = [
        statuses(status=int(TradingStatus.CLOSED)),
        statuses(status=int(TradingStatus.LIMITS)),
        Block.of(Kind.BAR, 1, **bar, bar_length=5 * MINUTE_NS, basis=int(BarBasis.VENDOR)),
        Block.of(Kind.BAR, 1, **bar, bar_length=MINUTE_NS, basis=int(BarBasis.PRINTS)),
    ]
    for block in blocks:
        assert list(AlpacaEncoder().served([block], {1: "AAPL"})) == []
    assert list(AlpacaEncoder().served([statuses(status=int(TradingStatus.HALTED))], {2: "AAPL"})) == []


def test_an_instrument_that_is_not_counted_in_ones_is_left_out():
    coin = Instrument("BTC-USD", "COINBASE", COIN_STEP_NANO)
    definition = Block.from_rows(Kind.INSTRUMENT, [{"seq": 1, "instrument_id": 1, **coin.row()}])
    row = Block.of(Kind.PRINT, 1, seq=2, ts_event_ns=START_NS, instrument_id=1, price_nano=10**9, size_steps=5)
    assert list(AlpacaEncoder().served([definition, row], {1: "BTC-USD"})) == []


def test_a_print_without_an_id_has_none_on_the_wire():
    row = Block.of(Kind.PRINT, 1, seq=1, ts_event_ns=START_NS, instrument_id=1, price_nano=10**9, size_steps=5, venue=4)
    (served,) = AlpacaEncoder().served([row], {1: "AAPL"})
    message = msgspec.json.decode(served.payload)
    assert "i" not in message
    assert "u" not in message
    _, back = there_and_back([row], {1: "AAPL"}, Encoding.JSON)
    (print_,) = (row for row in rows_of(back) if row["kind"] is Kind.PRINT)
    assert (print_["trade_id"], print_["venue"], print_["marks"]) == (ABSENT, 0, Mark.NONE)


def test_every_sale_condition_with_a_letter_comes_back():
    bits = [1 << each.number for each in CONDITIONS if each.cta or each.utp]
    count = len(bits)
    row = Block.of(
        Kind.PRINT,
        count,
        seq=np.arange(1, count + 1),
        ts_event_ns=START_NS,
        instrument_id=1,
        price_nano=10**9,
        size_steps=5,
        conditions=np.array(bits),
    )
    _, back = there_and_back(ranked([row]), {1: "AAPL"}, Encoding.JSON)
    assert one_of(back, Kind.PRINT).number("conditions").tolist() == bits


def test_round_lots_are_whole_before_november_2025():
    row = Block.of(
        Kind.QUOTE,
        1,
        seq=1,
        ts_event_ns=1_700_000_000_000_000_000,
        instrument_id=1,
        bid_nano=10**9,
        ask_nano=2 * 10**9,
        bid_size_steps=370,
        ask_size_steps=400,
    )
    (served,) = AlpacaEncoder().served([row], {1: "AAPL"})
    message = msgspec.json.decode(served.payload)
    assert (message["bs"], message["as"]) == (3, 4)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300, 70_000])
@both
def test_a_frame_is_an_array_of_any_length(encoding, count):
    payload = msgspec.json.encode(QUOTE) if encoding is Encoding.JSON else written(encoding, QUOTE)[1:]
    assert len(READERS[encoding].message(AlpacaEncoder(encoding).frame([payload] * count))) == count


def test_an_event_is_the_same_in_both_encodings():
    batch = list(GeneratedDay(Day(instruments=1, quotes=50)).events())[1]
    symbols = {1: "ABCD"}
    json, msgpack = AlpacaEncoder(Encoding.JSON), AlpacaEncoder(Encoding.MSGPACK)
    both_ways = zip(json.served(batch, symbols), msgpack.served(batch, symbols), strict=True)
    for one, other in both_ways:
        assert packed(one.payload) == other.payload
