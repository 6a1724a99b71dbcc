"""The kill switch, over the control socket of a session that is really being recorded."""

import threading

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.codes import Kind, RequestAction
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.halting import halt, halted, reset
from pipeline.run.recording import opened


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def test_a_store_without_sessions_can_be_halted_and_reset(store):
    assert halted(store) is None
    assert halt(store, "news") == []
    assert halted(store) == "news"
    assert reset(store) == []
    assert halted(store) is None
    assert reset(store) == []


def test_a_session_that_is_recorded_hears_of_it_and_one_that_nobody_records_is_passed_by(store):
    store.create_session("left", mode=Mode.PAPER, created_ns=1)
    manifest = store.create_session("live", mode=Mode.PAPER, created_ns=2)
    with opened(store, manifest, None) as recorder:
        recorder.session_ns = 10
        recorder.say([{"action": 0}])
        results = []

        def ask():
            results.extend(halt(store, "news"))

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
    assert halted(Store(tmp_path / "data")) == "news"
    said = CliRunner().invoke(main, ["--home", home, "halt", "--reset", "--json"])
    assert said.output == '{"halted":false,"sessions":[]}\n'


def test_telling_a_session_that_nobody_records_is_one_sentence(tmp_path):
    home = tmp_path / "data"
    Store(home).create_session("left", mode=Mode.PAPER, created_ns=1)
    said = CliRunner().invoke(main, ["--home", str(home), "tell", "left", "add", "NVDA"])
    assert said.exit_code == 2
    assert "left is not being recorded" in said.output
    said = CliRunner().invoke(main, ["--home", str(home), "tell", "left", "add"])
    assert said.exit_code == 2
    assert "name one or more" in said.output
