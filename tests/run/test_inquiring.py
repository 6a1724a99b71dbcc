"""Providers asked over loopback: pages, refusals, and what is kept of it."""

import json

import pyarrow as pa
import pytest
from click.testing import CliRunner
from reference_server import MASSIVE, serving

from pipeline.cli import main
from pipeline.errors import ConfigError
from pipeline.feeds import history
from pipeline.log.store import Store
from pipeline.normalize.reference_tables import moment_of
from pipeline.run.generating import record_generated
from pipeline.run.inquiring import inquire
from pipeline.run.picking import import_picks
from pipeline.run.referencing import facts_of
from pipeline.run.strategies import plan_of
from pipeline.simulator.generate import Day

NOW_NS = moment_of("2026-11-20T13:00:00Z")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("pipeline.feeds.history.TRY_AGAIN_S", 0.0)


def test_massive_is_asked_page_after_page_at_its_own_address(store):
    with serving(MASSIVE) as (server, url):
        answered = inquire(store, "massive", ["abcd"], now_ns=lambda: NOW_NS, url=url)
    assert answered == ((6, 0), [])
    assert {fact.field for fact in facts_of(store)} == {
        "security_type",
        "shares_outstanding",
        "float_shares",
        "split_ratio",
        "previous_close",
    }
    assert [fact.value for fact in facts_of(store) if fact.field == "split_ratio"] == [3.0, 2.0]
    assert {fact.known_at_ns for fact in facts_of(store)} == {NOW_NS}
    assert len(server.asked) == 5
    assert all(headers["Authorization"] == "Bearer simulated" for _, _, headers in server.asked)
    assert any("adjusted=false" in path for path, _, _ in server.asked)


def test_asked_again_only_changes_are_written(store):
    with serving(MASSIVE) as (_, url):
        inquire(store, "massive", ["ABCD"], now_ns=lambda: NOW_NS, url=url)
        again = inquire(store, "massive", ["ABCD"], now_ns=lambda: NOW_NS + 1, url=url)
    assert again.kept == (0, 6)


def test_what_one_inquiry_lacks_does_not_keep_the_others_from_being_kept(store):
    answers = {**MASSIVE, "/stocks/vX/float": b"<html>", "/v3/reference/splits": None}
    with serving(answers) as (_, url):
        answered = inquire(store, "massive", ["ABCD"], now_ns=lambda: NOW_NS, url=url)
    assert answered.kept.written == 3
    assert len(answered.failed) == 2
    assert "massive /stocks/vX/float ABCD: massive: answer: is no JSON object" in answered.failed[0]
    assert "HTTP status 404" in answered.failed[1]


def test_a_busy_server_is_asked_again(store):
    with serving(MASSIVE, statuses=[429, 503]) as (_, url):
        assert inquire(store, "massive", ["ABCD"], now_ns=lambda: NOW_NS, url=url).failed == []
    with serving(MASSIVE, statuses=[503] * 4 * history.TRIES) as (_, url):
        assert len(inquire(store, "massive", ["ABCD"], now_ns=lambda: NOW_NS, url=url).failed) == 4


def test_alpaca_is_asked_for_assets_and_splits(store):
    pages = {
        "/v2/assets/ABCD": {"symbol": "ABCD", "shortable": True, "status": "active"},
        "/v2/assets/WXYZ": {"symbol": "WXYZ", "shortable": False, "status": "inactive"},
        "/v1/corporate-actions": lambda path: {
            "corporate_actions": {
                "reverse_splits": [{"symbol": "ABCD", "ex_date": "2026-11-18", "new_rate": 1, "old_rate": 50}]
            },
            "next_page_token": None if "page_token" in path else "more",
        },
    }
    with serving(pages) as (server, url):
        answered = inquire(store, "alpaca", ["ABCD", "WXYZ"], now_ns=lambda: NOW_NS, url=url)
    assert answered.failed == []
    assert [fact.value for fact in facts_of(store, ["ABCD"]) if fact.field == "split_ratio"] == [0.02]
    assert len([path for path, _, _ in server.asked if "symbols=ABCD%2CWXYZ" in path]) == 2
    assert all(headers["APCA-API-SECRET-KEY"] == "simulated" for _, _, headers in server.asked)


def test_databento_is_asked_by_forms_and_answers_packed(store, shared_data):
    folder = shared_data / "databento" / "databento-python" / "REFERENCE"

    def packed(name):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            out.write((folder / name).read_bytes())
        return sink.getvalue().to_pybytes()

    answers = {
        "/v0/security_master.get_last": packed("test_data.security-master.jsonl"),
        "/v0/corporate_actions.get_range": packed("test_data.corporate-actions.jsonl"),
    }
    with serving(answers) as (server, url):
        answered = inquire(store, "databento", ["AAPL_KZ", "BOMO"], now_ns=lambda: NOW_NS, url=url)
    assert answered.failed == []
    assert {fact.symbol for fact in facts_of(store)} == {"AAPL_KZ", "BOMO", "BRQS"}
    assert "symbols=AAPL_KZ%2CBOMO" in server.asked[0][1]
    with serving({path: body[:-9] for path, body in answers.items()}) as (_, url):
        failed = inquire(store, "databento", ["AAPL_KZ"], now_ns=lambda: NOW_NS, url=url).failed
    assert len(failed) == 2
    assert "damaged or cut" in failed[0]


def test_who_can_not_be_asked_is_told(store, monkeypatch):
    with pytest.raises(ConfigError, match="there are massive, alpaca, databento"):
        inquire(store, "fmp", ["A"], now_ns=lambda: NOW_NS)
    with pytest.raises(ConfigError, match="name at least one"):
        inquire(store, "massive", [" "], now_ns=lambda: NOW_NS)
    with pytest.raises(ConfigError, match="--symbols"):
        inquire(store, "massive", ["A\n"], now_ns=lambda: NOW_NS)
    monkeypatch.delenv("MASSIVE_API_KEY", raising=False)
    monkeypatch.setattr("pipeline.run.keys._in_keyring", lambda _: None)
    with pytest.raises(ConfigError, match="no MASSIVE_API_KEY"):
        inquire(store, "massive", ["A"], now_ns=lambda: NOW_NS)


def test_the_command_asks_and_shows(store):
    with serving(MASSIVE) as (_, url):
        words = ["reference", "fetch", "--provider", "massive", "--symbols", "ABCD", "--url", url]
        fetched = CliRunner().invoke(main, ["--home", str(store.home), *words])
    assert fetched.exit_code == 0, fetched.output
    assert fetched.output == "6 new facts; 0 were known\n"
    shown = CliRunner().invoke(main, ["--home", str(store.home), "reference", "show", "abcd"])
    assert "  float_shares        4,200,000               massive, of 2026-11-13, known " in shown.output
    nothing = CliRunner().invoke(main, ["--home", str(store.home), "reference", "show", "NONE"])
    assert "nothing is known of NONE" in nothing.output


@pytest.mark.parametrize("words", [["--from-scan", "2026-11-20"], ["--session", "last"]])
def test_what_was_picked_and_what_a_session_holds_can_be_asked_about(store, tmp_path, words):
    picks = tmp_path / "picks.csv"
    picks.write_text("date,symbol\n2026-11-20,ABCD\n")
    import_picks(store, picks, list_name="mine", now_ns=1)
    record_generated(store, Day(quotes=50, instruments=1), plan_of([], [], []), [], created_ns=1)  # of ABCD, too
    with serving(MASSIVE) as (_, url):
        asked = ["reference", "fetch", "--provider", "massive", "--url", url]
        fetched = CliRunner().invoke(main, ["--home", str(store.home), *asked, *words])
    assert (fetched.exit_code, fetched.output) == (0, "6 new facts; 0 were known\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "say one of --symbols NAMES, --from-scan DAY, --session ID"),
        (["--symbols", "A", "--session", "last"], "say one of --symbols NAMES, --from-scan DAY, --session ID"),
        (["--from-scan", "2026-11-20"], "nothing was picked then"),
        (["--session", "last"], "names nothing in"),
    ],
)
def test_who_is_asked_about_must_be_said(store, words, told):
    ran = CliRunner().invoke(main, ["--home", str(store.home), "reference", "fetch", "--provider", "massive", *words])
    assert ran.exit_code == 2
    assert told in ran.output


def test_a_table_and_a_provider_that_disagree_are_shown_with_the_rule(store, tmp_path):
    table = tmp_path / "floats.csv"
    table.write_text("symbol,float,sector,avg_volume,price\nABCD,30M,Tech,400000,4\nBAD,x,,,\nWXYZ,1M,,,\n")
    words = ["reference", "import", str(table), "--provider", "mine", "--as-of", "2026-11-14"]
    imported = CliRunner().invoke(main, ["--home", str(store.home), *words])
    assert "4 new facts of 2 symbols; 0 were known" in imported.output
    assert "not read: price" in imported.output
    assert "row 2 refused: float_shares: 'x' is no number" in imported.output
    with serving(MASSIVE) as (_, url):
        inquire(store, "massive", ["ABCD"], now_ns=lambda: NOW_NS, url=url)
    shown = CliRunner().invoke(main, ["--home", str(store.home), "reference", "show", "ABCD"]).output
    assert "but 4,200,000, massive, of 2026-11-13" in shown
    assert "mine speaks of the latest day" in shown
    assert "  average_daily_volume 400,000 " in shown
    preferred = ["reference", "show", "ABCD", "--prefer", "massive", "--json"]
    told = json.loads(CliRunner().invoke(main, ["--home", str(store.home), *preferred]).output)["US"]["float_shares"]
    assert (told["said"], told["is_disputed"], told["others"][0]["stated"]) == (4.2e6, True, 30e6)
