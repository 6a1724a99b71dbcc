"""Live sessions that trade at a broker: sealed and verified with what it said, killed and gone on with, halted, ended."""

import json
import re
import signal
import subprocess
import sys
import threading
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest
from broker_floor import Floor, restless, simulated
from live_sessions import Running, live_store, rows
from test_accounts import FailedError
from test_live_processes import tape, until

from pipeline.block import Block
from pipeline.codes import AccountAction, FeedAction, Kind, OrderFlag, OrderState, Origin, RequestAction
from pipeline.errors import ConfigError, VenueError
from pipeline.execution.identity import Identity
from pipeline.execution.paper import DIFFERENCES
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.ports import Reported
from pipeline.provenance import Mode
from pipeline.run.accounts import standing, state
from pipeline.run.brokering import Brokering
from pipeline.run.brokers import broker_named
from pipeline.run.clock import SystemClock
from pipeline.run.explaining import Explainer
from pipeline.run.halting import Halt, halt, halted
from pipeline.run.outstanding import Outstanding
from pipeline.run.parity import parity
from pipeline.run.refilling import refill
from pipeline.run.replaying import replay
from pipeline.run.verifying import verify
from pipeline.simulator.trading.mischief import odds_of

__all__ = ["live_store"]
S = OrderState
MISHAPS = (
    "lost-request=0.05",
    "lost-reply=0.1",
    "twice=0.1",
    "500=0.05",
    "429=0.05",
    "message-lost=0.1",
    "message-twice=0.1",
)


def all_rows(store, manifest, *kinds):
    batches = LogReader(store.folder(manifest.id)).batches(what="all", kinds=kinds)
    found = [(block.kind, row) for batch in batches for block in batch for row in block.rows()]
    return sorted(found, key=lambda each: (each[1]["seq"], each[1]["ord"]))


def fills(recorder):
    return recorder.kinds.get(Kind.FILL, 0)


def held(store, manifest):
    positions = [row["quantity_steps"] for _, row in all_rows(store, manifest, Kind.POSITION)]
    return positions[-1] if positions else 0


@pytest.mark.parametrize(("name", "mishaps"), [("alpaca", ()), ("alpaca", MISHAPS), ("coinbase", ())])
def test_a_session_at_a_broker_is_sealed_and_verified_with_all_that_it_said(live_store, tmp_path, name, mishaps):
    with Floor(name, odds=odds_of(mishaps), parts=3) as floor:
        running = Running(live_store, floor.recording(restless(tmp_path), account="mine"))
        running.until(lambda recorder: fills(recorder) >= 9, seconds=120)
        manifest = running.end()
        told = [(kind, row) for kind, row in all_rows(live_store, manifest, Kind.ORDER, Kind.FILL)]
        assert manifest.mode is Mode.LIVE
        assert held(live_store, manifest) == floor.position
        assert [int(text.split()[1].rstrip(":")) for text in running.ending.at_broker] == floor.working
    submitted = {row["order_id"]: row for kind, row in told if kind is Kind.ORDER and row["state"] == S.SUBMITTED}
    for kind, row in told:
        if row["origin"] == Origin.INPUT:
            sent = submitted[row["order_id"]]
            assert (row["cause_seq"], row["cause_ord"]) == (sent["seq"], sent["ord"])
            assert (row["strategy_id"], row["tag"], row["ord"]) == (1, sent["tag"], 0)
        else:
            assert kind is Kind.ORDER, "nothing fills here"
    assert [row["fill_id"] for kind, row in told if kind is Kind.FILL] == list(range(1, manifest.kinds["fill"] + 1))
    assert len(submitted) == len([1 for kind, row in told if kind is Kind.ORDER and row["state"] == S.SUBMITTED])
    (opening,) = [row for _, row in all_rows(live_store, manifest, Kind.ACCOUNT) if row["action"] not in DIFFERENCES]
    assert (opening["action"], opening["cash_nano"]) == (AccountAction.OPENING_CASH, 10**6 * 10**9)
    assert verify(live_store, manifest.id).identical
    assert "broker" in manifest.settings
    assert b"simulated" not in json.dumps(manifest.settings).encode()

    file = restless(tmp_path)
    run = replay(live_store, manifest.id, simulated(file), [file], created_ns=1)
    assert run.fills > 0, "today's code is filled by the simulated venue"
    again = refill(live_store, manifest.id, settings={})
    assert again.before.fills == manifest.kinds["fill"]
    assert again.after.fills > 0

    for row in [row for kind, row in told if kind is Kind.FILL][::6]:
        (steps,) = Explainer(live_store, manifest.id).fill(row["fill_id"]).chains
        sent = submitted[row["order_id"]]
        assert [step.place for step in steps[:2]] == [(row["seq"], 0), (sent["seq"], sent["ord"])]
        assert "intent" in [step.kind for step in steps]
        assert (steps[-1].kind, steps[-1].is_input) == ("quote", True)
    assert parity(live_store, manifest.id).causes.keys() == {"fill"}


class Fails:
    """Fails as if it were killed when so many orders were sent: the last one is decided, perhaps written, perhaps at the broker."""

    def __init__(self, count):
        self._left = count

    def __call__(self, _, derived):
        self._left -= sum(
            int((block.number("state") == S.SUBMITTED).sum()) for block in derived if block.kind is Kind.ORDER
        )
        if self._left <= 0:
            raise FailedError


def test_one_that_is_killed_goes_on_with_what_works_at_the_broker(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor(odds=odds_of(("lost-reply=0.2", "message-lost=0.2"))) as floor:
        what = floor.recording(file, account="mine")
        for _ in range(3):
            running = Running(live_store, what)
            running.until(lambda _: True)

            running.session.recorder.seen.append(Fails(4))
            running._thread.join(120)
            assert isinstance(running.error, FailedError)
        running = Running(live_store, what)
        before = running.until(lambda _: True) or fills(running.session.recorder)
        running.until(lambda recorder: fills(recorder) >= before + 4, seconds=120)
        manifest = running.end()
        assert running.session.how.startswith("resumed")
        assert held(live_store, manifest) == floor.position
        assert [int(text.split()[1].rstrip(":")) for text in running.ending.at_broker] == floor.working
    differences = [row for _, row in all_rows(live_store, manifest, Kind.ACCOUNT) if row["action"] in DIFFERENCES]
    told = [row["text"] for row in differences]
    assert [
        text for text in told if "can't be compared: no answer" not in text and " is unknown for " not in text
    ] == []
    assert verify(live_store, manifest.id).identical


def test_another_session_goes_on_from_one_that_was_killed_with_its_orders(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor() as floor:
        running = Running(live_store, floor.recording(file, "stays=true", account="mine"))
        running.until(lambda _: len(floor.working) == 1)
        running.session.recorder.seen.append(Fails(0))
        running._thread.join(120)
        assert isinstance(running.error, FailedError)
        stop = floor.working
        running = Running(live_store, floor.recording(file, "every=12", account="mine"))
        running.until(lambda recorder: fills(recorder) >= 3, seconds=120)
        manifest = running.end()
        assert running.session.how.startswith("goes on from")
        assert held(live_store, manifest) == floor.position
        assert [each.order_id for each in standing(live_store, "mine").working] == floor.working
    told = all_rows(live_store, manifest, Kind.ORDER, Kind.ACCOUNT)
    assert stop[0] in {row["order_id"] for kind, row in told if kind is Kind.ORDER and row["state"] == S.CANCELLED}
    assert [row["text"] for kind, row in told if kind is Kind.ACCOUNT] == []
    assert all(verify(live_store, each.id).identical for each in live_store.sessions())


def test_what_protects_stays_at_the_broker_and_the_next_session_has_it(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor() as floor:
        running = Running(live_store, floor.recording(file, "stays=true", account="mine"))
        running.until(lambda recorder: fills(recorder) >= 1)
        running.until(lambda _: len(floor.working) == 1)
        first = running.end()
        left = standing(live_store, "mine")
        assert [each.order_id for each in left.working] == floor.working
        assert [text.split()[1] for text in running.ending.at_broker] == [f"{floor.working[0]}:"]

        with pytest.raises(
            ConfigError, match=r"has at alpaca, practice \w{8}: \+10 words:A at .*, order \d+ for -10 words:A"
        ):
            state(live_store, "mine", 1e6, now_ns=1, why="anew")
        with pytest.raises(ConfigError, match=r"account mine holds words:A: that is at alpaca, practice"):
            _end(Running(live_store, floor.paper(file, account="mine")))
        running = Running(live_store, floor.recording(file, "every=30", account="mine"))
        running.until(lambda recorder: fills(recorder) >= 2, seconds=120)
        second = running.end()
        assert floor.position == held(live_store, second)
        assert [each.order_id for each in standing(live_store, "mine").working] == floor.working
    cancelled = [row for kind, row in all_rows(live_store, second, Kind.ORDER) if row["state"] == S.CANCELLED]
    assert left.working[0].order_id in {row["order_id"] for row in cancelled}, "the stop made room for the exit"
    ids = {row["order_id"] for _, row in all_rows(live_store, second, Kind.ORDER) if row["state"] == S.SUBMITTED}
    assert min(ids) > max(row["order_id"] for _, row in all_rows(live_store, first, Kind.ORDER))
    differences = [row for _, row in all_rows(live_store, second, Kind.ACCOUNT) if row["action"] in DIFFERENCES]
    assert differences == []
    assert verify(live_store, second.id).identical


def _end(running):
    running._begun.wait(300)
    running.end()


def test_entries_that_still_work_are_withdrawn_at_the_end(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(restless(tmp_path), "rests=true", account="mine"))
        running.until(lambda _: len(floor.working) == 1)
        manifest = running.end()
        assert floor.working == []
        assert list(running.ending.at_broker) == []
    asked = [row for row in rows(live_store, manifest, Kind.REQUEST) if row["action"] == RequestAction.WITHDRAW]
    assert len(asked) == 1
    assert standing(live_store, "mine").working == ()
    assert verify(live_store, manifest.id).identical


def test_behind_a_halt_no_entry_is_sent_and_all_is_closed(live_store, tmp_path):
    with Floor() as floor:
        running = Running(live_store, floor.recording(restless(tmp_path), "every=1", account="mine"))
        running.until(lambda recorder: fills(recorder) >= 3)
        (told,) = halt(live_store, Halt("enough"))
        assert not told.error
        placed = len(floor.book.orders)
        running.until(lambda _: floor.position == 0 and not floor.working)
        count = running.session.recorder.kinds[Kind.QUOTE]
        running.until(lambda recorder: recorder.kinds[Kind.QUOTE] > count + 50)
        entries = [order for order in list(floor.book.orders.values())[placed:] if order.ticket.side > 0]
        assert entries == [], "behind the answer nothing is entered at the broker"
        manifest = running.end()
        assert floor.position == 0
        assert floor.working == []
    for _, row in all_rows(live_store, manifest, Kind.ORDER):
        if row["state"] == S.SUBMITTED and not row["flags"] & OrderFlag.REDUCE_ONLY:
            assert row["seq"] < told.seq
    assert verify(live_store, manifest.id).identical


def test_a_fill_too_much_halts_the_account_until_somebody_has_looked(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor() as floor:
        running = Running(live_store, floor.recording(file, "stays=true", account="mine"))
        running.until(lambda recorder: fills(recorder) >= 1 and len(floor.working) == 1)
        columns = {"order_id": 10**6, "price_nano": 10**11, "quantity_steps": 5, "side": 1}
        stray = Block.from_rows(Kind.FILL, [{"seq": 1, "instrument_id": 1, **columns}])
        inbox = running.session.recorder._control.ring.__self__
        inbox.put([(0, Reported(SystemClock().now_ns(), [stray]))], 0)
        running.until(lambda recorder: fills(recorder) >= 2)
        manifest = running.end()
        assert verify(live_store, manifest.id).identical
        why = halted(live_store, "mine")
        assert manifest.id in why.reason
        again = Running(live_store, floor.recording(file, account="mine"))
        again.until(lambda _: True)
        assert "enters nothing" in again.session.how
        again.end()


class Durable:
    """Durable when it is told."""

    def __init__(self):
        self.event = threading.Event()

    def __call__(self):
        assert self.event.wait(60)


def order_row(order_id, state):
    return {"seq": order_id, "ord": 1, "order_id": order_id, "instrument_id": 1, "state": int(state), "side": 1, "quantity_steps": 5, "strategy_id": 1, "tag": 3}  # fmt: skip


def test_nothing_is_sent_that_is_not_durable_or_was_cancelled_meanwhile(tmp_path):
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415

    from pipeline.feeds.inbox import Inbox  # noqa: PLC0415
    from pipeline.instruments import WHOLE_STEP_NANO, Instrument  # noqa: PLC0415

    with Floor() as floor, start_blocking_portal() as portal:
        durable, inbox = Durable(), Inbox()
        known = Outstanding((), (), {}, {}, {}, {1: Instrument("A", "WORDS", WHOLE_STEP_NANO)}, 0)
        clock = SystemClock()
        brokering = Brokering(
            floor.at, Identity("mine", "00ff"), known, inbox, clock, wait_durable=durable, draw=lambda: 0.5
        )
        brokering.start(portal)
        told, states = [], {}

        def look(seconds=0.0):
            for _, item in inbox.take(seconds):
                for block in brokering.reported(item.blocks):
                    told.extend((block.kind, row) for row in block.rows())
            states.update({row["order_id"]: S(row["state"]) for kind, row in told if kind is Kind.ORDER})

        while not any(kind is Kind.FEED and row["action"] == FeedAction.CONNECTED for kind, row in told):
            look(0.1)
        brokering.add([], [Block.from_rows(Kind.ORDER, [order_row(1, S.SUBMITTED), order_row(2, S.SUBMITTED)])])
        brokering.add([], [Block.from_rows(Kind.ORDER, [order_row(2, S.CANCEL_PENDING)])])
        for _ in range(10):
            look(0.05)
        assert floor.book.orders == {}
        assert not brokering.is_settled
        durable.event.set()
        while states.keys() != {1, 2} or states[1] not in {S.ACCEPTED, S.FILLED}:
            look(0.1)
        assert states[2] is S.CANCELLED
        (order,) = floor.book.orders.values()
        assert order.ticket.client_order_id.endswith("-1")
        brokering.check()
        brokering.close()


def test_a_broker_that_does_not_answer_is_seen_before_a_session_begins(live_store, tmp_path):
    file = restless(tmp_path)
    with Floor() as floor:
        what = floor.recording(file, account="mine")
    with pytest.raises(VenueError, match=r"alpaca does not say how the account stands"):
        _end(Running(live_store, what))
    assert live_store.sessions() == []


@pytest.mark.parametrize(
    ("text", "is_real", "match"),
    [
        ("alpca", False, "no such broker; there are alpaca, coinbase.*did you mean"),
        ("alpaca=http://127.0.0.1:1", False, "two addresses"),
        ("alpaca=http://example.com,ws://example.com", False, "may be real money, and that was not said|plain text"),
        ("alpaca=http://127.0.0.1:1,ws://127.0.0.1:2/stream", True, "is no place for real money"),
        ("coinbase", False, "it has no paper account"),
    ],
)
def test_a_wrong_broker_is_said(monkeypatch, text, is_real, match):
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=match):
        broker_named(text, is_real_money=is_real)


@pytest.mark.parametrize("typed", ["real money\n"])
def test_real_money_is_confirmed_by_typing_it(tmp_path, monkeypatch, typed):
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.setenv(name, "secret-x")
    command = ["--home", tmp_path, "record", "--feed", "massive=ws://127.0.0.1:9/stocks", "--symbols", "A"]
    command += ["--strategy", "hold", "--broker", "alpaca", "--real-money"]
    told = subprocess.run([sys.executable, "-m", "pipeline.cli", *command], check=False, input=typed, capture_output=True, text=True, timeout=120)  # fmt: skip
    assert told.returncode == 2
    assert "hold will trade at alpaca, real money, on account alpaca-real-money" in told.stderr
    assert "not confirmed, nothing was begun" in told.stderr
    assert "secret-x" not in told.stderr
    assert not (tmp_path / "sessions").exists()


def test_processes_that_are_killed_lose_no_order(tmp_path):
    """`tape record` at a broker that `tape serve` serves: SIGKILL twice, the same command again, SIGTERM."""
    home, file = tmp_path / "data", restless(tmp_path)
    serve = ["--generate", "premarket", "--symbols", "2", "--speed", "60", "--port", "0", "--protocol", "massive"]
    with tape(home, "serve", *serve, "--trading", "--stay", stdout=subprocess.PIPE) as serving:
        urls = dict(serving.stdout.readline().split()[1:] for _ in range(5))
        serving.stdout.readline()
        symbols = serving.stdout.readline().removeprefix("symbols ").replace(", ", ",").strip()
        broker = f"alpaca={urls['alpaca-trading']},{urls['alpaca-orders']}"
        asked = ["record", "--feed", f"massive={urls['massive']}", "--symbols", symbols, "--clock", "served"]
        asked += [
            "--strategy",
            file,
            "--param",
            "every=3",
            "--broker",
            broker,
            "--account",
            "mine",
            "--plain",
            "--interpreted",
        ]
        store, filled = Store(home), 0
        for _ in range(2):
            with tape(home, *asked, stderr=subprocess.DEVNULL) as recording:
                before = filled
                until(lambda: store.sessions() and len(fills_of(store)) >= before + 2, 120)  # noqa: B023
                recording.send_signal(signal.SIGKILL)
                recording.wait(30)
            filled = len(fills_of(store))
        with tape(home, *asked, stderr=subprocess.PIPE) as recording:
            until(lambda: len(fills_of(store)) >= filled + 2, 120)
            recording.send_signal(signal.SIGTERM)
            said = recording.communicate(timeout=120)[1]
            assert recording.returncode == 0, said
        key = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "any"}
        told = [
            json.load(urlopen(HttpRequest(f"{urls['alpaca-trading']}/v2/{what}", headers=key)))
            for what in ("positions", "orders?status=open", "orders?status=all&limit=500")
        ]
    positions = {each["symbol"]: float(each["qty"]) for each in told[0]}
    working = sorted(int(each["client_order_id"].rpartition("-")[2]) for each in told[1])
    (manifest,) = store.sessions()
    assert "(resumed" in said
    left = standing(store, "mine")
    assert {each.symbol.rpartition(":")[2]: each.quantity for each in left.held} == positions
    ours = sorted(each.order_id for each in left.working)
    came = {int(each["client_order_id"].rpartition("-")[2]) for each in told[2]}
    assert [order_id for order_id in ours if order_id in came] == working
    assert not {order_id for order_id in ours if order_id not in working} & came, (
        "decided when it was killed, and never sent"
    )
    named = {int(each) for each in re.findall(r"still at the broker: order (\d+):", said)}
    assert (
        set(working) <= named <= set(ours)
    )  # what was decided with the last message was never sent: it is in the log alone
    told = all_rows(store, manifest, Kind.FILL)
    assert len({row["venue_fill_id"] for _, row in told}) == len(told)
    assert verify(store, manifest.id).identical


def fills_of(store):
    (manifest,) = store.sessions()
    return rows(store, manifest, Kind.FILL)
