"""Alpaca's trading API in front of a book: orders, positions, account and activities by REST, and the stream `trade_updates`.

Numbers are texts, a cancel is answered with 204 when it is taken and not when it is done, a replacement is another order. A
`client_order_id` that was used before is refused, whatever became of its order. What no request here is checked for (sessions,
increments, pattern day trading) the real server checks. The real server was never seen: its words are those of its
documentation and of its clients.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from pipeline.codes import OrderType, Side, TimeInForce
from pipeline.normalize.moments import text_of_ns
from pipeline.simulator.trading.book import Book
from pipeline.simulator.trading.face import Call, Listener
from pipeline.simulator.trading.orders import Change, Fill, Order, RefusedError, Status, Ticket, Wrong, round_half_even
from pipeline.simulator.trading.wording import WordingError, answer, moment_ns, nano_of, object_of, said_in
from pipeline.simulator.venue import HttpAnswer
from pipeline.units import ABSENT, DAY_NS, NANO, TS_MAX_NS, text_from_nano

ORDERS_MAX: Final = 500
"""Of one answer."""

ASSET: Final = "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415"
"""The id of every asset: nobody here asks for one by it."""

_ORDER: Final = re.compile(r"/v2/orders/([0-9a-f-]{36})")
_POSITION: Final = re.compile(r"/v2/positions/([^/]+)")
_TYPES: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
}
_IN_FORCE: Final = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "opg": TimeInForce.OPENING,
    "cls": TimeInForce.CLOSING,
}
_TYPE_WORDS: Final = {value: word for word, value in _TYPES.items()}
_IN_FORCE_WORDS: Final = {value: word for word, value in _IN_FORCE.items()}
_CODES: Final = {
    Wrong.QUANTITY: (422, 40010001),
    Wrong.WOULD_CROSS: (422, 42210000),
    Wrong.BUYING_POWER: (403, 40310000),
    Wrong.POSITION: (403, 40310000),
    Wrong.OVER: (422, 42210000),
}


class _Asked(msgspec.Struct, frozen=True):
    """The data of what a client of the stream says."""

    key_id: str = ""
    secret_key: str = ""
    streams: tuple[str, ...] = ()


class _Said(msgspec.Struct, frozen=True):
    """What a client of the stream says; who he is in either of two ways."""

    action: str = ""
    key: str = ""
    secret: str = ""
    data: _Asked | None = None


class _WrongError(Exception):
    """The request is wrong."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class AlpacaFace:
    """The API; `keys` are those that are known, with their secrets, None when any will do."""

    def __init__(self, book: Book, keys: Mapping[str, str] | None = None) -> None:
        self.name = "alpaca"
        self.stream_path = "/stream"
        self.number = "PA0000000001"
        """Which account it is."""
        self.book = book
        self._keys = keys

    def knows(self, key: str, secret: str) -> bool:
        """Whether it is a key and its secret."""
        return bool(key and secret) if self._keys is None else bool(secret) and self._keys.get(key) == secret

    def answer(self, call: Call, now_ns: int) -> HttpAnswer:
        """Do what is asked."""
        if not self.knows(call.headers.get("apca-api-key-id", ""), call.headers.get("apca-api-secret-key", "")):
            return answer(403, {"message": "forbidden."})
        try:
            return self._answer(call, now_ns)
        except WordingError as wrong:
            return answer(422, {"code": 40010001, "message": str(wrong)})
        except _WrongError as wrong:
            return answer(wrong.status, {"code": wrong.code, "message": str(wrong)})
        except RefusedError as refused:
            status, code = _CODES[refused.wrong]
            return answer(status, {"code": code, "message": str(refused)})

    def is_order(self, call: Call) -> bool:
        """Whether it asks for an order."""
        return call.method == "POST" and call.path == "/v2/orders"

    def cancels(self, call: Call) -> list[str]:
        """The ids of orders whose end it asks for."""
        match = _ORDER.fullmatch(call.path)
        return [match[1]] if match and call.method == "DELETE" else []

    def listener(self) -> Listener:
        """A new stream."""
        return AlpacaListener(self)

    def _answer(self, call: Call, now_ns: int) -> HttpAnswer:
        if match := _ORDER.fullmatch(call.path):
            return self._of_order(call, match[1], now_ns)
        match call.method, call.path:
            case "POST", "/v2/orders":
                order = self.book.place(self._ticket(call.body), now_ns)
                said = answer(200, words_of(order))
                self.book.settle(now_ns)
                return said
            case "DELETE", "/v2/orders":
                return self._cancel_all(now_ns)
            case "GET", path:
                return self._told(path, call.query, now_ns)
        return _missing("endpoint not found.")

    def _told(self, path: str, query: Mapping[str, str], now_ns: int) -> HttpAnswer:
        """What only asks."""
        if match := _POSITION.fullmatch(path):
            found = [position for position in self._positions() if position["symbol"] == match[1]]
            return answer(200, found[0]) if found else _missing("position does not exist")
        if path == "/v2/orders:by_client_order_id":
            id_ = self.book.by_client_id.get(query.get("client_order_id", ""), "")
            return answer(200, words_of(self.book.orders[id_])) if id_ else _missing("order not found")
        tellers: dict[str, Callable[[], object]] = {
            "/v2/orders": lambda: [words_of(order) for order in self._listed(query)],
            "/v2/positions": self._positions,
            "/v2/account": self._account,
            "/v2/account/activities": lambda: self._activities(query),
            "/v2/account/activities/FILL": lambda: self._activities(query),
            "/v2/clock": lambda: _clock(now_ns),
        }
        return answer(200, tellers[path]()) if path in tellers else _missing("endpoint not found.")

    def _of_order(self, call: Call, id_: str, now_ns: int) -> HttpAnswer:
        order = self.book.orders.get(id_)
        if order is None:
            return _missing(f"order not found for {id_}")
        if call.method == "DELETE":
            self.book.cancel(id_, now_ns)
            return HttpAnswer(204, b"", {})
        if call.method == "PATCH":
            successor = self.book.replace(id_, self._changed(order, object_of(call.body)), now_ns)
            said = answer(200, words_of(successor))
            self.book.settle(now_ns)
            return said
        return answer(200, words_of(order)) if call.method == "GET" else answer(405, {"message": "not allowed"})

    def _ticket(self, body: bytes) -> Ticket:
        said = object_of(body)
        type_, in_force, side = said.get("type"), said.get("time_in_force"), said.get("side")
        if type_ not in _TYPES or in_force not in _IN_FORCE or side not in ("buy", "sell"):
            raise _WrongError(422, 40010001, f"invalid order: {type_} {side} {in_force}")
        symbol = said.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            raise _WrongError(422, 40010001, "symbol is required")
        client_id = said.get("client_order_id") or f"ours-{len(self.book.orders) + 1}"
        if len(client_id) > 128:
            raise _WrongError(422, 40010001, "client_order_id must be no more than 128 characters")
        if client_id in self.book.by_client_id:
            raise _WrongError(422, 40010001, "client_order_id must be unique")
        if said.get("extended_hours") and (type_, in_force) not in {("limit", "day"), ("limit", "gtc")}:
            raise _WrongError(422, 42210000, "extended hours order must be DAY or GTC limit orders")
        return Ticket(
            client_id,
            symbol,
            Side.BUY if side == "buy" else Side.SELL,
            _TYPES[type_],
            _IN_FORCE[in_force],
            nano_of(said, "qty"),
            nano_of(said, "limit_price") if "limit" in type_ else ABSENT,
            nano_of(said, "stop_price") if "stop" in type_ else ABSENT,
            is_extended=bool(said.get("extended_hours")),
        )

    def _changed(self, order: Order, said: Mapping[str, Any]) -> Ticket:
        """A ticket with what a PATCH names put in its place."""
        ticket = order.ticket
        names = {"qty": "quantity_nano", "limit_price": "limit_nano", "stop_price": "stop_nano"}
        changed: dict[str, Any] = {
            field: nano_of(said, name) for name, field in names.items() if said.get(name) is not None
        }
        if said.get("time_in_force") is not None:
            changed["time_in_force"] = _IN_FORCE[said["time_in_force"]]
        client_id = said.get("client_order_id") or f"ours-{len(self.book.orders) + 1}"
        return ticket._replace(client_order_id=client_id, **changed)

    def _listed(self, query: Mapping[str, str]) -> list[Order]:
        status, limit = query.get("status", "open"), min(int(query.get("limit", "50")), ORDERS_MAX)
        symbols = {symbol for symbol in query.get("symbols", "").split(",") if symbol}
        after, until = moment_ns(query.get("after"), -1), moment_ns(query.get("until"), TS_MAX_NS)
        found = [
            order
            for order in self.book.orders.values()
            if (status == "all" or order.is_open == (status == "open"))
            and after < order.created_ns < until
            and (not symbols or order.ticket.symbol in symbols)
        ]
        is_rising = query.get("direction", "desc") == "asc"
        return found[:limit] if is_rising else found[::-1][:limit]

    def _cancel_all(self, now_ns: int) -> HttpAnswer:
        ids = [order.id for order in self.book.open_orders()]
        for id_ in ids:
            self.book.cancel(id_, now_ns)
        return answer(207, [{"id": id_, "status": 200} for id_ in ids])

    def _positions(self) -> list[dict[str, Any]]:
        found = []
        for symbol, position in self.book.positions.items():
            if position.quantity_nano:
                quantity, cost = abs(position.quantity_nano), position.cost_nano
                found.append(
                    {
                        "asset_id": ASSET,
                        "symbol": symbol,
                        "exchange": "NASDAQ",
                        "asset_class": "us_equity",
                        "asset_marginable": True,
                        "qty": text_from_nano(position.quantity_nano),
                        "qty_available": text_from_nano(position.quantity_nano),
                        "side": "long" if position.quantity_nano > 0 else "short",
                        "avg_entry_price": text_from_nano(round_half_even(cost * NANO, quantity)),
                        "cost_basis": text_from_nano(cost),
                    }
                )
        return found

    def _account(self) -> dict[str, Any]:
        cash, power = text_from_nano(self.book.cash_nano), text_from_nano(self.book.buying_power_nano())
        return {
            "id": ASSET,
            "account_number": self.number,
            "status": "ACTIVE",
            "currency": "USD",
            "cash": cash,
            "buying_power": power,
            "equity": cash,
            "portfolio_value": cash,
            "pattern_day_trader": False,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "shorting_enabled": True,
            "multiplier": "1",
        }

    def _activities(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Fills; `page_token` is the id of the last one of the page before."""
        after, token = moment_ns(query.get("after"), -1), query.get("page_token", "")
        size = min(int(query.get("page_size", "100")), 100)
        rows = [fill for fill in self.book.fills if fill.at_ns > after]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        ids = [_activity_id(fill) for fill in rows]
        start = ids.index(token) + 1 if token in ids else 0
        return [_activity(fill, self.book.orders[fill.order_id]) for fill in rows[start : start + size]]


class AlpacaListener:
    """One stream: binary frames that hold JSON."""

    def __init__(self, face: AlpacaFace) -> None:
        self.is_binary = True
        self.close_code: int | None = None
        self._face = face
        self._is_known = False
        self._is_listening = False

    def hear(self, payload: bytes, now_ns: int) -> list[bytes]:
        """Authenticate and listen."""
        del now_ns
        try:
            said = said_in(payload, _Said)
        except WordingError:
            return [_message("error", {"message": "invalid syntax"})]
        data = said.data or _Asked()
        match said.action:
            case "authenticate" | "auth":
                self._is_known = self._face.knows(data.key_id or said.key, data.secret_key or said.secret)
                status = "authorized" if self._is_known else "unauthorized"
                return [_message("authorization", {"status": status, "action": "authenticate"})]
            case "listen" if self._is_known:
                streams = [name for name in data.streams if name == "trade_updates"]
                self._is_listening = bool(streams)
                return [_message("listening", {"streams": streams})]
        return [_message("authorization", {"status": "unauthorized", "action": "listen"})]

    def waited(self, elapsed_s: float, now_ns: int) -> list[bytes]:
        """Nothing is said because time passes."""
        del elapsed_s, now_ns
        return []

    def tell(self, change: Change) -> list[bytes]:
        """A trade update, for who listens."""
        if not self._is_listening:
            return []
        data: dict[str, Any] = {
            "event": change.event.value,
            "timestamp": text_of_ns(change.at_ns),
            "order": words_of(change.order),
            "position_qty": text_from_nano(change.position_nano),
        }
        if change.fill is not None:
            fill = change.fill
            data |= {
                "execution_id": fill.id,
                "price": text_from_nano(fill.price_nano),
                "qty": text_from_nano(fill.quantity_nano),
            }
        return [_message("trade_updates", data)]


def words_of(order: Order) -> dict[str, Any]:
    """An order as Alpaca writes it."""
    ticket, at = order.ticket, text_of_ns(order.created_ns)
    ended = text_of_ns(order.updated_ns)
    type_ = _TYPE_WORDS[ticket.order_type]
    return {
        "id": order.id,
        "client_order_id": ticket.client_order_id,
        "created_at": at,
        "updated_at": ended,
        "submitted_at": at,
        "filled_at": ended if order.status is Status.FILLED else None,
        "expired_at": ended if order.status is Status.EXPIRED else None,
        "canceled_at": ended if order.status is Status.CANCELED else None,
        "failed_at": None,
        "replaced_at": ended if order.status is Status.REPLACED else None,
        "replaced_by": order.replaced_by or None,
        "replaces": order.replaces or None,
        "asset_id": ASSET,
        "symbol": ticket.symbol,
        "asset_class": "us_equity",
        "notional": None,
        "qty": text_from_nano(ticket.quantity_nano),
        "filled_qty": text_from_nano(order.filled_nano),
        "filled_avg_price": text_from_nano(order.average_nano) if order.filled_nano else None,
        "order_class": "simple",
        "order_type": type_,
        "type": type_,
        "side": "buy" if ticket.side is Side.BUY else "sell",
        "time_in_force": _IN_FORCE_WORDS[ticket.time_in_force],
        "limit_price": text_from_nano(ticket.limit_nano) or None,
        "stop_price": text_from_nano(ticket.stop_nano) or None,
        "status": "pending_cancel" if order.is_open and order.is_cancel_pending else order.status.value,
        "extended_hours": ticket.is_extended,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    }


def _activity(fill: Fill, order: Order) -> dict[str, Any]:
    is_whole = fill.cumulative_nano == order.ticket.quantity_nano
    return {
        "id": _activity_id(fill),
        "activity_type": "FILL",
        "transaction_time": text_of_ns(fill.at_ns),
        "type": "fill" if is_whole else "partial_fill",
        "price": text_from_nano(fill.price_nano),
        "qty": text_from_nano(fill.quantity_nano),
        "side": "buy" if fill.side is Side.BUY else "sell",
        "symbol": fill.symbol,
        "leaves_qty": text_from_nano(order.ticket.quantity_nano - fill.cumulative_nano),
        "cum_qty": text_from_nano(fill.cumulative_nano),
        "order_id": fill.order_id,
        "order_status": "filled" if is_whole else "partially_filled",
    }


def _activity_id(fill: Fill) -> str:
    """Whether the second half is the execution's id at the real server is not verified; here it is."""
    return f"{fill.at_ns // 1_000_000:017d}::{fill.id}"


def _clock(now_ns: int) -> dict[str, Any]:
    """Always open: whether a session is on is nobody's business here."""
    later = text_of_ns(now_ns + DAY_NS)
    return {"timestamp": text_of_ns(now_ns), "is_open": True, "next_open": later, "next_close": later}


def _missing(text: str) -> HttpAnswer:
    return answer(404, {"code": 40410000, "message": text})


def _message(stream: str, data: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"stream": stream, "data": data})
