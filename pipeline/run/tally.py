"""Tally: what a run came to, counted from its derived rows as they are made, however many there are.

Money is exact: every fill moves cash by price, size and fee, all integers, and what is still open at the end is worth
what selling it at the bid (buying it back at the ask) would bring; without a quote the last bar's close, without a bar
the price of its last fill. So profit is one sum of integers, rounded once an instrument to 1e-9 of its quote currency.

The drawdown is a statistic, in float64: the largest fall of the account from a peak before, looked at after each fill
with the position that moved valued at that fill's price, and once at the end. What happens between two fills is not seen.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from fractions import Fraction
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import IntentOutcome, Kind, RiskRule, RiskVerdict
from pipeline.log.backtests import TradeSums
from pipeline.scanner_codes import UniverseAction
from pipeline.units import ABSENT, NANO

Pair = tuple[int, int]
"""Strategy and instrument."""

_NO_ORDER: Final = (
    IntentOutcome.INVALID,
    IntentOutcome.UNSIZED,
    IntentOutcome.UNPRICED,
    IntentOutcome.MISPLACED,
)
"""Outcomes of wishes that make no order."""

_NANO_CUBED: Final = 10**18
"""Price, size step and multiplier in nanos make 1e-27; the profit is told in 1e-9."""


class Money(msgspec.Struct, frozen=True):
    """What trading brought; money in 1e-9 of the quote currency."""

    trades: int
    """Round trips, from flat to flat."""
    open_positions: int
    net_profit_nano: int
    """Fees taken off, what is still open valued as the module says."""
    open_profit_nano: int
    """The part of it that is not closed: since the price last traded at, or carried in at."""
    fees_nano: int
    max_drawdown: float
    """Quote currency, 0 or more."""
    trade_sums: TradeSums
    """Of what was closed; what was carried in began at its mark."""


class Share(NamedTuple):
    """What one strategy came to in one instrument; the shares of a tally add up to it. Money in 1e-9 of the quote currency."""

    intents: int
    refused: int
    fills: int
    trades: int
    open_positions: int
    net_profit_nano: int
    open_profit_nano: int
    fees_nano: int


NO_SHARE: Final = Share(0, 0, 0, 0, 0, 0, 0, 0)


class Holding(NamedTuple):
    """What is held of an instrument, and the price at which it is valued."""

    steps: int
    mark_nano: int

    def split(self, factor: Fraction) -> "Holding":
        """The same worth in the shares of after a split: so many for one of before."""
        return Holding(int(self.steps * factor), round(self.mark_nano / factor))


class Tally:
    """Counts derived rows, given in (seq, ord) order."""

    def __init__(self, units: Mapping[int, int], held: Mapping[Pair, Holding] | None = None) -> None:
        """`units` is what one step times one nano of price is worth, by instrument, in 1e-27: `units_of`.

        `held` is what was carried in: profit counts from its marks.
        """
        self.kinds: dict[Kind, int] = {}
        self.refused_by: dict[str, int] = {}
        """Orders that the risk gate refused, by the rule's name."""
        self.invalid_by: dict[str, int] = {}
        """Wishes that make no order, by what is wrong with them: an outcome's name."""
        self.stopped: list[str] = []
        """Strategies that failed, and why."""
        self.positions: dict[Pair, tuple[int, float]] = {}
        """Last quantity and profit after fees, as the engine books them."""
        self.added: set[int] = set()
        """Instruments that came into the universe."""
        self._accounts = {pair: _Traded(holding.mark_nano, holding.steps) for pair, holding in (held or {}).items()}
        self._intents: dict[Pair, int] = {}
        self._refused: dict[Pair, int] = {}
        self._equity = _Equity()
        self._units = units

    @property
    def refused(self) -> int:
        """Orders that the risk gate refused."""
        return sum(self.refused_by.values())

    @property
    def invalid(self) -> int:
        """Wishes that make no order."""
        return sum(self.invalid_by.values())

    def add(self, blocks: Iterable[Block]) -> None:
        """Count rows."""
        for block in (block for block in blocks if len(block)):
            self.kinds[block.kind] = self.kinds.get(block.kind, 0) + len(block)
            if block.kind is Kind.RISK:
                refused = block.take(np.flatnonzero(block.number("verdict") == RiskVerdict.REFUSED))
                _count(self.refused_by, RiskRule, refused.number("rule"))
                _add_pairs(self._refused, refused)
            elif block.kind is Kind.INTENT:
                outcomes = block.number("outcome")
                _count(self.invalid_by, IntentOutcome, outcomes[np.isin(outcomes, _NO_ORDER)])
                _add_pairs(self._intents, block)
            elif block.kind is Kind.UNIVERSE:
                is_added = block.number("action") == UniverseAction.ADDED
                self.added.update(block.number("instrument_id")[is_added].tolist())
            elif block.kind is Kind.SESSION:
                self.stopped += [f"{row['key']}: {row['text']} (seq {row['seq']})" for row in block.rows()]
            elif block.kind is Kind.POSITION:
                self._add_positions(block)
            elif block.kind is Kind.FILL:
                self._add_fills(block)

    def money(self, instruments: Numbers) -> Money:
        """What it came to, with the engine's rows of instruments at the end (see `core.instrument`)."""
        shares = self.shares(instruments).values()
        open_profit = sum(share.open_profit_nano for share in shares)
        self._equity.move(np.array([open_profit / 1e9]))
        return Money(
            trades=sum(share.trades for share in shares),
            open_positions=sum(share.open_positions for share in shares),
            net_profit_nano=sum(share.net_profit_nano for share in shares),
            open_profit_nano=open_profit,
            fees_nano=sum(share.fees_nano for share in shares),
            max_drawdown=self._equity.drawdown,
            trade_sums=sum((traded.closed for traded in self._accounts.values()), TradeSums()),
        )

    def shares(self, instruments: Numbers) -> dict[Pair, Share]:
        """What each strategy came to in each instrument in which it wished, held or traded anything; as `money`."""
        pairs = sorted({*self._accounts, *self._intents, *self._refused})
        return {pair: self._share(pair, instruments) for pair in pairs}

    def _share(self, pair: Pair, instruments: Numbers) -> Share:
        intents, refused = self._intents.get(pair, 0), self._refused.get(pair, 0)
        traded = self._accounts.get(pair)
        if traded is None:
            return NO_SHARE._replace(intents=intents, refused=refused)
        mark_nano, unit = _mark_nano(instruments[pair[1] - 1], traded), self._units[pair[1]]
        return Share(
            intents,
            refused,
            traded.fills,
            traded.trades,
            int(traded.steps != 0),
            _rounded((traded.cash + traded.steps * mark_nano) * unit) - traded.fees_nano,
            _rounded(traded.steps * (mark_nano - traded.price_nano) * unit),
            traded.fees_nano,
        )

    def holdings(self, instruments: Numbers) -> dict[Pair, Holding]:
        """What is held at the end, valued as in `money`."""
        return {
            pair: Holding(traded.steps, _mark_nano(instruments[pair[1] - 1], traded))
            for pair, traded in sorted(self._accounts.items())
            if traded.steps
        }

    def _add_positions(self, block: Block) -> None:
        for pair, rows in _by_pair(block):
            row = rows[-1]
            profit = float(block.number("realized")[row]) - float(block.number("fees")[row])
            self.positions[pair] = (int(block.number("quantity_steps")[row]), profit)

    def _add_fills(self, block: Block) -> None:
        prices, fees_nano = block.number("price_nano"), block.number("fee_nano")
        signed = block.number("side").astype(np.int64) * block.number("quantity_steps")
        changes = np.empty(len(block))
        for pair, rows in _by_pair(block):
            traded = self._accounts.setdefault(pair, _Traded(int(prices[rows[0]])))
            unit = self._units[pair[1]]
            changes[rows] = traded.add(signed[rows], prices[rows], fees_nano[rows], unit) * (unit / _NANO_CUBED / 1e9)
        self._equity.move(changes - fees_nano / 1e9)


class _Traded:
    """One pair's fills so far. Cash and profit are in steps times nanos of price."""

    def __init__(self, price_nano: int, steps: int = 0) -> None:
        self.price_nano = price_nano
        """Of the last fill."""
        self.steps = steps
        self.cash = -steps * price_nano
        self.trades = 0
        self.fills = 0
        self.fees_nano = 0
        self.closed = TradeSums()
        self._worth = 0
        """What cash and position came to when the last round trip ended."""
        self._charged_nano = 0
        """The fees of round trips that have ended."""

    def add(self, signed: Numbers, prices: Numbers, fees_nano: Numbers, unit: int) -> Numbers:
        """How much each fill changed the worth of what was held before it. `unit` makes 1e-27 of steps times nanos."""
        after = self.steps + np.cumsum(signed)
        before = np.concatenate([[self.steps], after[:-1]])
        moved = np.diff(prices, prepend=self.price_nano)
        # Turned around or gone flat: a round trip is over.
        closing = np.flatnonzero(np.sign(before) * np.sign(after) < np.abs(np.sign(before)))
        flows = list(map(int.__mul__, signed.tolist(), prices.tolist()))  # past 64 bits with coins in tiny steps
        start = 0
        for row in closing.tolist():
            self.cash -= sum(flows[start : row + 1])
            self.fees_nano += int(fees_nano[start : row + 1].sum())
            opening_nano = _opening_fee_nano(int(before[row]), int(signed[row]), int(fees_nano[row]))
            self._close(self.cash + int(after[row]) * int(prices[row]), opening_nano, unit)
            start = row + 1
        self.cash -= sum(flows[start:])
        self.fees_nano += int(fees_nano[start:].sum())
        self.trades += len(closing)
        self.fills += len(signed)
        self.steps, self.price_nano = int(after[-1]), int(prices[-1])
        return before.astype(np.float64) * moved

    def _close(self, worth: int, opening_nano: int, unit: int) -> None:
        """A round trip ended at a price at which all comes to `worth`; `opening_nano` of the fees are of the next one."""
        fees_nano = self.fees_nano - opening_nano - self._charged_nano
        self.closed = self.closed.with_trade(_rounded((worth - self._worth) * unit) - fees_nano)
        self._worth = worth
        self._charged_nano += fees_nano


class _Equity:
    """The account's rise and fall since the start, and the largest fall from a peak."""

    def __init__(self) -> None:
        self.drawdown = 0.0
        self._now = 0.0
        self._peak = 0.0

    def move(self, changes: Numbers) -> None:
        """Add changes, one after the other."""
        levels = np.cumsum(np.concatenate([[self._now], changes]))
        peaks = np.maximum.accumulate(np.maximum(levels, self._peak))
        self.drawdown = max(self.drawdown, float((peaks - levels).max()))
        self._now, self._peak = float(levels[-1]), float(peaks[-1])


def units_of(instruments: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """What one step times one nano of price is worth, of instruments as a manifest keeps them."""
    return {
        row["instrument_id"]: _or_one(row.get("size_step_nano")) * _or_one(row.get("multiplier_nano"))
        for row in instruments
    }


def _or_one(nano: int | None) -> int:
    """As the engine takes them: a step or a multiplier of nothing counts as one."""
    return nano if nano is not None and nano > 0 else NANO


def _count(counts: dict[str, int], members: type[IntEnum], codes: Numbers) -> None:
    """Add how often each code stands there, under its member's name."""
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        name = members(code).name.lower()
        counts[name] = counts.get(name, 0) + int(count)


def _add_pairs(counts: dict[Pair, int], block: Block) -> None:
    """Add how many rows there are of each strategy in each instrument."""
    for pair, rows in _by_pair(block) if len(block) else ():
        counts[pair] = counts.get(pair, 0) + len(rows)


def _by_pair(block: Block) -> list[tuple[Pair, Numbers]]:
    """The rows of each strategy in each instrument, in their order."""
    strategies, instruments = block.number("strategy_id").astype(np.int64), block.number("instrument_id")
    codes, places = np.unique(strategies << 32 | instruments, return_inverse=True)
    order = np.argsort(places, kind="stable")
    pieces = np.split(order, np.cumsum(np.bincount(places))[:-1])
    return [((code >> 32, code & 0xFFFF_FFFF), rows) for code, rows in zip(codes.tolist(), pieces, strict=True)]


def _mark_nano(instrument: Any, traded: _Traded) -> int:
    """The price at which a position is valued at the end."""
    side = instrument["bid_nano"] if traded.steps > 0 else instrument["ask_nano"]
    known = (int(price) for price in (side, instrument["last_bar_nano"]) if price != ABSENT)
    return next(known, traded.price_nano)


def _opening_fee_nano(before: int, signed: int, fee_nano: int) -> int:
    """What of a fee is for the part of a closing fill that opens the other side: by size, the closing part rounded to zero."""
    closing_nano = abs(fee_nano) * min(abs(before), abs(signed)) // abs(signed)
    return fee_nano - (closing_nano if fee_nano >= 0 else -closing_nano)


def _rounded(worth: int) -> int:
    """1e-27 as 1e-9, half away from zero."""
    whole, rest = divmod(abs(worth), _NANO_CUBED)
    whole += 2 * rest >= _NANO_CUBED
    return whole if worth >= 0 else -whole
