"""`tape montecarlo` from end to end: a generated day, its trades, what came of them, kept, and had again."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.errors import ConfigError
from pipeline.log import proved
from pipeline.log.store import SIMULATIONS, Store
from pipeline.reports.reading import logs_meant, reopening_gaps_bps, trips_in
from pipeline.reports.simulations import Simulation
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from warehouse import connect, named_in

FILE = strategy_file("ema_cross")
VIEW = Path(__file__).resolve().parents[2] / "warehouse" / "marts" / "trades.sql"
pytestmark = pytest.mark.skipif("slippage_bps" not in VIEW.read_text(), reason="the view trades tells no values yet")
KNOBS = ("--slippage", "lognormal:2,1", "--miss", "0.1", "--halts", "0.05", "--risk", "50", "--paths", "400")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store of one day with a halt, recorded with one strategy and replayed with the same under other parameters."""
    store = Store(tmp_path_factory.mktemp("store"))
    day = Day(seed=1, quotes=1_500, instruments=2)
    session = record_generated(store, day, plan_of([FILE], [], []), [FILE], created_ns=1)
    replay(store, session.id, plan_of([FILE], ["fast=3", "slow=9"], []), [FILE], created_ns=2)
    return str(store.home)


def ask(home, name, query):
    return connect(home, [name], asked=named_in(query)).execute(query).fetchall()


def tape(home, *words):
    return CliRunner().invoke(main, ["--home", home, "montecarlo", *words])


def told(home, *words):
    done = tape(home, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output.splitlines()[-1])


def test_the_trades_are_those_of_the_log_that_is_named(home):
    (session,), (run,) = logs_meant(home, ["last"]), logs_meant(home, ["last-run"])
    for log, where in ((session, "run is null"), (run, "side = 'buy'")):
        trips = trips_in(home, [log], where)
        whose = f"coalesce(run, session) = '{log}' and {where}"
        profits, sides = zip(
            *ask(home, log, f"select profit, side from trades where is_closed and {whose}"), strict=True
        )
        assert sorted(trips.profit.tolist()) == sorted(profits)
        assert (trips.sign == 1).sum() == sides.count("buy")
        assert np.all(trips.entry_value > 0)
    with pytest.raises(ConfigError, match=f"{session} was traded by .* and by .*: its day can't count twice"):
        trips_in(home, [session, run])
    with pytest.raises(ConfigError, match=r"where 'sidle = 1': Binder Error[^\n]*$"):
        trips_in(home, [session], "sidle = 1")
    with pytest.raises(ConfigError, match="no closed trade where symbol = 'none'; there are some of"):
        trips_in(home, [session], "symbol = 'none'")


def test_a_reopening_gap_is_from_the_last_print_before_to_the_first_behind(home):
    halts = "select symbol, seq from statuses where status in ('paused', 'halted', 'trading') order by seq"
    (symbol, halted), (_, reopened) = ask(home, "last", halts)
    price = "select price from prints where symbol = '{}' and seq {} {} order by seq {} limit 1"
    ((before,),) = ask(home, "last", price.format(symbol, "<", halted, "desc"))
    ((behind,),) = ask(home, "last", price.format(symbol, ">", reopened, "asc"))
    assert reopening_gaps_bps(home, logs_meant(home, ["last"])) == pytest.approx([(behind / before - 1) * 1e4])


def test_what_comes_out_is_the_same_for_any_number_of_threads_and_is_kept(home):
    one, two = (told(home, "last", *KNOBS, "--threads", threads) for threads in ("1", "2"))
    assert one == two
    ((profit,),) = ask(home, "last", "select sum(profit) from trades where is_closed and run is null")
    assert one["outcome"]["profit"]["actual"] == pytest.approx(profit)
    assert one["outcome"]["bands"]["actual"][-1] == one["outcome"]["profit"]["actual"]
    kept = proved.read(Path(home) / SIMULATIONS / f"{one['id']}.json", Simulation)
    assert json.loads(msgspec.json.encode(kept.outcome)) == one["outcome"]
    assert json.loads(msgspec.json.encode(kept.asked)) == one["asked"]
    other = told(home, "last", *KNOBS, "--seed", "2")
    assert other["id"] != one["id"]


def test_a_kept_simulation_is_had_again_to_the_last_bit_or_says_what_differs(home):
    id_ = told(home, "last-run", "--order", "block:5", "--paths", "100", "--slippage", "recorded")["id"]
    done = tape(home, "--again", id_)
    assert (done.exit_code, done.output.startswith(f"{id_}: identical, 100 paths of ")) == (0, True)
    path = Path(home) / SIMULATIONS / f"{id_}.json"
    kept = proved.read(path, Simulation)
    for changed, differs in (
        ({"trades_hash": "0"}, "trades"),
        ({"asked": msgspec.structs.replace(kept.asked, seed=9)}, "paths"),
    ):
        path.write_bytes(proved.encoded(msgspec.structs.replace(kept, **changed)))
        done = tape(home, "--again", id_)
        assert (done.exit_code, done.output) == (1, f"{id_}: the {differs} are not those that were kept\n")
    path.write_bytes(proved.encoded(kept))
    assert "there is mc-" in tape(home, "--again", "mc-none").output


def test_what_is_kept_is_listed_and_forgotten(home):
    asked = ("last-run", "--paths", "50", "--seed", "77", "--where", "side = 'buy'")
    id_ = told(home, *asked)["id"]

    def simulations(*words):
        return CliRunner().invoke(main, ["--home", home, "simulations", *words])

    (line,) = [line for line in simulations("list").output.splitlines() if line.startswith(id_)]
    assert "50 paths of" in line
    assert "where side = 'buy': seed 77, order; end profit" in line
    listed = json.loads(simulations("list", "--json").output.splitlines()[-1])["simulations"]
    assert [each["asked"]["seed"] for each in listed if each["id"] == id_] == [77]
    assert simulations("delete", id_).exit_code == 1, "nobody said yes"
    assert simulations("delete", "mc-none", "--yes").exit_code == 2
    assert simulations("delete", id_, id_, "--yes").output == f"deleted: {id_}\n"
    assert id_ not in simulations("list").output
    assert told(home, *asked)["id"] == id_


def test_a_person_sees_what_is_asked_what_came_of_it_and_what_hangs_on_what(home):
    done = tape(home, "last", *KNOBS, "--sensitivity", "--grid", "slippage,misses")
    assert done.exit_code == 0, done.output
    lines = [line.strip() for line in done.output.splitlines()]
    starts = (
        "slippage    lognormal, median 2 bps, sigma 1",
        "end profit",
        "largest drawdown",
        "ruin        0.00% of paths",
    )
    for start in (*starts, "worst day, R", "as asked", "order as recorded", "misses x 2", "slippage x 0.5, misses x 2"):
        assert any(line.startswith(start) for line in lines), start
    assert "say what 1 R is with --risk" in tape(home, "last", "--paths", "9").output
    assert "--grid miss: write KNOB,KNOB" in tape(home, "last", "--grid", "miss").output
    assert "miss: probability 2: accepted is 0 to 1" in tape(home, "last", "--miss", "2").output
