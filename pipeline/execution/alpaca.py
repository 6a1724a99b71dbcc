"""Alpaca's language: orders, account and positions by REST, and the stream `trade_updates`.

A `client_order_id` is taken once, for ever: that it "must be unique" says that the order is there. There is no reduce-only and
no post-only order; a stop is a stop at the broker and outlives us. What the stream tells as a fill is a stretch of its order, for
the order is told with it. Fees come days later in the account's activities, so a fill has none.

The real server was never seen: what is not in its documentation or its clients is not relied on.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.codes import OrderFlag, OrderType, Side, TimeInForce
from pipeline.errors import TheirsError
from pipeline.execution.calls import Answer, Call, Said, Silence, Talk, ask
from pipeline.execution.numbers import atto_of, moment_of, nano_of
from pipeline.execution.reports import (
    Cancelled,
    Execution,
    Heard,
    Holding,
    NotTaken,
    Placed,
    Refused,
    Report,
    Standing,
    Status,
    Taken,
    Unsure,
)
from pipeline.execution.tongue import UNREADABLE, Conversation, Failed, StreamError, unsettled, words_of
from pipeline.instruments import Instrument
from pipeline.intents import OrderRequest
from pipeline.normalize.moments import text_of_ns
from pipeline.units import ABSENT, text_from_nano

REST_URL: Final = "https://api.alpaca.markets"
PAPER_REST_URL: Final = "https://paper-api.alpaca.markets"
STREAM_URL: Final = "wss://api.alpaca.markets/stream"
PAPER_STREAM_URL: Final = "wss://paper-api.alpaca.markets/stream"

_PAGE: Final = 500
_PAGES_MAX: Final = 100
_UNIQUE: Final = "client_order_id must be unique"
_TYPES: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
}
_IN_FORCE: Final = {
    TimeInForce.DAY: "day",
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.OPENING: "opg",
    TimeInForce.CLOSING: "cls",
}
_ENDS: Final = {
    "filled": Status.FILLED,
    "canceled": Status.CANCELLED,
    "expired": Status.EXPIRED,
    "rejected": Status.REJECTED,
    "replaced": Status.REPLACED,
    "pending_cancel": Status.CANCEL_PENDING,
}
"""All other states are of an order that works, or will."""

_FILLS: Final = frozenset(("fill", "partial_fill"))
_CORRECTIONS: Final = frozenset(("trade_bust", "trade_correct"))
_Number = str | int | float | None


class _Order(msgspec.Struct):
    id: str
    client_order_id: str
    status: str
    symbol: str | None = None
    qty: _Number = None
    filled_qty: _Number = None
    filled_avg_price: _Number = None
    side: str | None = None
    updated_at: str | None = None
    submitted_at: str | None = None


class _Update(msgspec.Struct):
    event: str
    order: _Order
    execution_id: str | None = None
    price: _Number = None
    qty: _Number = None
    timestamp: str | None = None


class _Message(msgspec.Struct):
    stream: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Told(msgspec.Struct):
    streams: list[str] = []
    status: str = ""


class _Position(msgspec.Struct):
    symbol: str
    qty: _Number
    side: str | None = None
    avg_entry_price: _Number = None


class _Account(msgspec.Struct):
    cash: _Number
    buying_power: _Number
    currency: str = "USD"
    account_number: str = ""


class AlpacaTongue:
    """The language. Who we are, `key` and `secret`, is said on the stream; for REST it is added where requests are sent."""

    name = "alpaca"
    quiet_s = float("inf")
    """It has no heartbeat: pings, and what REST says each minute, look after it."""

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._secret = secret

    def unsupported(self, request: OrderRequest, instrument: Instrument) -> str:
        """Why the broker has no such order; '' when it has."""
        del instrument
        if request.order_type not in _TYPES:
            return f"Alpaca gets no {request.order_type.name} from us"
        if request.time_in_force not in _IN_FORCE:
            return f"Alpaca has no {request.time_in_force.name}"
        if request.flags & OrderFlag.POST_ONLY:
            return "Alpaca has no post-only orders"
        is_limit = request.order_type is OrderType.LIMIT and request.time_in_force in {TimeInForce.DAY, TimeInForce.GTC}
        if request.flags & OrderFlag.EXTENDED_HOURS and not is_limit:
            return "Alpaca takes limit orders of a day in extended hours, and no others"
        return ""

    def place(self, request: OrderRequest, instrument: Instrument, client_order_id: str, now_ns: int) -> Call:
        """Ask for an order."""
        del now_ns
        is_extended = bool(request.flags & OrderFlag.EXTENDED_HOURS)  # has orders of a day alone
        said: dict[str, Any] = {
            "symbol": instrument.symbol,
            "qty": text_from_nano(request.quantity_steps * instrument.size_step_nano),
            "side": "buy" if request.side is Side.BUY else "sell",
            "type": _TYPES[request.order_type],
            "time_in_force": _IN_FORCE[TimeInForce.DAY if is_extended else request.time_in_force],
            "client_order_id": client_order_id,
        }
        if request.order_type in {OrderType.LIMIT, OrderType.STOP_LIMIT}:
            said["limit_price"] = text_from_nano(request.limit_nano)
        if request.order_type in {OrderType.STOP, OrderType.STOP_LIMIT}:
            said["stop_price"] = text_from_nano(request.trigger_nano)
        if request.flags & OrderFlag.EXTENDED_HOURS:
            said["extended_hours"] = True
        return Call("POST", "/v2/orders", body=msgspec.json.encode(said))

    def placed(self, said: Said) -> Placed:
        """What came of it."""
        if isinstance(said, Silence):
            return Unsure(said.why) if said.was_sent else NotTaken(said.why, 0.0)
        words = f"HTTP status {said.status}: {words_of(said)}"
        if said.status == 429:
            return NotTaken(words, said.wait_s)
        if unsettled(said) or (said.status == 422 and _UNIQUE in words):
            return Unsure(words)
        if said.status >= 400:
            return Refused(words)
        try:
            return Taken(_report(msgspec.json.decode(said.body, type=_Order)))
        except UNREADABLE as error:
            return Unsure(f"an answer that can't be read: {error}")

    def cancel(self, venue_order_id: str) -> Call:
        """Ask for an order's end."""
        return Call("DELETE", f"/v2/orders/{venue_order_id}")

    def cancelled(self, said: Said) -> Cancelled:
        """What came of it."""
        why = unsettled(said)
        if why or isinstance(said, Silence):
            return Unsure(why)
        return Refused(f"HTTP status {said.status}: {words_of(said)}") if said.status >= 400 else None

    def find(self, client_order_id: str, venue_order_id: str, since_ns: int) -> Talk[Report | Failed | None]:
        """By our id, open or over."""
        del venue_order_id, since_ns
        said = yield from ask(
            Call("GET", "/v2/orders:by_client_order_id", {"client_order_id": client_order_id}),
        )
        if isinstance(said, Answer) and said.status == 404:
            return None
        found = _read(said, _Order)
        return found if isinstance(found, Failed) else _checked(found)

    def orders(self, since_ns: int) -> Talk[list[Report] | Failed]:
        """Those that are open, then all since a moment, page after page."""
        found: dict[str, Report] = {}
        open_ones = yield from self._page({"status": "open", "limit": str(_PAGE)})
        if isinstance(open_ones, Failed):
            return open_ones
        after = text_of_ns(since_ns)
        for _ in range(_PAGES_MAX):
            query = {"status": "all", "after": after, "direction": "asc", "limit": str(_PAGE)}
            page = yield from self._page(query)
            if isinstance(page, Failed):
                return page
            new = [order for order in page if order.id not in found]
            for order in [*open_ones, *new]:
                report = _checked(order)
                if isinstance(report, Failed):
                    return report
                found[order.id] = report
            if len(page) < _PAGE or not new:
                return list(found.values())
            # orders of the last moment may stand on both sides of the page's end
            after = text_of_ns(max(moment_of(page[-1].submitted_at) - 1, since_ns))
        return Failed(f"more than {_PAGES_MAX} pages of orders")

    def standing(self) -> Talk[Standing | Failed]:
        """Cash and positions."""
        account = _read((yield from ask(Call("GET", "/v2/account"))), _Account)
        if isinstance(account, Failed):
            return account
        positions = _read((yield from ask(Call("GET", "/v2/positions"))), list[_Position])
        if isinstance(positions, Failed):
            return positions
        try:
            holdings = tuple(
                Holding(each.symbol, nano_of(each.qty), nano_of(each.avg_entry_price, is_rounded=True))
                for each in positions
            )
            cash, power = nano_of(account.cash, is_rounded=True), nano_of(account.buying_power, is_rounded=True)
            return Standing(account.currency, cash, power, holdings, account.account_number)
        except TheirsError as error:
            return Failed(str(error))

    def holding_of(self, symbol: str) -> str:
        """Under its own name."""
        return symbol

    def conversation(self) -> Conversation:
        """A new stream."""
        return _Conversation(self._key, self._secret)

    def _page(self, query: Mapping[str, str]) -> Talk[list[_Order] | Failed]:
        page: list[_Order] | Failed = _read((yield from ask(Call("GET", "/v2/orders", query))), list[_Order])
        return page


class _Conversation:
    """Says who we are, listens, and hears updates: binary frames that hold JSON."""

    def __init__(self, key: str, secret: str) -> None:
        self._who = {"key_id": key, "secret_key": secret}

    def opened(self) -> list[bytes]:
        return [msgspec.json.encode({"action": "authenticate", "data": self._who})]

    def hear(self, payload: bytes) -> Heard:
        try:
            message = msgspec.json.decode(payload, type=_Message)
            if message.stream == "trade_updates":
                return _heard(msgspec.json.decode(message.data, type=_Update))
            data = msgspec.json.decode(message.data, type=_Told)
        except UNREADABLE as error:
            return Heard(notices=(f"Alpaca's stream: a message can't be read: {error}",), is_broken=True)
        if message.stream == "authorization":
            if data.status != "authorized":
                raise StreamError("Alpaca: not authorized; is it the key of this account, paper or not?", is_fatal=True)
            listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
            return Heard(replies=(msgspec.json.encode(listen),))
        return Heard(is_listening=message.stream == "listening" and "trade_updates" in data.streams)


def _heard(update: _Update) -> Heard:
    """An update: the order as it stands, and the fill that made it so."""
    report = _report(update.order, update.timestamp)
    executions: tuple[Execution, ...] = ()
    if update.event in _FILLS and update.execution_id:
        executions = (
            Execution(
                report.client_order_id,
                report.venue_order_id,
                update.execution_id,
                Side.BUY if update.order.side == "buy" else Side.SELL,
                nano_of(update.price),
                nano_of(update.qty),
                report.filled_nano,
                ts_ns=moment_of(update.timestamp),
            ),
        )
    notices: tuple[str, ...] = ()
    if update.event in _CORRECTIONS:
        notices = (f"{report.symbol}: Alpaca says {update.event} of order {report.venue_order_id}",)
    return Heard(reports=(report,), executions=executions, notices=notices)


def _report(order: _Order, at: str | None = None) -> Report:
    """Raises UnitError."""
    filled = nano_of(order.filled_qty)
    return Report(
        order.client_order_id,
        order.id,
        order.symbol or "",
        _ENDS.get(order.status, Status.WORKING),
        nano_of(order.qty),
        filled,
        atto_of(order.filled_avg_price, filled) if filled else 0,
        ABSENT,
        moment_of(at or order.updated_at),
    )


def _checked(order: _Order) -> Report | Failed:
    try:
        return _report(order)
    except TheirsError as error:
        return Failed(str(error))


def _read(said: Said, type_: type[Any]) -> Any:
    """A body that is as it should be, or Failed."""
    why = unsettled(said)
    if why or isinstance(said, Silence):
        return Failed(why)
    if said.status != 200:
        return Failed(f"HTTP status {said.status}: {words_of(said)}")
    try:
        return msgspec.json.decode(said.body, type=type_)
    except UNREADABLE as error:
        return Failed(f"an answer that can't be read: {error}")
