"""Settings of the engine: everything besides inputs, code and parameters that a decision depends on.

They are written into the session before the first input is reduced; JSON in, JSON out, nothing else is accepted.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.core.record import record_of
from pipeline.core.state import state
from pipeline.errors import ConfigError
from pipeline.names import did_you_mean
from pipeline.units import DAY_NS, SECOND_NS

SIMULATED, BROKERED = range(2)
"""Who executes orders."""

SHORT_NEVER, SHORT_KNOWN, SHORT_ALWAYS = range(3)
"""Whether shares may be sold short."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Account, venue, bars, risk limits and sizes of tables. Money in the account's currency."""

    cash: float = 100_000.0
    """Cash at the start; an account input OPENING_CASH replaces it."""

    execution: int = SIMULATED
    """0: the simulated venue fills. 1: a broker does, and what it says are inputs (core.brokered)."""
    heeds_guard: int = 0
    """1: a request to reduce that a day's loss brought about is obeyed; what is recorded live does, a replay of other code doesn't."""
    latency_ns: int = 50_000_000
    """Session time from sending an order or a cancel until it is at the venue; 50 ms is a retail API on a good day."""
    latency_back_ns: int = 0
    """Session time from what the venue did until the strategy hears of it."""
    exchange_hours: int = 0
    """0: an order trades whenever there is a quote. 1: American shares trade outside of regular hours by limit orders that
    are meant for it alone, and orders for the day end with it, shares' and futures'."""
    impact: int = 0
    """What an order pays for more than is displayed. 0: it can't have it. 1: in proportion to its size. 2: to its square root."""
    impact_bps: float = 10.0
    """How far the price moves for as much again as is displayed, in hundredths of a percent."""
    queue: int = 0
    """0: a print fills no resting limit. 1: it does, once what was displayed at the limit's price when it came has traded."""
    fee_per_unit: float = 0.0
    """Commission for each share, contract or coin."""
    fee_bps: float = 0.0
    """Commission on the amount traded, in hundredths of a percent; where a resting limit is filled, less the discount."""
    maker_discount_bps: float = 0.0
    """Taken off `fee_bps` where a resting limit is filled; more than that is a rebate."""
    fee_least: float = 0.0
    """The least commission of an order of which anything is filled."""
    fee_most_percent: float = 0.0
    """The most commission of an order, in percent of its amount; 0: any. It goes before the least."""
    regulatory_fees: int = 0
    """1: sales of American shares pay what the SEC and FINRA take, by the rates of their day (core.fee_rates)."""

    bar_lateness_ns: int = 2 * SECOND_NS
    """Session time a bar stays open after its end, for prints that come late."""

    quote_age_ns_max: int = 60 * SECOND_NS
    """An older quote is stale: no entry is sized or sent on it."""
    order_quantity_max: float = 1_000_000.0
    """Shares, contracts or coins of one entry."""
    order_notional_max: float = 250_000.0
    """Amount of one entry at its reference price: its limit, else the far side of the quote."""
    position_notional_max: float = 500_000.0
    """Amount of one strategy's position in one instrument, an entry and those that still work included."""
    open_orders_max: int = 50
    """Open orders of one strategy in one instrument."""
    price_collar_percent: float = 10.0
    """How far a limit may lie beyond the far side of the quote, or beyond its stop; a typing error lies further."""
    buying_power: float = 4.0
    """Amount of all positions and working entries to what the account is worth; 4 is a margin account within the day."""
    short_sales: int = SHORT_KNOWN
    """0: no shares are sold short. 1: those called easy_to_borrow by a reference fact, else shortable. 2: all."""
    order_rate_max: int = 100
    """Entries sent within a second, of all strategies together; a runaway loop ends here."""
    daily_loss_max: float = 10_000.0
    """Loss realised in a UTC day, fees included, after which nothing is entered any more."""
    drawdown_max: float = 0.0
    """What may be given back of the day's best result, both realised, fees included; 0: all of it."""
    loss_streak_max: int = 0
    """Losing round trips one after the other within a day, of all strategies, after which nothing is entered; 0: any number."""
    cool_down_ns: int = 0
    """Session time after a losing round trip in which its strategy enters nothing in its instrument; 0: none."""
    entry_from_minute: int = 0
    """Minutes after midnight by the clocks at the exchange before which nothing is entered."""
    entry_until_minute: int = 1_440
    """Minutes after midnight by the clocks at the exchange from which on nothing is entered."""
    positions_max: int = 1_000
    """(strategy, instrument) pairs that may hold a position or an entry order at once; arbitration ranks by it."""
    open_entries_max: int = 0
    """Open entries of one strategy in one instrument on one side; 0: any number, 1: nothing is entered twice."""
    instrument_strategies_max: int = 0
    """Strategies that may hold one instrument, or enter it, at once; 0: any number."""
    instrument_notional_max: float = 0.0
    """Amount of all positions and working entries in one instrument; 0: any."""
    sector_instruments_max: int = 0
    """Instruments of one sector that may be held or entered at once, those of no known sector being one; 0: any number."""
    sector_notional_max: float = 0.0
    """Amount of all positions and working entries in one sector; 0: any."""
    theme_instruments_max: int = 0
    """Instruments of one theme that may be held or entered at once: they run together (core.crowd); 0: any number."""
    theme_notional_max: float = 0.0
    """Amount of all positions and working entries in one theme; 0: any."""
    total_notional_max: float = 0.0
    """Amount of all positions and working entries; 0: any."""

    universe: int = 0
    """0: strategies hear every instrument. 1: they hear those that a scanner added, and positions are flattened when it drops
    one; 2: the same, but a strategy goes on in it, entering nothing, until it is flat."""

    warm_up_wait_ns: int = 120 * SECOND_NS
    """Session time for which a strategy waits in an instrument for the history it asks for; then it begins without."""

    order_slots: int = 1_024
    """Open orders of the whole session; one more is refused."""
    outputs_max: int = 64
    """Outputs of one strategy for one instrument in one step; more is a failure of the strategy."""
    checkpoint_every: int = 100_000
    """Inputs between two rows with the hash of the whole state."""

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "EngineSettings":
        """Settings from names and values; what is not given takes its default.

        Raises ConfigError for an unknown name, with the nearest known one, or a value that is not accepted.
        """
        known = cls.__struct_fields__
        for name in given:
            if name not in known:
                hint = did_you_mean(name, known) or f"; known are {', '.join(known)}"
                raise ConfigError(f"unknown engine setting {name!r}{hint}")
        try:
            return checked(msgspec.convert(dict(given), cls))
        except msgspec.ValidationError as error:
            raise ConfigError(f"engine settings: {error}") from None

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, in the order of their declaration; what JSON can hold."""
        return msgspec.structs.asdict(self)


_MOST: Final = {
    "cash": 1e15,
    "execution": BROKERED,
    "heeds_guard": 1,
    "latency_ns": DAY_NS,
    "latency_back_ns": DAY_NS,
    "exchange_hours": 1,
    "impact": 2,
    "impact_bps": 10_000.0,
    "queue": 1,
    "fee_per_unit": 1e6,
    "fee_bps": 10_000.0,
    "maker_discount_bps": 10_000.0,
    "fee_least": 1e6,
    "fee_most_percent": 100.0,
    "regulatory_fees": 1,
    "bar_lateness_ns": DAY_NS - 1,
    "quote_age_ns_max": 10**18,
    "order_quantity_max": 1e12,
    "order_notional_max": 1e15,
    "position_notional_max": 1e15,
    "open_orders_max": 100_000,
    "price_collar_percent": 1e6,
    "buying_power": 1e6,
    "short_sales": SHORT_ALWAYS,
    "order_rate_max": 1_000_000,
    "daily_loss_max": 1e15,
    "drawdown_max": 1e15,
    "loss_streak_max": 1_000_000,
    "cool_down_ns": 30 * DAY_NS,
    "entry_from_minute": 1_439,
    "entry_until_minute": 1_440,
    "positions_max": 1_000_000,
    "open_entries_max": 100_000,
    "instrument_strategies_max": 1_000_000,
    "instrument_notional_max": 1e15,
    "sector_instruments_max": 1_000_000,
    "sector_notional_max": 1e15,
    "theme_instruments_max": 1_000_000,
    "theme_notional_max": 1e15,
    "total_notional_max": 1e15,
    "universe": 2,
    "warm_up_wait_ns": DAY_NS,
    "order_slots": 100_000,
    "outputs_max": 10_000,
    "checkpoint_every": 10**9,
}
"""The largest value of each setting: far beyond what is sensible, and small enough that times and tables stay in bounds."""

_MAY_BE_ZERO: Final = frozenset(
    (
        "cash",
        "execution",
        "heeds_guard",
        "latency_ns",
        "latency_back_ns",
        "exchange_hours",
        "impact",
        "queue",
        "fee_per_unit",
        "fee_bps",
        "maker_discount_bps",
        "fee_least",
        "fee_most_percent",
        "regulatory_fees",
        "bar_lateness_ns",
        "universe",
        "warm_up_wait_ns",
        "short_sales",
        "drawdown_max",
        "loss_streak_max",
        "cool_down_ns",
        "entry_from_minute",
        "open_entries_max",
        "instrument_strategies_max",
        "instrument_notional_max",
        "sector_instruments_max",
        "sector_notional_max",
        "theme_instruments_max",
        "theme_notional_max",
        "total_notional_max",
    )
)


def checked(settings: EngineSettings) -> EngineSettings:
    """The same settings, when each is within its bounds. Raises ConfigError otherwise."""
    for name, most in _MOST.items():
        value = getattr(settings, name)
        may_be_zero = name in _MAY_BE_ZERO
        if not 0 <= value <= most or (value == 0 and not may_be_zero):
            least = "0 or more" if may_be_zero else "more than 0"
            raise ConfigError(f"engine setting {name}={value}: accepted is {least}, up to {most:,}")
    if settings.entry_from_minute >= settings.entry_until_minute:
        raise ConfigError(
            f"engine settings entry_from_minute={settings.entry_from_minute} and entry_until_minute="
            f"{settings.entry_until_minute}: accepted is a beginning before its end"
        )
    return settings


_TYPES: Final = {field.name: field.type for field in msgspec.structs.fields(EngineSettings)}
SettingsRow: Any = state(type("SettingsRow", (), {"__annotations__": _TYPES, "__doc__": "The settings, as a row."}))
SETTINGS: Final = record_of(SettingsRow)


def row_of(settings: EngineSettings) -> Any:
    """The settings as a row that compiled code can read."""
    row = SETTINGS.new()
    for name, value in settings.as_dict().items():
        setattr(row, name, value)
    return row
