"""Valid messages of everybody, to be broken: as the vendors' documents and their own tests show them."""

import io
import json
from pathlib import Path

import databento_dbn as dbn
import pyarrow as pa
from alpaca_samples import ALL, BANDS, BAR, QUOTE, STATUS, TRADE, written
from coinbase_samples import candle, trade
from databento_samples import START_NS, opening, quotes, records, trades
from feed_samples import dbn_metadata, dbn_records
from journals import checkpoints, content_of, inputs, timers
from journals import written as journal_of
from massive_samples import MINUTE, RECV_NS
from massive_samples import QUOTE as MASSIVE_QUOTE
from massive_samples import TRADE as MASSIVE_TRADE
from pyarrow import csv, parquet
from test_coinbase_advanced_hostile import SAMPLES

from pipeline.codes import Kind
from pipeline.log import manifest
from pipeline.log.codec import encode, encode_schemas
from pipeline.log.frames import FrameKind
from pipeline.normalize import databento_words
from pipeline.normalize.alpaca_words import Encoding

ROOT = Path(__file__).parents[2]


def dumped(*messages):
    return [json.dumps(each, separators=(",", ":")).encode() for each in messages]


LULD = {"ev": "LULD", "T": "MSFT", "h": 2.5, "l": 1.5, "i": [15], "t": MASSIVE_QUOTE["t"], "z": 3, "q": 7}
IMBALANCE = {"ev": "NOI", "T": "NTEST.Q", "t": 1_601_318_039_223_013_600, "at": 930, "a": "M", "i": 44, "x": 10}
TOLD = {"ev": "status", "status": "auth_success", "message": "authenticated"}
MASSIVE_EVENTS = dumped(
    [MASSIVE_QUOTE, MASSIVE_TRADE, MINUTE],
    [LULD, MINUTE | {"ev": "A"}],
    [TOLD],
    [IMBALANCE, MASSIVE_TRADE | {"ds": "1.5"}],
)
_PAST_TRADE = {
    "price": 1.5,
    "size": 10,
    "sip_timestamp": RECV_NS,
    "id": "7",
    "exchange": 4,
    "conditions": [12],
    "correction": 1,
}
_PAST_QUOTE = {
    "ask_price": 2.5, "ask_size": 1, "bid_price": 2.4, "bid_size": 3, "sip_timestamp": RECV_NS, "sequence_number": 9,
    "ask_exchange": 4, "bid_exchange": 7, "conditions": [1],
}  # fmt: skip
_PAST_BAR = {"v": 4110, "vw": 0.4488, "o": 0.4488, "c": 0.4486, "h": 0.4489, "l": 0.4486, "t": MINUTE["s"], "n": 6}
MASSIVE_PAGES = dumped(
    *({"status": "OK", "request_id": "x", "results": [each, each]} for each in (_PAST_TRADE, _PAST_QUOTE, _PAST_BAR))
)
_MINUTE = {
    "av": 37_216,
    "c": 20.506,
    "h": 20.506,
    "l": 20.506,
    "n": 1,
    "o": 20.506,
    "t": 1_684_428_600_000,
    "v": 5_000,
    "vw": 20.5,
}
MASSIVE_SNAPSHOTS = dumped(
    {
        "status": "OK", "count": 1,
        "tickers": [
            {
                "ticker": "BCAT", "day": {"c": 20.506, "h": 20.64, "l": 20.506, "o": 20.64, "v": 37_216, "vw": 20.616},
                "lastQuote": {"P": 20.6, "S": 22, "p": 20.5, "s": 13, "t": 1_605_192_959_994_246_100},
                "lastTrade": {"c": [14, 41], "i": "71675577320245", "p": 20.506, "s": 2_416, "t": 1_605_192_894_630_916_600, "x": 4},
                "min": _MINUTE, "prevDay": {"c": 20.63, "h": 21, "l": 20.5, "o": 20.79, "v": 292_738, "vw": 20.6939},
                "todaysChange": -0.124, "todaysChangePerc": -0.601, "updated": 1_605_192_894_630_916_600,
            }
        ],
    }
)  # fmt: skip

_ALPACA_TOLD = [
    {"T": "success", "msg": "authenticated"},
    {"T": "error", "code": 406, "msg": "connection limit exceeded"},
    {"T": "subscription", "trades": ["AAPL"], "quotes": [], "bars": ["*"]},
]
ALPACA_EVENTS = {
    encoding: [written(encoding, *ALL), written(encoding, TRADE, QUOTE), written(encoding, BAR, STATUS, BANDS)]
    + [written(encoding, each) for each in _ALPACA_TOLD]
    for encoding in Encoding
}
_PAGES = {"trades": TRADE, "quotes": QUOTE, "bars": BAR}
ALPACA_PAGES = dumped(
    *({name: {"AAPL": [event, event]}, "next_page_token": None} for name, event in _PAGES.items()),
    *({name: [event, event], "symbol": "AAPL", "next_page_token": "x"} for name, event in _PAGES.items()),
)
ALPACA_SNAPSHOTS = dumped(
    {"AAPL": {"latestTrade": TRADE, "latestQuote": QUOTE, "minuteBar": BAR, "dailyBar": BAR, "prevDailyBar": BAR}},
    {"snapshots": {"AMD": {"latestTrade": TRADE, "latestQuote": QUOTE, "dailyBar": BAR}, "X": None}},
)
COINBASE_MESSAGES = list(SAMPLES)
COINBASE_PAGES = dumped(
    {"trades": [trade("1"), trade("2")]}, {"candles": [candle(1_688_998_200), candle(1_688_998_500)]}
)


def _lines(*messages):
    return [
        b"%d %s" % (1_723_161_254_000_000_000 + place * 10**6, each) for place, each in enumerate(dumped(*messages))
    ]


_KLINE = {
    "t": 1_723_161_240_000, "T": 1_723_161_299_999, "s": "BTCUSDT", "i": "1m", "o": "1.5", "c": "1.6", "h": "1.7", "l": "1.4",
    "v": "20", "n": 7, "x": True, "q": "30.5",
}  # fmt: skip
_DEPTH = {
    "e": "depthUpdate", "E": 1_723_161_255_208, "s": "BTCUSDT", "U": 95, "u": 102,
    "b": [["61737.63000000", "0.00000000"], ["61730.17", "1"]], "a": [["61837.64", "1.54698"]],
}  # fmt: skip
_SPOT_TRADE = {
    "e": "trade", "E": 1_723_161_255_343, "s": "BTCUSDT", "t": 3_735_683_259, "p": "61837.63", "q": "0.02",
    "T": 1_723_161_255_342, "m": True, "M": True,
}  # fmt: skip
_BEST = {"u": 50_093_239_212, "s": "BTCUSDT", "b": "61837.63", "B": "3.78826", "a": "61837.64", "A": "1.54698"}
_COIN_BEST = {
    "u": 1,
    "e": "bookTicker",
    "s": "BTCUSD_PERP",
    "ps": "BTCUSD",
    "b": "61804.7",
    "B": "35",
    "a": "61804.8",
    "A": "1645",
    "T": 1_723_161_257_465,
    "E": 1_723_161_257_476,
}
BINANCE_LINES = _lines(
    {"stream": "btcusdt@bookTicker", "data": _BEST},
    {"lastUpdateId": 100, "bids": [["61837.63", "3.78826"], ["61837.62", "0.617"]], "asks": [["61837.64", "1.5"]]},
    {"stream": "btcusdt@depth@100ms", "data": _DEPTH},
    {"stream": "btcusdt@depth@100ms", "data": _DEPTH | {"U": 103, "u": 104}},
    {"stream": "btcusdt@trade", "data": _SPOT_TRADE},
    {"stream": "btcusdt@aggTrade", "data": _SPOT_TRADE | {"e": "aggTrade", "a": 7}},
    {"stream": "btcusdt@kline_1m", "data": {"e": "kline", "E": 1, "s": "BTCUSDT", "k": _KLINE}},
    {"stream": "btcusd_perp@bookTicker", "data": _COIN_BEST},
)

_HL_TRADE = {
    "coin": "BTC",
    "hash": "0xde47",
    "px": "105056.0",
    "side": "B",
    "sz": "0.00219",
    "tid": 121_451_470_284_048,
    "time": 1_737_918_794_873,
}
_HL_LEVEL = {"n": 5, "px": "105055.0", "sz": "3.03622"}
HYPERLIQUID_LINES = _lines(
    {
        "channel": "l2Book",
        "data": {"coin": "BTC", "levels": [[_HL_LEVEL], [_HL_LEVEL | {"px": "105056"}]], "time": 1_737_918_843_893},
    },
    {"channel": "trades", "data": [_HL_TRADE, _HL_TRADE | {"side": "A", "coin": "kPEPE"}]},
    {"channel": "subscriptionResponse", "data": {"method": "subscribe"}},
)

_CB_TIME = "2024-08-09T00:00:00.123456Z"
COINBASE_LINES = [
    b"wss://ws-feed.pro.coinbase.com <-> 1723161253.5",
    *(
        b"1723161254.%06d: %s" % (place, each)
        for place, each in enumerate(
            dumped(
                {"type": "snapshot", "product_id": "BTC-USD", "bids": [["10101.10", "0.45"]], "asks": [["10102.55", "0.577"]]},
                {"type": "l2update", "product_id": "BTC-USD", "time": _CB_TIME, "changes": [["buy", "10101.8", "0.162"]]},
                {
                    "type": "match", "trade_id": 10, "sequence": 50, "maker_order_id": "ac928c66", "time": _CB_TIME,
                    "product_id": "BTC-USD", "size": "5.23512", "price": "400.23", "side": "sell",
                },
                {
                    "type": "ticker", "sequence": 37_475_248_783, "product_id": "ETH-USD", "price": "1285.22", "time": _CB_TIME,
                    "best_bid": "1285.04", "best_ask": "1285.27", "side": "buy", "trade_id": 370_843_401, "last_size": "11.4",
                },
                {"type": "subscriptions", "channels": [{"name": "level2", "product_ids": ["BTC-USD"]}]},
                {"type": "error", "message": "rate limit"},
            )
        )
    ),
]  # fmt: skip

RECORDS = [
    quotes(3).tobytes(),
    trades(2).tobytes(),
    records(dbn.OHLCVMsg, 2, rtype=33, open=1, high=2, low=1, close=2, volume=3).tobytes(),
    records(dbn.StatusMsg, 2, rtype=18).tobytes(),
    records(dbn.CMBP1Msg, 2, rtype=177, action=b"T").tobytes(),
    *(each if isinstance(each, bytes) else each.tobytes() for each in opening("SPY", "QQQ")),
    databento_words.system_record(databento_words.SLOW_READER, "slow", START_NS),
]


def _dbn_file():
    found = dbn_records(dbn.MBP1Msg, 6, rtype=1, bid_px_00=1, ask_px_00=2)
    found["action"][::3] = b"T"
    bars = dbn_records(dbn.OHLCVMsg, 2, rtype=33, open=1, high=2, low=1, close=2, volume=3)
    status = dbn_records(dbn.StatusMsg, 2, rtype=18)
    return dbn_metadata(None) + found.tobytes() + bars.tobytes() + status.tobytes()


DBN_FILE = _dbn_file()
CSV = b"time,symbol,bid,ask,bid_size,ask_size\n" + b"".join(
    b"2024-01-02T00:00:%02dZ,AB,1.5,1.%d,3,4\n" % (second, second % 9 + 1) for second in range(4)
)
MAPPING = "kind=quote symbol_column=symbol ts=time bid=bid ask=ask bid_size=bid_size ask_size=ask_size"


def _parquet():
    written_to = io.BytesIO()
    parquet.write_table(csv.read_csv(pa.BufferReader(CSV)), written_to, write_page_checksum=True)
    return written_to.getvalue()


PARQUET = _parquet()

_ASSET = {
    "id": "904837e3", "class": "us_equity", "exchange": "NASDAQ", "symbol": "ABCD", "name": "Abcd Inc.", "status": "active",
    "tradable": True, "shortable": False, "easy_to_borrow": False,
}  # fmt: skip
_DETAILS = {
    "ticker": "AAPL", "name": "Apple Inc.", "market_cap": 2_488_795_282_370, "weighted_shares_outstanding": 16_319_440_000,
    "share_class_shares_outstanding": 16_319_440_000, "sic_description": "COMPUTERS", "primary_exchange": "XNAS", "type": "CS",
    "active": True, "list_date": "1980-12-12",
}  # fmt: skip
REFERENCE_BODIES = [
    *zip(
        [
            "massive_details", "massive_splits", "massive_previous", "massive_floats", "alpaca_asset", "alpaca_splits",
            "databento_securities", "databento_splits",
        ],
        dumped(
            {"results": _DETAILS},
            {"results": [{"ticker": "GOOGL", "execution_date": "2022-07-18", "split_to": 20, "split_from": 1}]},
            {"results": [{"T": "AAPL", "c": 156.8, "h": 162.3, "l": 156.7, "o": 162.2, "t": 1_651_003_200_000, "v": 95_595_226}]},
            {"results": [{"effective_date": "2026-11-13", "free_float": 4_200_000, "free_float_percent": 62.1, "ticker": "ABCD"}]},
            _ASSET,
            {
                "corporate_actions": {
                    "forward_splits": [{"symbol": "SRE", "ex_date": "2023-08-22", "new_rate": 2, "old_rate": 1}],
                    "reverse_splits": [{"symbol": "MNTS", "ex_date": "2023-08-24", "new_rate": 1, "old_rate": 50}],
                }
            },
            {"symbol": "AAPL", "shares_outstanding": 15_204_137_000, "shares_outstanding_date": "2024-07-19", "security_type": "EQS", "exchange": "XNAS", "listing_status": "L"},
            {"symbol": "BOMO", "event": "CONSD", "ex_date": "2023-10-10", "ratio_new": "1", "ratio_old": "1000"},
        ),
        strict=True,
    )
]  # fmt: skip

_ALPACA_ORDER = {
    "id": "v1", "client_order_id": "c7", "symbol": "ABCD", "status": "partially_filled", "qty": "15", "filled_qty": "4",
    "filled_avg_price": "2.3333333333333333", "side": "buy", "updated_at": "2025-10-09T08:53:20Z",
    "submitted_at": "2025-10-09T08:53:20Z",
}  # fmt: skip
_UPDATE = {
    "event": "partial_fill",
    "order": _ALPACA_ORDER,
    "execution_id": "x",
    "price": "2.5",
    "qty": "1",
    "timestamp": "2025-10-09T08:53:20Z",
}
_COIN_ORDER = {
    "order_id": "v1", "client_order_id": "c7", "status": "FILLED", "filled_size": "2", "average_filled_price": "3",
    "total_fees": "0.1", "cumulative_quantity": "2", "avg_price": "3", "product_id": "BTC-USD",
}  # fmt: skip
BROKER_BODIES = {
    "alpaca": dumped(
        _ALPACA_ORDER,
        [_ALPACA_ORDER, _ALPACA_ORDER | {"id": "v2"}],
        {"account_number": "PA1", "cash": "100.5", "buying_power": "200", "currency": "USD"},
        [{"symbol": "ABCD", "qty": "-5", "avg_entry_price": "2.5"}],
        {"code": 40_010_001, "message": "client_order_id must be unique"},
        {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}},
        {"stream": "listening", "data": {"streams": ["trade_updates"]}},
        {"stream": "trade_updates", "data": _UPDATE},
        {"stream": "trade_updates", "data": _UPDATE | {"event": "trade_bust"}},
    ),
    "coinbase": dumped(
        {"success": True, "success_response": {"order_id": "v1", "client_order_id": "c7", "product_id": "BTC-USD"}},
        {"success": False, "error_response": {"error": "INSUFFICIENT_FUND", "message": "poor"}},
        {"results": [{"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "v1"}]},
        {"order": _COIN_ORDER},
        {"orders": [_COIN_ORDER], "has_next": True, "cursor": "9"},
        {
            "accounts": [{"currency": "BTC", "available_balance": {"value": "1.5", "currency": "BTC"}, "hold": {"value": "0", "currency": "BTC"}}],
            "has_next": False, "cursor": "",
        },
        {"channel": "user", "sequence_num": 0, "events": [{"type": "snapshot", "orders": [_COIN_ORDER]}]},
        {"channel": "user", "sequence_num": 1, "events": [{"subscriptions": {"user": ["*"]}}]},
        {"channel": "heartbeats", "sequence_num": 0, "events": [{"heartbeat_counter": 1}]},
        {"type": "error", "message": "try later"},
    ),
}  # fmt: skip


def _segment():
    commits = [*inputs(1, 20, 2), (FrameKind.DERIVED, [checkpoints(3, 6)])]
    return bytes(content_of(journal_of(commits, closes=True)[0]))


SEGMENT = _segment()
PAYLOADS = [
    bytes(encode([timers(1, 3)])),
    bytes(encode([timers(1, 1), checkpoints(3, 6)])),
    bytes(encode_schemas([Kind.TIMER, Kind.QUOTE, Kind.FEED])),
]

_PART = {
    "kind": "quote", "file": "events/kind=quote/part-00001.parquet", "size": 10, "blake3": "0" * 64, "layout_version": 1, "rows": 3,
}  # fmt: skip
MANIFEST_TEXTS = [
    manifest.encode(
        manifest.Manifest(
            id="2026-11-04-day",
            what="session",
            mode="import",
            log_id="0" * 32,
            created_ns=RECV_NS,
            kinds={"quote": 3},
            settings={"order_quantity_max": 5.0, "a": [1, {"b": None}]},
            strategies=(manifest.StrategyEntry("dip", {"ticks": 2, "is_on": True}, "0" * 64),),
            code={"pipeline/units.py": "0" * 64},
            parents=("other",),
            instruments=({"symbol": "A", "instrument_id": 1},),
        )
    ).split(b'"manifest": ', 1)[1][:-3]
]
SCANNERS = [path.read_bytes() for path in sorted((ROOT / "scanners").glob("*.toml"))] + [
    b'name = "mine"\nsymbols = ["AAPL", "BTC-USD"]\ncalendar = "24/7"\n'
]
CONFIG_WORDS = [
    *(b"250ms", b"1.5s", b"2h", b"09:31", b"09:31:07.250", b"2026-11-04T09:31:07Z", b"16:00 UTC", b"2026-03-08 02:30"),
    *(b"America/New_York", b"09:31 America/New_York", b"2026-11-01 01:30", b"2026-11-04T09:31:07-05:00"),
    MAPPING.encode(),
    b"kind=bar symbol=AB ts=time open=o high=h low=l close=c volume=v timeframe=1m size_step=0.001 ts_unit=ms",
]
