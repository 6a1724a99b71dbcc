"""What a request means, over a session that holds two instruments."""

import os
import threading
from contextlib import ExitStack

import pytest

from pipeline.block import Block
from pipeline.codes import Kind, RequestAction, SessionAction
from pipeline.errors import ConfigError, NotFoundError, UnitError
from pipeline.log import manifest as manifests
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.control import SOCKET_NAME, Request
from pipeline.run.notes import remark
from pipeline.run.recording import opened
from pipeline.run.telling import recorded_last, spoken_to, targets_of
from pipeline.units import NANO

ADD, DROP, FLATTEN = RequestAction.ADD_SYMBOL, RequestAction.DROP_SYMBOL, RequestAction.FLATTEN


TWO = ("massive", "coinbase")


@pytest.fixture
def meaning(tmp_path):
    return meaning_in(Store(tmp_path), TWO)


def meaning_in(store, feeds, requests=(), **settings):
    """What is meant by words said to a session of these feeds that holds two instruments and heard these requests."""
    settings = {"feeds": [{"name": name} for name in feeds], **settings}
    manifest = store.create_session("live", mode=Mode.PAPER, created_ns=1, settings=settings)
    with opened(store, manifest, None) as recorder:
        names = {"symbol": ["ABCD", "BACpB"], "venue": ["MASSIVE"] * 2, "size_step_nano": 10**9}
        times = {"ts_event_ns": 5, "ts_recv_ns": 5}
        recorder.take([Block.of(Kind.INSTRUMENT, 2, seq=[1, 2], instrument_id=[1, 2], **times, **names)])
        for action, target in requests:
            recorder.request(Request(action.name, target=target))
    return lambda action, *words: targets_of(store, manifest, action, words)


def listening(store, stack, name, created_ns):
    """The recorder of a session that is being recorded; they are started in the order of the calls."""
    manifest = store.create_session(name, mode=Mode.PAPER, created_ns=created_ns)
    recorder = stack.enter_context(opened(store, manifest, None))
    started_ns = len(store.sessions()) * NANO  # so far apart as what a person starts
    os.utime(store.folder(name) / SOCKET_NAME, ns=(started_ns, started_ns))
    recorder.say([{"action": int(SessionAction.STARTED)}])
    return recorder


def test_the_last_one_spoken_to_is_the_recording_that_was_started_last(tmp_path):
    store, said = Store(tmp_path), []
    assert recorded_last(store) is None
    with pytest.raises(NotFoundError, match="nothing is being recorded"):
        spoken_to(store, "last")
    store.create_session("killed", mode=Mode.PAPER, created_ns=990 * NANO)
    store.create_session("finished", mode=Mode.PAPER, created_ns=995 * NANO)
    manifests.update(store.folder("finished"), store.disk, state="ended")
    with ExitStack() as stack:
        listening(store, stack, "today", 900 * NANO)
        served = listening(store, stack, "served", 100 * NANO)  # a day of the past, recorded now
        assert store.find_one("last").id == "finished"
        assert spoken_to(store, "last").id == "served"
        assert spoken_to(store, "today").id == "today"
        asking = threading.Thread(target=lambda: said.append(remark(store, "last", "a word", tag="", now_ns=1)))
        asking.start()
        while asking.is_alive():
            served.obeyed()
            served.flush()
            asking.join(0.01)
    assert said == ["served: input 2"]
    assert remark(store, "last", "later", tag="", now_ns=1) == "finished: note 1"


def test_symbols_are_as_feeds_spell_them_and_said_once(meaning):
    assert meaning(ADD, "nvda", " AAPL", "a,b", "Coinbase:sol-usd", "NVDA") == (
        "NVDA",
        "AAPL",
        "A",
        "B",
        "coinbase:SOL-USD",
    )
    assert meaning(ADD, "massive:BACpB", "BACpB") == ("massive:BACpB", "BACpB")


@pytest.mark.parametrize("word", ["", " ", ",", "massive:", "ÄÖ", "Y\nZ", "X" * 72])
def test_what_is_no_symbol_is_refused(meaning, word):
    with pytest.raises(UnitError, match="symbol"):
        meaning(ADD, word)


@pytest.mark.parametrize("word", ["A B", "massive:A B", "A,B C"])
def test_words_with_a_space_between_them_are_refused(meaning, word):
    with pytest.raises(ConfigError, match="write several as A,B"):
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


def test_what_is_dropped_is_spelt_as_it_is_recorded(tmp_path):
    several = meaning_in(
        Store(tmp_path / "several"),
        TWO,
        [(ADD, "XYZ"), (ADD, "WVU"), (DROP, "WVU"), (DROP, "BACpB")],
        symbols=["ABCD", "BACpB", "coinbase:SOL-USD"],
    )
    assert several(DROP, "abcd", "Coinbase:sol-usd", "xyz") == ("ABCD", "coinbase:SOL-USD", "XYZ")
    one = meaning_in(Store(tmp_path / "one"), ["alpaca.sip"], symbols=["ABCD", "alpaca.sip:XYZ"])
    assert one(DROP, "alpaca:abcd", "alpaca.sip:ABCD", "xyz", "alpaca:XYZ") == ("ABCD", "alpaca.sip:XYZ")
    for word in ("ABCE", "WVU", "BACpB", "massive:ABCD", "SOL-USD", "*"):
        with pytest.raises(NotFoundError, match=r"live does not record .*; it records ABCD, XYZ, coinbase:SOL-USD"):
            several(DROP, word)
    with pytest.raises(NotFoundError, match="it records nothing"):
        meaning_in(Store(tmp_path / "none"), TWO, watched=["*"])(DROP, "ABCD")


@pytest.mark.parametrize("word", ["*", "massive:*"])
def test_a_whole_market_is_added_only_where_one_is_watched(tmp_path, word):
    with pytest.raises(ConfigError, match="name the symbols"):
        meaning_in(Store(tmp_path / "some"), TWO, symbols=["ABCD"], watched=["A"])(ADD, "A", word)
    assert meaning_in(Store(tmp_path / "all"), TWO, symbols=["ABCD"], watched=["massive:*"])(ADD, word) == (word,)
