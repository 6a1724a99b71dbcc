"""Coinbase's own client, run in its environment: `coinbase_client.py URL KEY_FILE COUNT` prints what it heard, a JSON a line.

Each message but an error has gone through the client's typed model before it is printed.
"""

import json
import os
import sys
import threading

from coinbase.websocket import WebsocketResponse, WSClient

CHANNELS = ["heartbeats", "level2", "ticker", "market_trades", "candles", "status"]


def main(url, key_file, count):
    heard, is_enough = [], threading.Event()

    def on_message(text):
        heard.append(text)
        if len(heard) >= count:
            is_enough.set()

    client = WSClient(key_file=key_file, base_url=url, on_message=on_message, retry=False)
    client.open()
    client.subscribe(["BTC-USD", "ETH-USD"], CHANNELS)
    is_enough.wait(60)
    for text in heard[:count]:
        sys.stdout.write(f"{json.dumps(told(text))}\n")
    sys.stdout.flush()
    os._exit(0)  # closing takes ten seconds while data flow


def told(text):
    """The message as it came, and what the client's types made of it; an error has none."""
    body = json.loads(text)
    if body.get("type") == "error":
        return {"text": text}
    model = WebsocketResponse(body)
    return {"channel": model.channel, "sequence_num": model.sequence_num, "text": text, **firsts(model)}


def firsts(model):
    """Something of the first event that the client has read into its types."""
    event = model.events[0]
    if model.channel == "l2_data":
        return {"product": event.product_id, "prices": [update.price_level for update in event.updates]}
    if model.channel == "market_trades":
        return {"ids": [trade.trade_id for trade in event.trades]}
    if model.channel == "ticker":
        return {"bid": event.tickers[0].best_bid}
    return {}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
