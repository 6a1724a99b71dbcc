"""Two runs beside each other: what is added, removed, moved, resized, and what it brought."""

import json
from collections import Counter

import pytest
from commands import tape
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import IntentAction, IntentOutcome, Kind, Origin, Side
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.manifest import StrategyEntry
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.diffing import diff
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS, NANO

TS = 1_793_779_200 * NANO
INPUTS = 60


def session_of(store, name="day"):
    """A session of two instruments and timers, nothing decided."""
    made = store.create_session(name, mode=Mode.IMPORT, created_ns=1)
    folder = store.folder(made.id)
    symbols = Block.of(
        Kind.INSTRUMENT, 2, seq=[1, 2], ts_event_ns=TS, ts_recv_ns=TS, instrument_id=[1, 2], symbol=["ABCD", "EFGH"],
        size_step_nano=NANO, multiplier_nano=NANO,
    )  # fmt: skip
    count = INPUTS - 2
    timers = Block.of(Kind.TIMER, count, seq=range(3, INPUTS + 1), ts_event_ns=TS, ts_recv_ns=TS, interval_ns=NANO)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [symbols])
        journal.append(FrameKind.INPUTS, [timers])
    manifests.update(folder, state="ended")
    return made.id


def wish(seq, *, symbol=1, action=IntentAction.ENTER, side=Side.BUY, size=100, limit=-(2**63), strategy=1, **more):
    """One wish as a row."""
    return {"seq": seq, "instrument_id": symbol, "action": action, "side": side, "quantity_steps": size,
            "limit_nano": limit, "strategy_id": strategy, **more}  # fmt: skip


def fill(seq, side, size, price, symbol=1):
    """One execution as a row."""
    return {"seq": seq, "instrument_id": symbol, "side": side, "quantity_steps": size, "price_nano": price * NANO,
            "strategy_id": 1, "fee_nano": NANO}  # fmt: skip


def run_of(store, session, wishes=(), fills=(), *, strategies=("probe", "other"), state="ended"):
    """A run whose only decisions are these; the place within an input is the place in the list."""
    entries = tuple(StrategyEntry(name, {}, "0") for name in strategies)
    made = store.create_run("x", mode=Mode.REPLAY, created_ns=1, parents=[session], strategies=entries)
    places, blocks = Counter(), []
    for kind, rows in ((Kind.INTENT, wishes), (Kind.FILL, fills)):
        placed = []
        for row in sorted(rows, key=lambda row: row["seq"]):
            places[row["seq"]] += 1
            header = {"ord": places[row["seq"]], "ts_event_ns": TS, "ts_recv_ns": TS, "origin": Origin.DERIVED}
            placed.append({**row, **header})
        if placed:
            blocks.append(Block.from_rows(kind, placed))
    folder = store.folder(made.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id), is_derived_only=True) as journal:
        if blocks:
            journal.append(FrameKind.DERIVED, blocks)
    if state != "open":
        manifests.update(folder, state="ended", settings={"to_seq": INPUTS})
        seal(folder)
    return made.id


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("diff"))
    return store, session_of(store)


def told(found):
    return [(change.change, change.seq_a, change.seq_b, change.differs) for change in found.changes]


EXIT = {"action": IntentAction.EXIT, "side": Side.SELL}


@pytest.mark.parametrize(
    ("wishes_a", "wishes_b", "expected"),
    [
        ([], [], []),
        ([wish(10), wish(20)], [wish(10), wish(20)], []),
        ([wish(10)], [], [("removed", 10, None, ())]),
        ([], [wish(10)], [("added", None, 10, ())]),
        ([wish(10)], [wish(14)], [("moved", 10, 14, ())]),
        ([wish(10)], [wish(14, size=50)], [("moved", 10, 14, ("quantity",))]),
        ([wish(10)], [wish(10, size=50)], [("resized", 10, 10, ("quantity",))]),
        ([wish(10, limit=5)], [wish(10, limit=6)], [("resized", 10, 10, ("limit",))]),
        ([wish(10)], [wish(10, outcome=IntentOutcome.LOST)], [("judged", 10, 10, ("outcome",))]),
        # neither another symbol, nor another side, action or strategy is the same wish
        ([wish(10)], [wish(10, symbol=2)], [("removed", 10, None, ()), ("added", None, 10, ())]),
        ([wish(10)], [wish(10, side=Side.SELL)], [("removed", 10, None, ()), ("added", None, 10, ())]),
        ([wish(10)], [wish(10, **EXIT)], [("removed", 10, None, ()), ("added", None, 10, ())]),
        ([wish(10)], [wish(10, strategy=2)], [("removed", 10, None, ()), ("added", None, 10, ())]),
        # a shared place is never moved across: what is left before it stays before it
        (
            [wish(10), wish(30), wish(50)],
            [wish(30), wish(40), wish(50)],
            [("removed", 10, None, ()), ("added", None, 40, ())],
        ),
        (
            [wish(10), wish(12), wish(30)],
            [wish(11), wish(30), wish(40)],
            [("moved", 10, 11, ()), ("removed", 12, None, ()), ("added", None, 40, ())],
        ),
        # several at one input go by their order
        ([wish(10), wish(10, size=50)], [wish(10)], [("removed", 10, None, ())]),
        # a gate that changes its mind is no wish
        ([wish(10, action=IntentAction.NONE)], [], []),
    ],
)  # fmt: skip
def test_wishes_are_matched_by_the_rule(day, wishes_a, wishes_b, expected):
    store, session = day
    found = diff(store, run_of(store, session, wishes_a), run_of(store, session, wishes_b))
    assert sorted(map(repr, told(found))) == sorted(map(repr, expected))
    assert found.identical is (not expected)
    assert (found.session, found.last_seq_a, found.last_seq_b) == (session, INPUTS, INPUTS)
    assert {change: count for change, count in found.counts.items() if count} == Counter(row[0] for row in expected)


def test_strategies_are_the_same_by_name_not_by_place(day):
    store, session = day
    one = run_of(store, session, [wish(10, strategy=1)], strategies=("probe", "other"))
    turned = run_of(store, session, [wish(10, strategy=2)], strategies=("other", "probe"))
    assert diff(store, one, turned).identical


WISHES = st.lists(
    st.builds(
        wish,
        st.integers(3, INPUTS),
        symbol=st.integers(1, 2),
        side=st.sampled_from([Side.BUY, Side.SELL]),
        size=st.integers(1, 2),
    ),
    max_size=12,
)


@given(WISHES, WISHES)
@settings(max_examples=6)
def test_the_changes_turn_one_run_into_the_other(tmp_path_factory, wishes_a, wishes_b):
    store = Store(tmp_path_factory.mktemp("diff"))
    session = session_of(store)
    a, b = run_of(store, session, wishes_a), run_of(store, session, wishes_b)
    there, back = diff(store, a, b), diff(store, b, a)
    made = Counter((row["instrument_id"], row["side"], row["seq"], row["quantity_steps"]) for row in wishes_a)
    ids, sides = {"ABCD": 1, "EFGH": 2}, {"buy": Side.BUY, "sell": Side.SELL}
    for change in there.changes:
        if change.seq_a is not None:
            made[ids[change.symbol], sides[change.side], change.seq_a, change.quantity_a] -= 1
        if change.seq_b is not None:
            made[ids[change.symbol], sides[change.side], change.seq_b, change.quantity_b] += 1
    assert +made == Counter((row["instrument_id"], row["side"], row["seq"], row["quantity_steps"]) for row in wishes_b)
    mirrored = {"added": "removed", "removed": "added"}
    assert Counter((mirrored.get(row[0], row[0]), row[2], row[1]) for row in told(there)) == Counter(
        row[:3] for row in told(back)
    )


def test_profit_is_told_by_symbol_and_in_all(day):
    store, session = day
    bought = [fill(10, Side.BUY, 100, 10), fill(20, Side.SELL, 100, 11)]
    other = [fill(10, Side.BUY, 100, 10, 2), fill(20, Side.SELL, 100, 9, 2), fill(30, Side.BUY, 1, 5, 1)]
    found = diff(store, run_of(store, session, [], bought), run_of(store, session, [], [*bought, *other]))
    assert found.changes == []
    assert not found.identical
    by_symbol = {
        effect.symbol: (effect.trades_a, effect.trades_b, effect.open_b, effect.profit_a, effect.profit_b)
        for effect in found.effects
    }
    assert by_symbol == {"ABCD": (1, 1, 1, 98.0, 98.0), "EFGH": (0, 1, 0, 0.0, -102.0)}
    assert (found.profit_a, found.profit_b, found.effect) == (98.0, -4.0, -102.0)


def test_what_can_not_be_compared_is_refused(day):
    store, session = day
    other = session_of(store, "other-day")
    run, foreign = run_of(store, session), run_of(store, other)
    for a, b, reason in (
        (run, run, "compared with itself"),
        (run, foreign, f"{run} is over {session} and {foreign} over {other}"),
        (session, foreign, "a seq of theirs is not the same input"),
        (run, run_of(store, session, state="open"), "was never finished"),
    ):
        with pytest.raises(ConfigError, match=reason):
            diff(store, a, b)
    with pytest.raises(NotFoundError, match="names nothing"):
        diff(store, run, "nobody")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("recorded"))
    files = [strategy_file("ema_cross")]
    plans = [plan_of(files, [f"ema_cross.fast={fast}", "ema_cross.slow=20"], []) for fast in (5, 6)]
    session = record_generated(
        store, Day(quotes=1_000, instruments=3, lasts_ns=40 * MINUTE_NS), plans[0], files, created_ns=1
    ).id
    runs = [replay(store, session, plan, files, created_ns=2) for plan in plans]
    return store, session, runs


def test_a_session_counts_as_a_run_of_itself(recorded):
    store, session, (same, changed) = recorded
    found = diff(store, session, same.run)
    assert (found.identical, found.changes, found.wishes_a) == (True, [], found.wishes_b)
    assert found.wishes_a > 0
    there = diff(store, session, changed.run)
    assert there.changes == diff(store, same.run, changed.run).changes != []
    assert there.wishes_b - there.wishes_a == there.counts["added"] - there.counts["removed"]


def flat_profits(store, session, run):
    """Profit of each symbol that ended flat, by the engine's own book."""
    symbols = {
        row["instrument_id"]: row["symbol"]
        for batch in LogReader(store.folder(session)).batches(kinds=[Kind.INSTRUMENT])
        for block in batch
        for row in block.rows()
    }
    last = {}
    for batch in LogReader(store.folder(run)).batches(kinds=[Kind.POSITION], what="derived"):
        last |= {symbols[row["instrument_id"]]: row for block in batch for row in block.rows()}
    return {symbol: row["realized"] - row["fees"] for symbol, row in last.items() if row["quantity_steps"] == 0}


def test_effects_are_what_the_engine_booked(recorded):
    store, session, (same, changed) = recorded
    found = diff(store, same.run, changed.run)
    booked_a, booked_b = (flat_profits(store, session, run.run) for run in (same, changed))
    assert booked_a
    assert booked_b
    assert {e.symbol: e.profit_a for e in found.effects if not e.open_a} == pytest.approx(booked_a)
    assert {e.symbol: e.profit_b for e in found.effects if not e.open_b} == pytest.approx(booked_b)
    assert found.effect == pytest.approx(sum(effect.effect for effect in found.effects))
    assert found.effect == pytest.approx(found.profit_b - found.profit_a) != 0


def test_the_command_says_it_to_people_and_machines(recorded):
    store, session, (same, changed) = recorded
    done = tape(store.home, "diff", session, same.run)
    assert done.returncode == 0, done.stderr
    assert "every wish is the same" in done.stdout
    done = tape(store.home, "diff", same.run, changed.run, "--show", "2")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == f"{same.run} -> {changed.run}, over {session}"
    assert "in all" in done.stdout
    done = tape(store.home, "diff", same.run, changed.run, "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["identical"] is False
    assert sum(answer["counts"].values()) == len(answer["changes"])
    done = tape(store.home, "diff", session, session)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tape: ")
