"""Alpaca's messages as its documentation shows them, and rows of what a normaliser makes of them."""

import struct

import msgspec

from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_columns import ns_of_text
from pipeline.normalize.alpaca_words import Encoding
from pipeline.ports import Message

RECEIVED_NS = 1_700_000_000_000_000_000

TRADE = {
    "T": "t",
    "i": 96921,
    "S": "AAPL",
    "x": "D",
    "p": 126.55,
    "s": 1,
    "t": "2021-02-22T15:51:44.208Z",
    "c": ["@", "I"],
    "z": "C",
}
QUOTE = {
    "T": "q",
    "S": "AMD",
    "bx": "U",
    "bp": 87.66,
    "bs": 1,
    "ax": "Q",
    "ap": 87.68,
    "as": 4,
    "t": "2021-02-22T15:51:45.335689322Z",
    "c": ["R"],
    "z": "C",
}
BAR = {
    "T": "b",
    "S": "SPY",
    "o": 388.985,
    "h": 389.13,
    "l": 388.975,
    "c": 389.12,
    "v": 49378,
    "n": 461,
    "vw": 389.062639,
    "t": "2021-02-22T19:15:00Z",
}
CORRECTION = {
    "T": "c",
    "S": "EEM",
    "x": "M",
    "oi": 52983525033527,
    "op": 39.1582,
    "os": 440000,
    "oc": [" ", "7"],
    "ci": 52983525034326,
    "cp": 39.1809,
    "cs": 440000,
    "cc": [" ", "7"],
    "z": "B",
    "t": "2023-04-06T14:25:06.542305024Z",
}
CANCEL = {
    "T": "x",
    "S": "GOOGL",
    "i": 465,
    "x": "D",
    "p": 105.31,
    "s": 300,
    "a": "C",
    "z": "C",
    "t": "2023-04-06T13:15:42.83540958Z",
}
BANDS = {"T": "l", "S": "IONM", "u": 3.24, "d": 2.65, "i": "B", "t": "2023-04-06T13:34:45.565004401Z", "z": "C"}
STATUS = {
    "T": "s",
    "S": "AAPL",
    "sc": "H",
    "sm": "Trading Halt",
    "rc": "T12",
    "rm": "Trading Halted; For information requested by NASDAQ",
    "t": "2021-02-22T19:15:00Z",
    "z": "C",
}
IMBALANCE = {"T": "i", "S": "INAQU", "p": 9.12, "z": "C", "t": "2024-12-13T19:58:09.242138635Z"}

ALL = (TRADE, QUOTE, BAR, CORRECTION, CANCEL, BANDS, STATUS)


def written(encoding, *events) -> bytes:
    """A message of events; in MessagePack with times as the Timestamp extension, of four bytes where they are enough."""
    if encoding is Encoding.JSON:
        return msgspec.json.encode(events)
    return msgspec.msgpack.encode([{**event, "t": stamp(event["t"])} if "t" in event else event for event in events])


def stamp(text):
    seconds, nanos = divmod(ns_of_text(text), 10**9)
    raw = struct.pack(">Q", nanos << 34 | seconds) if nanos else struct.pack(">I", seconds)
    return msgspec.msgpack.Ext(-1, raw)


def rows_of(blocks) -> list[dict]:
    """All rows in order, each with its kind."""
    rows = [row | {"kind": block.kind} for block in blocks for row in block.rows()]
    rows.sort(key=lambda row: row["seq"])
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    return rows


def read(*payloads, encoding=Encoding.JSON, normalizer=None, **options) -> list[dict]:
    normalizer = normalizer or AlpacaMessages(encoding=encoding, **options)
    return rows_of(normalizer.read([Message(RECEIVED_NS + k, payload) for k, payload in enumerate(payloads)]))


def events(*messages, encoding=Encoding.JSON, **options) -> list[dict]:
    """The rows of events in one message, without the definitions of instruments."""
    rows = read(written(encoding, *messages), encoding=encoding, **options)
    return [row for row in rows if row["kind"].name != "INSTRUMENT"]


def event(message, encoding=Encoding.JSON, **options) -> dict:
    (row,) = events(message, encoding=encoding, **options)
    return row
