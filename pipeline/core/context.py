"""Context: what a handler may read besides its event and its state, and the buffer its wishes go to.

Everything is a view of the engine's own rows, so nothing is copied for a call, and assigning to it fails.
"""

from functools import partial
from typing import Any, Final

from pipeline.codes import IntentAction, OrderFlag, OrderType, Side, TimeInForce
from pipeline.core.dialect import NAN, size_of
from pipeline.core.instrument import InstrumentRow, spread_bps, tick_of
from pipeline.core.portfolio import AccountRow, PositionRow
from pipeline.core.record import record_of
from pipeline.core.state import state
from pipeline.hours import exchange_offset_ns
from pipeline.units import DAY_NS

WISH, GATE, TRANSITION, MESSAGE, INDICATOR = range(1, 6)
"""What an output is: its `kind`."""


VERBS: Final = "enter, leave, cancel, go, passes, at_least, say, show"


@state
class Output:
    """One thing a handler, or (`action` FLATTEN) the engine, put out, and the place of its cause.

    `code` is a gate, a message, an output of the strategy, or a reason. A wish `is_settled` once the
    desk dealt with it; `won_ord` is then the `ord` of an entry's intent that became an order (0: none did).
    """

    kind: int
    strategy_id: int
    instrument_id: int
    cause_seq: int
    cause_ord: int
    is_engines: bool
    is_settled: bool
    won_ord: int
    action: int = IntentAction.NONE.value
    side: int = Side.NONE.value
    order_type: int = OrderType.MARKET.value
    time_in_force: int = TimeInForce.DAY.value
    flags: int = OrderFlag.NONE.value
    quantity: float = NAN
    notional: float = NAN
    risk: float = NAN
    limit: float = NAN
    trigger: float = NAN
    trail: float = NAN
    stop_loss: float = NAN
    take_profit: float = NAN
    rank_score: float = NAN
    tag: int = 0
    expires_ns: int = 0
    order_id: int = 0
    code: int = 0
    from_phase: int = 0
    to_phase: int = 0
    a: float = NAN
    b: float = NAN
    c: float = NAN


OUTPUT: Final = record_of(Output)

_SIDES: Final = tuple(map(int, Side))
_TIMES_IN_FORCE: Final = tuple(map(int, TimeInForce))
_INT16_MAX: Final = 2**15 - 1
_INT32_MAX: Final = 2**31 - 1


def check_ranges(output: Output) -> None:
    """Raise OverflowError or ValueError for what the column that a number ends in can't hold.

    The rest are int64, float64 or made by the verbs themselves.
    """
    if not -_INT32_MAX <= output.tag <= _INT32_MAX:
        raise OverflowError(f"tag can't hold {output.tag}: accepted is {-_INT32_MAX} to {_INT32_MAX}")
    if not 0 <= output.code <= _INT16_MAX:
        raise OverflowError(f"code can't hold {output.code}: accepted is 0 to {_INT16_MAX}")
    if not -_INT16_MAX <= output.from_phase <= _INT16_MAX:
        raise OverflowError(f"from_phase can't hold {output.from_phase}: accepted is {-_INT16_MAX} to {_INT16_MAX}")
    if not -_INT16_MAX <= output.to_phase <= _INT16_MAX:
        raise OverflowError(f"to_phase can't hold {output.to_phase}: accepted is {-_INT16_MAX} to {_INT16_MAX}")
    if output.side not in _SIDES:
        raise ValueError(f"side {output.side}: accepted are Side.BUY and Side.SELL")
    if output.time_in_force not in _TIMES_IN_FORCE:
        raise ValueError(f"time_in_force {output.time_in_force}: accepted are those of codes.TimeInForce")


@state
class ClockRow:
    """Session time (the running maximum of receive times), how many inputs made it, and what is going on in this one.

    `ord` is that of the latest derived row; `round` counts rounds of handlers; `cause_*` the place of the event whose handlers run; `is_live` is false while
    a backfilled input is reduced. `is_warming`: history is fetched for strategies that ask for a warm-up.
    """

    seq: int
    now_ns: int
    ord: int
    round: int
    cause_seq: int
    cause_ord: int
    is_live: bool = True
    is_warming: bool


IN_UNIVERSE, LEAVING, OUT_OF_UNIVERSE, WAITING = range(4)
"""Where a strategy stands in an instrument: it hears it; it hears it and may only reduce; it doesn't; it hears history alone."""


@state
class CellRow:
    """A strategy in an instrument: the gate that refuses now, and how many outputs it made in input `outputs_seq`.

    It `is_started` once its `on_start` was due, here or in the session whose state it goes on with. `standing` says
    what of the instrument it hears, `heard_until_ns` up to when history told it of bars: those that end by then are not told again.
    It waits for history until `waits_until_ns`.
    """

    is_started: bool
    standing: int
    heard_until_ns: int
    waits_until_ns: int
    gate: int
    outputs: int
    outputs_seq: int


class Context:
    """One per (strategy, instrument). `cell.gate` is the gate that refuses now; only `passes` and `at_least` move it.

    Nothing of it can be set; `share` is the engine's.
    """

    __slots__ = (
        "account",
        "cell",
        "clock",
        "held",
        "instrument",
        "instrument_id",
        "settings",
        "shared",
        "strategy_id",
        "world",
    )

    world: Any
    clock: ClockRow
    account: AccountRow
    settings: Any
    instrument: InstrumentRow
    held: PositionRow
    cell: CellRow
    shared: Any
    strategy_id: int
    instrument_id: int

    def __init__(self, world: Any, strategy_id: int, instrument_id: int, index: int, shared: Any) -> None:
        """`index` is that of the pair's position and cell."""
        put = partial(object.__setattr__, self)
        put("world", world)
        put("clock", world.clock)
        put("account", world.account)
        put("settings", world.settings)
        put("instrument", world.instruments[instrument_id])
        put("held", world.positions[index])
        put("cell", world.cells[index])
        put("shared", shared)
        put("strategy_id", strategy_id)
        put("instrument_id", instrument_id)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises AttributeError with what a handler can do instead."""
        raise AttributeError(f"ctx.{name} is read, not set; a handler changes its State and calls verbs: {VERBS}")

    def share(self, shared: Any) -> None:
        """Another row is the shared State from here on."""
        object.__setattr__(self, "shared", shared)

    @property
    def now_ns(self) -> int:
        """Session time; UTC nanoseconds."""
        return self.clock.now_ns

    @property
    def time_of_day_ns(self) -> int:
        """Session time since UTC midnight; nanoseconds."""
        return self.clock.now_ns % DAY_NS

    @property
    def exchange_time_of_day_ns(self) -> int:
        """Session time since midnight by the clocks at the instrument's exchange (New York, Chicago, else UTC); nanoseconds."""
        return (self.clock.now_ns + exchange_offset_ns(self.instrument.calendar, self.clock.now_ns)) % DAY_NS

    @property
    def position(self) -> float:
        """This strategy's position in this instrument, signed; shares, contracts or coins."""
        return size_of(self.held.quantity_steps - self.held.untold_steps, self.instrument.size_step_nano)

    @property
    def average_price(self) -> float:
        """Average entry price of the position; 0 without one."""
        return self.held.told_average if self.held.untold_fills > 0 else self.held.average_price

    @property
    def open_orders(self) -> int:
        """Open orders of this strategy in this instrument, protective ones included."""
        return self.held.open_orders + self.held.untold_orders

    @property
    def cash(self) -> float:
        """Cash of the account."""
        return self.account.cash - self.account.untold_cash

    @property
    def bid(self) -> float:
        """Best bid in force; NaN when there is none."""
        return self.instrument.bid

    @property
    def ask(self) -> float:
        """Best ask in force; NaN when there is none."""
        return self.instrument.ask

    @property
    def spread_bps(self) -> float:
        """Spread over the middle price; NaN without both sides."""
        return spread_bps(self.instrument)

    @property
    def tick(self) -> float:
        """Smallest price step; NaN when the venue gave none."""
        return tick_of(self.instrument)

    @property
    def stale(self) -> bool:
        """Whether the last quote is older than the settings allow, or there is none."""
        return bool(self.clock.now_ns - self.instrument.ts_quote_ns > self.settings.quote_age_ns_max)

    @property
    def halted(self) -> bool:
        """Whether the instrument is halted, paused, closed or in an auction."""
        return self.instrument.is_halted
