"""Snapshots: how every share stands as of what was served so far, for venues that are polled for the market. A fold over served rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pipeline.block import Block
from pipeline.codes import Kind, Mark
from pipeline.hours import Calendar, DayPart, days_at, part_at
from pipeline.units import ABSENT, NANO

_NO_LAST: Final = Mark.NO_LAST | Mark.CANCEL | Mark.CORRECTION | Mark.DUPLICATE
_NO_VOLUME: Final = Mark.NO_VOLUME | Mark.CANCEL | Mark.CORRECTION | Mark.DUPLICATE


@dataclass(slots=True)
class Day:
    """A day so far: prices of regular hours, 0.0 before the first of them; volume and dollars of all hours."""

    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: int = 0
    dollars: float = 0.0

    @property
    def vwap(self) -> float:
        """Average price; 0.0 before there is one."""
        return self.dollars / self.volume if self.volume else 0.0


@dataclass(slots=True)
class Share:
    """One share: its last trade and quote as rows, its day and the day before."""

    symbol: str
    trade: dict[str, int] | None = None
    quote: dict[str, int] | None = None
    ends_ns: int = 0
    starts_ns: int = 0
    day: Day = field(default_factory=Day)
    before: Day = field(default_factory=Day)

    def print(self, row: dict[str, int]) -> None:
        """Take in a print."""
        self._turn(row["ts_event_ns"])
        price, size, marks = row["price_nano"] / NANO, max(row["size_steps"], 0), row["marks"]
        day = self.day
        if not marks & _NO_VOLUME:
            day.volume += size
            day.dollars += price * size
        if marks & _NO_LAST:
            return
        if self.trade is None or row["ts_event_ns"] >= self.trade["ts_event_ns"]:
            self.trade = row
        if part_at(Calendar.SHARES, row["ts_event_ns"]).part == DayPart.REGULAR:
            day.open = day.open or price
            day.high, day.low = max(day.high, price), min(day.low or price, price)
            day.close = price

    def _turn(self, ts_ns: int) -> None:
        if ts_ns >= self.ends_ns:
            stretch = days_at(Calendar.SHARES, ts_ns, 1)
            self.starts_ns, self.ends_ns = stretch.from_ns, stretch.until_ns
            self.before, self.day = (self.day if self.day.close else self.before), Day()


class Standing:
    """All shares, as of the last row taken in."""

    def __init__(self, symbols: dict[int, str]) -> None:
        self._shares = {id_: Share(symbol) for id_, symbol in symbols.items()}

    def take(self, blocks: Iterable[Block]) -> None:
        """Take in served rows, in their order."""
        for block in blocks:
            if block.kind not in (Kind.QUOTE, Kind.PRINT):
                continue
            for row in block.rows():
                share = self._shares.get(row["instrument_id"])
                if share is None:
                    continue
                if block.kind is Kind.PRINT:
                    share.print(row)
                else:
                    share.quote = row

    def shares(self, symbols: Iterable[str] | None = None) -> list[Share]:
        """Those of these symbols, or all, that anything was served of."""
        wanted = None if symbols is None else frozenset(symbols)
        there = (share for share in self._shares.values() if share.trade or share.quote)
        return [share for share in there if wanted is None or share.symbol in wanted]


def price_of(nano: int) -> float:
    """A price as vendors write it; 0.0 where there is none."""
    return 0.0 if nano == ABSENT else nano / NANO
