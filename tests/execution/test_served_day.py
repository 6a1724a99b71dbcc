"""Our brokers at a day that `tape serve --trading` serves: orders fill at the quotes of the day, by the day's clock."""

import asyncio
import json
import signal
import sys
import urllib.request
from contextlib import asynccontextmanager

import pytest
from test_live_broker import HASTY, SECRET, bounded

from pipeline.codes import Kind, OrderFlag, OrderState, OrderType, Side, TimeInForce
from pipeline.execution.broker import LiveBroker
from pipeline.execution.identity import Identity
from pipeline.execution.venues import alpaca_venue, coinbase_venue
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.units import ABSENT, NANO

S = OrderState
DAYS = {"alpaca": ("premarket", NANO), "coinbase": ("crypto", 10)}


class StandingClock:
    """The day is over: its clock stands."""

    rate = 1.0

    def __init__(self, url):
        with urllib.request.urlopen(f"{url}/tape/clock", timeout=10) as answer:
            self._now_ns = json.load(answer)["session_ns"]

    def now_ns(self):
        return self._now_ns


async def until(is_so):
    while not is_so():  # noqa: ASYNC110 - what is looked at is what the broker told
        await asyncio.sleep(0.01)


@asynccontextmanager
async def served_day(day, protocol):
    """A day that was served to its end, with its brokers still there: addresses, and the first symbol."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.cli", "serve", "--generate", day, "--minutes", "2", "--speed", "max", "--port", "0",
        "--wait", "0", "--stay", "--protocol", protocol, "--trading", "--mishap", "partial-fills=1",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        addresses, symbol = {}, ""
        while (line := (await process.stdout.readline()).decode().strip()) != "the day is over":
            assert line, "it ended"
            if line.startswith("LISTENING "):
                _, name, url = line.split()
                addresses[name] = url
            elif line.startswith("symbols "):
                symbol = line.split()[1].rstrip(",")
        yield addresses, symbol
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


@pytest.mark.parametrize("name", DAYS)
def test_orders_fill_at_the_quotes_of_the_day(name):
    day, step_nano = DAYS[name]

    async def run():
        async with served_day(day, name) as (addresses, symbol):
            urls = {"rest_url": addresses[f"{name}-trading"], "stream_url": addresses[f"{name}-orders"]}
            venue = alpaca_venue("key", "secret", **urls) if name == "alpaca" else coinbase_venue("key", SECRET, **urls)
            market_url = addresses[name].replace("ws://", "http://").rpartition(":")
            clock = StandingClock(f"{market_url[0]}:{market_url[2].partition('/')[0]}")
            broker = LiveBroker(
                venue,
                Identity("paper", "day"),
                {1: Instrument(symbol, "X", step_nano)},
                clock,
                draw=lambda: 0.5,
                times=HASTY,
            )
            states, filled = {}, {}

            async def hear():
                async for blocks in broker.events():
                    for block in blocks:
                        for row in block.rows():
                            if block.kind is Kind.ORDER:
                                states.setdefault(row["order_id"], []).append(S(row["state"]))
                            elif block.kind is Kind.FILL:
                                filled[row["order_id"]] = filled.get(row["order_id"], 0) + row["quantity_steps"]
                            else:
                                assert block.kind is Kind.FEED, row["text"]

            def over(id_, state):
                return states.get(id_, [None])[-1] is state

            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(broker.run()), tasks.create_task(hear())]
                order = OrderRequest(
                    1, 1, Side.BUY, OrderType.MARKET, TimeInForce.DAY, OrderFlag.NONE, 8, ABSENT, ABSENT, ABSENT
                )
                await broker.submit(order)
                resting = order._replace(order_id=2, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC)
                await broker.submit(resting._replace(limit_nano=NANO // 100))
                await until(lambda: filled.get(1) and over(2, S.ACCEPTED))
                await broker.cancel(CancelRequest(2))
                await until(lambda: over(2, S.CANCELLED))
                for task in running:
                    task.cancel()
            assert states[2] == [S.ACCEPTED, S.CANCELLED]
            assert filled.keys() == {1}
            assert states[1][0] is S.ACCEPTED

    bounded(run)
