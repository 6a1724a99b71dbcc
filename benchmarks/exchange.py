"""Exchange: a generated market served over Massive's protocol, as a process of its own.

`python -m benchmarks.exchange SYMBOLS QUOTES MINUTES SPEED`; prints where, and when the day begins; once all of it was
sent, how many rows that were. It ends with its standard input.
"""

import asyncio
import dataclasses
import json
import sys

from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.doors import Door
from pipeline.simulator.exchange import Exchange, Rules
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.served import GeneratedTape
from pipeline.simulator.venues import VENUES
from pipeline.units import MINUTE_NS


class Counter:
    """A ledger that only counts."""

    def __init__(self):
        self.rows = 0

    def note(self, sent):
        self.rows += len(sent.rows)


async def serve(symbols, quotes, minutes, speed):
    starts_ns = DAYS["open"].starts_ns + 5 * MINUTE_NS
    day = dataclasses.replace(
        DAYS["open"], instruments=symbols, quotes=quotes, starts_ns=starts_ns, lasts_ns=minutes * MINUTE_NS
    )
    tape = GeneratedTape(GeneratedMarket(day, is_whole=True))
    history, counter = ServedHistory(tape), Counter()
    door = Door("massive", VENUES["massive"].make(history))
    exchange = Exchange(tape, [door], Rules(speed, clients_first=1), ledger=counter, history=history)
    async with exchange.opened() as addresses:
        told = {"url": addresses[0].url, "starts_ns": tape.starts_ns, "symbols": list(tape.symbols.values())}
        print(json.dumps(told), flush=True)
        await exchange.serve()
        print(json.dumps({"sent": counter.rows}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4]), float(sys.argv[4])))
