"""Samples of Massive's messages: its specification's examples, and readers of what became of them."""

import json

from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Message

RECV_NS = 1_788_877_047_310_000_000
"""2026-09-08, in regular hours, when the two frames of the live feed came."""

QUOTE = {
    "ev": "Q",
    "sym": "MSFT",
    "bx": 4,
    "bp": 114.125,
    "bs": 100,
    "ax": 7,
    "ap": 114.128,
    "as": 160,
    "c": 0,
    "i": [604],
    "t": 1_788_877_046_784,
    "q": 50_385_480,
    "z": 3,
}
TRADE = {
    "ev": "T",
    "sym": "MSFT",
    "x": 4,
    "i": "12345",
    "z": 3,
    "p": 114.125,
    "s": 100,
    "c": [0, 12],
    "t": 1_788_877_046_784,
    "q": 3_681_328,
}
MINUTE = {
    "ev": "AM",
    "sym": "GTE",
    "v": 4110,
    "av": 9_470_157,
    "op": 0.4372,
    "vw": 0.4488,
    "o": 0.4488,
    "c": 0.4486,
    "h": 0.4489,
    "l": 0.4486,
    "a": 0.4352,
    "z": 685,
    "s": 1_610_144_640_000,
    "e": 1_610_144_700_000,
}


def message(*events, recv_ns=RECV_NS):
    return Message(recv_ns, json.dumps(events, separators=(",", ":")).encode())


def rows(batch):
    """Rows in order, each with its kind, without the columns that are the same in all."""
    found = [{**row, "kind": block.kind} for block in batch for row in block.rows()]
    found.sort(key=lambda row: row["seq"])
    assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
    return found


def read(*events, normalizer=None):
    return rows((normalizer or MassiveMessages()).read([message(*events)]))


def of_kind(found, kind):
    return [row for row in found if row["kind"] is kind]
