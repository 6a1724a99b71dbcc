"""Massive's decoder under bytes nobody promised: rows or a refusal, nothing raised, the good neighbours kept."""

import json
import random

import pytest
from massive_samples import MINUTE, QUOTE, RECV_NS, TRADE, message, of_kind, rows

from pipeline.codes import FeedAction, Kind
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Answer, Channel, Message, Topic

GOOD = message(QUOTE, TRADE, MINUTE, {"ev": "LULD", "T": "MSFT", "h": 2.5, "l": 1.5, "i": [15], "t": QUOTE["t"]})
PAST = json.dumps(
    {"results": [{"price": 1.5, "size": 10, "sip_timestamp": RECV_NS, "id": "7", "conditions": [12]}]}
).encode()

HOSTILE = [
    b"",
    b"null",
    b"{}",
    b"[",
    b"[[]]",
    b"[null]",
    b"\xff\xfe",
    b"[" * 100_000,
    b'[{"ev":' * 50_000,
    b'{"ev":"Q","sym":"A"}',
    b'[{"ev":"Q","sym":"A","t":1e400}]',
    b'[{"ev":"Q","sym":"A","bp":1e400}]',
    b'[{"ev":"Q","sym":"A","bp":NaN}]',
    b'[{"ev":"Q","sym":"A","bp":-1}]',
    b'[{"ev":"Q","sym":"A","q":18446744073709551616}]',
    b'[{"ev":"Q","sym":"A","bs":9223372036854775807,"bp":1,"t":1}]',
    b'[{"ev":"Q","sym":"A","bx":65536}]',
    b'[{"ev":"T","sym":"A","p":1,"c":[-1],"s":1}]',
    b'[{"ev":"T","sym":"A","p":1,"c":[99999999999999999999],"s":1}]',
    b'[{"ev":"T","sym":"A","p":9.3e9,"s":9e15,"i":"' + b"9" * 5_000 + b'"}]',
    b'[{"ev":"T","sym":"A","p":1,"s":1,"ds":"' + b"9" * 5_000 + b'"}]',
    b'[{"ev":"T","sym":"A","p":1,"s":1,"ds":"1e400"}]',
    b'[{"ev":"AM","sym":"A","o":1,"h":1,"l":1,"c":1,"v":1e16,"s":1788877020000}]',
    b'[{"ev":"AM","sym":"A","o":1,"h":1,"l":1,"c":1,"v":1,"s":9223372036854775807}]',
    b'[{"ev":"LULD","T":"A","i":[4294967296]}]',
    b'[{"ev":5}]',
    b'[{"ev":"\\u0000","sym":"A"}]',
    b'[{"ev":"Q","sym":"\\ud800"}]',
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_message_is_told_and_costs_nobody_else(payload):
    normalizer = MassiveMessages()
    found = rows(normalizer.read([GOOD, Message(RECV_NS, payload), GOOD]))
    assert len(of_kind(found, Kind.QUOTE)) == len(of_kind(found, Kind.PRINT)) == len(of_kind(found, Kind.BAR)) == 2
    assert {row["action"] for row in of_kind(found, Kind.FEED)} <= {FeedAction.REJECTED, FeedAction.IGNORED}
    assert len(of_kind(found, Kind.FEED)) >= 1


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_page_is_told(payload):
    topic = Topic(Channel.PRINTS, "A")
    pages = [PAST, payload, b'{"results":' + payload + b"}", PAST]
    found = rows(MassiveMessages().read_history([Answer(topic, RECV_NS, page) for page in pages]))
    assert len(of_kind(found, Kind.PRINT)) >= 2


def test_a_million_refusals_in_a_message_are_a_handful_of_rows():
    found = rows(MassiveMessages().read([Message(RECV_NS, b"[" + b",".join(b"%d" % i for i in range(5_000)) + b"]")]))
    assert len(found) <= 60
    assert sum(row["count"] for row in found) == 5_000


def test_mutated_messages_give_rows_or_refusals():
    source, normalizer = random.Random(7), MassiveMessages()
    mutated = [_mutated(source, GOOD.payload) for _ in range(6_000)]
    for start in range(0, len(mutated), 10):
        broken = [Message(RECV_NS, payload) for payload in mutated[start : start + 10]]
        found = rows(normalizer.read([GOOD, *broken, GOOD]))
        quotes = [row for row in of_kind(found, Kind.QUOTE) if row["vendor_seq"] == QUOTE["q"]]
        assert len(quotes) >= 2


def test_mutated_pages_give_rows_or_refusals():
    source, normalizer = random.Random(8), MassiveMessages()
    topics = [Topic(channel, "A") for channel in Channel]
    for _ in range(3_000):
        answer = Answer(source.choice(topics), RECV_NS, _mutated(source, PAST))
        rows(normalizer.read_history([answer]))


def _mutated(source, payload):
    """Flips, cuts, swaps, doubles and numbers that fit nowhere."""
    broken = bytearray(payload)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(broken)) if broken else 0
        match source.randrange(5):
            case 0 if broken:
                broken[at] ^= 1 << source.randrange(8)
            case 1:
                del broken[at : at + source.randrange(20)]
            case 2:
                broken[at:at] = broken[at : at + source.randrange(40)]
            case 3:
                broken[at:at] = source.choice([b"1e400", b"-", b"18446744073709551616", b"NaN", b"null", b'"', b"[[[["])
            case 4:
                return bytes(broken[:at])
    return bytes(broken)
