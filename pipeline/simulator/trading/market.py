"""Market: the brokers that trade against a served day: what is served moves the quotes that their orders fill against."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import numpy as np

from pipeline.block import Block, Blocks
from pipeline.codes import Kind
from pipeline.simulator.doors import Address
from pipeline.simulator.served import Tape
from pipeline.simulator.trading.alpaca import AlpacaFace
from pipeline.simulator.trading.book import Book, Manners, Quote
from pipeline.simulator.trading.coinbase import CoinbaseFace
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.doors import TradingDoors
from pipeline.simulator.trading.mischief import Mischief
from pipeline.units import ABSENT, NANO

CASH_NANO: Final = 100_000 * NANO
COIN_STEP_NANO: Final = 10
"""Coinbase's finest size is 1e-8."""


class TradingMarket:
    """Both brokers over one tape, with an account of 100,000 dollars each.

    A symbol that never had a quote trades at its last print.
    """

    def __init__(self, tape: Tape, mischief: Callable[[], Mischief] = Mischief) -> None:
        """`mischief` makes one for each broker."""
        self._symbols = tape.symbols
        self._steps_nano: dict[int, int] = {}
        self._quoted: set[int] = set()
        for block in tape.definitions:
            if block.kind is Kind.INSTRUMENT:
                ids, steps = block.number("instrument_id").tolist(), block.number("size_step_nano").tolist()
                self._steps_nano |= dict(zip(ids, steps, strict=True))
        shares, coins = mischief(), mischief()
        of_shares = Manners(parts=shares.parts)
        of_coins = Manners(
            parts=coins.parts, step_nano=COIN_STEP_NANO, taker_ppm=6_000, maker_ppm=4_000, allows_short=False
        )
        self.counters: Sequence[Counter] = [
            Counter(AlpacaFace(Book(cash_nano=CASH_NANO, manners=of_shares, name="alpaca")), shares),
            Counter(CoinbaseFace(Book(cash_nano=CASH_NANO, manners=of_coins, name="coinbase")), coins),
        ]

    def served(self, rows: Blocks) -> None:
        """Rows that are due: the last quote of each instrument stands."""
        for block in rows:
            if block.kind is Kind.QUOTE:
                self._quotes(block)
            elif block.kind is Kind.PRINT:
                self._prints(block)

    @asynccontextmanager
    async def opened(self, now_ns: Callable[[], int], port: int = 0) -> AsyncIterator[list[Address]]:
        """Two doors a broker, on ports one after the other; 0: any. Raises ConfigError for a taken one."""
        async with AsyncExitStack() as stack:
            addresses = list[Address]()
            for place, counter in enumerate(self.counters):
                first = port + 2 * place if port else 0
                addresses += await stack.enter_async_context(TradingDoors(counter, now_ns).opened(first))
            yield addresses

    def _quotes(self, block: Block) -> None:
        columns = [block.number(f"{side}{what}") for what in ("_nano", "_size_steps") for side in ("bid", "ask")]
        for id_, row in _last_rows(block):
            bid, ask, bid_size, ask_size = (int(column[row]) for column in columns)
            step = self._steps_nano.get(id_, NANO)
            sizes = [0 if size == ABSENT else size * step for size in (bid_size, ask_size)]
            self._quoted.add(id_)
            self._move(id_, Quote(bid, ask, *sizes))

    def _prints(self, block: Block) -> None:
        prices = block.number("price_nano")
        for id_, row in _last_rows(block):
            if id_ not in self._quoted:
                self._move(id_, Quote(int(prices[row]), int(prices[row])))

    def _move(self, id_: int, quote: Quote) -> None:
        if id_ in self._symbols:
            for counter in self.counters:
                counter.face.book.quote(self._symbols[id_], quote)


def _last_rows(block: Block) -> list[tuple[int, int]]:
    """Each instrument with its last row."""
    ids, first_behind = np.unique(block.number("instrument_id")[::-1], return_index=True)
    return list(zip(ids.tolist(), (len(block) - 1 - first_behind).tolist(), strict=True))
