"""The brokers' own clients, alpaca-py and coinbase-advanced-py, trade at our counters over real sockets."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import pytest
from client_environments import python_with
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_coinbase_own_client import key_file_of

from pipeline.simulator.trading.alpaca import AlpacaFace
from pipeline.simulator.trading.book import Book, Manners, Quote
from pipeline.simulator.trading.coinbase import CoinbaseFace
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.doors import TradingDoors
from pipeline.units import NANO

pytestmark = pytest.mark.clients

PARTS = 3


def said_by(client, requirement, face, *arguments):
    """What the client printed, by what it asked."""
    python = python_with(client, requirement)
    script = Path(__file__).with_name(f"{client}_trading_client.py")

    async def run():
        async with TradingDoors(Counter(face), time.time_ns).opened() as addresses:
            command = [python, script, *(address.url for address in addresses), *arguments]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3_000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    found = {}
    for line in asyncio.run(run()):
        found.setdefault(line["what"], []).append(line["said"])
    return found


def test_alpacas_own_client_trades():
    book = Book(cash_nano=10_000 * NANO, manners=Manners(parts=lambda _: PARTS, gap_ns=NANO // 20))
    book.quote("ABCD", Quote(2 * NANO, 2_010_000_000))
    said = said_by("alpaca", "alpaca-py>=0.44,<0.45", AlpacaFace(book, {"key": "secret"}))
    (bought,), (again,) = said["bought"], said["again"]
    assert (bought["status"], bought["qty"], bought["filled_qty"]) == ("new", "10", "0")
    assert (again["id"], again["status"], again["filled_qty"]) == (bought["id"], "filled", "10")
    assert float(again["filled_avg_price"]) == 2.01
    (replaced,) = said["replaced"]
    assert (replaced["qty"], replaced["status"]) == ("7", "new")
    assert said["open"] == [[replaced["client_order_id"]]]
    assert said["cancelled"][0]["status"] == "canceled"
    assert [(each["status"], each["code"]) for each in said["refused"]] == [(422, 40010001), (403, 40310000)]
    (position,) = said["positions"][0]
    assert (position["symbol"], position["qty"], float(position["avg_entry_price"])) == ("ABCD", "10", 2.01)
    assert float(said["account"][0]["cash"]) == 10_000 - 20.1
    assert said["clock"][0]["is_open"]
    assert said["all"] == [[replaced["client_order_id"], "second", "first"]]
    events = [update["event"] for update in said["update"]]
    assert events == ["new", "partial_fill", "partial_fill", "fill", "new", "new", "replaced", "canceled"]
    fills = [update for update in said["update"] if update["execution_id"]]
    assert [update["qty"] for update in fills] == [4, 4, 2]
    assert [float(update["order"]["filled_qty"]) for update in fills] == [4, 8, 10]
    assert len({update["execution_id"] for update in fills}) == PARTS


def test_coinbases_own_client_trades(tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()
    public_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    manners = Manners(taker_ppm=6_000, allows_short=False)
    book = Book(cash_nano=100_000 * NANO, manners=manners)
    book.quote("BTC-USD", Quote(49_990 * NANO, 50_000 * NANO))
    key_file = key_file_of(key, tmp_path)
    requirement = "coinbase-advanced-py>=1.8,<1.9"
    said = said_by("coinbase", requirement, CoinbaseFace(book, public_key), key_file)
    (bought,), (again,), (refused,) = said["bought"], said["again"], said["refused"]
    assert bought["success"]
    assert again["success_response"]["order_id"] == bought["success_response"]["order_id"]
    assert (refused["success"], refused["error_response"]["error"]) == (False, "INSUFFICIENT_FUND")
    results = said["cancelled"][0]["results"]
    assert [(each["success"], each["failure_reason"]) for each in results] == [
        (True, "UNKNOWN_CANCEL_FAILURE_REASON"), (False, "UNKNOWN_CANCEL_ORDER"),
    ]  # fmt: skip
    order = said["order"][0]["order"]
    assert (order["status"], order["filled_size"], order["average_filled_price"]) == ("FILLED", "0.5", "50000")
    assert (order["total_fees"], order["filled_value"]) == ("150", "25000")
    assert [each["client_order_id"] for each in said["orders"][0]["orders"]] == ["third", "first"]
    (fill,) = said["fills"][0]["fills"]
    assert (fill["size"], fill["price"], fill["commission"]) == ("0.5", "50000", "150")
    balances = {each["currency"]: each["available_balance"]["value"] for each in said["accounts"][0]["accounts"]}
    assert balances == {"USD": "74850", "BTC": "0.5"}
    updates = [
        (each["type"], *((o["status"], o["cumulative_quantity"]) for o in each["orders"])) for each in said["update"]
    ]
    assert updates == [
        ("snapshot",), ("update", ("OPEN", "0")), ("update", ("FILLED", "0.5")),
        ("update", ("OPEN", "0")), ("update", ("CANCELLED", "0")),
    ]  # fmt: skip
