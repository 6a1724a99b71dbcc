"""What outlives a session: cash, positions, what the day lost, order ids, over sessions that end, fail and begin."""

import dataclasses
import json
import time

import pytest
from click.testing import CliRunner
from live_sessions import Running, live_store, recording, rows, rows_of_kind
from words_vendor import Market, Server, vendor

from pipeline.cli import main
from pipeline.codes import AccountAction, Kind, Side
from pipeline.errors import ConfigError, LockedError
from pipeline.log.salvage import salvage
from pipeline.log.store import Store
from pipeline.run.accounts import Held, names, standing, state, unsettled, used
from pipeline.run.asking import recording_of
from pipeline.run.backtesting import backtest
from pipeline.run.clock import SystemClock
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of
from pipeline.run.sweeping import grid_of
from pipeline.run.verifying import verify
from pipeline.units import NANO

__all__ = ["live_store"]

KEEPER = """
from pipeline.codes import Side
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, leave

@params
class Params:
    leaves: bool = param(False, help="whether it sells what it has")
    only: float = param(0.0, help="bid at which it buys; 0: any")

@state
class State:
    asked: int

def on_quote(s, quote, p, ctx):
    if ctx.position == 0.0 and not p.leaves and s.asked == 0 and p.only in (0.0, quote.bid):
        s.asked = 1
        enter(ctx, Side.BUY, quantity=10)
    elif ctx.position > 0.0 and p.leaves and s.asked == 0:
        s.asked = 1
        leave(ctx)

strategy = Strategy("{name}", Params, State, on_quote=on_quote)
"""
SET = ["latency_ns=0", "fee_per_unit=0.013", "quote_age_ns_max=1000000000000000000"]


ASKED = {
    "feeds": ["massive=ws://127.0.0.1:9/stocks"],
    "symbols": ["A"],
    "strategies": ["hold"],
    "scanners": [],
    "params": [],
    "settings": [],
    "channels": None,
    "watch": [],
    "watch_channels": None,
    "until": None,
    "clock": None,
    "keeps_raw": False,
    "is_fresh": False,
}


def strategy(folder, name="keeper"):
    file = folder / f"{name}.py"
    file.write_text(KEEPER.replace("{name}", name))
    return file


async def script(_):
    for _ in range(20):
        yield b"A 100"


def what(server, file, *, params=(), name="words", **options):
    made = recording(
        dataclasses.replace(vendor(server.url, name=name), normalizer=Market),
        files=(file,),
        **{"account": "mine", "symbols": ("A",), **options},
    )
    return dataclasses.replace(made, plan=plan_of([file], params, SET))


def traded(store, server, file, **options):
    running = Running(store, what(server, file, **options))
    running._begun.wait(300)
    if running.error:
        raise running.error
    running.until(lambda recorder: recorder.kinds.get(Kind.QUOTE, 0) >= 20)
    return running.end()


class FailedError(Exception):
    """Stands for a kill: nothing more is written."""


def kill(store, server, file, **options):
    """A session that ends behind its first fill as if it were killed; its name."""
    running = Running(store, what(server, file, **options))

    def fail(_, derived):
        if any(block.kind is Kind.FILL for block in derived):
            raise FailedError

    running.until(lambda _: True)
    running.session.recorder.seen.append(fail)
    running._thread.join(60)
    assert isinstance(running.error, FailedError)
    return running.session.manifest.id


class DayBefore(SystemClock):
    """The real clock, so many seconds behind."""

    def __init__(self, seconds):
        self._behind_ns = seconds * NANO

    def now_ns(self):
        return super().now_ns() - self._behind_ns


@pytest.fixture
def server():
    with Server(script) as running:
        yield running


def test_what_a_session_leaves_is_what_the_next_one_of_its_account_begins_with(live_store, tmp_path, server):
    file = strategy(tmp_path)
    first = traded(live_store, server, file)
    left = standing(live_store, "mine")
    assert (left.session, left.held) == (first.id, (Held("keeper", "words:A", 10, 101.0),))
    assert left.cash == 100_000.0 - 1_010.0 - 10 * 0.013

    second = traded(live_store, server, file)
    assert "fill" not in second.kinds  # it has what it wants
    assert standing(live_store, "mine").held == left.held
    assert standing(live_store, "mine").cash == left.cash

    third = traded(live_store, server, file, params=["leaves=true"])
    (fill,) = rows_of_kind(live_store, third, Kind.FILL)
    assert (fill["side"], fill["quantity_steps"], fill["order_id"], fill["fill_id"]) == (Side.SELL, 10, 2, 2)
    (position,) = rows_of_kind(live_store, third, Kind.POSITION)
    assert position["realized"] == -10.0
    assert standing(live_store, "mine").held == ()
    assert standing(live_store, "mine").cash == position["cash"]
    for session in (first, second, third):
        assert verify(live_store, session.id).identical

    told = [
        row
        for batch in live_store.account("mine")
        for block in batch
        for row in block.rows()
        if block.kind is Kind.ACCOUNT
    ]
    stated = [(row["action"], row["quantity_steps"], row["average_nano"], row["text"]) for row in told]
    assert (AccountAction.POSITION, 10, 101 * NANO, "keeper") in stated
    assert [row["cash_nano"] for row in told if row["action"] == AccountAction.CASH][-1] == round(
        position["cash"] * NANO
    )


def test_what_is_held_keeps_a_number_of_its_own_among_whatever_is_recorded_besides(live_store, tmp_path):
    """The second of three is held: who comes next gets none that is taken."""

    async def three(_):
        for _ in range(20):
            for symbol, price in (("A", 100), ("B", 200), ("C", 300)):
                yield f"{symbol} {price}".encode()

    file = strategy(tmp_path)
    with Server(three) as server:
        first = traded(live_store, server, file, params=["only=200"], symbols=("A", "B", "C"))
        assert [each.symbol for each in standing(live_store, "mine").held] == ["words:B"]
        second = traded(live_store, server, file, params=["only=200"], symbols=("C", "A", "B"))
    for session in (first, second):
        numbers = {(row["symbol"], row["instrument_id"]) for row in rows(live_store, session, Kind.INSTRUMENT)}
        assert len(numbers) == len(dict(numbers)) == len({number for _, number in numbers}) == 3
        named = {number: symbol for symbol, number in numbers}
        prices = {
            (named[row["instrument_id"]], row["bid_nano"] // NANO) for row in rows(live_store, session, Kind.QUOTE)
        }
        assert prices == {("A", 100), ("B", 200), ("C", 300)}
    assert "fill" not in second.kinds


def test_what_comes_after_what_goes_by_the_account_and_not_by_clocks(live_store, tmp_path, server):
    """A served day is served again: the second session is of an earlier moment than the first."""
    file = strategy(tmp_path)

    def at(second):
        return DayBefore(second)

    first = traded(live_store, server, file, clock=at(10_000))
    second = traded(live_store, server, file, clock=at(20_000), params=["leaves=true"])
    assert second.created_ns < first.created_ns
    left = standing(live_store, "mine")
    assert (left.session, left.held) == (second.id, ())
    third = traded(live_store, server, file, clock=at(0))
    (by,) = [row["text"] for row in rows(live_store, third, Kind.SESSION) if row["key"] == "account_left_by"]
    assert json.loads(by) == second.id


def test_a_copy_of_a_session_is_none_of_its_accounts(live_store, tmp_path, server):
    file = strategy(tmp_path)
    first = traded(live_store, server, file)
    traded(live_store, server, file, params=["leaves=true"])
    salvage(live_store, first.id, created_ns=time.time_ns())
    third = traded(live_store, server, file)
    assert third.kinds["fill"] == 1  # nothing is held any more


def test_a_session_that_is_refused_leaves_the_one_that_was_killed_as_it_is(live_store, tmp_path, server):
    file = strategy(tmp_path)
    killed = kill(live_store, server, file)
    with pytest.raises(ConfigError, match="account mine holds words:A of keeper"):
        traded(live_store, server, strategy(tmp_path, "stranger"), is_fresh=True)
    assert live_store.manifest(killed).state == "open"
    assert standing(live_store, "mine") is None
    gone_on = traded(live_store, server, file)
    assert gone_on.id == killed


def test_a_session_of_another_account_or_of_none_begins_with_the_settings_cash(live_store, tmp_path, server):
    file = strategy(tmp_path)
    traded(live_store, server, file)
    assert traded(live_store, server, file, account="other").kinds["fill"] == 1
    assert traded(live_store, server, file, account="").kinds["fill"] == 1
    assert names(live_store) == ["mine", "other"]


def test_a_session_that_was_killed_is_settled_by_its_own_code_when_the_next_one_begins(live_store, tmp_path, server):
    file = strategy(tmp_path)
    kill(live_store, server, file)
    assert standing(live_store, "mine") is None
    killed = unsettled(live_store, "mine")
    assert killed.state == "open"

    following = traded(live_store, server, file, is_fresh=True)
    assert "fill" not in following.kinds
    assert standing(live_store, "mine").held == (Held("keeper", "words:A", 10, 101.0),)
    assert live_store.manifest(killed.id).state == "sealed"
    assert verify(live_store, killed.id).identical
    assert verify(live_store, following.id).identical
    (by,) = [row["text"] for row in rows(live_store, following, Kind.SESSION) if row["key"] == "account_left_by"]
    assert json.loads(by) == killed.id
    assert unsettled(live_store, "mine") is None


def test_nothing_that_is_held_is_forgotten(live_store, tmp_path, server):
    traded(live_store, server, strategy(tmp_path))
    before = len(live_store.sessions())
    with pytest.raises(
        ConfigError, match="account mine holds words:A of keeper: add --strategy keeper, name another account"
    ):
        traded(live_store, server, strategy(tmp_path, "stranger"))
    with pytest.raises(ConfigError, match="account mine holds words:A: add --feed words, name another account"):
        traded(live_store, server, strategy(tmp_path), name="others")
    assert len(live_store.sessions()) == before
    state(live_store, "mine", 500.0, now_ns=time.time_ns(), why="sold by hand")
    left = standing(live_store, "mine")
    assert (left.cash, left.held, left.why, left.session) == (500.0, (), "sold by hand", "")
    traded(live_store, server, strategy(tmp_path, "stranger"))
    assert standing(live_store, "mine").held == (Held("stranger", "words:A", 10, 101.0),)
    assert standing(live_store, "mine").cash == pytest.approx(500.0 - 1_010.0 - 0.13)


def test_what_traded_on_no_account_is_none_of_one(live_store, tmp_path, server):
    file = strategy(tmp_path)
    state(live_store, "mine", 5_000.0, now_ns=time.time_ns(), why="start")
    kill(live_store, server, file, account="")
    after = traded(live_store, server, file)
    left = standing(live_store, "mine")
    assert (left.session, left.cash) == (after.id, pytest.approx(5_000.0 - 1_010.0 - 0.13))


def test_a_statement_by_hand_is_not_undone_by_a_session_that_was_killed_before(live_store, tmp_path, server):
    file = strategy(tmp_path)
    killed = kill(live_store, server, file)
    state(live_store, "mine", 7_777.0, now_ns=time.time_ns(), why="a new month")
    after = traded(live_store, server, file)
    assert after.id != killed
    assert standing(live_store, "mine").cash == pytest.approx(7_777.0 - 1_010.0 - 0.13)


def test_a_replay_of_a_session_begins_without_what_its_account_had(live_store, tmp_path, server):
    file = strategy(tmp_path)
    traded(live_store, server, file)
    second = traded(live_store, server, file)
    assert "fill" not in second.kinds
    made = replay(live_store, second.id, plan_of([file], [], SET), [file], created_ns=1)
    assert made.fills == 1
    (position,) = rows_of_kind(live_store, live_store.manifest(made.run), Kind.POSITION)
    assert position["cash"] == 100_000.0 - 1_010.0 - 0.13
    assert verify(live_store, made.run).identical
    assert verify(live_store, second.id).identical
    grid = grid_of([file], [], SET, [])
    (cell,) = backtest(live_store, [second], grid, [file], created_ns=1, workers=1).rows
    assert (cell.fills, cell.open_positions) == (1, 1)


def test_an_account_is_traded_on_by_one_at_a_time(live_store):
    with used(live_store, "mine"):
        with pytest.raises(LockedError, match="account mine is traded on by process"), used(live_store, "mine"):
            pass
        with used(live_store, "other"), used(live_store, ""):
            pass
    with used(live_store, "mine"):
        pass


@pytest.mark.parametrize(
    ("asked", "account"),
    [
        ({}, "paper"),
        ({"account": "mine"}, "mine"),
        ({"account": "none"}, ""),
        ({"clock": "2026-11-04T13:30:00Z@60"}, ""),
        ({"clock": "2026-11-04T13:30:00Z@60", "account": "mine"}, "mine"),
        ({"strategies": []}, ""),
    ],
)
def test_who_trades_by_the_real_clock_trades_on_paper_unless_told_otherwise(asked, account):
    made = recording_of(**{**ASKED, **asked})
    assert made.account == account
    assert made.settings.get("account", "") == account


def test_an_account_without_strategies_is_refused():
    with pytest.raises(ConfigError, match="--account mine: nothing is traded"):
        recording_of(**{**ASKED, "account": "mine", "strategies": []})


def test_the_command_lists_shows_and_sets(live_store):
    home = str(live_store.home)

    def said(*words):
        result = CliRunner().invoke(main, ["--home", home, "accounts", *words])
        return result.exit_code, result.output

    assert said("list") == (0, "")
    code, text = said("show")
    assert code != 0
    assert "account paper: nothing was traded on it yet" in text
    assert said("set", "paper", "a new month", "--cash", "2500") == (0, "paper: 2,500.00, nothing held\n")
    assert said("set", "paper", "typing error", "--cash", "-1")[0] == 2
    code, text = said("list")
    assert text.split() == ["paper", "2,500.00", "0", "positions", "by", "hand:", "a", "new", "month"]
    assert json.loads(said("show", "--json")[1])["cash"] == 2_500.0
    assert Store(live_store.home).account_folder("paper").is_dir()
