"""What goes wrong is one clear line, an exit code, and nothing lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from commands import tape

from pipeline.errors import ConfigError, CorruptError, StrategyError
from pipeline.log.manifest import StrategyEntry
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.code import code_of
from pipeline.run.loading import load_strategy
from pipeline.run.strategies import plan_of, strategy_file
from warehouse import connect

MAPPING = "kind=quote symbol=TEST ts=timestamp unit=ms bid=bid ask=ask bid_size=bid_size ask_size=ask_size"


def process(home, *arguments):
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def quotes(path, rows):
    lines = ["timestamp,bid,ask,bid_size,ask_size"]
    lines += [
        f"{1_700_000_000_000 + i * 10},{10 + i % 7 / 100:.2f},{10.05 + i % 5 / 100:.2f},100,200" for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    home = tmp_path_factory.mktemp("store")
    path = quotes(home / "quotes.csv", 101_000)
    done = tape(home, "import", path, "--map", MAPPING, "--name", "big", "--json")
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout.splitlines()[-1])


def strategy(tmp_path, body, name="mine"):
    path = tmp_path / f"{name}.py"
    text = strategy_file("hold").read_text().replace('"hold",', f'"{name}",')
    path.write_text(text.replace("    if s.phase == Phase.WAITING", f"    {body}\n    if s.phase == Phase.WAITING"))
    return path


def test_a_long_import_without_strategies_verifies(imported):
    home, facts = imported
    assert facts["kinds"]["quote"] == 101_000
    done = tape(home, "verify", "big", "--json")
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, verdict["identical"], verdict["derived"]) == (0, True, 0)
    assert set(verdict) >= {"identical", "events", "decisions_hash", "first_difference", "same_code", "same_packages"}


def test_the_objects_of_json_have_the_promised_keys(imported):
    home, facts = imported
    assert set(facts) >= {"session", "events", "kinds", "first_ts", "last_ts", "refused"}
    done = tape(home, "replay", "big", "--strategy", "hold", "--json")
    run = json.loads(done.stdout.splitlines()[-1])
    assert set(run) >= {
        "run", "parents", "events", "intents", "fills", "seconds", "events_per_s", "state_hash", "decisions_hash",
    }  # fmt: skip
    report = json.loads(tape(home, "check", "--json").stdout.splitlines()[-1])
    assert set(report) >= {"sound", "sessions", "bytes", "damage"}
    assert report["sound"]
    assert not report["leftovers"]
    assert json.loads(tape(home, "sessions", "list", "--json").stdout.splitlines()[-1])["sessions"][0]["id"] == "big"


def test_a_strategy_that_fails_is_told_and_the_exit_code_says_so(imported, tmp_path):
    home, _ = imported
    path = strategy(tmp_path, "s.phase // (s.phase - s.phase)")
    done = tape(home, "replay", "big", "--strategy", path, "--until", "22:14:00", "--json")
    run = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert "ZeroDivisionError" in run["stopped"][0]
    assert str(tmp_path) not in run["stopped"][0]
    assert tape(home, "verify", run["run"]).returncode == 0


def test_a_misspelt_member_is_refused_before_anything_runs(imported, tmp_path):
    home, _ = imported
    path = strategy(tmp_path, "quote.bidd", "misspelt")
    done = tape(home, "replay", "big", "--strategy", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}: line " in done.stderr
    assert "quote.bidd: Quote has no 'bidd'; did you mean 'bid'?" in done.stderr


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def broken(:\n", "line 1"),
        ("raise SystemExit(0)\n", "line 1"),
        ("x = 1\n", "none"),
        ("import nothing_of_that_name\n", "nothing_of_that_name"),
    ],
)
def test_a_file_that_is_no_strategy_is_refused_with_its_line(tmp_path, text, match):
    path = tmp_path / "odd.py"
    path.write_text(text)
    with pytest.raises(StrategyError, match=match):
        load_strategy(path)
    assert tape(tmp_path, "replay", "last", "--strategy", path).returncode == 2


def test_a_run_whose_session_was_deleted_says_so(tmp_path):
    home = tmp_path / "home"
    path = quotes(tmp_path / "quotes.csv", 500)
    assert tape(home, "import", path, "--map", MAPPING, "--name", "gone").returncode == 0
    assert tape(home, "replay", "gone", "--strategy", "hold").returncode == 0
    assert tape(home, "sessions", "delete", "gone", "--yes").returncode == 0
    for command in (["verify", "last-run"], ["state", "last-run", "--seq", "9"]):
        done = tape(home, *command)
        assert done.returncode == 2
        assert "r-hold-gone is a run over gone, which was deleted" in done.stderr
    assert tape(home, "sql", "select count(*) from intents").returncode == 0
    assert tape(home, "check").returncode == 0


def test_an_import_that_is_interrupted_says_how_it_goes_on(tmp_path):
    home = tmp_path / "home"
    path = quotes(tmp_path / "quotes.csv", 200_000)
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import pipeline.cli; pipeline.cli.main()"
    command = [sys.executable, "-c", code, "--home", str(home), "import", str(path), "--map", MAPPING, "--name", "x"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any(segment.stat().st_size > 100_000 for segment in home.glob("sessions/x/journal/*.seg")):
        time.sleep(0.005)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert said == "interrupted: what x holds is kept; the same command with --resume x goes on behind it\n"
    done = tape(home, "import", path, "--map", MAPPING, "--resume", "x", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["session"] == "x"
    assert tape(home, "sql", "select count(*) from quotes", "--format", "csv").stdout.split()[-1] == "200000"


def test_one_strategy_twice_is_refused():
    with pytest.raises(ConfigError, match="strategy 'hold' is given twice; accepted is each name once"):
        plan_of([strategy_file("hold")] * 2, [], [])


def test_two_strategies_of_one_file_name_are_refused(tmp_path):
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(strategy(tmp_path / folder, "pass"))
    with pytest.raises(ConfigError, match="rename"):
        code_of(paths)


def test_a_module_beside_a_strategy_is_refused(tmp_path):
    (tmp_path / "beside.py").write_text("x = 1\n")
    path = tmp_path / "mine.py"
    path.write_text("import beside\n" + strategy_file("hold").read_text())
    with pytest.raises(ConfigError, match=r"line 1.*beside"):
        code_of([path])


def test_no_bytecode_is_left_in_a_log(imported):
    home, _ = imported
    process(home, "replay", "big", "--strategy", "hold", "--until", "22:14:00")
    assert process(home, "verify", "last-run").returncode == 0
    assert process(home, "verify", "last-run", "--apart").returncode == 0
    assert not list(home.rglob("*.pyc"))


def test_deleting_runs_never_deletes_a_session(imported):
    home, _ = imported
    done = tape(home, "runs", "delete", "big", "--yes")
    assert done.returncode == 2
    assert "is no run" in done.stderr
    assert Store(home).manifest("big")


def test_a_run_that_was_killed_is_no_answer(imported):
    home, _ = imported
    store = Store(home)
    plan = plan_of([strategy_file("hold")], [], [])
    run = store.create_run(
        "killed",
        mode=Mode.REPLAY,
        created_ns=1,
        parents=("big",),
        settings={"plan": {"strategies": [], "settings": plan.settings}},
    )
    try:
        assert tape(home, "verify", run.id).returncode == 2
        assert connect(home).sql("select * from sessions where run = 'r-killed'").fetchall() == []
    finally:
        store.delete(run.id)


def test_a_replay_killed_midway_leaves_no_run_and_no_damage(imported):
    home, _ = imported
    store = Store(home)
    before = [run.id for run in store.runs()]
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "replay", "big", "--strategy", "hold"]
    process = subprocess.Popen([*command, "--interpreted"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (left := store.half_made_runs()):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert [run.id for run in store.runs()] == before
    assert tape(home, "check").returncode == 0
    assert f"runs/{left.copy().pop()}" in tape(home, "check", "--json").stdout
    assert tape(home, "runs", "delete", left.pop(), "--yes").returncode == 0
    assert store.half_made_runs() == set()


def test_a_damaged_manifest_is_never_left_out_silently(tmp_path):
    tape(tmp_path, "import", quotes(tmp_path / "q.csv", 50), "--map", MAPPING, "--name", "small")
    path = tmp_path / "sessions" / "small" / "manifest.json"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptError):
        connect(tmp_path)
    assert tape(tmp_path, "sql", "select 1").returncode == 2
    assert "DAMAGED" in tape(tmp_path, "sessions", "list").stdout
    assert tape(tmp_path, "check").returncode == 1


def test_files_that_are_not_there_and_folders_that_are_none(tmp_path):
    told = tape(tmp_path, "sql", "nosuch.sql")
    assert told.returncode == 2
    assert "nosuch.sql: there is no such file of SQL here" in told.stderr
    (tmp_path / "file").write_text("")
    assert tape(tmp_path / "file", "import", quotes(tmp_path / "q.csv", 5), "--map", MAPPING).returncode == 2
    assert tape(tmp_path, "replay", "nothing", "--strategy", "hold").returncode == 2
    assert tape(tmp_path, "replay", "nothing", "--strategy", "hodl").returncode == 2


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_lists_and_infinities_come_out_in_every_form(tmp_path, form):
    done = tape(tmp_path, "sql", "select [1, 2] as a, 'inf'::double as b, 'x,\"y' as c", "--format", form)
    assert done.returncode == 0, done.stderr
    if form == "json":
        assert json.loads(done.stdout) == [{"a": [1, 2], "b": None, "c": 'x,"y'}]


def test_a_folder_that_a_crash_left_half_made_can_be_deleted(tmp_path):
    (tmp_path / "sessions" / "halfmade" / "journal").mkdir(parents=True)
    assert tape(tmp_path, "check").returncode == 0
    assert tape(tmp_path, "sessions", "delete", "halfmade", "--yes").returncode == 0
    assert not (tmp_path / "sessions" / "halfmade").exists()


def test_a_timer_grid_that_is_too_fine_is_refused_before_anything_is_made(tmp_path):
    path = quotes(tmp_path / "q.csv", 5)
    assert tape(tmp_path, "import", path, "--map", MAPPING, "--timer", "1ns").returncode == 2
    assert not (tmp_path / "sessions").exists()


NO_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
from pipeline.cli import main
main()
"""
"""The system refuses to let a file grow, as it does where a disk is full: with an error that names no file."""


def test_a_write_that_has_no_room_names_the_store(tmp_path):
    (tmp_path / "floats.csv").write_text("symbol,float\nABCD,5000000\n")
    words = ["--home", "mine", "reference", "import", "floats.csv", "--provider", "mylist", "--as-of", "2026-11-01"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(
        rf"tape: \[Errno \d+\] [A-Za-z ]+; the store is {re.escape(str(tmp_path / 'mine'))}\n", done.stderr
    )


def test_a_list_prints_no_word_that_a_terminal_would_obey(tmp_path):
    store = Store(tmp_path)
    entry = StrategyEntry(name="up\x1b[2J", params={"colour": "\x1b[31mred"}, code_hash="")
    store.create_session("day", mode=Mode.IMPORT, created_ns=1, strategies=(entry,))
    for words in (("sessions", "list"), ("sessions", "show", "day")):
        told = tape(tmp_path, *words)
        assert told.returncode == 0
        assert "up\N{REPLACEMENT CHARACTER}[2J" in told.stdout
        assert "\x1b" not in told.stdout
