"""Coinbase Advanced Trade's private API in front of a book: orders, fills and accounts by REST, and the channel `user`.

An order that is refused is answered with HTTP 200 and `success: false`. A `client_order_id` that was used before is answered
with the first order under it, whatever else the second request says. Updates of the user channel are cumulative: an order as it
stands, no fill of its own; fills are at `orders/historical/fills`. An account is a currency: of BTC-USD a fill moves BTC and USD.
The real server was never seen: its words are those of its documentation and of its client.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jwt
import msgspec

from pipeline.codes import Side
from pipeline.normalize.coinbase_advanced_words import Subscribe
from pipeline.normalize.moments import text_of_ns
from pipeline.simulator.coinbase_advanced import HEARTBEAT_S, SUBSCRIBE_WITHIN_S, is_signed
from pipeline.simulator.trading.book import Book
from pipeline.simulator.trading.coinbase_words import (
    failure_of,
    fill_words,
    status_word,
    success_of,
    ticket_of,
    user_order,
    words_of,
)
from pipeline.simulator.trading.face import Call, Listener
from pipeline.simulator.trading.orders import Change, RefusedError, Wrong
from pipeline.simulator.trading.wording import WordingError, answer, moment_ns, object_of, said_in
from pipeline.simulator.venue import HttpAnswer
from pipeline.units import TS_MAX_NS, text_from_nano

PREFIX: Final = "/api/v3/brokerage"
PAGE_MAX: Final = 250
SNAPSHOT_ORDERS_MAX: Final = 50

_POLICY_CLOSE: Final = 1008
_FAILURES: Final = {
    Wrong.QUANTITY: "UNSUPPORTED_ORDER_CONFIGURATION",
    Wrong.WOULD_CROSS: "INVALID_LIMIT_PRICE_POST_ONLY",
    Wrong.BUYING_POWER: "INSUFFICIENT_FUND",
    Wrong.POSITION: "INSUFFICIENT_FUND",
}


class CoinbaseFace:
    """The API; `public_key`, PEM, makes it check every token, its time aside, and that REST's were made for the request."""

    def __init__(self, book: Book, public_key: str = "", *, currency: str = "USD") -> None:
        self.name = "coinbase"
        self.stream_path = "/"
        self.book = book
        self.currency = currency
        self._public_key = public_key

    def knows(self, token: str, uri: str = "") -> bool:
        """Whether a token is one of the key's, made for that request where it is one of REST's."""
        if not token or not self._public_key:
            return bool(token)
        return is_signed(token, self._public_key) and _uri_of(token) == uri

    def answer(self, call: Call, now_ns: int) -> HttpAnswer:
        """Do what is asked."""
        uri = f"{call.method} {call.headers.get('host', '')}{call.path}"
        if not self.knows(call.headers.get("authorization", "").removeprefix("Bearer "), uri):
            return answer(401, {"error": "unauthorized", "message": "Unauthorized"})
        try:
            return self._answer(call.method, call.path.removeprefix(PREFIX), call, now_ns)
        except (WordingError, ValueError) as wrong:
            return answer(400, {"error": "INVALID_ARGUMENT", "message": str(wrong)})

    def is_order(self, call: Call) -> bool:
        """Whether it asks for an order."""
        return call.method == "POST" and call.path == f"{PREFIX}/orders"

    def cancels(self, call: Call) -> list[str]:
        """The ids of orders whose end it asks for."""
        if call.path != f"{PREFIX}/orders/batch_cancel":
            return []
        return [id_ for id_ in object_of(call.body).get("order_ids", []) if isinstance(id_, str)]

    def listener(self) -> Listener:
        """A new stream."""
        return CoinbaseListener(self)

    def _answer(self, method: str, path: str, call: Call, now_ns: int) -> HttpAnswer:
        match method, path:
            case "POST", "/orders":
                said = self._place(object_of(call.body), now_ns)
                self.book.settle(now_ns)
                return said
            case "POST", "/orders/batch_cancel":
                return answer(200, {"results": [self._cancel(id_, now_ns) for id_ in self.cancels(call)]})
            case "GET", _:
                return self._told(path, call.query)
        return answer(404, {"error": "NOT_FOUND", "message": path[:200]})

    def _told(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """What only asks."""
        match path:
            case "/orders/historical/batch":
                return self._listed(query)
            case "/orders/historical/fills":
                return self._fills(query)
            case "/accounts":
                accounts = [self._account(currency, *amounts) for currency, amounts in self._balances()]
                return answer(200, {"accounts": accounts, "has_next": False, "cursor": "", "size": len(accounts)})
        order = self.book.orders.get(path.removeprefix("/orders/historical/"))
        if order is None:
            return answer(404, {"error": "NOT_FOUND", "message": path[:200]})
        return answer(200, {"order": words_of(order)})

    def _place(self, said: dict[str, Any], now_ns: int) -> HttpAnswer:
        client_id = said.get("client_order_id")
        if not client_id:
            raise WordingError("client_order_id is required")
        if client_id in self.book.by_client_id:
            return answer(200, success_of(self.book.orders[self.book.by_client_id[client_id]]))
        try:
            order = self.book.place(ticket_of(said), now_ns)
        except RefusedError as refused:
            why = _FAILURES[refused.wrong]
            return answer(200, failure_of(why, str(refused), said.get("order_configuration")))
        return answer(200, success_of(order))

    def _cancel(self, id_: str, now_ns: int) -> dict[str, Any]:
        why = ""
        try:
            self.book.cancel(id_, now_ns)
        except KeyError:
            why = "UNKNOWN_CANCEL_ORDER"
        except RefusedError:
            why = "DUPLICATE_CANCEL_REQUEST"
        return {"success": not why, "failure_reason": why or "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": id_}

    def _listed(self, query: Mapping[str, str]) -> HttpAnswer:
        """Newest first; `cursor` is how many orders the pages before held."""
        start, end = moment_ns(query.get("start_date"), -1), moment_ns(query.get("end_date"), TS_MAX_NS)
        statuses = {text for text in query.get("order_status", "").split(",") if text}
        products = {text for text in query.get("product_ids", "").split(",") if text}
        found = [
            order
            for order in reversed(self.book.orders.values())
            if start <= order.created_ns < end
            and (not statuses or status_word(order) in statuses)
            and (not products or order.ticket.symbol in products)
        ]
        page, behind = _page(found, query, PAGE_MAX)
        orders = [words_of(order) for order in page]
        return answer(200, {"orders": orders, "sequence": "0", "has_next": bool(behind), "cursor": behind})

    def _fills(self, query: Mapping[str, str]) -> HttpAnswer:
        start = moment_ns(query.get("start_sequence_timestamp"), -1)
        ids = {text for name in ("order_id", "order_ids") for text in query.get(name, "").split(",") if text}
        found = [fill for fill in self.book.fills[::-1] if fill.at_ns >= start and (not ids or fill.order_id in ids)]
        page, behind = _page(found, query, PAGE_MAX)
        return answer(200, {"fills": [fill_words(fill) for fill in page], "cursor": behind})

    def _balances(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Each currency with what is available and what is held, in nanos."""
        power = self.book.buying_power_nano()
        yield self.currency, (power, self.book.cash_nano - power)
        for symbol, position in self.book.positions.items():
            selling = [order for order in self.book.open_orders() if order.ticket.side is Side.SELL]
            held = sum(order.open_nano for order in selling if order.ticket.symbol == symbol)
            yield symbol.partition("-")[0], (position.quantity_nano - held, held)

    def _account(self, currency: str, available_nano: int, held_nano: int) -> dict[str, Any]:
        return {
            "uuid": f"account-{currency.lower()}",
            "name": f"{currency} Wallet",
            "currency": currency,
            "available_balance": {"value": text_from_nano(available_nano), "currency": currency},
            "default": True,
            "active": True,
            "type": "ACCOUNT_TYPE_CRYPTO" if currency != self.currency else "ACCOUNT_TYPE_FIAT",
            "ready": True,
            "hold": {"value": text_from_nano(held_nano), "currency": currency},
        }


class CoinbaseListener:
    """One stream: channels `user` and `heartbeats`, one sequence over both."""

    def __init__(self, face: CoinbaseFace) -> None:
        self.is_binary = False
        self.close_code: int | None = None
        self._face = face
        self._channels: dict[str, list[str]] = {}
        self._sequence = 0
        self._beats = 0

    def hear(self, payload: bytes, now_ns: int) -> list[bytes]:
        """Subscribe and unsubscribe."""
        try:
            said = said_in(payload, Subscribe)
        except WordingError:
            return [_error("subscribe or unsubscribe required")]
        channel, products = said.channel, said.product_ids
        if channel not in ("user", "heartbeats"):
            return [_error(f"channel {channel} is not supported")]
        if channel == "user" and not self._face.knows(said.jwt):
            return [_error("authentication failure")]
        if said.type == "unsubscribe":
            self._channels.pop(channel, None)
            return [self._subscriptions(now_ns)]
        is_new = channel not in self._channels
        self._channels[channel] = products
        snapshot = self._snapshot(now_ns) if channel == "user" and is_new else []
        return [*snapshot, self._subscriptions(now_ns)]

    def waited(self, elapsed_s: float, now_ns: int) -> list[bytes]:
        """Heartbeats that are due; the end when nothing was subscribed in time."""
        frames = []
        while (self._beats + 1) * HEARTBEAT_S <= elapsed_s:
            self._beats += 1
            if "heartbeats" in self._channels:
                beat = {"current_time": text_of_ns(now_ns), "heartbeat_counter": self._beats}
                frames.append(self._message("heartbeats", [beat], now_ns))
        if not self._channels and elapsed_s >= SUBSCRIBE_WITHIN_S:
            self.close_code = _POLICY_CLOSE
        return frames

    def tell(self, change: Change) -> list[bytes]:
        """The order as it stands, for who is subscribed to it."""
        products = self._channels.get("user")
        if products is None or (products and change.order.ticket.symbol not in products):
            return []
        event = {"type": "update", "orders": [user_order(change.order)]}
        return [self._message("user", [event], change.at_ns)]

    def _snapshot(self, now_ns: int) -> list[bytes]:
        """Open orders, so many in a message; one without any where there are none."""
        products = self._channels["user"]
        orders = [
            user_order(order)
            for order in self._face.book.open_orders()
            if not products or order.ticket.symbol in products
        ]
        return [
            self._message("user", [{"type": "snapshot", "orders": orders[at : at + SNAPSHOT_ORDERS_MAX]}], now_ns)
            for at in range(0, max(len(orders), 1), SNAPSHOT_ORDERS_MAX)
        ]

    def _subscriptions(self, now_ns: int) -> bytes:
        told = {
            name: products or ["heartbeats" if name == "heartbeats" else "*"]
            for name, products in self._channels.items()
        }
        return self._message("subscriptions", [{"subscriptions": told}], now_ns)

    def _message(self, channel: str, events: list[Any], now_ns: int) -> bytes:
        number, self._sequence = self._sequence, self._sequence + 1
        envelope = {"channel": channel, "client_id": "", "timestamp": text_of_ns(now_ns), "sequence_num": number}
        return msgspec.json.encode(envelope | {"events": events})


def _uri_of(token: str) -> str:
    """What a token that is signed was made for; '' for a stream's."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return str(claims.get("uri", ""))


def _page(rows: list[Any], query: Mapping[str, str], most: int) -> tuple[list[Any], str]:
    """A page of rows, and the cursor to those behind it; '' behind the last one."""
    start = int(query.get("cursor") or 0)
    stop = start + min(int(query.get("limit") or most), most)
    return rows[start:stop], str(stop) if stop < len(rows) else ""


def _error(message: str) -> bytes:
    return msgspec.json.encode({"type": "error", "message": message})
