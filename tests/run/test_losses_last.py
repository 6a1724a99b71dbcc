"""What a session lost in a day holds entries back until a person says otherwise, in it and in those that follow."""

import dataclasses

from click.testing import CliRunner
from live_sessions import WAITING, Running, live_store, recording, rows, rows_of_kind
from served_loops import options, serving, settled, vendor_of

from pipeline.cli import main
from pipeline.codes import Kind, RequestAction, RiskRule, RiskVerdict
from pipeline.run.halting import Halt, halted
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify

__all__ = ["live_store"]

LOSER = """
from pipeline.codes import Side
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, leave

@params
class Params:
    pass

@state
class State:
    pass

def on_quote(s, quote, p, ctx):
    if ctx.open_orders == 0:
        if ctx.position == 0.0:
            enter(ctx, Side.BUY, quantity=10)
        else:
            leave(ctx)

strategy = Strategy("loser", Params, State, on_quote=on_quote)
"""


def test_a_days_loss_reduces_the_session_and_those_that_follow_until_it_is_reset(live_store, tmp_path):
    file = tmp_path / "loser.py"
    file.write_text(LOSER)
    settings = [*WAITING, "daily_loss_max=2", "heeds_guard=1", "fee_per_unit=0.05", "latency_ns=1000"]
    with serving("massive") as served:
        what = dataclasses.replace(
            recording(vendor_of("massive", served), files=(file,), account="mine", **options(served)),
            plan=plan_of([file], [], settings),
        )
        running = Running(live_store, what)
        settled(running, served)
        manifest = running.end()
        requests = [row for row in rows(live_store, manifest, Kind.REQUEST) if row["action"] == RequestAction.REDUCE]
        assert [row["text"] for row in requests] == ["daily loss of 2.00 reached"]
        refused = [
            row for row in rows_of_kind(live_store, manifest, Kind.RISK) if row["verdict"] == RiskVerdict.REFUSED
        ]
        rules = list(dict.fromkeys(row["rule"] for row in refused if row["rule"] != RiskRule.STALE_QUOTE))
        assert rules[0] == RiskRule.DAILY_LOSS
        assert {row["rule"] for row in refused if row["seq"] > requests[0]["seq"]} <= {
            RiskRule.KILL_SWITCH,
            RiskRule.BACKFILLED,
        }
        assert verify(live_store, manifest.id).identical
        assert halted(live_store) is None
        assert halted(live_store, "mine") == Halt("daily loss of 2.00 reached", is_reducing=True, source="guard")

        again = Running(live_store, dataclasses.replace(what, is_fresh=True))
        again.until(lambda recorder: Kind.REQUEST in recorder.kinds)
        following = again.end()
    asked = rows(live_store, following, Kind.REQUEST)
    assert [(row["action"], row["text"]) for row in asked] == [(RequestAction.REDUCE, "daily loss of 2.00 reached")]
    assert following.kinds.get("fill", 0) == 0

    # What others would have done that day is none of its business.
    replayed = replay(live_store, manifest.id, plan_of([file], [], ["daily_loss_max=1000"]), [file], created_ns=1)
    held_back = [
        row
        for row in rows_of_kind(live_store, live_store.manifest(replayed.run), Kind.RISK)
        if row["rule"] == RiskRule.KILL_SWITCH
    ]
    assert held_back == []

    said = CliRunner().invoke(main, ["--home", str(live_store.home), "halt", "--reset", "looked at it"])
    assert (said.exit_code, said.output) == (0, "trading again: looked at it\n")
    assert halted(live_store) is None
