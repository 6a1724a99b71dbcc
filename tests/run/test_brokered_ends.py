"""What is left at a broker when a session ends, and what the next one makes of it: entries, stops, halts, strangers' orders."""

import pytest
from broker_floor import Floor, restless
from live_sessions import Running, live_store
from test_accounts import FailedError
from test_brokered_live import Fails, S, all_rows, fills, held

from pipeline.block import Block
from pipeline.codes import AccountAction, Kind, OrderType, Side
from pipeline.errors import ConfigError
from pipeline.log.store import Store
from pipeline.ports import Reported
from pipeline.run.accounts import state
from pipeline.run.clock import SystemClock
from pipeline.run.halting import Halt, halt, halted, reset
from pipeline.run.verifying import verify
from pipeline.simulator.trading.orders import RefusedError, Wrong
from pipeline.units import NANO

__all__ = ["live_store"]

AGAIN = """
from pipeline.codes import OrderState, Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, leave

@params
class Params:
    far: bool = param(False, help="leave by a limit far away")

@state
class State:
    bid: float

def on_quote(s, quote, p, ctx):
    s.bid = quote.bid
    if ctx.position == 0.0 and ctx.open_orders == 0:
        if p.far:
            enter(ctx, Side.BUY, quantity=10, stop=quote.bid * 0.6, tag=7)
        else:
            enter(ctx, Side.BUY, quantity=10, limit=quote.bid * 0.5, tag=7)
    elif p.far and ctx.position > 0.0:
        leave(ctx, limit=quote.bid * 1.9)

def on_order(s, order, p, ctx):
    if not p.far and order.state == OrderState.CANCELLED:
        enter(ctx, Side.BUY, quantity=10, limit=s.bid * 0.5, tag=7)

strategy = Strategy("again", Params, State, on_quote=on_quote, on_order=on_order)
"""


def again(folder):
    file = folder / "again.py"
    file.write_text(AGAIN)
    return file


def test_no_entry_works_behind_the_end_though_its_strategy_enters_again(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(again(tmp_path), account="mine"))
        running.until(lambda _: len(floor.working) == 1)
        manifest = running.end()
        assert floor.working == []
        assert list(running.ending.at_broker) == []
    assert verify(live_store, manifest.id).identical


def test_what_is_held_is_protected_behind_the_end_though_an_exit_worked(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(again(tmp_path), "far=true", account="mine"))
        running.until(lambda _: any(order.ticket.limit_nano > 0 for order in floor.book.open_orders()))
        manifest = running.end()
        (left,) = floor.book.open_orders()
        assert left.ticket.stop_nano > 0
        (text,) = running.ending.at_broker
        assert "stop" in text
        assert list(running.ending.unprotected) == []
    assert verify(live_store, manifest.id).identical


def test_what_is_held_without_a_stop_is_told_at_the_end(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(restless(tmp_path), "stays=true", "bare=true", account="mine"))
        running.until(lambda _: floor.position == 10)
        running.end()
    assert [text.split(" at ")[0] for text in running.ending.unprotected] == ["+10 words:A"]


def test_a_reset_while_nobody_records_is_heard_by_the_session_that_goes_on(live_store, tmp_path):
    with Floor() as floor:
        what = floor.recording(restless(tmp_path), account="mine")
        running = Running(live_store, what)
        running.until(lambda recorder: fills(recorder) >= 1)
        halt(live_store, Halt("enough"))
        running.until(lambda _: floor.position == 0 and not floor.working)
        running.session.recorder.seen.append(Dies())
        running._thread.join(60)
        assert isinstance(running.error, FailedError)
        reset(live_store, "looked")
        running = Running(live_store, what)
        running.until(lambda _: True)
        count = len(floor.book.orders)
        running.until(lambda _: len(floor.book.orders) > count)
        manifest = running.end()
    assert halted(live_store, "mine") is None
    assert verify(live_store, manifest.id).identical


class Dies:
    """Fails as if it were killed with the next commit."""

    def __call__(self, *_):
        raise FailedError


def test_an_order_of_another_store_is_a_strangers_whatever_its_name(live_store, tmp_path):
    """Accounts and sessions have the same names, and orders the same numbers."""
    file = restless(tmp_path)
    with Floor() as floor:
        running = Running(Store(tmp_path / "other"), floor.recording(file, "stays=true", account="mine"))
        running.until(lambda _: len(floor.working) == 1)
        running.end()
        (old,) = floor.book.open_orders()
        running = Running(live_store, floor.recording(file, "stays=true", account="mine"))
        running.until(lambda _: len(floor.book.open_orders()) == 2)
        manifest = running.end()
        assert floor.position == 20
        assert held(live_store, manifest) == 10
    told = all_rows(live_store, manifest, Kind.ORDER, Kind.FILL, Kind.ACCOUNT)
    assert old.id not in {row["venue_order_id"] for kind, row in told if kind is Kind.ORDER}
    differences = [
        row["text"] for kind, row in told if kind is Kind.ACCOUNT and row["action"] == AccountAction.DIFFERENCE
    ]
    assert any(old.id in text for text in differences)


def test_the_numbers_of_a_killed_session_are_not_given_again_behind_a_statement_by_hand(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor() as floor:
        running = Running(live_store, floor.recording(file, account="mine"))
        running.until(lambda _: True)
        running.session.recorder.seen.append(Fails(4))
        running._thread.join(120)
        first = {int(order.ticket.client_order_id.rpartition("-")[2]) for order in floor.book.orders.values()}
        with pytest.raises(ConfigError, match="was killed at alpaca, practice"):
            state(live_store, "mine", 1e6, now_ns=1, why="anew")
        state(live_store, "mine", 1e6, now_ns=1, why="anew", forgets=True)
        running = Running(live_store, floor.recording(file, account="mine"))
        running.until(lambda recorder: fills(recorder) >= 1)
        manifest = running.end()
    told = all_rows(live_store, manifest, Kind.ORDER)
    assert not first & {row["order_id"] for _, row in told if row["state"] == S.SUBMITTED}


def test_what_an_order_filled_that_was_told_as_not_sent_is_booked_and_closed(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(restless(tmp_path), "stays=true", account="mine"))
        running.until(lambda recorder: fills(recorder) >= 1 and len(floor.working) == 1)
        told = all_rows(live_store, running.session.manifest, Kind.ORDER)
        over = next(row["order_id"] for _, row in told if row["state"] == S.FILLED)
        columns = {"order_id": over, "price_nano": 10**11, "quantity_steps": 5, "side": 1}
        late = Block.from_rows(Kind.FILL, [{"seq": 1, "instrument_id": 1, **columns}])
        running.session.recorder._control.ring.__self__.put([(0, Reported(SystemClock().now_ns(), [late]))], 0)
        running.until(lambda recorder: fills(recorder) >= 3)  # what closes it
        manifest = running.end()
    positions = [row["quantity_steps"] for _, row in all_rows(live_store, manifest, Kind.POSITION)]
    assert positions[1] == positions[0] + 5
    assert positions[-1] == 0
    assert halted(live_store, "mine") is not None
    assert verify(live_store, manifest.id).identical


def test_a_halt_closes_though_the_broker_would_not_cancel_an_exit_at_first(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(again(tmp_path), "far=true", account="mine"))
        running.until(lambda _: any(order.ticket.limit_nano > 0 for order in floor.book.open_orders()))
        cancel, refused = floor.book.cancel, []

        def no(order_id, _):
            refused.append(order_id)
            raise RefusedError(Wrong.OVER)

        floor.book.cancel = no
        assert not halt(live_store, Halt("enough"))[0].error
        running.until(lambda _: len(refused) >= 2)
        floor.book.cancel = cancel
        running.until(lambda _: floor.position == 0)
        assert verify(live_store, running.end().id).identical


def test_what_a_halt_could_not_close_is_protected_still(live_store, tmp_path):
    """The broker refuses the order that closes: the stop that made room for it comes back."""
    with Floor() as floor:
        running = Running(live_store, floor.recording(restless(tmp_path), "stays=true", account="mine"))
        running.until(lambda _: floor.position == 10 and len(floor.working) == 1)
        check, (stop,), refused = floor.book._check, floor.working, []

        def no(ticket):
            if ticket.side is Side.SELL and ticket.order_type is OrderType.MARKET:
                refused.append(ticket)
                raise RefusedError(Wrong.POSITION)
            check(ticket)

        floor.book._check = no
        assert not halt(live_store, Halt("enough"))[0].error
        running.until(lambda _: refused and floor.working and floor.working != [stop])
        manifest = running.end()
        assert floor.position == 10
        assert list(running.ending.unprotected) == []
    assert verify(live_store, manifest.id).identical


def test_what_a_person_closed_at_the_broker_is_not_closed_again_by_us(live_store, tmp_path):
    """No order of ours lies there meanwhile, nor is one sent, over a kill too; once it is back the exit goes."""
    with Floor() as floor:
        what = floor.recording(restless(tmp_path), "every=100", account="mine")
        running = Running(live_store, what)
        running.until(lambda _: floor.position == 10 and len(floor.working) == 1)
        floor.is_open = False  # so that it does not leave before
        running.until(lambda _: floor.position == 10 and len(floor.working) == 1)
        floor.book.positions[floor.symbol].quantity_nano = 0
        running.until(lambda _: differed(live_store, running) == [-10])
        running.until(lambda _: not floor.working)
        floor.is_open = True
        count = len(floor.book.orders)
        running.until(lambda recorder: wishes_to_leave(live_store, running))
        running.session.recorder.seen.append(Dies())
        running._thread.join(60)
        assert isinstance(running.error, FailedError)
        running = Running(live_store, what)
        start = floor._count
        running.until(lambda _: floor._count > start + 200)
        assert len(floor.book.orders) == count
        floor.book.positions[floor.symbol].quantity_nano = 10 * NANO
        running.until(lambda _: floor.position == 0)
        manifest = running.end()
        assert held(live_store, manifest) == floor.position
    assert differed(live_store, running) == [-10, 0]
    assert verify(live_store, manifest.id).identical


def differed(store, running):
    return [
        row["quantity_steps"]
        for _, row in all_rows(store, running.session.manifest, Kind.ACCOUNT)
        if row["action"] == AccountAction.POSITION_DIFFERENCE
    ]


def wishes_to_leave(store, running):
    orders = [row for _, row in all_rows(store, running.session.manifest, Kind.ORDER)]
    return any(row["state"] == S.APPROVED and row["parent_order_id"] == 0 and row["side"] < 0 for row in orders)


EARLY = """
from pipeline.codes import Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter

@params
class Params:
    early: bool = param(True, help="whether its orders are for extended hours")

@state
class State:
    count: int

def on_quote(s, quote, p, ctx):
    s.count += 1
    if s.count >= 5 and quote.bid > 104.0 and ctx.position == 0.0 and ctx.open_orders == 0:
        enter(ctx, Side.BUY, quantity=10, limit=quote.ask, stop=quote.bid - 0.5, extended=p.early, tag=7)

strategy = Strategy("early", Params, State, on_quote=on_quote)
"""


def early(folder):
    file = folder / "early.py"
    file.write_text(EARLY)
    return file


def test_a_stop_for_extended_hours_is_kept_by_us_and_closes_at_the_broker(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(early(tmp_path), account="mine"))
        running.until(lambda _: floor.position == 10)
        running.until(lambda _: floor.position == 0)
        assert verify(live_store, running.end().id).identical


def test_a_stop_that_came_to_nothing_once_it_saw_its_price_is_tried_again(live_store, tmp_path):
    """The broker refuses the stop, so it is kept here, and refuses once what it became."""
    with Floor() as floor:
        check, refused = floor.book._check, []

        def no(ticket):
            if ticket.side is Side.SELL and (ticket.order_type is OrderType.STOP or len(refused) == 1):
                refused.append(ticket)
                raise RefusedError(Wrong.POSITION)
            check(ticket)

        floor.book._check = no
        running = Running(live_store, floor.recording(early(tmp_path), "early=false", account="mine"))
        running.until(lambda _: floor.position == 10)
        running.until(lambda _: floor.position == 0)
        assert len(refused) >= 2
        assert verify(live_store, running.end().id).identical


def test_what_is_held_in_one_account_of_a_broker_is_not_taken_to_another(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor() as floor:
        running = Running(live_store, floor.recording(file, "stays=true", account="mine"))
        running.until(lambda _: len(floor.working) == 1)
        running.end()
    with Floor(number="PA0000000002") as other:
        running = Running(live_store, other.recording(file, account="mine"))
        assert running._begun.wait(60)
        with pytest.raises(
            ConfigError, match=r"account mine holds words:A: that is at alpaca, practice \w{8}, and this"
        ):
            running.end()
        assert not other.book.orders
