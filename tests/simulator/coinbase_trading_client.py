"""Run by the environment of Coinbase's official client: `coinbase_trading_client.py REST STREAM KEY_FILE` trades, and prints what it was told.

The client speaks https only: its session is given an adapter that leaves TLS out.
"""

import json
import os
import sys
import threading

from coinbase.rest import RESTClient
from coinbase.websocket import WebsocketResponse, WSUserClient
from requests.adapters import HTTPAdapter


class Plain(HTTPAdapter):
    def send(self, request, **options):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def tell(what, said) -> None:
    sys.stdout.write(json.dumps({"what": what, "said": said}, default=vars) + "\n")
    sys.stdout.flush()


def until(is_so):
    for _ in range(3_000):
        if is_so():
            return
        threading.Event().wait(0.01)
    raise AssertionError("never came")


def main(rest, stream, key_file):
    heard = []
    listening = WSUserClient(key_file=key_file, base_url=stream, on_message=heard.append, retry=False)
    listening.open()
    listening.subscribe(["BTC-USD"], ["heartbeats", "user"])
    until(lambda: any('"subscriptions":{"user"' in text or '"user":[' in text for text in heard))
    client = RESTClient(key_file=key_file, base_url=rest.removeprefix("http://"))
    client.session.mount("https://", Plain())
    bought = client.market_order_buy("first", "BTC-USD", base_size="0.5")
    tell("bought", bought.to_dict())
    order_id = bought.success_response["order_id"]
    again = client.market_order_buy("first", "BTC-USD", base_size="0.7")
    tell("again", again.to_dict())
    refused = client.market_order_buy("second", "BTC-USD", base_size="1000000")
    tell("refused", refused.to_dict())
    resting = client.limit_order_gtc_buy("third", "BTC-USD", base_size="0.1", limit_price="1000")
    tell("resting", resting.to_dict())
    tell("cancelled", client.cancel_orders([resting.success_response["order_id"], "nobody"]).to_dict())
    tell("order", client.get_order(order_id).to_dict())
    tell("orders", client.list_orders().to_dict())
    tell("fills", client.get_fills(order_ids=[order_id]).to_dict())
    tell("accounts", client.get_accounts().to_dict())
    until(lambda: sum('"status":"CANCELLED"' in text for text in heard) == 1)
    for text in heard:
        model = WebsocketResponse(json.loads(text))
        if model.channel == "user":
            for event in model.events:
                tell("update", {"type": event.type, "orders": [vars(order) for order in event.orders]})
    os._exit(0)  # closing takes ten seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
