"""Judging: beside the best stand how many were tried, what it comes to out of sample, and what looked there before."""

import msgspec
import pytest
from click.testing import CliRunner
from search_samples import FILE, RANGES, SEARCH, bench, copied, here

from pipeline.cli import main
from pipeline.errors import ConfigError
from pipeline.log.backtests import TradeSums
from pipeline.log.studies import studies
from pipeline.run.judging import judge
from pipeline.run.sweeping import space_of
from pipeline.run.windows import before_the_last, check_apart, held_back


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
    shown = searched_by_command(done, first)
    assert "WARNING 1 of the sessions out of sample lie before the last one in sample" in shown
    assert [before_the_last([first, last], [each]) for each in done.select(["all"])[1:3]] == [1, 1]
    assert before_the_last([first], [last]) == 0


def test_a_strategy_that_stops_out_of_sample_is_told(store, tmp_path, monkeypatch):
    here(monkeypatch)
    line = "    if not quote.ask >= quote.bid:"
    stops = f"    if ctx.now_ns >= {store.select(['last'])[0].first_ts_ns}:\n        s.fast.value = 1.0 / (p.fast - p.fast)\n"
    path = tmp_path / "failing.py"
    path.write_text(FILE.read_text().replace(line, f"{stops}{line}"))
    asked = ["last 2", "--strategy", str(path), "--trades-min", "0", "--param", "fast=3,5", "--param", "slow=27"]
    for words in (
        ["optimize", *asked, "--trials", "4", "--batch", "4", "--out-of-sample", "0.5"],
        ["walkforward", *asked, "--in-sample", "1", "--out-of-sample", "1"],
    ):
        shown = CliRunner().invoke(main, ["--home", str(store.home), *words])
        assert shown.exit_code == 0, shown.output
        assert "WARNING a strategy stopped in 1 of the sessions out of sample" in shown.output


def test_how_often_others_looked_out_of_sample_is_told(done, space, whole, monkeypatch):
    trials, inside, outside = whole[1], done.select(["last 2"]), done.sessions()[:2]

    def looked():
        return judge(bench(done), space, inside, outside, SEARCH, trials).outside_elsewhere

    assert looked() == 0
    assert looked() == 0, "the best itself is no other one"
    others = space_of([FILE], [], [], ["fast=2,5", "slow=400"]).grid()
    bench(done).run(inside, others, lambda _: None)
    assert looked() == 0, "in sample they are other tries"
    bench(done).run(outside[:1], others, lambda _: None)
    assert looked() == 2
    here(monkeypatch)
    said = "WARNING 2 other sets of parameters in this store saw sessions out of sample: "
    assert said in searched_by_command(done, *outside)


def searched_by_command(store, *outside):
    words = [
        "--home",
        str(store.home),
        "optimize",
        "last 2",
        "--strategy",
        "ema_cross",
        "--trials",
        "9",
        "--batch",
        "3",
    ]
    words += ["--trades-min", "2", "--seed", "7", *(word for each in RANGES for word in ("--param", each))]
    words += [word for session in outside for word in ("--out-of-sample", session.id)]
    return CliRunner().invoke(main, words).output
