"""Samples of Coinbase Advanced Trade: messages written out as the documents show them, and what a reader makes of them."""

import json

from pipeline.codes import FeedAction, Kind
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.ports import Message

NOW_NS = 1_675_975_850_714_964_855
NOW = "2023-02-09T20:50:50.714964855Z"
EPOCH = "1970-01-01T00:00:00Z"


def message(channel, sequence_num, events, timestamp=NOW):
    body = {"channel": channel, "client_id": "", "timestamp": timestamp, "sequence_num": sequence_num, "events": events}
    return json.dumps(body).encode()


def levels(*changes, time=NOW):
    """(side, price, quantity) as they are sent."""
    return [
        {"side": side, "event_time": time, "price_level": price, "new_quantity": quantity}
        for side, price, quantity in changes
    ]


def book(sequence_num, kind, *changes, product="BTC-USD", time=None):
    time = time or (EPOCH if kind == "snapshot" else NOW)
    event = {"type": kind, "product_id": product, "updates": levels(*changes, time=time)}
    return message("l2_data", sequence_num, [event])


def trade(trade_id, price="21921.73", size="0.06317902", side="BUY", time=NOW, product="BTC-USD"):
    return {"trade_id": trade_id, "product_id": product, "price": price, "size": size, "side": side, "time": time}


def trades(sequence_num, *found, kind="update"):
    return message("market_trades", sequence_num, [{"type": kind, "trades": list(found)}])


def ticker(sequence_num, *, product="BTC-USD", bid="21931.98", ask="21933.98", bid_size="8000.21", ask_size="7.5"):
    body = {
        "type": "ticker",
        "product_id": product,
        "price": "21932.98",
        "volume_24_h": "16038.28770938",
        "best_bid": bid,
        "best_bid_quantity": bid_size,
        "best_ask": ask,
        "best_ask_quantity": ask_size,
    }
    return message("ticker", sequence_num, [{"type": "update", "tickers": [body]}])


def candle(start_s, close="1866.0", product="ETH-USD"):
    prices = {"high": "1867.72", "low": "1865.63", "open": "1867.38", "close": close}
    return {"start": str(start_s), **prices, "volume": "0.20269406", "product_id": product}


def candles(sequence_num, timestamp, *found, kind="update"):
    return message("candles", sequence_num, [{"type": kind, "candles": list(found)}], timestamp)


def heartbeat(sequence_num, timestamp=NOW, counter=3049):
    event = {"current_time": "2023-06-23 20:31:56.121961769 +0000 UTC m=+91717.525857105", "heartbeat_counter": counter}
    return message("heartbeats", sequence_num, [event], timestamp)


def read(payloads, reader=None):
    """All rows in order, each with its kind."""
    reader = reader or CoinbaseMessages()
    return rows_of(reader.read([Message(NOW_NS + place, payload) for place, payload in enumerate(payloads)]))


def rows_of(batch):
    rows = [{**row, "kind": block.kind} for block in batch for row in block.rows()]
    rows.sort(key=lambda row: row["seq"])
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({block.kind for block in batch}) == len(batch)
    return rows


def of(rows, kind):
    return [row for row in rows if row["kind"] is kind]


def feed_rows(rows, action):
    return [row for row in of(rows, Kind.FEED) if row["action"] == action]


def rejected(rows):
    return [row["text"] for row in feed_rows(rows, FeedAction.REJECTED)]
