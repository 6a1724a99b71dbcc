"""Explaining over real logs: every fill goes back to an input, each step being the cause that its row names."""

import json
from itertools import pairwise

import pytest
from click.testing import CliRunner

from pipeline.block import Block
from pipeline.cli import main
from pipeline.codes import IntentAction, IntentOutcome, Kind, Origin
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.manifest import StrategyEntry, Words
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.explaining import Explainer
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.traveling import Traveler, journey_of_log
from pipeline.simulator.generate import Day
from pipeline.units import INT64_MAX, NANO

FILE = strategy_file("opening_range")
PARAMS = ["open_minute=480", "hold_minutes=5"]
HOSTILE = "\x1b[31m[bold]E\nF"


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A store with a generated session, its explainer and a run over it."""
    store = Store(tmp_path_factory.mktemp("store"))
    session = record_generated(store, Day(quotes=900, instruments=4), plan_of([FILE], PARAMS, []), [FILE], created_ns=1)
    run = replay(store, session.id, plan_of([FILE], [*PARAMS, "minutes=9"], []), [FILE], created_ns=2).run
    return store, Explainer(store, session.id), run


def called(store, *words):
    return CliRunner().invoke(main, ["--home", str(store.home), "explain", *words])


@pytest.mark.parametrize("is_run", [False, True])
def test_every_fill_goes_back_to_the_input_that_began_it(day, is_run):
    store, explainer, run = day
    explainer = Explainer(store, run) if is_run else explainer
    fills = explainer.rows.of(Kind.FILL)
    assert fills
    for fill in fills[:3] + fills[-3:]:
        (steps,) = explainer.fill(fill.values["fill_id"]).chains
        assert steps[0].place == fill.place
        for step, cause in pairwise(steps):
            (row,) = [row for row in explainer.rows.at(step.seq) if row.place == step.place]
            assert row.cause == cause.place
            assert cause.place < step.place, "cause before effect"
        kinds = [step.kind for step in steps]
        assert {"order", "risk", "intent"} <= set(kinds)
        assert steps[-1].is_input
        intent = steps[len(kinds) - 1 - kinds[::-1].index("intent")]
        shown = [step for step in intent.beside if step.role == "shown"]
        assert len(shown) == 3
        assert all(step.place < intent.place for step in shown)
        bars = [step for step in steps[-1].beside if step.role == "bar"]
        assert all(step.beside for step in bars), "each bar names prints that made it"


def test_a_bar_of_a_real_log_has_the_prices_of_the_prints_it_names(day):
    _, explainer, _ = day
    bars = explainer.rows.of(Kind.BAR)
    for bar in bars[:: len(bars) // 10]:
        (steps,) = explainer.row(*bar.place).chains
        named = {name: step for step in steps[0].beside for name in step.role.split(", ")}
        assert {name: step.values["price_nano"] for name, step in named.items()} == {
            name: bar.values[f"{name}_nano"] for name in ("open", "high", "low", "close")
        }


def test_an_order_by_symbol_and_moment_is_that_of_the_last_fill(day):
    store, explainer, _ = day
    traded = explainer.rows.of(Kind.FILL)[-1].values["instrument_id"]
    first, *_, last = explainer.rows.of(Kind.FILL, instrument_id=traded)
    symbol = explainer.teller.symbol(traded)
    assert explainer.last_before(symbol, INT64_MAX).chains[0][0].place == last.place
    assert explainer.last_before(symbol, last.values["ts_recv_ns"] - 1).chains[0][0].place < last.place
    with pytest.raises(NotFoundError, match="no fill and no order by then"):
        explainer.last_before(symbol, 0)
    every_state = [row.place for row in explainer.rows.of(Kind.ORDER, order_id=first.values["order_id"])]
    places = {step.place for steps in explainer.order(first.values["order_id"]).chains for step in steps}
    assert set(every_state) <= places
    done = called(store, "last", "--symbol", symbol, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["chains"][0][0]["seq"], found["chains"][0][0]["ord"]) == last.place


def test_what_is_printed_has_a_line_for_each_row_in_the_order_of_causes(day):
    store, explainer, _ = day
    fill = explainer.rows.of(Kind.FILL)[-1].values["fill_id"]
    done = called(store, "last", "--fill", str(fill), "--all")
    assert done.exit_code == 0, done.output
    (steps,) = explainer.fill(fill).chains
    lines = done.output.splitlines()
    told = [line.partition(")")[2].strip() for line in lines]
    at = [
        next(i for i, line in enumerate(lines) if f"({step.seq:,}, {step.ord}) " in line and told[i] == step.says)
        for step in steps
    ]
    assert at == sorted(at)
    short = called(store, "last", "--fill", str(fill)).output.splitlines()
    assert len(short) <= len(lines)


def test_why_not_says_what_the_strategy_heard_and_what_stood_in_the_market(day):
    store, explainer, _ = day
    (first, *_) = [row for row in explainer.rows.of(Kind.INTENT) if row.values["action"] == IntentAction.NONE]
    symbol = explainer.teller.symbol(first.values["instrument_id"])
    found = explainer.why_not(symbol, first.values["ts_recv_ns"])
    (answer,) = found.strategies
    gate = next(step for step in answer.findings if step.role == "gate")
    assert gate.place == first.place
    assert {step.role for step in found.market} >= {"quote"}
    assert all(step.seq <= found.seq for step in found.market)
    with pytest.raises(ConfigError, match="before the first input"):
        explainer.why_not(symbol, 0)
    done = called(store, "last", "--symbol", symbol, "--why-not")
    assert done.exit_code == 0, done.output
    assert "opening_range: in phase" in done.output
    exact = called(store, "last", "--symbol", symbol, "--why-not", "--exactly")
    assert exact.exit_code == 0, exact.output


def test_a_gate_sees_at_the_last_tick_what_the_strategy_compared_there(day):
    """Its row is of when it began to refuse; a replay tells of any later tick."""
    store, explainer, _ = day
    gates = [row for row in explainer.rows.of(Kind.INTENT, gate=1) if row.values["strategy_id"] == 1]
    began = gates[0]
    number = began.values["instrument_id"]
    later = [row for row in explainer.rows.of(Kind.QUOTE, instrument_id=number) if row.place > began.place][3]
    found = explainer.why_not(explainer.teller.symbol(number), later.values["ts_recv_ns"])
    first_ns = explainer.rows.of(Kind.QUOTE, instrument_id=number)[0].values["ts_recv_ns"]
    with Traveler(store, journey_of_log(store, explainer.manifest.id)) as traveler:
        (answer,) = explainer.regated(found, traveler).strategies
        (waiting,) = explainer.regated(
            explainer.why_not(explainer.teller.symbol(number), first_ns), traveler
        ).strategies
    assert (answer.phase, waiting.phase, waiting.findings) == ("watching", "building", [])
    step = next(step for step in answer.findings if step.role == "gate at the last quote")
    assert step.seq == later.values["seq"] > began.values["seq"]
    assert step.values["gate_value"] == later.values["bid_nano"] / NANO
    assert step.values["gate_threshold"] == began.values["gate_threshold"], "the range stands"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("last",), "say one of"),
        (("last", "--fill", "1", "--order", "1"), "say one of"),
        (("last", "--fill", "1", "--at", "03:30"), "go with --symbol"),
        (("last", "--symbol", "ABCD", "--exactly"), "goes with --why-not"),
        (("last", "--fill", "999999"), "no fill 999999 in generated-7: there is 1 to"),
        (("last", "--order", "999999"), "no order 999999"),
        (("last", "--row", "x"), "SEQ,ORD"),
        (("last", "--row", "1,50"), "at that seq there is 0 (session)"),
        (("last", "--symbol", "NOPE"), "no symbol 'NOPE'"),
        (("nothing", "--fill", "1"), "nothing"),
    ],
)
def test_a_question_without_an_answer_is_one_clear_line(day, words, said):
    done = called(day[0], *words)
    assert done.exit_code == 2
    assert said in done.output


def test_a_session_in_which_nobody_decided_names_what_to_do(day, tmp_path):
    store = Store(tmp_path)
    session = record_generated(store, Day(quotes=50, instruments=1), plan_of([], [], []), [], created_ns=1)
    with pytest.raises(ConfigError, match="nobody decided anything in generated-7; `tape replay`"):
        Explainer(store, session.id)


def test_hostile_words_reach_no_terminal(tmp_path):
    """Symbols, a strategy's words and a broker's texts are strangers'."""
    store = Store(tmp_path)
    entry = StrategyEntry("probe", {}, "0", Words(gates={HOSTILE: 1}))
    made = store.create_session("day", mode=Mode.LIVE, created_ns=1, strategies=[entry])
    symbols = Block.of(Kind.INSTRUMENT, 1, seq=1, instrument_id=1, symbol=HOSTILE, size_step_nano=NANO, ts_recv_ns=NANO)
    order = Block.of(Kind.ORDER, 1, seq=2, instrument_id=1, strategy_id=1, order_id=1, text=HOSTILE, ts_recv_ns=NANO)
    header = {"seq": 1, "ord": 1, "instrument_id": 1, "origin": int(Origin.DERIVED), "cause_seq": 1, "ts_recv_ns": NANO}
    refused = {"action": int(IntentAction.NONE), "outcome": int(IntentOutcome.GATED), "gate": 1, "strategy_id": 1}
    folder = store.folder(made.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [symbols, order])
        journal.append(FrameKind.DERIVED, [Block.of(Kind.INTENT, 1, **header, **refused)])
    manifests.update(folder, state="ended")
    for words in (("day", "--order", "1"), ("day", "--symbol", HOSTILE, "--why-not")):
        done = called(store, *words)
        assert done.exit_code == 0, done.output
        assert "\x1b" not in done.output
        assert "[bold]E\N{REPLACEMENT CHARACTER}F" in done.output
