"""Backtests: the same rows from any number of workers as replays give, through kills and interrupts, nothing run twice."""

import re
import shutil
import signal
import subprocess
import sys
import time

import msgspec
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.errors import ConfigError, LockedError
from pipeline.log import cache, hot
from pipeline.log.backtests import PART, Results, backtests
from pipeline.log.check import check
from pipeline.log.store import Store
from pipeline.run import backtesting, strategies
from pipeline.run.backtesting import backtest
from pipeline.run.crew import Crew
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.sweeping import grid_of
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, MINUTE_NS
from warehouse import connect

FILE = strategy_file("ema_cross")
SWEEPS = ("fast=3,5", "slow=9:27:9")
DEADLY = """
    if p.slow == 27 and not Path({marker!r}).exists():
        Path({marker!r}).touch()
        os.kill(os.getpid(), 9)
"""
HELD_UP = """
    while p.fast > 8 and not Path({marker!r}).exists():
        time.sleep(0.01)
"""
STOPPING = """
    if p.slow == 27:
        s.fast.value = 1.0 / (p.slow - 27.0)
"""
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import pipeline.cli; "
    "from pipeline.run import strategies; strategies.breaches_of = lambda *_: []; pipeline.cli.main()"
)
"""`tape`, by whomever it is started: a job in the background of a shell has Ctrl-C turned off. It lets in what waits."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store of three days."""
    store = Store(tmp_path_factory.mktemp("store"))
    plan = plan_of([FILE], [], [])
    for seed in (1, 2, 3):
        day = Day(
            seed=seed, quotes=300, instruments=2, lasts_ns=20 * MINUTE_NS, starts_ns=Day().starts_ns + seed * DAY_NS
        )
        record_generated(store, day, plan, [FILE], created_ns=seed)
    return store


@pytest.fixture
def store(recorded, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "1")
    return Store(shutil.copytree(recorded.home, tmp_path / "store"))


def run(store, *, files=(FILE,), sweeps=SWEEPS, sessions=("all",), workers=1, speed=Speed.INTERPRETED, **options):
    grid = grid_of(files, (), (), sweeps)
    return backtest(
        store, store.select(sessions), grid, files, created_ns=1, workers=workers, speed=speed, **options
    )  # fmt: skip


def timeless(rows):
    return [msgspec.structs.replace(row, seconds=0.0) for row in rows]


def strategy_that(tmp_path, name, lines):
    """`ema_cross` that does this as well with every quote."""
    text, line, rest = FILE.read_text().partition("    if not quote.ask >= quote.bid:")
    imports = "import os\nimport time\nfrom pathlib import Path\n" if "Path" in lines else ""
    path = tmp_path / f"{name}.py"
    path.write_text(
        text.replace("from enum import IntEnum\n", f"{imports}from enum import IntEnum\n") + lines + line + rest
    )
    return path


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """A strategy that kills its process over one cell, once. It stands for whatever may kill one, so it is let in."""
    monkeypatch.setattr(strategies, "breaches_of", lambda *_: [])
    return strategy_that(tmp_path, "deadly", DEADLY.format(marker=str(tmp_path / "killed")))


def test_one_worker_and_three_give_the_rows_of_replays(store, tmp_path):
    other = Store(shutil.copytree(store.home, tmp_path / "other"))
    one, three = run(store, workers=1), run(other, workers=3)
    assert timeless(one.rows) == timeless(three.rows)
    assert one.backtest == three.backtest
    assert [(row.session, row.cell) for row in one.rows] == [
        (session.id, cell) for session in store.sessions() for cell in range(1, 7)
    ]
    for row in one.rows[::5]:
        params = [f"{name}={value}" for name, value in row.params.items()]
        replayed = replay(store, row.session, plan_of([FILE], params, []), [FILE], created_ns=2)
        assert (row.decisions_hash, row.state_hash) == (replayed.decisions_hash, replayed.state_hash)
        assert (row.events, row.intents, row.fills) == (replayed.events, replayed.intents, replayed.fills)
        assert (row.refused_by, row.invalid_by) == (replayed.refused_by, replayed.invalid_by)
        assert row.open_positions == replayed.trades_open
        if not row.open_positions:
            assert row.net_profit_nano / 1e9 == pytest.approx(replayed.realized, abs=1e-6)
    assert sum(row.fills for row in one.rows) > 20


def test_compiled_and_interpreted_are_the_same_cells(store, tmp_path):
    other = Store(shutil.copytree(store.home, tmp_path / "other"))
    plainly = run(store, sweeps=["fast=3,5"], sessions=["last"])
    fast = run(other, sweeps=["fast=3,5"], sessions=["last"], speed=Speed.COMPILED)
    assert (plainly.speed, fast.speed) == (Speed.INTERPRETED, Speed.COMPILED)
    assert timeless(plainly.rows) == timeless(fast.rows)


def test_bars_of_every_size_are_cells_of_their_own(store):
    file = strategy_file("opening_range")
    params = ["open_minute=480", "minutes=5"]
    grid = grid_of([file], params, (), ["bars=1m,2m"])
    session = store.find_one("last")
    outcome = backtest(store, [session], grid, [file], created_ns=1, workers=1)
    assert [row.params["bars"] for row in outcome.rows] == ["1m", "2m"]
    assert len({row.key for row in outcome.rows}) == 2
    for row in outcome.rows:
        plan = plan_of([file], [*params, f"bars={row.params['bars']}"], [])
        replayed = replay(store, session.id, plan, [file], created_ns=2)
        assert (row.decisions_hash, row.state_hash) == (replayed.decisions_hash, replayed.state_hash)
    assert len({row.state_hash for row in outcome.rows}) == 2
    assert connect(store.home).sql("select bars from cells order by cell").fetchall() == [("1m",), ("2m",)]


def test_rows_say_what_the_risk_gate_and_the_desk_refused(store):
    path = strategy_file("ema_cross")
    grid = grid_of([path], ["fast=3"], ["order_notional_max=5000"], ["notional=0,1000,10000"])
    none, some, all_ = backtest(store, store.select(["last"]), grid, [path], created_ns=1, workers=1).rows
    assert (none.refused, some.refused) == (0, 0)
    assert all_.refused_by == {"order_notional": all_.refused}
    assert (all_.fills, all_.invalid) == (0, 0)
    replayed = replay(store, "last", grid.plans[2], [path], created_ns=2)
    assert (replayed.refused_by, replayed.invalid_by) == (all_.refused_by, all_.invalid_by)
    query = "select coalesce(refused_by['order_notional'], 0) from cells order by cell"
    assert connect(store.home).sql(query).fetchall() == [(0,), (0,), (all_.refused,)]


def test_sessions_of_several_cells_are_decoded_once(store):
    run(store, sweeps=["fast=3,5"], sessions=["last 2"])
    assert [hot.has(store, session.id) for session in store.sessions()] == [False, True, True]


def test_what_was_done_is_not_done_again(store):
    first = run(store, sessions=["last 2"])
    again = run(store, sessions=["last 2"])
    assert (again.backtest, again.done_before, again.speed) == (first.backtest, len(first.rows), None)
    assert again.rows == first.rows
    more = run(store, sweeps=["fast=3,5,8", "slow=9:27:9"])
    assert more.backtest != first.backtest
    assert more.done_before == len(first.rows)
    assert {row.key for row in first.rows} < {row.key for row in more.rows}
    assert [row.params["fast"] for row in more.rows[:9]] == [3, 3, 3, 5, 5, 5, 8, 8, 8]


@pytest.mark.parametrize("keep_runs", [False, True])
def test_two_sessions_of_one_content_have_a_row_each(store, keep_runs):
    day = Day(seed=1, quotes=300, instruments=2, lasts_ns=20 * MINUTE_NS, starts_ns=Day().starts_ns + DAY_NS)
    twin = record_generated(store, day, plan_of([FILE], [], []), [FILE], created_ns=9).id
    outcome = run(store, sweeps=["fast=3,5"], keep_runs=keep_runs)
    assert (outcome.copied, len(outcome.rows)) == (0 if keep_runs else 2, 8)
    first, second = ([row for row in outcome.rows if row.session == id_] for id_ in (store.sessions()[0].id, twin))
    assert [row.key for row in first] == [row.key for row in second]
    assert len({row.run for row in outcome.rows}) == (8 if keep_runs else 1)
    again = run(store, sweeps=["fast=3,5"], keep_runs=keep_runs)
    assert (again.done_before, again.speed, again.rows) == (8, None, outcome.rows)


def test_other_settings_and_other_code_are_other_cells(store, tmp_path):
    first = run(store, sessions=["last"])
    changed = tmp_path / "ema_cross.py"
    changed.write_text(FILE.read_text().replace("* 0.5", "* 0.500"))
    assert run(store, sessions=["last"], files=[changed]).done_before == 0
    grid = grid_of([FILE], (), ["fee_bps=1"], SWEEPS)
    fees = backtest(store, store.select(["last"]), grid, [FILE], created_ns=1, workers=1)
    assert fees.done_before == 0
    assert sum(row.fees_nano for row in fees.rows) > sum(row.fees_nano for row in first.rows) == 0


def test_another_backtest_of_the_same_id_is_refused(store, monkeypatch):
    monkeypatch.setattr("pipeline.run.backtesting._id_of", lambda *_: "b-same")
    run(store, sweeps=["fast=3"], sessions=["last"])
    with pytest.raises(ConfigError, match="b-same: another backtest has this id; `tape backtests delete b-same`"):
        run(store, sweeps=["fast=5"], sessions=["last"])
    assert run(store, sweeps=["fast=3"], sessions=["last"]).done_before == 1


def test_a_killed_worker_is_told_and_its_cell_run_again(store, deadly):
    told = []
    outcome = run(store, files=[deadly], sessions=["last"], told=told.append, keep_runs=True, workers=2)
    assert len(outcome.rows) == 6
    assert not outcome.failed
    assert {made.id for made in store.runs()} == {row.run for row in outcome.rows}
    assert any("killed by signal 9" in text for text in told)
    unharmed = run(store, files=[deadly], sessions=["last"])
    assert unharmed.rows == outcome.rows


def test_a_worker_that_died_while_it_had_nothing_to_do_is_told_and_another_one_takes_its_place(store, monkeypatch):
    next_job, killed, told = Crew._next, [], []

    def next_after_a_death(crew, jobs):
        for worker in [] if killed else crew._workers:
            worker._process.kill()
            killed.append(worker._process.wait())
        return next_job(crew, jobs)

    monkeypatch.setattr(Crew, "_next", next_after_a_death)
    outcome = run(store, sessions=["last"], told=told.append, workers=1)
    assert killed == [-signal.SIGKILL]
    assert len([text for text in told if "killed by signal 9; another one takes its place" in text]) == 1
    assert len(outcome.rows) == 6
    assert not outcome.failed


def test_a_cell_that_kills_every_worker_is_given_up_and_the_others_go_on(store, deadly, tmp_path):
    deadly.write_text(deadly.read_text().replace(".touch()", ".parent.exists()"))
    outcome = run(store, files=[deadly], sessions=["last"], workers=2)
    assert [row.params["slow"] for row in outcome.rows] == [9, 18, 9, 18]
    assert len(outcome.failed) == 2
    assert all("slow=27" in cell and "died 2 times" in why for cell, why in outcome.failed.items())
    (tmp_path / "killed").touch()
    assert len(run(store, files=[deadly], sessions=["last"]).rows) == 6


def test_a_cell_that_does_not_end_is_told(store, tmp_path, monkeypatch):
    monkeypatch.setattr(strategies, "breaches_of", lambda *_: [])
    monkeypatch.setattr(backtesting, "_SILENT_S", 0.2)
    marker = tmp_path / "goes on"
    path = strategy_that(tmp_path, "held", HELD_UP.format(marker=str(marker)))
    told = []

    def tell(text):
        told.append(text)
        if "fast=9" in text:
            marker.touch()

    outcome = run(store, files=[path], sweeps=["fast=3,9", "slow=18"], sessions=["last"], told=tell)
    assert len(outcome.rows) == 2
    assert re.fullmatch(r"no cell was done for \d+ s, \S+ fast=9 .*slow=18.* is under way; Ctrl-C ends it.*", told[-1])


def test_a_damaged_session_fails_alone(store):
    broken = store.find_one("last")
    hot.clear(store)
    (part,) = [part for part in broken.parts if part.kind == "quote"]
    path = store.folder(broken.id) / part.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    outcome = run(store, sweeps=["fast=3,5"])
    assert len(outcome.rows) == 4
    assert len(outcome.failed) == 2
    assert all(broken.id in cell and "damaged" in why for cell, why in outcome.failed.items())


def test_a_strategy_that_stops_is_a_result(store, tmp_path):
    path = strategy_that(tmp_path, "failing", STOPPING)
    outcome = run(store, files=[path], sweeps=["slow=27"], sessions=["last"])
    assert "division by zero" in outcome.rows[0].stopped[0]


def test_whole_logs_are_kept_on_request(store):
    without = run(store, sweeps=["fast=3,5"], sessions=["last"])
    outcome = run(store, sweeps=["fast=3,5"], sessions=["last"], keep_runs=True)
    assert outcome.done_before == 0
    assert outcome.backtest == without.backtest
    runs = {store.manifest(row.run).id: store.manifest(row.run) for row in outcome.rows}
    assert len(runs) == 2
    for row in outcome.rows:
        assert runs[row.run].state == "sealed"
        assert runs[row.run].decisions_hash == row.decisions_hash
        assert runs[row.run].strategies[0].params["fast"] == row.params["fast"]
    assert run(store, sweeps=["fast=3,5"], sessions=["last"], keep_runs=True).done_before == 2
    store.delete(outcome.rows[0].run)
    assert run(store, sweeps=["fast=3,5"], sessions=["last"], keep_runs=True).done_before == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_backtest_goes_on_where_it_was(store, tmp_path, how, monkeypatch):
    monkeypatch.setattr(strategies, "breaches_of", lambda *_: [])
    may_go_on = tmp_path / "go on"
    path = strategy_that(tmp_path, "slow", HELD_UP.format(marker=str(may_go_on)))
    words = ["--home", str(store.home), "backtest", "last", "--strategy", str(path), "--sweep", "fast=3:10:1"]
    words += ["--sweep", "slow=9,27", "--workers", "2", "--show", "0", "--interpreted"]
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *words], stderr=subprocess.PIPE, text=True)
    while not list(store.home.glob(f"backtests/*/{PART}")):
        time.sleep(0.005)
        assert process.poll() is None
    process.send_signal(how)  # while those at the end are held up
    try:
        process.wait(timeout=60)
    finally:
        may_go_on.touch()  # a worker that was left alone ends by it, and hangs up
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert ("the same command goes on" in said) is (how == signal.SIGINT)
    (asked,) = backtests(store)
    kept = Results(store, asked.id).rows()
    assert 0 < len(kept) < asked.rows == 16
    assert check(store).sound
    outcome = run(store, files=[path], sweeps=["fast=3:10:1", "slow=9,27"], sessions=["last"], workers=2)
    assert outcome.done_before == len(kept)
    assert len(outcome.rows) == 16
    assert {row.key: row for row in outcome.rows}.items() >= {row.key: row for row in kept}.items()
    assert len(list(store.home.glob(f"backtests/*/{PART}"))) == 1


def test_two_of_the_same_backtest_do_not_run_at_once(store):
    first = run(store, sweeps=["fast=3"], sessions=["last"])
    held = Results(store, first.backtest).hold()
    with pytest.raises(LockedError):
        run(store, sweeps=["fast=3"], sessions=["last"])
    held.release()


def test_a_backtest_that_is_deleted_meanwhile_is_in_nobodys_way(store, monkeypatch):
    run(store, sessions=["last"])
    asked = backtests(store)
    Results(store, asked[0].id).delete()
    monkeypatch.setattr("pipeline.log.backtests.backtests", lambda _: asked)
    assert len(run(store, sweeps=["fast=3"], sessions=["last"]).rows) == 1
    for words in (["backtests", "list"], ["sql", "select count(*) from cells"]):
        said = CliRunner().invoke(main, ["--home", str(store.home), *words])
        assert said.exit_code == 0, said.output


def test_an_unsealed_session_is_refused(store):
    from pipeline.provenance import Mode  # noqa: PLC0415 - beside its only use

    made = store.create_session("open", mode=Mode.IMPORT, created_ns=10)
    with pytest.raises(ConfigError, match=f"{made.id}: not sealed"):
        run(store)


def test_rows_are_asked_with_sql(store):
    outcome = run(store, sweeps=["fast=3,5"])
    query = "select session, params['fast'], net_profit_nano, decisions_hash from cells order by session, cell"
    found = connect(store.home).sql(query).fetchall()
    assert [(session, fast, int(net), digest) for session, fast, net, digest in found] == [
        (row.session, row.params["fast"], row.net_profit_nano, row.decisions_hash)
        for row in sorted(outcome.rows, key=lambda row: (row.session, row.cell))
    ]
    last = store.find_one("last").id
    assert connect(store.home, [last]).sql("select distinct session from cells").fetchall() == [(last,)]


def test_the_command_prints_the_best_first_and_one_object(store):
    words = ["--home", str(store.home), "backtest", "all", "--strategy", "ema_cross", "--sweep", "fast=3,5"]
    words += ["--workers", "1"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    profits = [float(line.split()[3].replace(",", "")) for line in shown.output.splitlines()[2:4]]
    assert profits == sorted(profits, reverse=True)
    told = CliRunner().invoke(main, [*words, "--json"])
    outcome = msgspec.json.decode(told.output.splitlines()[-1])
    assert (outcome["sessions"], outcome["cells"], outcome["done_before"]) == (3, 2, 6)
    listed = CliRunner().invoke(main, ["--home", str(store.home), "backtests", "list"]).output
    assert listed.startswith(outcome["backtest"])
    assert "6 of 6 rows" in listed
    seen = CliRunner().invoke(main, ["--home", str(store.home), "backtests", "show"]).output
    assert "swept       fast=3,5" in seen
    gone = CliRunner().invoke(main, ["--home", str(store.home), "backtests", "delete", "last", "--yes"])
    assert gone.exit_code == 0
    assert not backtests(store)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "names nothing"),
        (["all", "--sweep", "fats=1,2"], "did you mean fast"),
        (["2031-01-01..2031-02-01"], "names nothing"),
        (["all", "--compiled", "--interpreted"], "accepted is one of them"),
    ],
)
def test_what_is_asked_wrongly_is_told(store, words, said):
    result = CliRunner().invoke(main, ["--home", str(store.home), "backtest", *words, "--strategy", "ema_cross"])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (store.home / "backtests").exists()


def test_the_file_of_a_strategy_that_prints_does_not_tear_the_wire(store, tmp_path, monkeypatch):
    monkeypatch.setattr(strategies, "breaches_of", lambda *_: [])
    path = tmp_path / "loud.py"
    path.write_text(FILE.read_text().replace("strategy = Strategy(", 'print("loud")\nstrategy = Strategy('))
    assert len(run(store, files=[path], sweeps=["fast=3"], sessions=["last"]).rows) == 1
