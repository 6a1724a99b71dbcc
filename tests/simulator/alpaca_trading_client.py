"""Run by the environment of Alpaca's official client: `alpaca_trading_client.py REST STREAM` trades, and prints what it was told.

Each line is a JSON object: `what` was asked, and the model's fields that came of it.
"""

import json
import sys
import threading

from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import GetOrdersRequest, LimitOrderRequest, MarketOrderRequest, ReplaceOrderRequest
from alpaca.trading.stream import TradingStream


def tell(what, model) -> None:
    said = model.model_dump(mode="json") if hasattr(model, "model_dump") else model
    sys.stdout.write(json.dumps({"what": what, "said": said}) + "\n")
    sys.stdout.flush()


def listen(url, heard):
    """Hear updates from a thread of its own."""
    stream = TradingStream("key", "secret", url_override=url)

    async def on_update(update):
        heard.append(update)

    stream.subscribe_trade_updates(on_update)
    threading.Thread(target=stream.run, daemon=True).start()


def knock(client, heard):
    """Order until an update is heard: nobody tells this client that the server listens."""
    order = {"symbol": "WXYZ", "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY, "qty": 1, "limit_price": 0.01}
    while not heard:
        client.submit_order(LimitOrderRequest(**order))
        threading.Event().wait(0.05)


def until(is_so):
    for _ in range(2_000):
        if is_so():
            return
        threading.Event().wait(0.01)
    raise AssertionError("never came")


def main(rest, stream):
    heard = []
    listen(stream, heard)
    client = TradingClient("key", "secret", url_override=rest)
    knock(client, heard)
    market = {"symbol": "ABCD", "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
    bought = client.submit_order(MarketOrderRequest(**market, qty=10, client_order_id="first"))
    tell("bought", bought)
    until(lambda: sum(update.event == "fill" for update in heard) == 1)
    tell("again", client.get_order_by_client_id("first"))
    limit = client.submit_order(LimitOrderRequest(**market, qty=5, limit_price=1.5, client_order_id="second"))
    replaced = client.replace_order_by_id(limit.id, ReplaceOrderRequest(qty=7))
    tell("replaced", replaced)
    tell(
        "open",
        [
            order.client_order_id
            for order in client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=["ABCD"]))
        ],
    )
    client.cancel_order_by_id(replaced.id)
    until(lambda: any(update.event == "canceled" for update in heard))
    tell("cancelled", client.get_order_by_id(replaced.id))
    for order in ({"client_order_id": "first", "qty": 1}, {"client_order_id": "too much", "qty": 10**9}):
        try:
            client.submit_order(MarketOrderRequest(**market, **order))
        except APIError as error:
            tell("refused", {"status": error.status_code, "code": error.code, "message": error.message})
    tell("positions", [position.model_dump(mode="json") for position in client.get_all_positions()])
    tell("account", client.get_account())
    tell("clock", client.get_clock())
    tell(
        "all",
        [
            order.client_order_id
            for order in client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, symbols=["ABCD"]))
        ],
    )
    for update in heard:
        if update.order.symbol == "ABCD":
            tell("update", update)


if __name__ == "__main__":
    main(*sys.argv[1:])
