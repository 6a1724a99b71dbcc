"""A market and a broker on one loop: what the words vendor's server quotes is what orders fill against."""

import asyncio
import dataclasses
import time
from contextlib import AsyncExitStack

from live_sessions import recording
from words_vendor import Market, Server, vendor

from pipeline.execution.jobs import Times
from pipeline.run.brokers import AtBroker, broker_named
from pipeline.run.strategies import plan_of
from pipeline.simulator.trading.alpaca import AlpacaFace
from pipeline.simulator.trading.book import Book, Manners, Quote
from pipeline.simulator.trading.coinbase import CoinbaseFace
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.doors import TradingDoors
from pipeline.simulator.trading.mischief import Mischief
from pipeline.units import NANO

HASTY = Times(again_s=0.05, again_max_s=0.3, proof_s=2.0, alarm_s=5.0, reconcile_s=0.5, poll_s=0.1, recheck_s=0.1)
"""As long as the simulator's mishaps take, instead of as long as brokers are waited for."""
CASH_NANO = 1_000_000 * NANO
SET = ["execution=1", "quote_age_ns_max=1000000000000000000", "order_rate_max=100000"]

RESTLESS = """
from pipeline.codes import Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, leave

@params
class Params:
    every: int = param(10, low=1, help="quotes between two decisions")
    stays: bool = param(False, help="whether it keeps what it has")
    bare: bool = param(False, help="whether it has no stop")
    rests: bool = param(False, help="whether its bids are far below the market")

@state
class State:
    count: int

def on_quote(s, quote, p, ctx):
    s.count += 1
    if s.count % p.every != 0:
        return
    if ctx.position == 0.0 and ctx.open_orders == 0:
        if p.rests:
            enter(ctx, Side.BUY, quantity=10, limit=quote.bid * 0.5, tag=7)
        elif p.bare:
            enter(ctx, Side.BUY, quantity=10, tag=7)
        else:
            enter(ctx, Side.BUY, quantity=10, stop=quote.bid * 0.6, tag=7)
    elif ctx.position > 0.0 and not p.stays:
        leave(ctx)

strategy = Strategy("restless", Params, State, on_quote=on_quote)
"""


class Floor:
    """Runs in its block. `book` is what the broker has; the market moves every five milliseconds while `is_open`."""

    def __init__(self, name="alpaca", *, odds=None, seed=1, parts=1, number=None):
        mischief = Mischief(seed, odds or {})
        self.name, self.symbol = name, {"alpaca": "A", "coinbase": "A-USD"}[name]
        self.book = Book(cash_nano=CASH_NANO, manners=Manners(parts=lambda _: parts), name="floor")
        face = {"alpaca": AlpacaFace, "coinbase": CoinbaseFace}[name]
        made = face(self.book)
        if number:
            made.number = number
        self._doors = TradingDoors(Counter(made, mischief), time.time_ns)
        self._server, self._stack, self.is_open = Server(self._script), AsyncExitStack(), True
        self._count = 0

    def __enter__(self):
        self._server.__enter__()
        rest, stream = self._server._call(self._stack.enter_async_context(self._doors.opened()))
        self.at = AtBroker(broker_named(f"{self.name}={rest.url},{stream.url}").venue, HASTY, 1.0)
        return self

    def __exit__(self, *error):
        self._server._call(self._stack.aclose())
        self._server.__exit__(*error)

    async def _script(self, _):
        while True:
            if self.is_open:
                self._count += 1
                bid = 100 + self._count // 20 % 7
                self.book.quote(self.symbol, Quote(bid * NANO, (bid + 1) * NANO))
                yield f"{self.symbol} {bid}".encode()
            await asyncio.sleep(0.005)

    def recording(self, file, *params, **options):
        """What to record: `A`, traded by this file's strategy at this broker."""
        feed = dataclasses.replace(vendor(self._server.url), normalizer=Market)
        made = recording(feed, files=(file,), symbols=(self.symbol,), broker=self.at, **options)
        return dataclasses.replace(made, plan=plan_of([file], params, SET))

    def paper(self, file, **options):
        """The same without a broker."""
        made = dataclasses.replace(self.recording(file, **options), broker=None)
        return dataclasses.replace(made, plan=simulated(file))

    @property
    def position(self):
        return self.book.position_nano(self.symbol) // NANO

    @property
    def working(self):
        """What works there: our own numbers of the orders."""
        return sorted(int(each.ticket.client_order_id.rpartition("-")[2]) for each in self.book.open_orders())


def simulated(file):
    """The plan of this file's strategy where fills are simulated."""
    return plan_of([file], [], SET[1:])


def restless(folder):
    file = folder / "restless.py"
    file.write_text(RESTLESS)
    return file
