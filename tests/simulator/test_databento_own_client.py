"""Databento's own client against a day served on loopback: it receives what was served."""

import asyncio
import threading
from contextlib import nullcontext, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import databento
import pytest
from tiny_clients import rules

from pipeline.codes import BarBasis, Kind, Mark
from pipeline.simulator.databento import DatabentoFaults, DatabentoVenue
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.served import GeneratedTape
from pipeline.units import ABSENT, MINUTE_NS

DAY = replace(DAYS["premarket"], instruments=3, quotes=600)
KEY = "db-0123456789012345678901234567"
DATASET = "XNAS.ITCH"


@pytest.fixture(scope="module")
def tape():
    return GeneratedTape(GeneratedMarket(DAY))


def client(port, subscriptions, key=KEY):
    """All records that one session got; ends with the gateway's FIN."""
    live = databento.Live(key=key, gateway="127.0.0.1", port=port, heartbeat_interval_s=5)
    got = []
    live.add_callback(got.append)
    for schema, symbols, options in subscriptions:
        live.subscribe(dataset=DATASET, schema=schema, symbols=symbols, **options)
    live.start()
    return live, got


def served(tape, *subscriptions, then=(), key=KEY, faults=None):
    """What a session got of the whole day, and what another one gets afterwards."""
    history = ServedHistory(tape)
    venue = DatabentoVenue(key=KEY, faults=faults, history=history)
    exchange = Exchange(tape, [Door("databento", venue, is_tcp=True)], rules(), history=history)

    async def run():
        async with exchange.opened() as (address,):
            port = urlsplit(address.url).port
            live, got = await asyncio.to_thread(client, port, subscriptions, key)
            await exchange.serve()
            later = []
            if then:
                second, later = await asyncio.to_thread(client, port, then, key)
                await asyncio.to_thread(until, lambda: any(is_system(each, 3) for each in later))
                second.stop()
                await asyncio.to_thread(second.block_for_close, 5)
            await asyncio.to_thread(until, lambda: exchange.is_over)
            await asyncio.sleep(0.2)
            live.stop()
            with suppress(databento.BentoError) if of_type(got, databento.ErrorMsg) else nullcontext():
                await asyncio.to_thread(live.block_for_close, 5)  # any error it was told of is raised at the end
        return got, later

    return asyncio.run(run())


def until(condition):
    for _ in range(600):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come")


def is_system(record, code):
    return isinstance(record, databento.SystemMsg) and int(record.code) == code


def rows(tape, kind):
    return [
        row for portion in tape.portions() for block in portion.blocks if block.kind is kind for row in block.rows()
    ]


def by_instrument(pairs):
    found = {}
    for number, value in pairs:
        found.setdefault(number, []).append(value)
    return found


@pytest.fixture(scope="module")
def session(tape):
    return served(
        tape,
        ("trades", "ALL_SYMBOLS", {}),
        ("mbp-1", [*tape.symbols.values()], {}),
        ("ohlcv-1m", "ALL_SYMBOLS", {}),
        ("status", "ALL_SYMBOLS", {}),
        ("definition", "ALL_SYMBOLS", {"start": 0}),
        then=(("trades", "ALL_SYMBOLS", {"start": 1}), ("tbbo", [tape.symbols[1]], {})),
    )


def of_type(records, type_):
    return [record for record in records if type(record) is type_]


def prints(tape):
    return [row for row in rows(tape, Kind.PRINT) if not row["marks"] & (Mark.CANCEL | Mark.CORRECTION)]


def facts_of_trades(records):
    return by_instrument((each.instrument_id, (each.ts_event, each.price, each.size, each.side)) for each in records)


def test_it_receives_every_trade_as_it_was(tape, session):
    sides = {0: "N", 1: "B", -1: "A"}
    expected = by_instrument(
        (row["instrument_id"], (row["ts_event_ns"], row["price_nano"], row["size_steps"], sides[row["aggressor"]]))
        for row in prints(tape)
    )
    assert facts_of_trades(of_type(session[0], databento.TradeMsg)) == expected


def test_it_receives_every_quote_and_with_each_trade_the_quote_before_it(tape, session):
    records = of_type(session[0], databento.MBP1Msg)
    quotes = [each for each in records if each.action != "T"]
    expected = by_instrument(
        (row["instrument_id"], (row["ts_event_ns"], row["bid_nano"], row["ask_nano"], row["bid_size_steps"]))
        for row in rows(tape, Kind.QUOTE)
        if ABSENT not in (row["bid_nano"], row["ask_nano"])
    )
    got = by_instrument(
        (each.instrument_id, (each.ts_event, each.levels[0].bid_px, each.levels[0].ask_px, each.levels[0].bid_sz))
        for each in quotes
        if databento.UNDEF_PRICE not in (each.levels[0].bid_px, each.levels[0].ask_px)
    )
    assert got == expected
    assert len(records) - len(quotes) == len(prints(tape))
    last = {}
    for each in records:
        level = each.levels[0].bid_px, each.levels[0].ask_px
        if each.action == "T" and each.instrument_id in last:
            assert level == last[each.instrument_id]
        elif each.action != "T":
            last[each.instrument_id] = level


def test_it_receives_bars_statuses_definitions_and_mappings(tape, session):
    bars = [
        (row["instrument_id"], row["ts_event_ns"], row["close_nano"], row["volume_steps"])
        for row in rows(tape, Kind.BAR)
        if row["basis"] == BarBasis.VENDOR and row["bar_length"] == MINUTE_NS and row["revision"] == 0
    ]
    got = [
        (each.instrument_id, each.ts_event, each.close, each.volume) for each in of_type(session[0], databento.OHLCVMsg)
    ]
    assert sorted(got) == sorted(bars)
    mapped = {each.instrument_id: each.stype_out_symbol for each in of_type(session[0], databento.SymbolMappingMsg)}
    defined = {each.instrument_id: each.raw_symbol for each in of_type(session[0], databento.InstrumentDefMsg)}
    assert mapped == defined == tape.symbols
    assert of_type(session[0], databento.StatusMsg)
    assert sum(is_system(each, 1) for each in session[0]) == 5


def test_a_later_session_is_sent_again_what_was_served(tape, session):
    assert facts_of_trades(of_type(session[1], databento.TradeMsg)) == facts_of_trades(
        of_type(session[0], databento.TradeMsg)
    )


def test_a_wrong_key_is_refused(tape):
    with pytest.raises(databento.BentoError, match="Authentication failed"):
        served(tape, ("trades", "ALL_SYMBOLS", {}), key="db-9123456789012345678901234567")


def test_an_unknown_symbol_is_told_and_the_session_lives(tape):
    unknown = DatabentoFaults(unresolved=frozenset({tape.symbols[2]}))
    got, _ = served(tape, ("trades", [tape.symbols[1], tape.symbols[2]], {}), faults=unknown)
    assert {each.instrument_id for each in of_type(got, databento.TradeMsg)} == {1}
    assert [int(each.code) for each in of_type(got, databento.ErrorMsg)] == [4]
