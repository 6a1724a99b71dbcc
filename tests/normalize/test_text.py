"""What is no text is refused, however well it reads otherwise."""

import pytest

from pipeline.codes import FeedAction, Kind
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.massive import MassiveMessages
from pipeline.normalize.text import is_text
from pipeline.ports import Message

NOW_NS = 1_793_802_637_256_000_000
QUOTES = {
    MassiveMessages: b'[{"ev":"Q","sym":"A","bp":1.5,"bs":3,"ap":1.6,"as":5,"t":1793802637256,"q":5}]',
    AlpacaMessages: b'[{"T":"q","S":"A","bx":"Q","bp":1.5,"bs":3,"ax":"Q","ap":1.6,"as":5,"c":["R"],"z":"C","t":"2026-11-04T14:30:37Z"}]',
    CoinbaseMessages: (
        b'{"channel":"l2_data","timestamp":"2026-11-04T22:05:37Z","sequence_num":0,"events":[{"type":"snapshot","product_id":'
        b'"A-USD","updates":[{"side":"bid","event_time":"2026-11-04T22:05:37Z","price_level":"1.5","new_quantity":"3"}]}]}'
    ),
}


def names(payload):
    """The places of all letters of names."""
    place = 0
    while (place := payload.find(b'"', place)) >= 0:
        end = payload.find(b'"', place + 1)
        if payload[end + 1 : end + 2] == b":":
            yield from range(place + 1, end)
        place = end + 1


@pytest.mark.parametrize("messages", QUOTES)
def test_a_damaged_name_refuses_its_message(messages):
    payload = QUOTES[messages]
    whole = messages().read([Message(NOW_NS, payload)])
    assert Kind.QUOTE in {block.kind for block in whole}
    places = list(names(payload))
    assert len(places) > 10
    for place in places:
        damaged = payload[:place] + bytes([payload[place] ^ 0x80]) + payload[place + 1 :]
        (told,) = messages().read([Message(NOW_NS, damaged)])
        assert [(row["action"], "is no text" in row["text"]) for row in told.rows()] == [(FeedAction.REJECTED, True)]


@pytest.mark.parametrize("messages", QUOTES)
def test_its_neighbours_are_kept_and_other_alphabets_are_text(messages):
    payload = QUOTES[messages]
    greek = (
        payload.replace(b'"}', '","name":"Ωμέγα"}'.encode(), 1)
        if b'"}' in payload
        else payload[:-2] + ',"name":"Ω"}]'.encode()
    )
    batch = messages().read([Message(NOW_NS, b"\xff" + payload), Message(NOW_NS, greek)])
    kinds = [block.kind for block in batch]
    assert {Kind.QUOTE, Kind.FEED} <= set(kinds)


def test_text_is_utf_8():
    assert is_text(b"")
    assert is_text("Ω".encode())
    assert not is_text(b"\xe9")
    assert not is_text("Ω".encode()[:1])
