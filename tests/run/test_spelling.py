"""Symbols as their vendors spell them, from the command line to the wire and back."""

import pytest
from click.testing import CliRunner
from live_sessions import Running, live_store, recording
from served_loops import LOOPS, options, serving, vendor_of

from pipeline.cli import main
from pipeline.codes import FeedAction, Kind
from pipeline.errors import ConfigError
from pipeline.feeds import alpaca, coinbase_advanced, massive
from pipeline.run.asking import symbols_of
from pipeline.run.beginning import symbol_meant
from pipeline.run.feeds import feed_named
from pipeline.run.listening import symbols_for
from pipeline.simulator.days import GeneratedMarket
from pipeline.simulator.served import GeneratedTape

__all__ = ["live_store"]


class Renamed:
    """A day whose first instrument has the name of a preferred share."""

    def __init__(self, day):
        self.name, self._day = "renamed", day

    def events(self):
        for batch in GeneratedMarket(self._day, is_whole=True).events():
            yield [self._renamed(block) if block.kind is Kind.INSTRUMENT else block for block in batch]

    def _renamed(self, block):
        ids = block.number("instrument_id").tolist()
        names = zip(ids, block.text("symbol"), strict=True)
        return block.with_columns(symbol=["BACpB" if id_ == 1 else name for id_, name in names])


def test_a_preferred_share_is_asked_for_by_massives_own_spelling(live_store):
    with serving("massive", tape=GeneratedTape(Renamed(LOOPS["massive"].day))) as served:
        symbols = symbols_of(["BACpB"], ["massive"], "--symbols")
        running = Running(
            live_store, recording(vendor_of("massive", served), **{**options(served), "symbols": symbols})
        )
        running.until(lambda recorder: recorder.kinds.get(Kind.QUOTE, 0) >= 5)
        running.end()
    (subscribed,) = {
        name for row in running.feed_rows if row["action"] == FeedAction.SUBSCRIBED for name in row["text"].split()
    } - {"SPY"}
    assert subscribed == "BACpB"


@pytest.mark.parametrize(
    ("feed", "spelled"),
    [(massive.vendor("k"), "BACpB"), (alpaca.vendor("k", "s"), "BACPB"), (coinbase_advanced.vendor(), "BACPB")],
)
def test_each_vendor_has_its_own_spelling(feed, spelled):
    symbols = symbols_for(feed.name, frozenset(symbols_of(["BACpB"], [feed.name], "--symbols")))
    assert {topic.symbol for topic in feed.topics(symbols)} == {spelled}


def test_who_writes_small_letters_only_means_capitals():
    assert symbols_of(["aapl,BRK.b,bacpb"], ["massive"], "--symbols") == ("AAPL", "BRK.b", "BACPB")
    assert [symbol_meant(word) for word in ("Massive: bACpB ", "aapl", "*", "")] == ["massive:bACpB", "AAPL", "*", ""]


@pytest.mark.parametrize(
    ("feeds", "symbols"),
    [
        (["alpaca.sip"], ("alpaca.sip:A", "alpaca.sip:B")),
        (["massive", "alpaca.iex"], ("alpaca.iex:A", "alpaca.iex:B")),
        (["alpaca.iex", "alpaca.sip"], ("alpaca.sip:A", "alpaca.sip:B")),
    ],
)
def test_in_front_of_a_symbol_a_feed_has_the_name_it_has_as_an_option(feeds, symbols):
    assert symbols_of(["alpaca:a,b", f"{symbols[0].rpartition(':')[0]}:A"], feeds, "--symbols") == symbols


def test_a_feed_that_is_not_recorded_is_still_none():
    for word in ("alpaca", "alpac", "alpaca.", ""):
        with pytest.raises(ConfigError, match="there is massive"):
            symbols_of([f"{word}:A"], ["massive"], "--symbols")
    with pytest.raises(ConfigError, match=r"no feed 'alpaca.sip' is recorded; there is alpaca.iex"):
        symbols_of(["alpaca.sip:A"], ["alpaca.iex"], "--symbols")


def test_the_name_that_a_session_gives_a_feed_names_it_too():
    url = "ws://127.0.0.1:9001/v2/sip"
    sip, same = feed_named("alpaca", url, None), feed_named("alpaca.sip", url, None)
    assert (sip.name, sip.url) == (same.name, same.url) == ("alpaca.sip", url)


@pytest.mark.parametrize("option", ["--symbols", "--watch"])
def test_words_with_a_space_between_them_are_no_symbol(tmp_path, option):
    asked = ["--home", str(tmp_path), "record", "--feed", "massive=ws://127.0.0.1:9/stocks", option, "AAPL NVDA"]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"tape: {option} AAPL NVDA: a symbol with a space can't be recorded live; write several as A,B\n"
    )
