"""Handwritten: a day for the test of a strategy, an input a line: prices as people say them, times in seconds behind its start.

    day = Day("ABCD").quote(0, 9.99, 10.01).quote(1, 9.99, 10.01)
    played = day.play(strategy, notional=1_000.0)
    assert played.wishes() == ["ENTER BUY 99 TAKEN"]

It is reduced by the very lines that reduce a recording, interpreted, and the simulated venue fills.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, Self

from pipeline.block import Block, Blocks
from pipeline.codes import AssetClass, IntentAction, IntentOutcome, Kind, Origin, Side, TradingStatus
from pipeline.core.engine import Engine
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Plan, Strategy
from pipeline.units import NANO

START_NS: Final = 1_793_802_600 * NANO
"""2026-11-04T14:30Z, half past nine in New York."""

Row = dict[str, Any]


class Day:
    """Rows in the order in which they are written, which is that in which they come; `seq` is counted. Every method gives the day back.

    Sizes are in steps, one share each unless `step_nano` says otherwise; instruments count from 1 in the order of `symbols`.
    """

    def __init__(
        self,
        *symbols: str,
        starts_ns: int = START_NS,
        tick: float = 0.01,
        step_nano: int = NANO,
        multiplier_nano: int = NANO,
        asset_class: AssetClass = AssetClass.OTHER,
    ) -> None:
        self.starts_ns = starts_ns
        self.rows: list[tuple[Kind, Row]] = []
        steps = {"tick_nano": nano(tick), "size_step_nano": step_nano, "multiplier_nano": multiplier_nano}
        for instrument_id, symbol in enumerate(symbols, 1):
            self.add(Kind.INSTRUMENT, 0, instrument_id, symbol=symbol, asset_class=asset_class, **steps)

    def add(
        self,
        kind: Kind,
        at_s: float,
        instrument_id: int = 1,
        event_s: float | None = None,
        origin: int = Origin.INPUT,
        **columns: Any,
    ) -> Self:
        """A row of any kind (docs/events.md), received `at_s`; it happened then too, unless `event_s` says when."""
        event_s = at_s if event_s is None else event_s
        header = {
            "seq": len(self.rows) + 1,
            "ts_recv_ns": self.starts_ns + round(at_s * NANO),
            "ts_event_ns": self.starts_ns + round(event_s * NANO),
            "instrument_id": instrument_id,
            "origin": origin,
            "source": 1,
        }
        self.rows.append((kind, header | columns))
        return self

    def quote(self, at_s: float, bid: float, ask: float, bid_size: int = 100, ask_size: int = 100, **more: Any) -> Self:
        """Both sides, and what is displayed there."""
        sizes = {"bid_size_steps": bid_size, "ask_size_steps": ask_size}
        return self.add(Kind.QUOTE, at_s, bid_nano=nano(bid), ask_nano=nano(ask), **sizes, **more)

    def print(self, at_s: float, price: float, size: int = 100, **more: Any) -> Self:
        """A trade of others."""
        return self.add(Kind.PRINT, at_s, price_nano=nano(price), size_steps=size, **more)

    def bar(
        self,
        at_s: float,
        start_s: float,
        prices: Sequence[float],
        volume: int = 1_000,
        seconds: int = 60,
        **more: Any,
    ) -> Self:
        """A vendor's bar that begins at `start_s`: open, high, low, close."""
        names = ("open_nano", "high_nano", "low_nano", "close_nano")
        return self.add(
            Kind.BAR,
            at_s,
            event_s=start_s,
            bar_length=seconds * NANO,
            ts_close_ns=self.starts_ns + round((start_s + seconds) * NANO),
            volume_steps=volume,
            **dict(zip(names, map(nano, prices), strict=True)),
            **more,
        )

    def status(self, at_s: float, status: TradingStatus, **more: Any) -> Self:
        """Halted, trading again."""
        return self.add(Kind.STATUS, at_s, status=status, **more)

    def timer(self, at_s: float) -> Self:
        """A second of session time passes: bars close and orders arrive without a quote, too."""
        return self.add(Kind.TIMER, at_s, 0, interval_ns=NANO)

    def batches(self, size: int | None = None) -> Iterator[Blocks]:
        """The rows as blocks, so many a batch; all at once when it is not said."""
        size = size or max(1, len(self.rows))
        for start in range(0, len(self.rows), size):
            by_kind: dict[Kind, list[Row]] = defaultdict(list)
            for kind, row in self.rows[start : start + size]:
                by_kind[kind].append(row)
            yield [Block.from_rows(kind, rows) for kind, rows in sorted(by_kind.items())]

    def play(self, strategy: Strategy, settings: EngineSettings | None = None, **params: Any) -> "Played":
        """What a strategy makes of the day. Raises StrategyError, ConfigError for parameters it does not have."""
        engine, derived = Engine([Plan(strategy, strategy.Params(**params))], settings), Derived()
        for batch in self.batches():
            derived.take(engine.reduce(batch))
        return Played(strategy, engine, derived)


class Derived:
    """Rows that were derived, by kind, in order."""

    def __init__(self) -> None:
        self.by_kind: dict[Kind, list[Row]] = defaultdict(list)

    def take(self, blocks: Blocks) -> None:
        """Some more."""
        for block in blocks:
            self.by_kind[block.kind] += block.rows()

    def __getitem__(self, kind: Kind) -> list[Row]:
        return self.by_kind[kind]

    def column(self, kind: Kind, name: str) -> list[Any]:
        """One column of a kind."""
        return [row[name] for row in self.by_kind[kind]]

    def story(self) -> list[tuple[int, int, str]]:
        """(seq, ord, kind) of every row, in order."""
        return sorted((row["seq"], row["ord"], kind.name) for kind, rows in self.by_kind.items() for row in rows)


class Played:
    """What became of a day: `engine` as it stands behind it, and the `derived` rows."""

    def __init__(self, strategy: Strategy, engine: Engine, derived: Derived) -> None:
        self.engine = engine
        self.derived = derived
        self._strategy = strategy

    def wishes(self) -> list[str]:
        """What was wished, and what became of it: `ENTER BUY 100 TAKEN`; rows of gates left out."""
        return [
            f"{IntentAction(row['action']).name} {Side(row['side']).name} {row['quantity_steps']} {IntentOutcome(row['outcome']).name}"
            for row in self.derived[Kind.INTENT]
            if row["action"] != IntentAction.NONE
        ]

    def phases(self) -> list[str]:
        """The phases that were entered, by their names."""
        names = self._strategy.phases
        assert names is not None, f"{self._strategy.name} has no phases"
        return [names(row["to_phase"]).name for row in self.derived[Kind.TRANSITION]]

    def fills(self) -> list[tuple[str, int, float]]:
        """Side, size in steps and price of each."""
        return [
            (Side(row["side"]).name, row["quantity_steps"], row["price_nano"] / NANO) for row in self.derived[Kind.FILL]
        ]


def nano(price: float) -> int:
    """A price in the unit of events."""
    return round(price * NANO)
