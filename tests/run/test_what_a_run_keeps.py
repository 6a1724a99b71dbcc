"""What a session or run keeps in its manifest, so that it can be read without running its code."""

import shutil

import msgspec
import pytest
from blake3 import blake3
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.log import manifest as manifests
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.loading import load_strategy
from pipeline.run.replaying import instruments_of, replay
from pipeline.run.strategies import plan_of, strategy_file, words_of
from pipeline.simulator.generate import Day
from warehouse import connect

FILE = strategy_file("opening_range")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """A store, its session, and a run over it."""
    store = Store(tmp_path_factory.mktemp("store"))
    plan = plan_of([FILE], ["open_minute=480"], [])
    session = record_generated(store, Day(quotes=1_200, instruments=3), plan, [FILE], created_ns=1)
    return store, session, store.find_one(replay(store, session.id, plan, [FILE], created_ns=2).run)


def test_words_are_the_members_of_a_strategys_enums():
    words = words_of(load_strategy(FILE))
    assert words.phases["watching"] == 1
    assert words.gates == {"breakout": 1, "vwap": 2, "spread": 3, "halt": 4}
    assert words.templates["range"] == "range complete: high {a:.4f}, low {b:.4f}"
    assert words.messages.keys() == words.templates.keys()


def test_a_session_and_a_run_keep_their_strategys_words(replayed):
    _, session, run = replayed
    for log in (session, run):
        assert log.strategies[0].words == words_of(load_strategy(FILE))


def test_sql_says_the_words_and_the_text_of_what_was_recorded(replayed):
    store, session, _ = replayed
    connection = connect(store.home, [session.id])
    moves = connection.sql("select distinct to_phase, reason from transitions where reason = 'range_complete'")
    assert moves.fetchall() == [("watching", "range_complete")]
    texts = connection.sql("select text from messages where message = 'range' order by seq").fetchall()
    assert texts[0][0].startswith("range complete: high ")
    outputs = connection.sql("select distinct output from indicators order by output").fetchall()
    assert outputs == [("range_high",), ("range_low",), ("vwap",)]


def test_a_run_keeps_the_instruments_it_met(replayed):
    store, session, run = replayed
    assert [row["instrument_id"] for row in run.instruments] == [1, 2, 3]
    everything = instruments_of(LogReader(store.folder(session.id)), session.last_seq)
    assert run.instruments == everything
    assert instruments_of(LogReader(store.folder(session.id)), everything[0]["seq"]) == everything[:1]


def test_a_run_is_answered_whole_when_its_session_is_gone(replayed, tmp_path):
    store, session, run = replayed
    copy = Store(shutil.copytree(store.home, tmp_path / "store"))
    replay(copy, run.parents[0], plan_of([FILE], ["open_minute=480"], []), [FILE], created_ns=3)
    query = f"select symbol, venue, quantity, price from fills where run = '{run.id}' order by seq, ord"
    before = connect(copy.home).sql(query).fetchall()
    assert before
    assert all(None not in row for row in before)
    copy.delete(session.id)
    assert connect(copy.home).sql(query).fetchall() == before
    assert connect(copy.home, [run.id]).sql(query).fetchall() == before


def test_what_is_shown_of_a_session_and_a_run_names_each_other_and_their_strategies(replayed):
    store, session, run = replayed

    def told(*words):
        result = CliRunner().invoke(main, ["--home", str(store.home), *words])
        assert result.exit_code == 0
        return result.output.splitlines()

    assert f"runs        {run.id}" in told("sessions", "show", session.id)
    shown = told("runs", "show", run.id)
    assert f"session     {session.id}" in shown
    assert f"inputs      up to seq {session.last_seq:,}" in shown
    assert any(line.startswith("strategies  opening_range hold_minutes=60 ") for line in shown)
    assert max(map(len, shown)) <= 110
    assert told("sessions", "list")[0].endswith("  opening_range")
    assert " open_minute=480 " in told("runs", "list")[0]


def test_a_manifest_from_before_these_were_kept_is_read(replayed):
    store, session, _ = replayed
    path = store.folder(session.id) / manifests.MANIFEST
    told = msgspec.json.decode(path.read_bytes())["manifest"]
    del told["instruments"]
    for entry in told["strategies"]:
        del entry["words"]
    text = msgspec.json.format(msgspec.json.encode(told), indent=2)
    older = b'{\n"blake3": "' + blake3(text).hexdigest().encode() + b'",\n"manifest": ' + text + b"\n}\n"
    read = manifests.decode(older, path)
    assert (read.strategies[0].words, read.instruments) == (manifests.NO_WORDS, ())
