"""Book: what a broker keeps of an account: its cash, its positions, its orders and their fills. No socket, no clock.

Assumption: an order fills against the quote that stands when `settle` is called, at the far side of it, up to the size
displayed where one is given; a resting limit fills at its limit once the other side has come to it. Orders are looked at
in the order in which they came. Danger: this is a broker for finding faults in those who talk to it, no market: nothing
queues, nothing moves because of us, and a quote is used up by each order anew.

Quantities are 1e-9 of a share or coin (`_nano`), prices and money 1e-9 of the currency. On request an order fills in
several parts with a gap between them, and a cancel takes a while, so that fills come in front of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from pipeline.codes import OrderType, Side, TimeInForce
from pipeline.simulator.trading.orders import (
    Change,
    Event,
    Fill,
    Order,
    RefusedError,
    Status,
    Ticket,
    Wrong,
    round_half_even,
)
from pipeline.units import ABSENT, NANO, TS_MAX_NS

_NAMES: Final = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
_MILLION: Final = 1_000_000


class Quote(NamedTuple):
    """The best prices of a symbol; a size of 0: as much as anybody wants."""

    bid_nano: int
    ask_nano: int
    bid_size_nano: int = 0
    ask_size_nano: int = 0


@dataclass(slots=True)
class Position:
    """Signed quantity, and what it cost."""

    quantity_nano: int = 0
    cost_nano: int = 0


@dataclass(frozen=True, slots=True)
class Manners:
    """How a broker treats orders.

    `parts` tells, by an order's number, in how many parts of whole `step_nano` it fills, `gap_ns` apart; `cancel_ns` is how
    long a cancel takes. Fees are millionths of what was traded.
    """

    parts: Callable[[int], int] = lambda _: 1
    step_nano: int = NANO
    gap_ns: int = NANO // 5
    cancel_ns: int = 0
    taker_ppm: int = 0
    maker_ppm: int = 0
    allows_short: bool = True


class Book:
    """One account at one broker. Whoever calls `place`, `cancel` or `quote` calls `settle` behind it."""

    def __init__(self, *, cash_nano: int, manners: Manners | None = None, name: str = "book") -> None:
        """`name` is what ids are made of: the same name and the same calls give the same ids."""
        self.cash_nano = cash_nano
        self.manners = manners or Manners()
        self.orders: dict[str, Order] = {}
        self.by_client_id: dict[str, str] = {}
        self.fills: list[Fill] = []
        self.positions: dict[str, Position] = {}
        self.quotes: dict[str, Quote] = {}
        self.changes: list[Change] = []
        """What happened and was not told yet; whoever tells it empties the list."""
        self._name = name
        self._open: dict[str, None] = {}
        self._next_part_ns: dict[str, int] = {}
        self._cancels_ns: dict[str, int] = {}
        self._expires_ns: dict[str, int] = {}

    def quote(self, symbol: str, quote: Quote) -> None:
        """The market moves."""
        self.quotes[symbol] = quote

    def position_nano(self, symbol: str) -> int:
        """Signed."""
        position = self.positions.get(symbol)
        return position.quantity_nano if position else 0

    def open_orders(self) -> list[Order]:
        """In the order in which they came."""
        return [self.orders[id_] for id_ in self._open]

    def buying_power_nano(self) -> int:
        """Cash that no open order to buy waits for."""
        held = sum(self._worth(order.ticket, order.open_nano) for order in self.open_orders())
        return self.cash_nano - held

    def place(self, ticket: Ticket, now_ns: int, *, replaces: str = "") -> Order:
        """Take an order. Raises RefusedError."""
        self._check(ticket)
        number = len(self.orders) + 1
        order = Order(number, self._id("order", number), ticket, now_ns, now_ns, replaces=replaces)
        self.by_client_id[ticket.client_order_id] = order.id
        self._open[order.id] = None
        self._expires_ns[order.id] = ticket.expires_ns
        self._changed(Event.NEW, order, now_ns)
        return order

    def cancel(self, order_id: str, now_ns: int) -> None:
        """Ask for an end. Raises RefusedError for an order that is over, KeyError for one that never was."""
        order = self.orders[order_id]
        if not order.is_open:
            raise RefusedError(Wrong.OVER)
        if self.manners.cancel_ns and order_id not in self._cancels_ns:
            self._cancels_ns[order_id] = now_ns + self.manners.cancel_ns
            self._changed(Event.PENDING_CANCEL, order._replace(is_cancel_pending=True), now_ns)
        elif not self.manners.cancel_ns:
            self._end(order, Status.CANCELED, Event.CANCELED, now_ns)

    def replace(self, order_id: str, ticket: Ticket, now_ns: int) -> Order:
        """Another order in the place of one, which ends. Raises as `place` and `cancel` do."""
        order = self.orders[order_id]
        if not order.is_open:
            raise RefusedError(Wrong.OVER)
        successor = self.place(ticket, now_ns, replaces=order_id)
        self._end(order._replace(replaced_by=successor.id), Status.REPLACED, Event.REPLACED, now_ns)
        return successor

    def expire(self, order_id: str, now_ns: int) -> None:
        """Let an open order's time be over."""
        order = self.orders[order_id]
        if order.is_open:
            self._end(order, Status.EXPIRED, Event.EXPIRED, now_ns)

    def trade(self, order_id: str, quantity_nano: int, price_nano: int, now_ns: int) -> Fill:
        """Fill some of an open order by hand, whatever the quote says."""
        order = self.orders[order_id]
        assert order.is_open, f"{order_id} is {order.status}"
        return self._fill(order, min(quantity_nano, order.open_nano), price_nano, now_ns, is_maker=False)

    def settle(self, now_ns: int) -> None:
        """Let happen what can by now: cancels take effect, times run out, orders fill."""
        for order in self.open_orders():
            if self._cancels_ns.get(order.id, TS_MAX_NS) <= now_ns:
                self._end(order, Status.CANCELED, Event.CANCELED, now_ns)
            elif order.ticket.expires_ns <= now_ns:
                self._end(order, Status.EXPIRED, Event.EXPIRED, now_ns)
            elif self._next_part_ns.get(order.id, 0) <= now_ns:
                self._match(order, now_ns)

    def due_ns(self) -> int:
        """When something happens by itself; TS_MAX_NS: nothing."""
        waits = (self._cancels_ns, self._next_part_ns, self._expires_ns)
        return min((min(times.values()) for times in waits if times), default=TS_MAX_NS)

    def _check(self, ticket: Ticket) -> None:
        if ticket.quantity_nano <= 0:
            raise RefusedError(Wrong.QUANTITY)
        if ticket.is_post_only and self._price(ticket, is_new=True) != ABSENT:
            raise RefusedError(Wrong.WOULD_CROSS)
        if ticket.side is Side.BUY and self._worth(ticket, ticket.quantity_nano) > self.buying_power_nano():
            raise RefusedError(Wrong.BUYING_POWER)
        if ticket.side is Side.SELL and not self.manners.allows_short:
            selling = [order for order in self.open_orders() if order.ticket.side is Side.SELL]
            held = sum(order.open_nano for order in selling if order.ticket.symbol == ticket.symbol)
            if ticket.quantity_nano > self.position_nano(ticket.symbol) - held:
                raise RefusedError(Wrong.POSITION)

    def _worth(self, ticket: Ticket, quantity_nano: int) -> int:
        """What a purchase may cost."""
        if ticket.side is not Side.BUY:
            return 0
        quote = self.quotes.get(ticket.symbol)
        price = ticket.limit_nano if ticket.limit_nano != ABSENT else quote.ask_nano if quote else 0
        return max(price, 0) * quantity_nano // NANO

    def _match(self, order: Order, now_ns: int) -> None:
        """Fill what the quote allows; an order that may not wait ends."""
        ticket = order.ticket
        self._next_part_ns.pop(order.id, None)
        if self._is_stop(order):
            if not self._is_reached(ticket):
                return
            order = order._replace(is_triggered=True)
            self.orders[order.id] = order
        price = self._price(ticket, is_new=order.filled_nano == 0 and order.created_ns == now_ns)
        available = self._displayed(ticket) if price != ABSENT else 0
        must_be_whole = ticket.time_in_force is TimeInForce.FOK
        if available >= (order.open_nano if must_be_whole else 1):
            part = order.open_nano if must_be_whole else self._part_nano(order)
            is_maker = price == ticket.limit_nano and order.created_ns != now_ns
            self._fill(order, min(part, available, order.open_nano), price, now_ns, is_maker=is_maker)
        order = self.orders[order.id]
        if order.is_open and ticket.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            self._end(order, Status.CANCELED, Event.CANCELED, now_ns)

    def _part_nano(self, order: Order) -> int:
        step = self.manners.step_nano
        return -(-order.ticket.quantity_nano // (self.manners.parts(order.number) * step)) * step

    def _is_stop(self, order: Order) -> bool:
        return order.ticket.order_type in {OrderType.STOP, OrderType.STOP_LIMIT} and not order.is_triggered

    def _is_reached(self, ticket: Ticket) -> bool:
        """Whether the quote a stop would trade against has come to it."""
        quote = self.quotes.get(ticket.symbol)
        if quote is None:
            return False
        if ticket.side is Side.BUY:
            return quote.ask_nano >= ticket.stop_nano
        return quote.bid_nano <= ticket.stop_nano

    def _price(self, ticket: Ticket, *, is_new: bool) -> int:
        """What it trades at now; ABSENT: it does not."""
        quote = self.quotes.get(ticket.symbol)
        if quote is None:
            return ABSENT
        far = quote.ask_nano if ticket.side is Side.BUY else quote.bid_nano
        if far == ABSENT or far <= 0:
            return ABSENT
        if ticket.order_type in {OrderType.MARKET, OrderType.STOP}:
            return far
        is_crossed = far <= ticket.limit_nano if ticket.side is Side.BUY else far >= ticket.limit_nano
        if not is_crossed:
            return ABSENT
        return far if is_new else ticket.limit_nano

    def _displayed(self, ticket: Ticket) -> int:
        quote = self.quotes[ticket.symbol]
        size = quote.ask_size_nano if ticket.side is Side.BUY else quote.bid_size_nano
        return size if size > 0 else ticket.quantity_nano

    def _fill(self, order: Order, quantity_nano: int, price_nano: int, now_ns: int, *, is_maker: bool) -> Fill:
        ticket, manners = order.ticket, self.manners
        value = round_half_even(price_nano * quantity_nano, NANO)
        fee = value * (manners.maker_ppm if is_maker else manners.taker_ppm) // _MILLION
        self._book(ticket.symbol, ticket.side * quantity_nano, value, fee)
        filled = order.filled_nano + quantity_nano
        number = len(self.fills) + 1
        fill = Fill(
            number, self._id("fill", number), order.id, ticket.symbol, ticket.side, price_nano, quantity_nano, filled, fee,
            is_maker, now_ns,
        )  # fmt: skip
        self.fills.append(fill)
        is_whole = filled == ticket.quantity_nano
        after = order._replace(
            status=Status.FILLED if is_whole else Status.PARTIALLY_FILLED,
            filled_nano=filled,
            value_nano=order.value_nano + value,
            fees_nano=order.fees_nano + fee,
            count_fills=order.count_fills + 1,
        )
        if is_whole:
            self._forget(order.id)
        else:
            self._next_part_ns[order.id] = now_ns + manners.gap_ns
        self._changed(Event.FILL if is_whole else Event.PARTIAL_FILL, after, now_ns, fill)
        return fill

    def _book(self, symbol: str, signed_nano: int, value_nano: int, fee_nano: int) -> None:
        """Move cash and position by one execution; what it cost follows the average-cost rule."""
        position = self.positions.setdefault(symbol, Position())
        held = position.quantity_nano
        self.cash_nano += (-value_nano if signed_nano > 0 else value_nano) - fee_nano
        if held * signed_nano >= 0:
            position.cost_nano += value_nano
        elif abs(signed_nano) <= abs(held):
            position.cost_nano -= position.cost_nano * abs(signed_nano) // abs(held)
        else:
            position.cost_nano = value_nano * (abs(signed_nano) - abs(held)) // abs(signed_nano)
        position.quantity_nano = held + signed_nano

    def _end(self, order: Order, status: Status, event: Event, now_ns: int) -> None:
        self._forget(order.id)
        self._changed(event, order._replace(status=status, is_cancel_pending=False), now_ns)

    def _forget(self, order_id: str) -> None:
        for waiting in (self._open, self._next_part_ns, self._cancels_ns, self._expires_ns):
            waiting.pop(order_id, None)

    def _changed(self, event: Event, order: Order, now_ns: int, fill: Fill | None = None) -> None:
        after = order._replace(updated_ns=now_ns)
        self.orders[order.id] = after
        self.changes.append(Change(event, after, self.position_nano(order.ticket.symbol), now_ns, fill))

    def _id(self, what: str, number: int) -> str:
        return str(uuid5(_NAMES, f"{self._name}/{what}/{number}"))


def taken(changes: list[Change]) -> Iterable[Change]:
    """The changes, which are told now: the list is empty afterwards."""
    told, changes[:] = changes[:], []
    return told
