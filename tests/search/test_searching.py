"""Searching for parameters: a search that was killed is the search that was not, its studies are kept, listed and told apart."""

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
from search_samples import FILE, RANGES, SEARCH, bench, here, searched

from pipeline.cli import main
from pipeline.errors import ConfigError, LockedError, NotFoundError, TapeError
from pipeline.log import proved
from pipeline.log.backtests import backtests
from pipeline.log.check import check
from pipeline.log.store import Store
from pipeline.log.studies import BATCH, Trials, batches_by_study, studies
from pipeline.run import optimizing
from pipeline.run.cell import run_job
from pipeline.run.engines import EngineChoice
from pipeline.run.optimizing import best_of
from pipeline.run.sweeping import space_of


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


def test_another_study_of_the_same_id_is_refused(done, space, monkeypatch):
    (study,) = studies(done)
    asked = optimizing._asked
    monkeypatch.setattr(optimizing, "_asked", lambda *words: msgspec.structs.replace(asked(*words), id=study.id))
    with pytest.raises(ConfigError, match=f"{study.id}: another study has this id; `tape studies delete {study.id}`"):
        searched(done, space, msgspec.structs.replace(SEARCH, seed=8))
    assert len(searched(done, space, created_ns=2)[1]) == 9


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


def test_what_another_command_deletes_meanwhile_is_left_out(done, space, monkeypatch):
    searched(done, space, msgspec.structs.replace(SEARCH, seed=8))
    both = studies(done)
    gone, stays = (study.id for study in both)
    asked = [each.id for each in backtests(done)]
    batches = Trials(done, gone).batches
    read = proved.read

    def deleted_before(path, form):
        if path.parent.name in {gone, asked[0]}:
            shutil.rmtree(path.parent, ignore_errors=True)
        return read(path, form)

    monkeypatch.setattr(proved, "read", deleted_before)
    with pytest.raises(NotFoundError, match=f"{gone}: no such study"):
        batches()
    assert [study.id for study in studies(done)] == [stays]
    assert [each.id for each in backtests(done)] == asked[1:]
    monkeypatch.setattr("pipeline.log.studies.studies", lambda _: both)
    assert [study.id for study, _ in batches_by_study(done)] == [stays]


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
