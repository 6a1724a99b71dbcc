"""World: the rows all folds share, and the queue of facts that handlers have yet to see."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pipeline.core.context import ClockRow, Output
from pipeline.core.instrument import InstrumentRow
from pipeline.core.orders import OrderRow
from pipeline.core.portfolio import AccountRow, PositionRow
from pipeline.core.record import record_of
from pipeline.core.settings import EngineSettings
from pipeline.core.tape import Place, Tape
from pipeline.units import INT64_MAX

CLOCK: Final = record_of(ClockRow)
ACCOUNT: Final = record_of(AccountRow)
INSTRUMENT: Final = record_of(InstrumentRow)
POSITION: Final = record_of(PositionRow)
ORDER: Final = record_of(OrderRow)

NEVER: Final = INT64_MAX
"""A time that does not come."""


class Fact(NamedTuple):
    """An event on its way to a handler; strategy or instrument 0: to all of them."""

    handler: str
    strategy_id: int
    instrument_id: int
    event: Any
    cause: Place


class Wish(NamedTuple):
    """An intent on its way to the desk, with the event that caused it."""

    strategy_id: int
    instrument_id: int
    output: Output
    cause: Place


@dataclass(slots=True)
class World:
    """Everything that inputs move, but for the strategies' own states and the bars.

        `is_live` is false while a warm-up or backfilled input is reduced; `next_arrival_ns` the session time at which the
        next order or cancel reaches the venue. `orders` are the open ones, oldest first. `wishes` are the engine's own: what
    flattens.
    """

    settings: EngineSettings
    clock: ClockRow = field(default_factory=CLOCK.new)
    tape: Tape = field(init=False)
    account: AccountRow = field(default_factory=ACCOUNT.new)
    instruments: dict[int, InstrumentRow] = field(default_factory=dict)
    symbols: dict[int, str] = field(default_factory=dict)
    positions: dict[tuple[int, int], PositionRow] = field(default_factory=dict)
    orders: list[OrderRow] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    next_arrival_ns: int = NEVER
    is_live: bool = True

    def __post_init__(self) -> None:
        self.tape = Tape(self.clock)

    def position(self, strategy_id: int, instrument_id: int) -> PositionRow:
        """The position of a pair, flat when it is new."""
        key = (strategy_id, instrument_id)
        if key not in self.positions:
            row = POSITION.new()
            row.strategy_id, row.instrument_id = key
            self.positions[key] = row
        return self.positions[key]

    def orders_of(self, strategy_id: int, instrument_id: int) -> list[OrderRow]:
        """Open orders of a pair, oldest first."""
        return [
            order for order in self.orders if order.strategy_id == strategy_id and order.instrument_id == instrument_id
        ]
