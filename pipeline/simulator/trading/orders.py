"""Orders: what a broker's book is made of: tickets, orders as they stood at one moment, fills, and what happened.

Quantities are 1e-9 of a share or coin (`_nano`), prices and money 1e-9 of the currency.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from pipeline.codes import OrderType, Side, TimeInForce
from pipeline.units import ABSENT, NANO, TS_MAX_NS


class Status(StrEnum):
    """Where an order stands."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"


class Event(StrEnum):
    """What happened to it."""

    NEW = "new"
    FILL = "fill"
    PARTIAL_FILL = "partial_fill"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"


OPEN: Final = frozenset((Status.NEW, Status.PARTIALLY_FILLED))


class Wrong(StrEnum):
    """Why an order is refused."""

    QUANTITY = "quantity must be > 0"
    BUYING_POWER = "insufficient buying power"
    POSITION = "insufficient position"
    WOULD_CROSS = "post only order would cross"
    OVER = "order is over"


class RefusedError(Exception):
    """The book does not take it; `wrong` says why."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__(wrong.value)
        self.wrong = wrong


class Ticket(NamedTuple):
    """What is asked for. ABSENT where a price is not given; `words` is what the broker repeats of it."""

    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nano: int
    limit_nano: int = ABSENT
    stop_nano: int = ABSENT
    is_post_only: bool = False
    is_extended: bool = False
    expires_ns: int = TS_MAX_NS
    words: object = None


class Order(NamedTuple):
    """An order as it stood at one moment; `value_nano` is what its fills are worth, fees aside."""

    number: int
    id: str
    ticket: Ticket
    created_ns: int
    updated_ns: int
    status: Status = Status.NEW
    filled_nano: int = 0
    value_nano: int = 0
    fees_nano: int = 0
    count_fills: int = 0
    is_triggered: bool = False
    is_cancel_pending: bool = False
    replaces: str = ""
    replaced_by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something can still happen to it."""
        return self.status in OPEN

    @property
    def open_nano(self) -> int:
        """What is not filled."""
        return self.ticket.quantity_nano - self.filled_nano

    @property
    def average_nano(self) -> int:
        """Its average price, rounded to a nano; 0 without a fill."""
        return round_half_even(self.value_nano * NANO, self.filled_nano) if self.filled_nano else 0


class Fill(NamedTuple):
    """One execution; `cumulative_nano` is what its order had filled behind it."""

    number: int
    id: str
    order_id: str
    symbol: str
    side: Side
    price_nano: int
    quantity_nano: int
    cumulative_nano: int
    fee_nano: int
    is_maker: bool
    at_ns: int


class Change(NamedTuple):
    """What happened, to which order as it stands behind it, in which position that leaves the account."""

    event: Event
    order: Order
    position_nano: int
    at_ns: int
    fill: Fill | None = None


def round_half_even(numerator: int, denominator: int) -> int:
    """The quotient of whole numbers, `denominator` above 0, rounded to the nearest, ties to even.

    >>> round_half_even(5, 2), round_half_even(7, 2), round_half_even(-5, 2)
    (2, 4, -2)
    """
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))
