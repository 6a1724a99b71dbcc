"""The wishes of a run filled again: the same as they were, or later, smaller, by another model."""

import msgspec
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.codes import IntentAction, IntentOutcome, Kind
from pipeline.errors import ConfigError
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.refilling import refill
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

FICKLE = '''"""Fickle: bids under the market and takes its bids back by their number, buys, sells some, sells the rest."""

from pipeline.codes import OrderState, Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import cancel, enter, leave


@params
class Params:
    every: int = param(3, low=1)


@state
class State:
    calls: int
    bid_id: int


def on_quote(s, quote, p, ctx):
    s.calls += 1
    what = s.calls // p.every % 8
    if s.calls % p.every != 0 or not quote.ask > quote.bid:
        return
    if what in (0, 4):
        enter(ctx, Side.BUY, quantity=40.0, limit=quote.bid - 0.01, tag=1)
    elif what in (1, 5) and s.bid_id != 0:
        cancel(ctx, s.bid_id)
    elif what == 2:
        enter(ctx, Side.BUY, quantity=30.0, stop=quote.bid * 0.97, target=quote.ask * 1.02, tag=2)
    elif what == 6:
        leave(ctx, quantity=10.0)
    elif what == 7:
        leave(ctx)


def on_order(s, order, p, ctx):
    if order.tag == 1 and order.state == OrderState.ACCEPTED:
        s.bid_id = order.order_id


strategy = Strategy("fickle", Params, State, on_quote=on_quote, on_order=on_order)
'''

TAKES_ORDERS = ["latency_ns=200000000", "short_sales=2"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a session that two strategies decided in, and runs of each over it."""
    store = Store(tmp_path_factory.mktemp("store"))
    fickle = tmp_path_factory.mktemp("strategy") / "fickle.py"
    fickle.write_text(FICKLE)
    files = [strategy_file("ema_cross"), fickle]
    plan = plan_of(files, ["ema_cross.fast=5", "ema_cross.slow=20"], TAKES_ORDERS)
    session = record_generated(store, Day(quotes=600, instruments=3), plan, files, created_ns=1)
    for file, params in ((files[0], ["fast=5", "slow=20"]), (fickle, [])):
        replay(store, session.id, plan_of([file], params, TAKES_ORDERS), [file], created_ns=2)
    return store


def names(store):
    return [each.id for each in (*store.sessions(), *store.runs())]


def of(store, strategy):
    """The run of this strategy alone."""
    return next(run.id for run in store.runs() if [each.name for each in run.strategies] == [strategy])


def rows_of(store, name, kind):
    batches = LogReader(store.folder(name)).batches(what="derived", kinds=[kind])
    return [row for blocks in batches for block in blocks for row in block.rows()]


def refilled(store, name, **given):
    made = {kind: [] for kind in Kind}

    def take(blocks):
        for block in blocks:
            made[block.kind] += block.rows()

    return refill(store, name, take=take, **{"settings": {}, **given}), made


WHAT = (
    "seq",
    "order_id",
    "strategy_id",
    "instrument_id",
    "side",
    "price_nano",
    "quantity_steps",
    "fee_nano",
    "liquidity",
)


def test_with_the_settings_it_had_a_run_fills_as_it_did(store):
    for name in names(store):
        done, made = refilled(store, name)
        was = rows_of(store, name, Kind.FILL)
        assert len(was) > 3, name
        assert [[row[key] for key in WHAT] for row in made[Kind.FILL]] == [[row[key] for key in WHAT] for row in was]
        assert done.before == done.after
        assert done.settings == {}
    cancelled = [
        row for row in rows_of(store, of(store, "fickle"), Kind.INTENT) if row["action"] == IntentAction.CANCEL
    ]
    assert any(row["order_id"] and row["outcome"] == IntentOutcome.TAKEN for row in cancelled)


def test_later_orders_fill_later_and_cancels_find_their_orders_all_the_same(store):
    name = of(store, "fickle")
    done, made = refilled(store, name, settings={"latency_ns": 5_000_000_000})
    assert done.settings == {"latency_ns": 5_000_000_000}
    assert done.after != done.before
    first = min(row["seq"] for row in rows_of(store, name, Kind.FILL))
    assert min(row["seq"] for row in made[Kind.FILL]) > first
    taken = [row for row in made[Kind.INTENT] if row["action"] == IntentAction.CANCEL and row["order_id"]]
    assert any(row["outcome"] == IntentOutcome.TAKEN for row in taken)


def test_a_quarter_of_the_size_is_wished_and_all_that_is_held_is_left(store):
    name = of(store, "ema_cross")
    done, made = refilled(store, name, size=0.25)
    entered = lambda rows: [  # noqa: E731
        (row["seq"], row["quantity_steps"])
        for row in rows
        if row["action"] == IntentAction.ENTER and row["outcome"] == IntentOutcome.TAKEN
    ]
    assert entered(made[Kind.INTENT]) == [
        (seq, steps // 4) for seq, steps in entered(rows_of(store, name, Kind.INTENT))
    ]
    assert done.after.fills > 0
    assert abs(done.after.net_profit) < abs(done.before.net_profit)


def test_another_model_is_another_answer(store):
    name = of(store, "fickle")
    dear = refill(store, name, settings={"fee_per_unit": 0.01})
    assert dear.after.fees > 0.0
    assert dear.after.net_profit == pytest.approx(dear.before.net_profit - dear.after.fees)
    waits, walks = (refill(store, name, settings={"impact": model, "impact_bps": 50.0}, size=20.0) for model in (0, 1))
    assert walks.after != waits.after


def test_what_can_not_be_filled_again_is_told(store, tmp_path):
    with pytest.raises(ConfigError, match="--size 0: accepted is more than 0"):
        refill(store, names(store)[0], settings={}, size=0.0)
    with pytest.raises(ConfigError, match="unknown engine setting 'latncy_ns'"):
        refill(store, names(store)[0], settings={"latncy_ns": 1})
    bare = Store(tmp_path)
    record_generated(bare, Day(quotes=50, instruments=1), plan_of([], [], []), [], created_ns=1)
    with pytest.raises(ConfigError, match="no strategy decided in it"):
        refill(bare, names(bare)[0], settings={})


def test_the_command_says_both(store):
    name = of(store, "fickle")
    said = CliRunner().invoke(main, ["--home", str(store.home), "refill", name, "--latency", "250ms", "--size", "0.5"])
    assert said.exit_code == 0, said.output
    assert "wishes again, 0.5 times as large, with latency_ns=250000000" in said.output
    assert "as it was" in said.output
    told = CliRunner().invoke(main, ["--home", str(store.home), "refill", name, "--set", "queue=1", "--json"])
    assert msgspec.json.decode(told.output.splitlines()[-1])["settings"] == {"queue": 1}
