"""`tape serve` as a process of its own: what it prints, whom it serves, how it ends."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
from click.testing import CliRunner
from tiny_clients import bounded, get
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from pipeline.cli import main
from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan
from pipeline.run.generating import record_generated
from pipeline.simulator.generate import Day


@asynccontextmanager
async def served(*arguments, home="."):
    """A process that serves, and the addresses it printed by protocol."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.cli", "--home", str(home), "serve", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        addresses = {}
        while (line := (await process.stdout.readline()).decode()).startswith("LISTENING "):
            _, protocol, url = line.split()
            addresses[protocol] = url
        yield process, addresses
        out, err = await process.communicate()
        assert (process.returncode, err) == (0, b""), err.decode()
        process.said = out.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def told(process):
    """What there is to subscribe to, and the arguments of the command that records it."""
    symbols, command = [(await process.stdout.readline()).decode() for _ in range(2)]
    return symbols.removeprefix("symbols ").strip().split(", "), command.partition(": tape ")[2].split()


async def trades_heard(url, *symbols):
    """What a subscriber to trades hears until the server ends it: their ids by product."""
    found = {symbol: [] for symbol in symbols}
    async with connect(url, max_size=2**26) as client:
        await client.send(json.dumps({"type": "subscribe", "channel": "market_trades", "product_ids": list(symbols)}))
        try:
            async for text in client:
                message = json.loads(text)
                for event in message["events"] if message["channel"] == "market_trades" else ():
                    if event["type"] == "update":
                        for trade in event["trades"]:
                            found[trade["product_id"]].append(int(trade["trade_id"]))
        except ConnectionClosed:
            pass
    return found


def test_a_generated_day_is_served_and_the_command_ends_with_it(tmp_path):
    async def run():
        sent = tmp_path / "sent.jsonl"
        arguments = ("--generate", "crypto", "--minutes", 10, "--speed", "max", "--port", 0, "--sent", sent)
        async with served(*arguments, "--protocol", "coinbase") as (process, addresses):
            assert addresses["coinbase"].startswith("ws://127.0.0.1:")
            heard = await trades_heard(addresses["coinbase"], "BTC-USD", "LINK-USD")
        assert process.said.splitlines()[-1] == "the day is over"
        rows = [row for line in sent.read_text().splitlines() for row in json.loads(line)["rows"]]
        assert len(rows) == len(set(rows)) == sum(map(len, heard.values())) > 500
        assert all(len(ids) == len(set(ids)) for ids in heard.values())

    bounded(run)


def test_a_recorded_session_is_served(tmp_path):
    day = Day(instruments=2, quotes=600)
    session = record_generated(Store(tmp_path), day, FoldPlan((), {}), [], created_ns=1)

    async def run():
        arguments = (session.id, "--speed", "max", "--port", 0, "--protocol", "coinbase")
        async with served(*arguments, home=tmp_path) as (_, addresses):
            heard = await trades_heard(addresses["coinbase"], "ABCD", "BRNX")
        assert sum(map(len, heard.values())) == session.kinds["print"]

    bounded(run)


def test_history_is_answered_after_the_day_until_somebody_ends_it(tmp_path):
    async def run():
        arguments = ("--generate", "crypto", "--minutes", 6, "--speed", "max", "--port", 0, "--wait", 0, "--stay")
        async with served(*arguments, "--protocol", "coinbase") as (process, addresses):
            await told(process)
            assert await process.stdout.readline() == b"the day is over\n"
            _, _, body = await get(addresses["coinbase"].rstrip("/"), "/tape/clock")
            assert json.loads(body)["is_over"]
            path = "/api/v3/brokerage/market/products/BTC-USD/ticker?limit=100"
            assert len(json.loads((await get(addresses["coinbase"].rstrip("/"), path))[2])["trades"]) == 100
            process.send_signal(signal.SIGTERM)

    bounded(run)


@pytest.mark.parametrize(("day", "symbol"), [("premarket", "IQAH"), ("crypto", "BTC-USD")])
def test_the_command_it_prints_records_what_it_serves(day, symbol, tmp_path):
    async def run():
        async with served("--generate", day, "--minutes", 2, "--speed", 60, "--port", 0) as (process, _):
            symbols, command = await told(process)
            assert symbols[0] == symbol
            recorder = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "pipeline.cli", "--home", str(tmp_path), *command
            )
            assert await process.stdout.readline() == b"the day is over\n"
            recorder.send_signal(signal.SIGINT)
            assert await recorder.wait() == 0
        (session,) = Store(tmp_path).sessions()
        assert session.kinds["quote"] > 20

    bounded(run)


def test_it_ends_when_its_time_is_up():
    async def run():
        arguments = ("--generate", "crypto", "--minutes", 5, "--port", 0, "--at-most", "500ms")
        async with served(*arguments, "--protocol", "coinbase") as (process, _):
            pass
        assert process.said.splitlines()[-1] == "ended at 2026-11-04T22:00:00.000000000Z, before the day did"

    bounded(run)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a session, or a day"),
        (("x", "--generate", "open"), "one of them"),
        (("--generate", "never"), "accepted are premarket, open, crypto"),
        (("--generate", "crypto", "--protocol", "fax"), "protocol 'fax': accepted are"),
        (("--generate", "crypto", "--speed", "0"), "from 1 to 1000 or max"),
        (("--generate", "crypto", "--symbols", "99"), "accepted are 1 to 12"),
        (("--generate", "crypto", "--minutes", "5", "--fault", "boom"), "kinds are close-1000"),
        (("--generate", "crypto", "--minutes", "5", "--per-frame", "0"), "--per-frame 0"),
        (("--generate", "crypto", "--minutes", "5", "--wait", "-1"), "--wait -1: accepted is 0 and more"),
        (("any", "--symbols", "3"), "--symbols is of a generated day"),
        (("any", "--minutes", "3"), "--minutes is of a generated day"),
        (("nothing-like-it",), "nothing-like-it"),
    ],
)
def test_what_can_not_be_served_is_told_in_one_line(arguments, said, tmp_path):
    result = CliRunner().invoke(main, ["--home", str(tmp_path), "serve", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.startswith("tape: ")
    assert result.stderr.count("\n") == 1


def test_orders_are_taken_and_filled_by_the_quotes_of_the_day():
    async def run():
        arguments = ("--generate", "premarket", "--minutes", 2, "--speed", "max", "--port", 0, "--wait", 0, "--stay")
        trading = ("--trading", "--mishap", "partial-fills=1", "--protocol", "alpaca")
        async with served(*arguments, *trading) as (process, addresses):
            assert set(addresses) == {
                "alpaca",
                "alpaca-trading",
                "alpaca-orders",
                "coinbase-trading",
                "coinbase-orders",
            }
            symbols, _ = await told(process)
            assert await process.stdout.readline() == b"the day is over\n"
            headers = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
            order = {"symbol": symbols[0], "side": "buy", "type": "market", "time_in_force": "day", "qty": "10"}
            async with httpx.AsyncClient(base_url=addresses["alpaca-trading"], headers=headers) as client:
                said = (await client.post("/v2/orders", json=order)).json()
                found = (await client.get(f"/v2/orders/{said['id']}")).json()
                assert (said["filled_qty"], found["status"]) == ("0", "partially_filled")
                assert float(found["filled_avg_price"]) > 0
                assert (await client.get("/v2/account", headers={"APCA-API-KEY-ID": ""})).status_code == 403
            process.send_signal(signal.SIGTERM)

    bounded(run)


def test_mishaps_are_of_orders():
    done = CliRunner().invoke(main, ["serve", "--generate", "premarket", "--mishap", "drop=1"])
    assert done.exit_code != 0
    assert "--trading" in done.output
