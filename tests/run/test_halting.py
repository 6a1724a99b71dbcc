"""The kill switch, over the control socket of a session that is really being recorded."""

import threading

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.codes import Kind, RequestAction
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.halting import Halt, halt, halted, persist, reset
from pipeline.run.recording import opened


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def test_a_store_without_sessions_can_be_halted_and_reset(store):
    assert halted(store) is None
    assert halt(store, Halt("news")) == []
    assert halted(store) == Halt("news")
    assert reset(store, "read it") == []
    assert halted(store) is None
    assert reset(store, "read it") == []


def test_a_session_that_is_recorded_hears_of_it_and_one_that_nobody_records_is_passed_by(store):
    store.create_session("left", mode=Mode.PAPER, created_ns=1)
    manifest = store.create_session("live", mode=Mode.PAPER, created_ns=2)
    with opened(store, manifest, None) as recorder:
        recorder.session_ns = 10
        recorder.say([{"action": 0}])
        results = []

        def ask():
            results.extend(halt(store, Halt("news")))

        thread = threading.Thread(target=ask)
        thread.start()
        while not results and thread.is_alive():
            recorder.flush()
            asked = recorder.obeyed()
        thread.join()
        assert [request.action for request in asked] in ([], ["HALT"])
    assert [(told.session, told.error) for told in results] == [(manifest.id, "")]
    rows = [
        row
        for batch in LogReader(store.folder(manifest.id)).batches(kinds=[Kind.REQUEST])
        for block in batch
        for row in block.rows()
    ]
    assert [(row["action"], row["text"], row["seq"]) for row in rows] == [(RequestAction.HALT, "news", results[0].seq)]


def test_the_command_says_what_it_did(tmp_path):
    home = str(tmp_path / "data")
    said = CliRunner().invoke(main, ["--home", home, "halt", "news"])
    assert (said.exit_code, said.output) == (0, "halted: news\n")
    assert halted(Store(tmp_path / "data")) == Halt("news")
    said = CliRunner().invoke(main, ["--home", home, "halt", "--reset"])
    assert said.exit_code == 2
    assert "say why" in said.output
    said = CliRunner().invoke(main, ["--home", home, "halt", "--reset", "read the news", "--json"])
    assert said.output == '{"halted":false,"reducing":false,"sessions":[]}\n'
    said = CliRunner().invoke(main, ["--home", home, "halt", "--reduce", "enough"])
    assert (said.exit_code, said.output) == (0, "entering nothing: enough\n")
    assert halted(Store(tmp_path / "data")) == Halt("enough", is_reducing=True)
    said = CliRunner().invoke(main, ["--home", home, "halt", "--reduce", "--reset", "both"])
    assert said.exit_code == 2


def test_a_halt_stays_one_though_somebody_asks_for_less(store):
    halt(store, Halt("news"))
    halt(store, Halt("enough", is_reducing=True))
    assert halted(store) == Halt("news")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"REDUCING: copied", b"\n", b"stop"])
def test_a_file_made_by_hand_halts_whatever_it_says(store, content):
    store.home.mkdir(parents=True)
    (store.home / "HALTED").write_bytes(content)
    why = halted(store)
    assert why.reason
    assert not why.is_reducing
    halt(store, Halt("REDUCING"))
    assert halted(store) == Halt("REDUCING")


def test_a_folder_of_that_name_halts_too(store):
    (store.home / "HALTED").mkdir(parents=True)
    assert halted(store) == Halt("halted")


def test_a_halt_of_an_account_is_of_nobody_else(store):
    persist(store, Halt("daily loss", is_reducing=True), "mine")
    assert halted(store, "mine") == Halt("daily loss", is_reducing=True, source="guard")
    assert halted(store) is halted(store, "other") is None
    halt(store, Halt("news"))
    assert halted(store, "mine") == Halt("news")
    reset(store, "read it")
    assert halted(store, "mine") is None


def test_telling_a_session_that_nobody_records_is_one_sentence(tmp_path):
    home = tmp_path / "data"
    Store(home).create_session("left", mode=Mode.PAPER, created_ns=1)
    said = CliRunner().invoke(main, ["--home", str(home), "tell", "left", "add", "NVDA"])
    assert said.exit_code == 2
    assert "left is not being recorded" in said.output
    said = CliRunner().invoke(main, ["--home", str(home), "tell", "left", "add"])
    assert said.exit_code == 2
    assert "name one or more" in said.output
