"""Searching for parameters: a search that was killed is the search that was not, windows that keep apart, honest numbers."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hands_here import HandsHere, Here

from pipeline.cli import main
from pipeline.errors import ConfigError, LockedError, TapeError
from pipeline.log.backtests import TradeSums, backtests
from pipeline.log.check import check
from pipeline.log.store import Store, day_of
from pipeline.log.studies import BATCH, Trials, studies
from pipeline.run.backtesting import backtest
from pipeline.run.cell import run_job
from pipeline.run.engines import EngineChoice
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.judging import judge
from pipeline.run.optimizing import Bench, Search, best_of, optimize
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.sweeping import space_of
from pipeline.run.walking import cells_of, walk_forward
from pipeline.run.windows import before_the_last, check_apart, held_back, windows
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, MINUTE_NS

FILE = strategy_file("ema_cross")
RANGES = ("fast=3..12", "slow=9..40")
SEARCH = Search("profit", trades_min=2, trials=9, seed=7, batch=3)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store of four short days."""
    store = Store(tmp_path_factory.mktemp("store"))
    plan = plan_of([FILE], [], [])
    for seed in range(1, 5):
        starts_ns = Day().starts_ns + seed * DAY_NS
        day = Day(seed=seed, quotes=120, instruments=1, lasts_ns=20 * MINUTE_NS, starts_ns=starts_ns)
        record_generated(store, day, plan, [FILE], created_ns=seed)
    return store


def copied(store, home):
    """A store of its own over the same sessions, which nobody here changes."""
    home.mkdir()
    (home / "sessions").symlink_to(store.home / "sessions")
    for name in ("backtests", "studies"):
        if (store.home / name).is_dir():
            shutil.copytree(store.home / name, home / name)
    return Store(home)


@pytest.fixture
def store(recorded, tmp_path):
    return copied(recorded, tmp_path / "store")


@pytest.fixture(scope="module")
def space():
    return space_of([FILE], [], [], RANGES)


@pytest.fixture(scope="module")
def whole(recorded, tmp_path_factory, space):
    """The same store after a search that nobody disturbed, and its trials."""
    store = copied(recorded, tmp_path_factory.mktemp("whole") / "store")
    return store, searched(store, space)[1]


@pytest.fixture
def done(whole, tmp_path):
    """A copy of it."""
    return copied(whole[0], tmp_path / "done")


def bench(store, **changes):
    given = {"created_ns": 1, "speed": Speed.INTERPRETED, "engine": Here()} | changes
    return Bench(store, [FILE], **given)


def searched(store, space, search=SEARCH, sessions="last 2", progress=lambda _: None, **changes):
    return optimize(bench(store, **changes), space, store.select([sessions]), search, progress)


def here(monkeypatch):
    """Commands run cells in this process."""
    monkeypatch.setattr(
        "pipeline.run.optimizing.backtest", lambda *words, **options: backtest(*words, **options | {"engine": Here()})
    )


def files_of(store):
    return {path.name: path.read_bytes() for path in store.home.glob(f"studies/*/{BATCH}")}


def test_trials_are_cells_of_backtests_and_the_best_is_what_they_say(done, space):
    store = done
    study, trials = searched(store, space)
    assert [trial.number for trial in trials] == list(range(1, 10))
    assert all(trial.params == space.values_of(trial.point) for trial in trials)
    assert "notional" in study.params
    assert not study.params.keys() & space.axes.keys()
    best = best_of(trials)
    rows = bench(store).run(store.select(["last 2"]), space.chosen([best.point]), lambda _: None).rows
    assert best.net_profit_nano == sum(row.net_profit_nano for row in rows)
    assert best.value == pytest.approx(best.net_profit_nano / 1e9 / 2)
    assert best.value == max(trial.value for trial in trials if trial.value is not None)
    assert {asked.id for asked in backtests(store)} >= {batch.backtest for batch in Trials(store, study.id).batches()}
    assert [asked.id for asked in studies(store)] == [study.id]
    assert check(store).sound


def test_a_search_that_was_cut_short_goes_on_as_if_it_was_not(store, space, whole):
    """In the middle of a batch and between two; also where it is asked for fewer trials first."""
    undisturbed, expected = whole

    def cut(done):
        if done == 9:  # the second batch goes from 6 to 12 cells
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(store, space, progress=cut)
    assert len(files_of(store)) == 1
    assert searched(store, space, msgspec.structs.replace(SEARCH, trials=5))[1] == expected[:6]
    assert searched(store, space)[1] == expected
    assert files_of(store) == files_of(undisturbed)
    (folder,) = (store.home / "studies").iterdir()
    (folder / "batch-000003.json").unlink()
    (folder / "batch-000002.json").unlink()
    assert searched(store, space)[1] == expected
    assert files_of(store) == files_of(undisturbed)


def test_a_killed_search_goes_on_as_if_it_was_not(store, space, whole):
    """The process itself, by the command, whatever it was in the middle of; then on this engine instead of workers."""
    undisturbed, expected = whole
    words = ["--home", str(store.home), "optimize", "last 2", "--strategy", "ema_cross", "--trials", "40"]
    words += ["--batch", "3", "--seed", "7", "--trades-min", "2", "--workers", "1", "--interpreted"]
    words += [word for each in RANGES for word in ("--param", each)]
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", *words], stdout=subprocess.DEVNULL)
    while not files_of(store):
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert 0 < len(files_of(store)) < 10
    assert searched(store, space)[1] == expected
    assert {name: files_of(store)[name] for name in files_of(undisturbed)} == files_of(undisturbed)
    assert check(store).sound


def test_another_seed_is_another_study_and_known_cells_are_not_run_again(store, space):
    small = space_of([FILE], [], [], ["fast=3,5", "slow=9,27"])
    all_ = bench(store).run(store.select(["last"]), small.grid(), lambda _: None)
    assert all_.done_before == 0
    asked = []

    class Counting(Here, frozen=True):
        def hands(self, setup, count, told):
            asked.extend([count] if count else [])
            return super().hands(setup, count, told)

    ids = {
        searched(store, small, msgspec.structs.replace(SEARCH, seed=seed), "last", engine=Counting())[0].id
        for seed in (7, 8)
    }
    assert len(ids) == 2
    assert not asked


def test_two_of_the_same_search_do_not_run_at_once(done, space):
    (study,) = studies(done)
    held = Trials(done, study.id).hold()
    with pytest.raises(LockedError):
        searched(done, space)
    held.release()


def test_a_cell_that_failed_stops_the_search_and_no_batch_is_kept(store, space):
    class Failing(HandsHere):
        def run(self, jobs):
            for place, job in enumerate(jobs):
                yield job, "no" if place == 3 else run_job(Store(store.home), self._setup.code, job)

    class FailsHere(EngineChoice, frozen=True):
        def hands(self, setup, count, told):
            return Failing(setup)

    with pytest.raises(TapeError, match="no; the same command tries them again"):
        searched(store, space, engine=FailsHere())
    assert not files_of(store)


def test_a_strategy_that_stops_is_no_candidate_and_told(store, tmp_path, monkeypatch):
    here(monkeypatch)
    path = tmp_path / "failing.py"
    line = "    if not quote.ask >= quote.bid:"
    text = FILE.read_text()
    assert line in text
    path.write_text(text.replace(line, f"    if p.fast == 5:\n        s.fast.value = 1.0 / (p.fast - 5.0)\n{line}"))
    words = ["--home", str(store.home), "optimize", "last", "--strategy", str(path), "--trials", "8", "--batch", "8"]
    shown = CliRunner().invoke(main, [*words, "--trades-min", "0", "--param", "fast=3,5", "--param", "slow=27"])
    assert shown.exit_code == 0, shown.output
    assert "2 sets of parameters in 8 trials, 1 of them candidates" in shown.output
    assert "WARNING a strategy stopped with 1 of the sets" in shown.output
    assert "there are 2 sets of parameters: `tape backtest`" in shown.stderr


def test_damaged_and_missing_batches_are_found(done):
    store = done
    first, second, _ = sorted(store.home.glob(f"studies/*/{BATCH}"))
    kept = second.read_bytes()
    second.write_bytes(kept.replace(b"1", b"2", 1))
    assert [damage.file for damage in check(store).damage] == [second.relative_to(store.home).as_posix()]
    second.write_bytes(kept)
    first.unlink()
    assert [damage.file for damage in check(store).damage] == [first.relative_to(store.home).as_posix()]
    (study,) = studies(store)
    Trials(store, study.id).delete()
    assert check(store).sound
    assert not studies(store)


def test_beside_the_best_stands_what_it_is_worth(done, space, whole):
    store, trials = done, whole[1]
    inside, outside = store.select(["last 2"]), store.sessions()[:2]
    judged = judge(bench(store), space, inside, outside, SEARCH, trials)
    assert (judged.trials, judged.tried) == (9, len({trial.point for trial in trials}))
    (study,) = studies(store)
    judged = judge(bench(store), space, inside, outside, SEARCH, trials, study=study.id)
    assert (judged.deflated.tried, judged.elsewhere, judged.studies) == (judged.tried, 0, 0)
    assert judged.outside.sessions == 2
    rows = bench(store).run(outside, space.chosen([judged.best.point]), lambda _: None).rows
    assert judged.outside_value == pytest.approx(sum(row.net_profit_nano for row in rows) / 1e9 / 2)
    for each in judged.neighbourhood.neighbours:
        assert sum(each.params[name] != judged.best.params[name] for name in space.axes) == 1
    again = judge(bench(store), space, inside, outside, SEARCH, trials, study=study.id)
    assert again == judged  # what was run to judge is no try
    others = space_of([FILE], [], [], ["fast=2,5", "slow=400"]).grid()
    bench(store).run(inside[:1], others, lambda _: None)
    more = judge(bench(store), space, inside, outside, SEARCH, trials)
    assert (more.tried, more.elsewhere, more.deflated.tried) == (judged.tried, 2, judged.tried + 2)
    for fee in ("fee_bps=1", "fee_bps=3"):
        dear = space_of([FILE], [], [fee], ["fast=2,5", "slow=400"]).grid()
        bench(store).run(inside, dear, lambda _: None)
    dearer = judge(bench(store), space, inside, outside, SEARCH, trials)
    assert dearer.elsewhere == 2 + 2 * 2, "with other settings they are other tries, over two sessions one each"


def test_why_nothing_is_a_candidate_is_told(whole, space):
    store, trials = whole
    idle, failed = (
        msgspec.structs.replace(trials[0], value=None, trade_sums=TradeSums(), stopped=stopped) for stopped in (0, 1)
    )

    def told(*trials, objective="profit", trades_min=0):
        search = msgspec.structs.replace(SEARCH, objective=objective, trades_min=trades_min)
        with pytest.raises(ConfigError) as error:
            judge(bench(store), space, store.select(["last 2"]), (), search, trials)
        return str(error.value)

    many = [msgspec.structs.replace(trial, value=None) for trial in trials]
    few = "none of 9 trials is a candidate: 9 with fewer than 10,000 closed trades (see --trades-min)"
    assert told(*many, trades_min=10_000) == few
    said = told(idle, failed, failed, objective="trade")
    assert said == "none of 3 trials is a candidate: 2 with a strategy that stopped, 1 with no closed trade"
    assert told(idle, objective="sharpe").endswith("1 with no two closed trades that differ")


def test_it_is_as_many_tries_whether_it_was_judged_in_between_or_not(done, space, whole):
    trials, inside = whole[1], done.select(["last 2"])
    search = msgspec.structs.replace(SEARCH, batch=1)
    at_once = judge(bench(done), space, inside, (), search, trials)
    early = copied(whole[0], done.home.parent / "early")
    first = judge(bench(early), space, inside, (), search, trials[:1])
    assert first.best != at_once.best, "else there is nothing to see"
    assert judge(bench(early), space, inside, (), search, trials) == at_once
    assert at_once.elsewhere == 0


def test_out_of_sample_is_what_is_not_in_sample(store):
    sessions = store.select(["all"])
    assert [len(part) for part in held_back(sessions, 0.5)] == [2, 2]
    assert [len(part) for part in held_back(sessions, 0.01)] == [3, 1]
    with pytest.raises(ConfigError, match="of 1 sessions that leaves none in sample"):
        held_back(sessions[:1], 0.5)
    with pytest.raises(ConfigError, match="is in sample too"):
        check_apart(sessions[:3], sessions[2:])
    with pytest.raises(ConfigError, match=r"overlaps .* in sample in time"):
        longer = msgspec.structs.replace(sessions[0], last_ts_ns=sessions[1].first_ts_ns)
        check_apart([longer], sessions[1:])
    with pytest.raises(ConfigError, match="holds the same as"):
        twin = msgspec.structs.replace(sessions[0], id="twin", first_ts_ns=2, last_ts_ns=1)
        check_apart(sessions[:1], [twin])


def test_sessions_out_of_sample_that_lie_before_those_in_sample_are_told(done, monkeypatch):
    here(monkeypatch)
    first, *_, last = done.select(["all"])
    words = ["--home", str(done.home), "optimize", "last 2", "--strategy", "ema_cross", "--trials", "9", "--batch", "3"]
    words += ["--trades-min", "2", "--seed", "7", *(word for each in RANGES for word in ("--param", each))]
    shown = CliRunner().invoke(main, [*words, "--out-of-sample", first.id])
    assert "WARNING 1 of the sessions out of sample lie before the last one in sample" in shown.output
    assert [before_the_last([first, last], [each]) for each in done.select(["all"])[1:3]] == [1, 1]
    assert before_the_last([first], [last]) == 0


def test_without_optuna_one_line_says_how_to_get_it(store, space, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'tapeworks\[optimize\]'"):
        searched(store, space)
    assert not (store.home / "studies").exists()


def test_with_a_scanner_it_is_another_study(store):
    picky = Path(__file__).parents[2] / "scanners" / "top_volume.toml"
    few = msgspec.structs.replace(SEARCH, trials=1, batch=1, trades_min=0)
    found = [
        searched(store, space_of([FILE], [], [], ["fast=3,5"], scanners), few, "last") for scanners in ((), (picky,))
    ]
    ids, trials = zip(*found, strict=True)
    assert len({study.id for study in ids}) == 2
    assert {asked.scanner for asked in backtests(store)} == {"", "top_volume"}
    assert all(len(each) == 1 for each in trials)


def test_studies_are_listed_shown_and_deleted(done):
    (study,) = studies(done)
    said = [
        CliRunner().invoke(main, ["--home", str(done.home), "studies", *words]).output
        for words in (["list"], ["show"], ["show", "--json"], ["delete", "last", "--yes"], ["list"], ["show", "x"])
    ]
    assert said[0].startswith(f"{study.id}          9 trials  2 sessions  profit  fast 3..12, slow 9..40")
    assert "searched    fast=3..12, 10 values" in said[1]
    assert len(msgspec.json.decode(said[2])["trials"]) == 9
    assert said[3:5] == [f"deleted: {study.id}\n", ""]
    assert "'x' names 0 studies" in said[5]


def test_an_address_without_ray_is_refused(store):
    walk = ["walkforward", "all", "--in-sample", "1", "--out-of-sample", "1"]
    rest = ["--strategy", "ema_cross", "--param", "fast=3,5", "--address", "auto"]
    for words in (["optimize", "all"], walk):
        told = CliRunner().invoke(main, ["--home", str(store.home), *words, *rest])
        assert (told.exit_code, "add --engine ray" in told.stderr) == (2, True)


def test_nothing_to_look_for_is_told(store):
    with pytest.raises(ConfigError, match="nothing to look for"):
        searched(store, space_of([FILE], ["fast=3"], [], []))


def test_the_command_shows_the_best_and_what_stands_beside_it(store, monkeypatch):
    here(monkeypatch)
    words = ["--home", str(store.home), "optimize", "last 2", "--strategy", "ema_cross", "--trials", "5", "--batch"]
    words += ["4", "--trades-min", "2", "--out-of-sample", "0.5", "--param", "fast=3..12", "--param", "slow=9,27"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert "8 trials over 1 sessions; objective profit, seed 1" in shown.output
    for said in ("tried ", "in sample ", "out of sample ", "deflated Sharpe ", "beside it ", "mean by fast (down)"):
        assert said in shown.output
    assert "WARNING" in shown.output
    assert "there are 20 sets" not in shown.stderr
    told = msgspec.json.decode(CliRunner().invoke(main, [*words, "--json"]).output.splitlines()[-1])
    assert len(told["trials"]) == 8
    assert told["judgement"]["best"]["value"] == max(each["value"] or -1e9 for each in told["trials"])


SMALL = ("fast=3,8", "slow=9,27")


def test_windows_follow_one_another_and_never_overlap(store):
    sessions = store.select(["all"])
    parts = windows(sessions, 2, 1, 1)
    assert [([*map(sessions.index, a)], [*map(sessions.index, b)]) for a, b in parts] == [([0, 1], [2]), ([1, 2], [3])]
    assert [len(part.outside) for part in windows(sessions, 1, 2, 2)] == [2, 1]
    outside = [session.id for part in windows(sessions, 1, 1, 2) for session in part.outside]
    assert outside == [sessions[1].id, sessions[3].id]
    with pytest.raises(ConfigError, match="--step 1: sessions out of sample would count twice; accepted is 2"):
        windows(sessions, 2, 2, 1)
    with pytest.raises(ConfigError, match="4 sessions: --in-sample 4 leaves none out of sample; name at least 5"):
        windows(sessions, 4, 1, 1)
    with pytest.raises(ConfigError, match="overlaps"):
        windows([msgspec.structs.replace(session, first_ts_ns=1) for session in sessions], 2, 1, 1)


def test_a_walk_chooses_in_sample_and_counts_out_of_sample(store):
    space = space_of([FILE], [], [], SMALL)
    sessions = store.select(["last 4"])
    parts = windows(sessions, 2, 1, 1)
    search = msgspec.structs.replace(SEARCH, trades_min=0)
    counts = []
    walk = walk_forward(bench(store), space, parts, search, counts.append, tries_all=True)
    assert counts == sorted(counts)
    assert counts[-1] == cells_of(space, parts, search, tries_all=True) == 4 * 3 + 2
    rows = {(row.session, row.cell): row for row in bench(store).run(sessions, space.grid(), lambda _: None).rows}
    points = list(space.points())
    for part, stage in zip(parts, walk.stages, strict=True):
        inside = [sum(rows[each.id, cell].net_profit_nano for each in part.inside) for cell in range(1, 5)]
        chosen = inside.index(max(inside))
        assert stage.chosen.point == points[chosen]
        assert stage.chosen.net_profit_nano == max(inside)
        assert stage.result.net_profit_nano == rows[part.outside[0].id, chosen + 1].net_profit_nano
        assert (stage.tried, stage.deflated.tried) == (4, 4)
    assert walk.total.net_profit_nano == sum(stage.result.net_profit_nano for stage in walk.stages)
    assert walk.value == pytest.approx(walk.total.net_profit_nano / 1e9 / 2)
    first, second = (stage.chosen.point for stage in walk.stages)
    assert [each.changed for each in walk.jumps] == [int(a != b) for a, b in zip(first, second, strict=True)]
    assert [each.move for each in walk.jumps] == [abs(a - b) for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize("tries_all", [True, False])
def test_a_walk_counts_what_was_tried_elsewhere_over_its_sessions(store, tries_all):
    space = space_of([FILE], [], [], SMALL)
    sessions = store.select(["last 3"])
    parts = windows(sessions, 1, 1, 1)
    search = msgspec.structs.replace(SEARCH, trials=3, batch=3, trades_min=0)

    def walked():
        return walk_forward(bench(store), space, parts, search, lambda _: None, tries_all=tries_all)

    alone = walked()
    assert [stage.elsewhere for stage in alone.stages] == [0, 0]
    assert (alone.elsewhere, alone.studies) == (0, 0)
    assert walked() == alone, "what it left itself is no try of others"
    other = space_of([FILE], [], [], ["fast=2,4,5", "slow=400,500"])
    study, trials = searched(store, other, msgspec.structs.replace(search, seed=5), "last 3")
    tried = len({trial.point for trial in trials})
    bench(store).run(sessions[:1], space_of([FILE], [], ["fee_bps=3"], SMALL).grid(), lambda _: None)
    beside = walked()
    assert [stage.elsewhere for stage in beside.stages] == [tried + 4, tried]
    assert (beside.elsewhere, beside.studies) == (tried, 1)
    for before, after in zip(alone.stages, beside.stages, strict=True):
        assert after.deflated.tried == before.deflated.tried + after.elsewhere
        assert after.deflated.best_of_chance > before.deflated.best_of_chance
        assert after.result == before.result
    for batch in Trials(store, study.id).batches():
        shutil.rmtree(store.home / "backtests" / batch.backtest)
    assert [stage.elsewhere for stage in walked().stages] == [tried + 4, tried], "its trials tell of them"
    bench(store).run(sessions, other.chosen({trial.point for trial in trials}), lambda _: None)
    assert [stage.elsewhere for stage in walked().stages] == [tried + 4, tried], "of which rows tell again"


def test_trials_whose_rows_are_gone_are_told_apart_by_what_did_not_vary_too(store):
    sessions = store.select(["last 3"])
    search = msgspec.structs.replace(SEARCH, trials=3, batch=3, trades_min=0)
    tried = 0
    for size in ("notional=1000", "notional=2000"):
        _, trials = searched(store, space_of([FILE], [size], [], SMALL), search, "last 3")
        tried += len({trial.point for trial in trials})
    shutil.rmtree(store.home / "backtests")
    space = space_of([FILE], [], [], SMALL)
    walk = walk_forward(bench(store), space, windows(sessions, 1, 1, 1), search, lambda _: None, tries_all=True)
    assert [stage.elsewhere for stage in walk.stages] == [tried, tried]


def test_a_walk_may_search_and_trades_nothing_without_a_candidate(store):
    space = space_of([FILE], [], [], SMALL)
    parts = windows(store.select(["last 2"]), 1, 1, 1)
    search = msgspec.structs.replace(SEARCH, trials=4, batch=4, trades_min=0)
    walk = walk_forward(bench(store), space, parts, search, lambda _: None, tries_all=False)
    assert [stage.study for stage in walk.stages] == [study.id for study in studies(store)]
    none = msgspec.structs.replace(search, trades_min=10_000)
    walk = walk_forward(bench(store), space, parts, none, lambda _: None, tries_all=True)
    assert walk.stages[0].chosen is walk.stages[0].value is walk.inside_value is None
    assert walk.value == 0.0
    assert (walk.total.sessions, walk.total.trade_sums.count) == (1, 0)


def test_the_command_shows_each_window_and_what_is_out_of_sample(store, monkeypatch):
    here(monkeypatch)
    words = ["--home", str(store.home), "walkforward", "last 4", "--strategy", "ema_cross", "--in-sample", "2"]
    words += ["--out-of-sample", "1", "--trades-min", "0", "--param", "fast=3,8", "--param", "slow=27"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == [day_of(session) for session in store.select(["last 2"])]
    for said in ("net profit of a session", "fast changed ", "WARNING fewer than 30 trades out of sample in 2 of 2"):
        assert said in shown.output
    told = msgspec.json.decode(CliRunner().invoke(main, [*words, "--json"]).output.splitlines()[-1])
    assert [stage["tried"] for stage in told["stages"]] == [2, 2]
    assert "elsewhere" not in shown.output
    searched(
        store, space_of([FILE], [], [], ["fast=4,5", "slow=50"]), msgspec.structs.replace(SEARCH, trials=3), "last 4"
    )
    beside = CliRunner().invoke(main, words).output
    assert "more: sets of parameters tried elsewhere in this store" in beside
    said = "2 sets of parameters tried elsewhere saw sessions out of sample and 1 other study looked at sessions of this walk"
    assert f"WARNING {said}: " in beside
