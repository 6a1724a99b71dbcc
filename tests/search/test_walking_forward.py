"""Walking forward: windows that keep apart, what is chosen in sample counted out of it, what others tried there told."""

import shutil

import msgspec
import pytest
from click.testing import CliRunner
from search_samples import FILE, SEARCH, bench, here, searched

from pipeline.cli import main
from pipeline.errors import ConfigError
from pipeline.log.store import day_of
from pipeline.log.studies import Trials, studies
from pipeline.run.sweeping import space_of
from pipeline.run.walking import cells_of, walk_forward
from pipeline.run.windows import windows

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
