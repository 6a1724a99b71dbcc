"""Alpaca's own client, alpaca-py, against the exchange: it receives what is served, raw and parsed, live and as history."""

import asyncio
import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from client_environments import python_with

from pipeline.normalize.alpaca_columns import ns_of_text
from pipeline.normalize.alpaca_out import AlpacaEncoder
from pipeline.ports import Channel, Topic
from pipeline.simulator.alpaca import AlpacaVenue, Words
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange, Rules
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.served import GeneratedTape
from pipeline.units import TS_MAX_NS

pytestmark = pytest.mark.clients

CLIENT = "alpaca-py>=0.44,<0.45"
MODELS = {
    "t": "Trade",
    "q": "Quote",
    "b": "Bar",
    "u": "Bar",
    "d": "Bar",
    "s": "TradingStatus",
    "c": "TradeCorrection",
    "x": "TradeCancel",
}
PLURALS = {Channel.PRINTS: "trades", Channel.QUOTES: "quotes", Channel.BARS_1M: "bars"}


@pytest.fixture(scope="module")
def python():
    return python_with("alpaca", CLIENT)


@pytest.fixture(scope="module")
def tape():
    return GeneratedTape(GeneratedMarket(replace(DAYS["premarket"], instruments=4, quotes=5_000)))


def run(python, tape, words, *arguments):
    """The lines that the client printed, asked of an exchange that serves the tape at the greatest speed."""
    venue, history = AlpacaVenue(words), ServedHistory(tape)
    exchange = Exchange(tape, [Door("alpaca", venue)], Rules(math.inf), history=history)
    what, *rest = arguments

    async def serve():
        async with exchange.opened() as (address,), asyncio.TaskGroup() as group:
            if what == "history":  # the whole day was served already
                for portion in tape.portions():
                    history.reached(portion)
                    history.last_seq = int(portion.seq[-1])
                serving = None
            else:
                serving = group.create_task(exchange.serve())
            port = address.url.rpartition(":")[2].partition("/")[0]
            command = [python, Path(__file__).with_name("alpaca_client.py"), what, port, *rest]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=120, check=False)
            if serving:
                serving.cancel()
            assert done.returncode == 0, done.stderr.decode()[-2_000:]
            return [json.loads(line) for line in done.stdout.splitlines()]

    return asyncio.run(serve())


def served(tape):
    """What the exchange sends of the tape, in order, without price bands, for which the client has no handler."""
    events = [each for portion in tape.portions() for each in AlpacaEncoder().served(portion.live(), tape.symbols)]
    messages = [json.loads(each.payload) for each in events]
    return [message for message in messages if message["T"] != "l"]


def test_it_receives_raw_what_is_served_to_the_nanosecond(python, tape):
    expected = [message | {"t": ns_of_text(message["t"])} for message in served(tape)]
    received = run(
        python, tape, Words(keys={"key": "secret"}), "stream", "raw", str(len(expected)), *tape.symbols.values()
    )
    assert received == expected
    assert len(received) > 5_000
    assert {message["T"] for message in received} >= {"t", "q", "b", "u", "x", "s"}


def test_it_makes_models_of_what_is_served(python, tape):
    expected = served(tape)
    received = run(python, tape, Words(), "stream", "parsed", str(len(expected)), *tape.symbols.values())
    assert [each["model"] for each in received] == [MODELS[message["T"]] for message in expected]
    for got, sent in zip(received, expected, strict=True):
        assert got["symbol"] == sent["S"]
        if got["model"] == "Trade":
            assert (got["price"], got["size"], got["id"], got["conditions"]) == (
                sent["p"],
                sent["s"],
                sent["i"],
                sent["c"],
            )
        if got["model"] == "Quote":
            assert (got["bid_price"], got["bid_size"], got["ask_price"], got["ask_size"]) == (
                sent["bp"],
                sent["bs"],
                sent["ap"],
                sent["as"],
            )
        if got["model"] == "Bar":
            assert (got["open"], got["volume"], got["trade_count"]) == (sent["o"], sent["v"], sent["n"])
        if got["model"] == "TradingStatus":
            assert (got["status_code"], got["reason_code"]) == (sent["sc"], sent["rc"])


def test_it_comes_back_until_it_is_let_in(python, tape):
    received = run(python, tape, Words(refused_auths=2), "stream", "raw", "100", *tape.symbols.values())
    assert len(received) == 100


@pytest.mark.parametrize("channel", PLURALS)
def test_it_asks_for_all_of_the_history(python, tape, channel):
    raw, counts = run(python, tape, Words(keys={"key": "secret"}), "history", PLURALS[channel], *tape.symbols.values())
    history = ServedHistory(tape)
    for portion in tape.portions():
        history.reached(portion)
        history.last_seq = int(portion.seq[-1])
    for symbol in tape.symbols.values():
        blocks = history.rows(Topic(channel, symbol), 0, TS_MAX_NS, 10**9)
        times = [ts_ns for block in blocks for ts_ns in block.number("ts_event_ns").tolist()]
        assert [ns_of_text(row["t"]) for row in raw[symbol]] == times
        assert counts[symbol] == len(times)
    assert sum(counts.values()) > (100 if channel is Channel.BARS_1M else 1_000)
