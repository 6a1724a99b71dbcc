"""Reports: what brokers say, in our words but in their units: quantities in 1e-9 of a share or coin, symbols as they spell them."""

from enum import Enum, auto
from typing import NamedTuple

from pipeline.codes import Liquidity, Side
from pipeline.units import ABSENT


class Status(Enum):
    """Where a broker says that an order stands."""

    WORKING = auto()
    CANCEL_PENDING = auto()
    FILLED = auto()
    CANCELLED = auto()
    REJECTED = auto()
    EXPIRED = auto()
    REPLACED = auto()


FINAL = frozenset((Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED, Status.REPLACED))


class Report(NamedTuple):
    """An order as a broker says it stands.

    `filled_nano` is all that was filled so far, `value` what that is worth, price times size in 1e-18, fees aside, and
    `fees_nano` what was paid for it in all; both ABSENT where they are not said. `ts_ns` is the broker's time, or ABSENT.
    """

    client_order_id: str
    venue_order_id: str
    symbol: str
    status: Status
    quantity_nano: int
    filled_nano: int
    value: int = ABSENT
    fees_nano: int = ABSENT
    ts_ns: int = ABSENT
    text: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in FINAL


class Execution(NamedTuple):
    """One fill. `cumulative_nano` is what its order had filled with it: so it is the stretch of the order that ends there."""

    client_order_id: str
    venue_order_id: str
    execution_id: str
    side: Side
    price_nano: int
    quantity_nano: int
    cumulative_nano: int
    fee_nano: int = 0
    liquidity: Liquidity = Liquidity.UNKNOWN
    ts_ns: int = ABSENT


class Holding(NamedTuple):
    """A position; the average price ABSENT where the broker has none."""

    symbol: str
    quantity_nano: int
    average_nano: int = ABSENT


class Standing(NamedTuple):
    """An account: money of one currency, what it holds, and which one it is; '' where the broker does not say."""

    currency: str
    cash_nano: int
    buying_power_nano: int
    holdings: tuple[Holding, ...]
    number: str = ""


class Taken(NamedTuple):
    """The broker has the order."""

    report: Report


class Refused(NamedTuple):
    """The broker, or whoever stands in front of it, says no: nothing came to be."""

    text: str


class NotTaken(NamedTuple):
    """It is certain that nothing came to be, and asking again may help, after some seconds."""

    text: str
    wait_s: float


class Unsure(NamedTuple):
    """Nobody knows what came of it."""

    text: str


Placed = Taken | Refused | NotTaken | Unsure
Cancelled = Refused | Unsure | None
"""None: the broker took the wish."""


class Heard(NamedTuple):
    """What a stream's message says: what to answer, orders, fills, and what a person must look at.

    `is_listening`: from here on the stream tells of orders. `is_broken`: something was not told: ask for all.
    """

    replies: tuple[bytes, ...] = ()
    reports: tuple[Report, ...] = ()
    executions: tuple[Execution, ...] = ()
    notices: tuple[str, ...] = ()
    is_listening: bool = False
    is_broken: bool = False
