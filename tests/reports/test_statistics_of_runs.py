"""`tape stats` from the tape to the terminal: a generated day, its runs, and other costs held against runs that had them."""

import json
import math
import textwrap
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.block import Block
from pipeline.cli import main
from pipeline.codes import Kind, Origin, Side
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.manifest import StrategyEntry
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.reports.charges import terms_of
from pipeline.reports.gathering import gathered
from pipeline.reports.resampling import Bootstrap
from pipeline.reports.slippage import own_costs_bps, slippage_of
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.statistics import Question, statistics
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from pipeline.units import DAY_NS, NANO
from warehouse import connect

FEES = ["fee_per_unit=0.005", "fee_bps=1", "fee_least=0.35", "fee_most_percent=0.5", "regulatory_fees=1"]
QUICK = Bootstrap(resamples=100)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small generated day that nobody decided on, and two runs over it, without fees and with."""
    made = Store(tmp_path_factory.mktemp("store"))
    session = record_generated(made, Day(quotes=1_200), plan_of([], [], []), [], created_ns=1)
    files = [strategy_file("ema_cross")]
    for fees in ([], FEES):
        plan = plan_of(files, ["fast=5", "slow=20"], ["daily_loss_max=1e9", *fees])
        replay(made, session.id, plan, files, created_ns=2, speed=Speed.INTERPRETED)
    return made


@pytest.fixture(scope="module")
def runs(store):
    return [run.id for run in store.runs()]


def asked(store, *names, **question):
    return statistics(store, names, Question(bootstrap=QUICK, **question))


def same_figures(found, expected, *, rel):
    assert {name: each.absent for name, each in found.items()} == {name: each.absent for name, each in expected.items()}
    for name, figure in expected.items():
        if figure.value is not None:
            assert found[name].value == pytest.approx(figure.value, rel=rel), name


def test_a_run_is_what_sql_says_of_it(store, runs):
    told = asked(store, runs[0], by=("symbol", "side"))
    rows = connect(store.home, [runs[0]]).sql("select * from trades where is_closed").arrow().read_all().to_pylist()
    profits = [row["profit"] for row in rows]
    assert told.summary.trades == len(profits) > 30
    assert told.summary.money["net_profit"].value == pytest.approx(math.fsum(profits))
    assert told.summary.money["win_rate"].value == pytest.approx(sum(profit > 0 for profit in profits) / len(profits))
    held = [(row["closed_at"] - row["opened_at"]).total_seconds() for row in rows]
    assert told.summary.time["held_mean"].value == pytest.approx(sum(held) / len(held), rel=1e-6)
    assert 0.0 < told.summary.time["exposure"].value <= 1.0
    assert told.summary.daily["daily_total_return"].value == pytest.approx(math.fsum(profits) / 100_000.0)
    assert (told.summary.days, told.summary.days_traded) == (1, 1)
    for found in told.breakdowns:
        assert sum(part.trades for part in found.parts) == len(profits)
    assert {part.label for part in told.breakdowns[0].parts} == {row["symbol"] for row in rows}


def test_fees_after_the_fact_are_those_of_a_run_that_had_them(store, runs):
    free, paid = (asked(store, run) for run in runs)
    assert free.summary.trades == paid.summary.trades
    words = [
        setting.removeprefix("fee_").replace("regulatory_fees", "regulatory").replace("=", ":") for setting in FEES
    ]
    later = asked(store, runs[0], terms=terms_of(words))
    assert later.fees > 5.0
    same_figures(later.summary.money, paid.summary.money, rel=1e-6)
    back = asked(store, runs[1], terms=terms_of(["none"]))
    assert back.summary.money["net_profit"].value == pytest.approx(free.summary.money["net_profit"].value, abs=1e-6)


def test_own_slippage_of_the_same_run_is_drawn_from_what_it_cost(store, runs):
    found = gathered(store.home, [store.find_one(runs[0])], has_executions=True)
    costs = own_costs_bps(found.executions)
    assert len(costs) == len(np.unique(found.executions.fill))
    assert costs.mean() > 0.0  # half of the spread, and what the price did in the meantime
    drawn, named = (asked(store, runs[0], slippage=slippage_of(words)) for words in ("own", f"own:{runs[1]}"))
    assert drawn == named  # the other run was filled at the same prices, and the seed is the same
    assert drawn.unknown == 0


def test_what_would_count_twice_or_never_is_refused(store, runs, tmp_path):
    with pytest.raises(NotFoundError, match=f"there is no session in {tmp_path}"):
        asked(Store(tmp_path), "all")
    with pytest.raises(ConfigError, match=f"ema_cross would count twice: {runs[0]} and {runs[1]}"):
        asked(store, *runs)
    with pytest.raises(ConfigError, match=f"nobody decided anything in generated-7; its runs are {runs[0]}, {runs[1]}"):
        asked(store, "last")
    assert asked(store, runs[0], runs[0]).over == (runs[0],)


def test_the_command_prints_tables_and_json(store, runs):
    words = ["--home", str(store.home), "stats", runs[0], "--resamples", "100"]
    shown = CliRunner().invoke(
        main, [*words, "--by", "time", "--by", "setup", "--slippage", "spread:0.5", "--fees", "per_unit:0.005"]
    )
    assert shown.exit_code == 0, shown.output
    for text in (
        "profit factor",
        "95% interval",
        "by time",
        "by setup",
        "of daily returns, on 100,000",
        "! 1 day",
        "after the fact, spread:0.5",
    ):
        assert text in shown.output
    told = CliRunner().invoke(main, [*words, "--json"])
    answer = json.loads(told.output)
    assert answer["summary"]["money"]["expectancy"]["value"] == asked(store, runs[0]).summary.money["expectancy"].value
    wrong = CliRunner().invoke(main, [*words, "--by", "tiem"])
    assert wrong.exit_code == 2
    assert "did you mean time?" in wrong.output
    for option, number in (("--level", "nan"), ("--capital", "nan"), ("--capital", "inf")):
        wrong = CliRunner().invoke(main, [*words, option, number])
        assert (wrong.exit_code, "is no finite number" in wrong.output or "not in the range" in wrong.output) == (
            2,
            True,
        )


def test_the_example_of_the_page_says_the_same(store, runs, capsys):
    page = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text()
    block = textwrap.dedent(page[page.index("    from pipeline.reports.metrics") : page.index("Everything under")])
    exec(block.replace('"data", ["last-run"]', f"{str(store.home)!r}, [{runs[0]!r}]"), {})
    value = asked(store, runs[0]).summary.money["profit_factor"].value
    assert capsys.readouterr().out.startswith(f"Figure(value={value}, ")


def session_of(home, fills, *, name="s", day=0, **quotes):
    """A session whose only decisions are these fills: (side, steps, price in nanos); of Wednesday 2026-11-04, or a day after it."""
    store = Store(home)
    strategies = (StrategyEntry("[red]probe", {}, "0"),)
    manifest = store.create_session(name, mode=Mode.PAPER, created_ns=1, strategies=strategies)
    folder, ts_ns = store.folder(manifest.id), 1_793_779_200 * NANO + day * DAY_NS
    sides, steps, prices = zip(*fills, strict=True)
    count, seqs = len(fills), range(2, len(fills) + 2)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        instrument = Block.of(
            Kind.INSTRUMENT, 1, seq=1, ts_event_ns=ts_ns, ts_recv_ns=ts_ns, instrument_id=1, symbol="[b]X\x1b]0;you\x07", venue="XNAS",
            currency="USD", calendar="XNYS", size_step_nano=NANO, multiplier_nano=NANO,
        )  # fmt: skip
        journal.append(FrameKind.INPUTS, [instrument])
        journal.append(
            FrameKind.INPUTS,
            [Block.of(Kind.TIMER, count, seq=seqs, ts_event_ns=ts_ns, ts_recv_ns=ts_ns, interval_ns=NANO)],
        )
        made = Block.of(
            Kind.FILL, count, seq=seqs, ord=1, ts_event_ns=[ts_ns + place * NANO for place in range(count)], ts_recv_ns=ts_ns,
            instrument_id=1, origin=int(Origin.DERIVED), strategy_id=1, order_id=range(1, count + 1), fill_id=range(1, count + 1),
            side=[int(side) for side in sides], price_nano=prices, quantity_steps=steps, **quotes,
        )  # fmt: skip
        journal.append(FrameKind.DERIVED, [made])
    manifests.update(folder, state="ended", first_ts_ns=ts_ns, last_ts_ns=ts_ns + 60 * NANO)
    return store


def test_slippage_after_the_fact_is_as_if_it_had_been_filled_so(tmp_path):
    """Turned around once, so that one fill has a part in two trades; the last trade stays open."""
    fills = [
        (Side.BUY, 100, 10 * NANO),
        (Side.SELL, 250, 11 * NANO),
        (Side.BUY, 150, 9 * NANO),
        (Side.BUY, 10, 8 * NANO),
    ]
    moved = [(side, steps, price + (1 if side == Side.BUY else -1) * price // 2_000) for side, steps, price in fills]
    later = asked(session_of(tmp_path / "later", fills), "last", slippage=slippage_of("bps:5"))
    truly = asked(session_of(tmp_path / "truly", moved), "last")
    assert (later.summary.trades, later.still_open) == (2, 1)
    same_figures(later.summary.money, truly.summary.money, rel=1e-9)
    assert later.slippage == pytest.approx((100 * 10 + 250 * 11 + 150 * 9) * 5e-4)


def test_several_sessions_are_their_trades_together_and_days_without_one_count(tmp_path):
    """Wednesday, and Friday to Monday; what lies between two sessions was not watched, a weekend is no trading day."""
    won, lost = ([(Side.BUY, 100, 10 * NANO), (Side.SELL, 100, price * NANO)] for price in (12, 9))
    session_of(tmp_path, won, name="a")
    store = session_of(tmp_path, lost, name="b", day=2)
    folder = store.folder("b")
    manifests.update(folder, last_ts_ns=store.manifest("b").first_ts_ns + 3 * DAY_NS)
    told = asked(store, "all", by=("weekday",), capital=1_000.0)
    assert (told.over, told.summary.days, told.summary.days_traded) == (("a", "b"), 3, 2)
    assert told.summary.money["net_profit"].value == 100.0
    assert told.summary.money["payoff"].value == 2.0
    assert told.summary.daily["daily_total_return"].value == pytest.approx(0.1)
    assert told.summary.daily["daily_drawdown"].value == pytest.approx(100 / 1_200)
    assert [(part.label, part.money["net_profit"].value) for part in told.breakdowns[0].parts] == [
        ("Wed", 200.0),
        ("Fri", -100.0),
    ]


def test_half_a_spread_is_of_the_quotes_at_the_fill_and_hostile_names_are_inert(tmp_path):
    fills = [(Side.BUY, 100, 10 * NANO), (Side.SELL, 100, 11 * NANO)]
    store = session_of(tmp_path, fills, bid_nano=[NANO * 99 // 10, 11 * NANO], ask_nano=[10 * NANO, NANO * 112 // 10])
    assert asked(store, "last", slippage=slippage_of("spread:0.5")).slippage == pytest.approx(100 * 0.05 + 100 * 0.1)
    shown = CliRunner().invoke(
        main, ["--home", str(tmp_path), "stats", "last", "--by", "symbol", "--by", "strategy", "--resamples", "100"]
    )
    assert "[b]X" in shown.output
    assert "[red]probe" in shown.output
    assert "\x1b" not in shown.output
    refused = CliRunner().invoke(main, ["--home", str(tmp_path), "explain", "last", "--symbol", "ABC", "--why-not"])
    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert "there is [b]X\ufffd]0;you\ufffd" in refused.output
