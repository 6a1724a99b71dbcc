"""Samples for tests of Databento's live sessions: records, and what a normaliser made of them as one list of rows."""

from dataclasses import replace

import databento_dbn as dbn
import numpy as np

from pipeline.normalize import databento_words as words
from pipeline.normalize.databento_live import DatabentoRecords
from pipeline.ports import Message
from pipeline.simulator.days import DAYS, GeneratedMarket
from pipeline.simulator.served import GeneratedTape
from pipeline.units import SECOND_NS

DATASET = "XNAS.ITCH"
START_NS = 1_700_000_000 * SECOND_NS
"""When the gateway's session begins, by its own clock."""

RECV_NS = START_NS + 10**15
"""Our clock, far from Databento's, so that nobody takes one for the other."""


def records(message, count, at_ns=START_NS + SECOND_NS, number=1, **columns):
    """Records of a message class, a millisecond apart."""
    layout = np.dtype(message._dtypes)
    made = np.zeros(count, layout)
    made["length"] = layout.itemsize // 4
    made["instrument_id"], made["publisher_id"] = number, 2
    made["ts_event"] = at_ns + np.arange(count) * 1_000_000
    if "ts_recv" in layout.names:
        made["ts_recv"] = made["ts_event"] + np.uint64(1_000)
    for name, letter in (("action", b"A"), ("side", b"N")):
        if name in layout.names and layout[name].kind == "S":
            made[name] = letter
    for name, values in columns.items():
        made[name] = values
    return made


def quotes(count, **columns):
    """mbp-1 records that are no trades."""
    levels = {"bid_px_00": 10, "ask_px_00": 11, "bid_sz_00": 3, "ask_sz_00": 4}
    return records(dbn.MBP1Msg, count, rtype=1, **{**levels, **columns})


def trades(count, **columns):
    return records(dbn.TradeMsg, count, rtype=0, action=b"T", **{"price": 5, "size": 1, **columns})


def opening(*symbols, at_ns=START_NS):
    """How a session begins: header, an acknowledgement, a mapping for each symbol from 1."""
    return [
        words.header(DATASET, at_ns),
        words.system_record(words.SUBSCRIPTION_ACK, "Subscription request 1001 for mbp-1 data succeeded", at_ns),
        *(words.mapping_record(number, symbol, at_ns) for number, symbol in enumerate(symbols, 1)),
    ]


def messages(*payloads):
    """As they came, a microsecond apart."""
    parts = (each if isinstance(each, bytes) else each.tobytes() for each in payloads)
    return [Message(RECV_NS + place * 1_000, part) for place, part in enumerate(parts)]


def rows(batch):
    """Rows in order, each with its kind."""
    found = [{**row, "kind": block.kind} for block in batch for row in block.rows()]
    found.sort(key=lambda row: row["seq"])
    assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
    return found


def opened(*symbols, at_ns=START_NS):
    """A normaliser behind the opening of a session."""
    normalizer = DatabentoRecords()
    normalizer.connected()
    normalizer.read(messages(*opening(*symbols, at_ns=at_ns)))
    return normalizer


def generated(**changes):
    """A small day."""
    return GeneratedTape(GeneratedMarket(replace(DAYS["premarket"], **{"instruments": 3, "quotes": 900, **changes})))
