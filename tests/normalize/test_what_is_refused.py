"""Of what can't be read its beginning is told, by every normaliser: without raw capture it is all that is left."""

import pytest

from pipeline.codes import FeedAction
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_words import Encoding
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.databento_live import DatabentoRecords
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Message

NORMALIZERS = {
    "massive": MassiveMessages,
    "alpaca json": lambda: AlpacaMessages("sip", Encoding.JSON, None),
    "alpaca msgpack": lambda: AlpacaMessages("sip", Encoding.MSGPACK, None),
    "coinbase": CoinbaseMessages,
    "databento": DatabentoRecords,
}


@pytest.mark.parametrize(
    "payload", [b"nonsense of a stranger", b"\xff\x00 nonsense", b"[[[[["], ids=["text", "noise", "cut"]
)
@pytest.mark.parametrize("feed", NORMALIZERS)
def test_the_beginning_of_what_can_not_be_read_is_told(feed, payload):
    (block,) = NORMALIZERS[feed]().read([Message(10**18, payload)])
    (row,) = block.rows()
    assert row["action"] == FeedAction.REJECTED
    assert repr(payload)[2:-1] in row["text"]
