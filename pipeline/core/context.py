"""Context: what a handler may read besides its event and its state, and the buffer its wishes go to.

Everything is a view of the engine's own rows, so nothing is copied for a call, and assigning to it fails.
"""

from typing import Any

from pipeline.codes import IntentAction, OrderFlag, OrderType, Side, TimeInForce
from pipeline.core.dialect import NAN, size_of
from pipeline.core.instrument import InstrumentRow, spread_bps, tick_of
from pipeline.core.portfolio import AccountRow, PositionRow
from pipeline.core.record import record_of
from pipeline.core.state import state
from pipeline.units import DAY_NS

WISH, GATE, TRANSITION, MESSAGE, INDICATOR = range(1, 6)
"""What an output is: its `kind`."""


@state
class Output:
    """One thing a handler put out. `code` is a gate, a message, an output of the strategy, or a reason."""

    kind: int
    action: IntentAction = IntentAction.NONE
    side: Side = Side.NONE
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    flags: int = OrderFlag.NONE.value
    quantity: float = NAN
    notional: float = NAN
    risk: float = NAN
    limit: float = NAN
    trigger: float = NAN
    stop_loss: float = NAN
    take_profit: float = NAN
    rank_score: float = NAN
    tag: int = 0
    order_id: int = 0
    code: int = 0
    from_phase: int = 0
    to_phase: int = 0
    a: float = NAN
    b: float = NAN
    c: float = NAN


OUTPUT = record_of(Output)
EMPTY_OUTPUT = OUTPUT.save(OUTPUT.new())

_SIDES = frozenset(map(int, Side))
_TIMES_IN_FORCE = frozenset(map(int, TimeInForce))
_RANGES = (
    ("tag", -(2**31), 2**31 - 1),
    ("code", 0, 2**15 - 1),
    ("from_phase", -(2**15), 2**15 - 1),
    ("to_phase", -(2**15), 2**15 - 1),
)
"""What the columns these end in can hold; the rest are int64, float64 or made by the verbs themselves."""


@state
class ClockRow:
    """Session time (the running maximum of receive times) and how many inputs made it."""

    seq: int
    now_ns: int


class OutputBuffer:
    """A fixed number of outputs, filled by one handler call and then taken by the engine."""

    __slots__ = ("_spare", "count", "rows")

    def __init__(self, size: int) -> None:
        self.rows: list[Output] = [OUTPUT.new() for _ in range(size)]
        self.count = 0
        self._spare: list[Output] = []

    def check(self) -> None:
        """Make every number of the call a plain int or float.

        Raises TypeError, ValueError or OverflowError, naming the first that is none or that its column can't hold.
        """
        for i in range(self.count):
            _check(self.rows[i])

    def take(self) -> list[Output]:
        """The outputs of the call; other rows take their place."""
        taken = self.rows[: self.count]
        for i in range(self.count):
            self.rows[i] = self._spare.pop() if self._spare else OUTPUT.new()
        self.count = 0
        return taken

    def give_back(self, output: Output) -> None:
        """An output that was written, to be used again."""
        self._spare.append(output)


def _check(output: Output) -> None:
    OUTPUT.restore(output, OUTPUT.save(output))
    for name, low, high in _RANGES:
        value = getattr(output, name)
        if not low <= value <= high:
            raise OverflowError(f"{name} can't hold {value}: accepted is {low} to {high}")
    if output.side not in _SIDES:
        raise ValueError(f"side {output.side}: accepted are Side.BUY and Side.SELL")
    if output.time_in_force not in _TIMES_IN_FORCE:
        raise ValueError(f"time_in_force {output.time_in_force}: accepted are those of codes.TimeInForce")


class Context:
    """One per (strategy, instrument). `gate` is the gate that refuses now; only `passes` and `at_least` move it."""

    __slots__ = ("_account", "_clock", "_instrument", "_position", "_quote_age_ns_max", "gate", "outputs", "shared")

    def __init__(
        self,
        clock: ClockRow,
        instrument: InstrumentRow,
        position: PositionRow,
        account: AccountRow,
        outputs: OutputBuffer,
        quote_age_ns_max: int,
        shared: Any = None,
    ) -> None:
        self._clock = clock
        self._instrument = instrument
        self._position = position
        self._account = account
        self._quote_age_ns_max = quote_age_ns_max
        self.outputs = outputs
        self.shared = shared
        self.gate = 0

    @property
    def now_ns(self) -> int:
        """Session time; UTC nanoseconds."""
        return self._clock.now_ns

    @property
    def time_of_day_ns(self) -> int:
        """Session time since UTC midnight; nanoseconds."""
        return self._clock.now_ns % DAY_NS

    @property
    def position(self) -> float:
        """This strategy's position in this instrument, signed; shares, contracts or coins."""
        return size_of(self._position.quantity_steps, self._instrument.size_step_nano)

    @property
    def average_price(self) -> float:
        """Average entry price of the position; 0 without one."""
        return self._position.average_price

    @property
    def open_orders(self) -> int:
        """Open orders of this strategy in this instrument, protective ones included."""
        return self._position.open_orders

    @property
    def cash(self) -> float:
        """Cash of the account."""
        return self._account.cash

    @property
    def bid(self) -> float:
        """Best bid in force; NaN when there is none."""
        return self._instrument.bid

    @property
    def ask(self) -> float:
        """Best ask in force; NaN when there is none."""
        return self._instrument.ask

    @property
    def spread_bps(self) -> float:
        """Spread over the middle price; NaN without both sides."""
        return spread_bps(self._instrument)

    @property
    def tick(self) -> float:
        """Smallest price step; NaN when the venue gave none."""
        return tick_of(self._instrument)

    @property
    def stale(self) -> bool:
        """Whether the last quote is older than the settings allow, or there is none."""
        return self._clock.now_ns - self._instrument.ts_quote_ns > self._quote_age_ns_max

    @property
    def halted(self) -> bool:
        """Whether the instrument is halted, paused, closed or in an auction."""
        return self._instrument.is_halted
