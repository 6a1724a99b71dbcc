"""Coinbase Advanced Trade's language: orders, fills and accounts by REST, and the channel `user`.

An answer's status says nothing: an order is refused with 200. The same `client_order_id` is answered with its first order, but
there is no question for an order by it: orders are listed since it was sent. The user channel tells how an order stands, no
fill of its own, so fills are made of what its sums grew by, with the price that this comes to; liquidity is not told. A market
has no day: an order of a day ends with the UTC day, held at the broker. There are no stop orders without a limit: ours get one that
lies `STOP_REACH_PERCENT` beyond the stop. Assumption: a market moves less than that while the stop is triggered. Danger: where it gaps
further nothing is sold, and the order rests behind the market.

The real server was never seen: what is not in its documentation or its client is not relied on.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from pipeline.codes import OrderFlag, OrderType, Side, TimeInForce
from pipeline.errors import TheirsError
from pipeline.execution.calls import Answer, Call, Said, Silence, Talk, ask
from pipeline.execution.numbers import Number, atto_of, moment_of, nano_of
from pipeline.execution.reports import (
    Cancelled,
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
from pipeline.instruments import Instrument, tick_at
from pipeline.intents import OrderRequest
from pipeline.normalize.moments import text_of_ns
from pipeline.units import ABSENT, DAY_NS, text_from_nano

REST_URL: Final = "https://api.coinbase.com"
STREAM_URL: Final = "wss://advanced-trade-ws-user.coinbase.com"

STOP_REACH_PERCENT: Final = 5
"""How far beyond a stop its order may trade."""

_PREFIX: Final = "/api/v3/brokerage"
_PAGE: Final = "250"
_PAGES_MAX: Final = 200
_UNKNOWN_FAILURES: Final = frozenset(("", "UNKNOWN_FAILURE_REASON", "INTERNAL_ERROR"))
_STATUSES: Final = {
    "FILLED": Status.FILLED,
    "CANCELLED": Status.CANCELLED,
    "EXPIRED": Status.EXPIRED,
    "FAILED": Status.REJECTED,
    "CANCEL_QUEUED": Status.CANCEL_PENDING,
}
"""All other states are of an order that works, or will."""

_LIMIT_NAMES: Final = {
    TimeInForce.GTC: "limit_limit_gtc",
    TimeInForce.DAY: "limit_limit_gtd",
    TimeInForce.GTD: "limit_limit_gtd",
    TimeInForce.FOK: "limit_limit_fok",
    TimeInForce.IOC: "sor_limit_ioc",
}
_STOP_NAMES: Final = {
    TimeInForce.GTC: "stop_limit_stop_limit_gtc",
    TimeInForce.DAY: "stop_limit_stop_limit_gtd",
    TimeInForce.GTD: "stop_limit_stop_limit_gtd",
}
_MARKET_IN_FORCE: Final = frozenset((TimeInForce.DAY, TimeInForce.IOC))
_NO_AUTHENTICATION: Final = ("authenti", "jwt", "unauthorized")


class _Order(msgspec.Struct):
    """As REST has it, and as the user channel has it: they differ in some names."""

    order_id: str
    client_order_id: str = ""
    product_id: str = ""
    status: str = ""
    filled_size: Number = None
    cumulative_quantity: Number = None
    leaves_quantity: Number = None
    average_filled_price: Number = None
    avg_price: Number = None
    total_fees: Number = None
    last_fill_time: str | None = None
    reject_message: str = ""
    cancel_message: str = ""


class _Orders(msgspec.Struct):
    orders: list[_Order]
    has_next: bool = False
    cursor: str = ""


class _One(msgspec.Struct):
    order: _Order


class _Success(msgspec.Struct):
    order_id: str
    client_order_id: str = ""
    product_id: str = ""


class _Error(msgspec.Struct):
    error: str = ""
    message: str = ""
    preview_failure_reason: str = ""


class _Placed(msgspec.Struct):
    success: bool
    success_response: _Success | None = None
    error_response: _Error | None = None


class _Result(msgspec.Struct):
    success: bool
    failure_reason: str = ""


class _Results(msgspec.Struct):
    results: list[_Result]


class _Amount(msgspec.Struct):
    value: Number = None


class _Account(msgspec.Struct):
    currency: str
    available_balance: _Amount
    hold: _Amount | None = None


class _Accounts(msgspec.Struct):
    accounts: list[_Account]
    has_next: bool = False
    cursor: str = ""


class _Event(msgspec.Struct):
    orders: list[_Order] | None = None
    subscriptions: dict[str, list[str]] | None = None


class _Message(msgspec.Struct):
    channel: str = ""
    type: str = ""
    message: str = ""
    sequence_num: int = -1
    timestamp: str | None = None
    events: list[_Event] = []


class CoinbaseTongue:
    """The language; `token` makes a new token for each message of the stream. Cash is counted in `currency`."""

    name = "coinbase"
    quiet_s = 10.0
    """A heartbeat comes each second."""

    def __init__(self, token: Callable[[], str], currency: str = "USD") -> None:
        self._token = token
        self._currency = currency

    def unsupported(self, request: OrderRequest, instrument: Instrument) -> str:
        """Why the broker has no such order; '' when it has."""
        del instrument
        in_force = request.time_in_force
        match request.order_type:
            case OrderType.MARKET:
                is_known = in_force in _MARKET_IN_FORCE
            case OrderType.LIMIT:
                is_known = in_force in _LIMIT_NAMES
            case OrderType.STOP_LIMIT | OrderType.STOP:
                is_known = in_force in _STOP_NAMES
            case _:
                return f"Coinbase gets no {request.order_type.name} from us"
        if not is_known:
            return f"Coinbase has no {request.order_type.name} of {in_force.name}"
        may_rest = in_force in {TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD}
        if request.flags & OrderFlag.POST_ONLY and not (request.order_type is OrderType.LIMIT and may_rest):
            return "Coinbase has post-only for limit orders that may rest, and for no others"
        return ""

    def place(self, request: OrderRequest, instrument: Instrument, client_order_id: str, now_ns: int) -> Call:
        """Ask for an order."""
        words: dict[str, Any] = {"base_size": text_from_nano(request.quantity_steps * instrument.size_step_nano)}
        name = "market_market_ioc"
        if request.order_type is not OrderType.MARKET:
            is_stop = request.order_type in {OrderType.STOP_LIMIT, OrderType.STOP}
            name = (_STOP_NAMES if is_stop else _LIMIT_NAMES)[request.time_in_force]
            words["limit_price"] = text_from_nano(_limit_nano(request, instrument))
            if is_stop:
                words["stop_price"] = text_from_nano(request.trigger_nano)
                up = request.side is Side.BUY
                words["stop_direction"] = f"STOP_DIRECTION_STOP_{'UP' if up else 'DOWN'}"
            elif request.time_in_force not in {TimeInForce.IOC, TimeInForce.FOK}:
                words["post_only"] = bool(request.flags & OrderFlag.POST_ONLY)
            if name.endswith("gtd"):
                is_day = request.time_in_force is TimeInForce.DAY
                words["end_time"] = text_of_ns((now_ns // DAY_NS + 1) * DAY_NS if is_day else request.expires_ns)
        said = {
            "client_order_id": client_order_id,
            "product_id": instrument.symbol,
            "side": request.side.name,
            "order_configuration": {name: words},
        }
        return Call("POST", f"{_PREFIX}/orders", body=msgspec.json.encode(said))

    def placed(self, said: Said) -> Placed:
        """What came of it."""
        if isinstance(said, Silence):
            return Unsure(said.why) if said.was_sent else NotTaken(said.why, 0.0)
        words = f"HTTP status {said.status}: {words_of(said)}"
        if said.status == 429:
            return NotTaken(words, said.wait_s)
        if unsettled(said):
            return Unsure(words)
        return Refused(words) if said.status >= 400 else _placed(said)

    def cancel(self, venue_order_id: str) -> Call:
        """Ask for an order's end."""
        return Call("POST", f"{_PREFIX}/orders/batch_cancel", body=msgspec.json.encode({"order_ids": [venue_order_id]}))

    def cancelled(self, said: Said) -> Cancelled:
        """What came of it."""
        results = _read(said, _Results)
        if isinstance(results, Failed):
            return Unsure(results.why)
        if not results.results:
            return Unsure("no result")
        result: _Result = results.results[0]
        return None if result.success else Refused(result.failure_reason)

    def find(self, client_order_id: str, venue_order_id: str, since_ns: int) -> Talk[Report | Failed | None]:
        """By the broker's id where it is known, else among all since it was sent."""
        if venue_order_id:
            said = yield from ask(Call("GET", f"{_PREFIX}/orders/historical/{venue_order_id}"))
            if isinstance(said, Answer) and said.status == 404:
                return None
            one = _read(said, _One)
            return one if isinstance(one, Failed) else _checked(one.order)
        listed = yield from self._listed({"start_date": text_of_ns(since_ns)})
        if isinstance(listed, Failed):
            return listed
        return next((report for report in listed if report.client_order_id == client_order_id), None)

    def orders(self, since_ns: int) -> Talk[list[Report] | Failed]:
        """All since a moment, then those that are open, page after page."""
        listed = yield from self._listed({"start_date": text_of_ns(since_ns)})
        if isinstance(listed, Failed):
            return listed
        still_open = yield from self._listed({"order_status": "OPEN"})
        if isinstance(still_open, Failed):
            return still_open
        known = {report.venue_order_id for report in listed}
        return [*listed, *(report for report in still_open if report.venue_order_id not in known)]

    def standing(self) -> Talk[Standing | Failed]:
        """Cash, and what is held of each coin, on hold or not."""
        cash = power = 0
        holdings, cursor = list[Holding](), ""
        for _ in range(_PAGES_MAX):
            query = {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            page = _read((yield from ask(Call("GET", f"{_PREFIX}/accounts", query))), _Accounts)
            if isinstance(page, Failed):
                return page
            try:
                for currency, available, held in _balances(page):
                    if currency == self._currency:
                        cash, power = cash + available + held, power + available
                    else:
                        holdings.append(Holding(currency, available + held))
            except TheirsError as error:
                return Failed(str(error))
            if not page.has_next or not page.cursor:
                return Standing(self._currency, cash, power, tuple(holdings))
            cursor = page.cursor
        return Failed(f"more than {_PAGES_MAX} pages of accounts")

    def holding_of(self, symbol: str) -> str:
        """Of BTC-USD the coin is held."""
        return symbol.partition("-")[0]

    def conversation(self) -> Conversation:
        """A new stream."""
        return _Conversation(self._token)

    def _listed(self, query: dict[str, str]) -> Talk[list[Report] | Failed]:
        reports, cursor = list[Report](), ""
        for _ in range(_PAGES_MAX):
            behind = {"cursor": cursor} if cursor else {}
            call = Call("GET", f"{_PREFIX}/orders/historical/batch", {**query, "limit": _PAGE, **behind})
            page = _read((yield from ask(call)), _Orders)
            if isinstance(page, Failed):
                return page
            for order in page.orders:
                report = _checked(order)
                if isinstance(report, Failed):
                    return report
                reports.append(report)
            if not page.has_next or not page.cursor:
                return reports
            cursor = page.cursor
        return Failed(f"more than {_PAGES_MAX} pages of orders")


class _Conversation:
    """Subscribes to heartbeats and to all of our orders; a hole in the sequence means that something was not told."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._sequence = -1

    def opened(self) -> list[bytes]:
        return [
            msgspec.json.encode({"type": "subscribe", "channel": channel, "product_ids": [], "jwt": self._token()})
            for channel in ("heartbeats", "user")
        ]

    def hear(self, payload: bytes) -> Heard:
        try:
            message = msgspec.json.decode(payload, type=_Message)
            if message.type == "error":
                is_fatal = any(word in message.message.lower() for word in _NO_AUTHENTICATION)
                raise StreamError(f"Coinbase says: {message.message[:200]}", is_fatal=is_fatal)
            is_broken = message.sequence_num > self._sequence + 1 >= 1
            self._sequence = max(self._sequence, message.sequence_num)
            reports = tuple(
                _report(order, message.timestamp) for event in message.events for order in event.orders or ()
            )
        except UNREADABLE as error:
            if isinstance(error, StreamError):
                raise
            return Heard(notices=(f"Coinbase's stream: a message can't be read: {error}",), is_broken=True)
        is_listening = any("user" in (event.subscriptions or ()) for event in message.events)
        return Heard(reports=reports, is_listening=is_listening, is_broken=is_broken)


def _limit_nano(request: OrderRequest, instrument: Instrument) -> int:
    """The limit of an order; of a stop that has none one beyond it, on the tick that is further away."""
    if request.order_type is not OrderType.STOP:
        return request.limit_nano
    limit = request.trigger_nano * (100 + int(request.side) * STOP_REACH_PERCENT) // 100
    tick = tick_at(limit, instrument)
    if tick == ABSENT:
        return limit
    return -(-limit // tick) * tick if request.side is Side.BUY else limit // tick * tick


def _placed(said: Answer) -> Placed:
    """An answer of success is read before it is believed."""
    try:
        placed = msgspec.json.decode(said.body, type=_Placed)
    except UNREADABLE as error:
        return Unsure(f"an answer that can't be read: {error}")
    taken, refusal = placed.success_response, placed.error_response or _Error()
    if placed.success and taken is not None:
        return Taken(Report(taken.client_order_id, taken.order_id, taken.product_id, Status.WORKING, 0, 0, 0))
    if placed.success or refusal.error in _UNKNOWN_FAILURES:
        return Unsure(f"Coinbase does not say what came of it: {words_of(said)}")
    return Refused(f"{refusal.error}: {refusal.message}")


def _report(order: _Order, at: str | None = None) -> Report:
    """Raises UnitError."""
    filled = nano_of(order.filled_size if order.filled_size is not None else order.cumulative_quantity)
    average = order.average_filled_price if order.average_filled_price is not None else order.avg_price
    status = _STATUSES.get(order.status, Status.WORKING)
    return Report(
        order.client_order_id,
        order.order_id,
        order.product_id,
        status,
        0,
        filled,
        atto_of(average, filled) if filled else 0,
        ABSENT if order.total_fees is None else nano_of(order.total_fees, is_rounded=True),
        moment_of(at or order.last_fill_time),
        order.reject_message or order.cancel_message,
    )


def _checked(order: _Order) -> Report | Failed:
    try:
        return _report(order)
    except TheirsError as error:
        return Failed(str(error))


def _balances(page: _Accounts) -> Iterator[tuple[str, int, int]]:
    """Currency, what is available of it, and what is held for open orders. Raises UnitError."""
    for account in page.accounts:
        held = account.hold.value if account.hold is not None else None
        available = nano_of(account.available_balance.value, is_rounded=True)
        yield account.currency, available, nano_of(held, is_rounded=True)


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
