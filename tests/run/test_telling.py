"""What a request means, over a session that holds two instruments."""

import pytest

from pipeline.block import Block
from pipeline.codes import Kind, RequestAction
from pipeline.errors import ConfigError, NotFoundError, UnitError
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.recording import opened
from pipeline.run.telling import targets_of

ADD, DROP, FLATTEN = RequestAction.ADD_SYMBOL, RequestAction.DROP_SYMBOL, RequestAction.FLATTEN


@pytest.fixture
def meaning(tmp_path):
    store = Store(tmp_path)
    settings = {"feeds": [{"name": "massive"}, {"name": "coinbase"}]}
    manifest = store.create_session("live", mode=Mode.PAPER, created_ns=1, settings=settings)
    with opened(store, manifest, None) as recorder:
        names = {"symbol": ["ABCD", "BACpB"], "venue": ["MASSIVE"] * 2, "size_step_nano": 10**9}
        times = {"ts_event_ns": 5, "ts_recv_ns": 5}
        recorder.take([Block.of(Kind.INSTRUMENT, 2, seq=[1, 2], instrument_id=[1, 2], **times, **names)])
    return lambda action, *words: targets_of(store, manifest, action, words)


def test_symbols_are_as_feeds_spell_them_and_said_once(meaning):
    assert meaning(ADD, "nvda", " AAPL", "a,b", "Coinbase:sol-usd", "NVDA") == (
        "NVDA",
        "AAPL",
        "A",
        "B",
        "coinbase:SOL-USD",
    )
    assert meaning(ADD, "massive:BACpB", "BACpB") == ("massive:BACpB", "BACpB")
    assert meaning(DROP, "massive:abcd") == ("massive:ABCD",)


@pytest.mark.parametrize("word", ["", " ", ",", "massive:", "ÄÖ", "Y\nZ", "X" * 72])
def test_what_is_no_symbol_is_refused(meaning, word):
    with pytest.raises(UnitError, match="symbol"):
        meaning(ADD, word)


@pytest.mark.parametrize("word", ["alpaca:ABC", ":ABC"])
def test_a_feed_that_is_not_recorded_is_refused(meaning, word):
    with pytest.raises(ConfigError, match="there is massive, coinbase"):
        meaning(ADD, word)


def test_what_is_to_be_closed_is_found_however_it_is_written_or_refused(meaning):
    assert meaning(FLATTEN) == ()
    assert meaning(FLATTEN, "abcd", "BACpB") == ("ABCD", "BACpB")
    for word in ("ABCE", "", "massive:ABCD", "bacpb"):
        with pytest.raises(NotFoundError, match="it has ABCD, BACpB"):
            meaning(FLATTEN, word)
