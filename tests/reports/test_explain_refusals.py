"""Refusals: the last word of each sort, per strategy and scanner, before a moment; nothing of later, of others."""

import math

from made_rows import TELLER, MadeRows, made

from pipeline.codes import IntentAction, IntentOutcome, Kind, OrderState, RiskRule, RiskVerdict, SessionAction, Side
from pipeline.reports.explain_refusals import refusals, verdicts
from pipeline.reports.explain_words import Teller
from pipeline.scanner_codes import CandidateVerdict, UniverseAction, UniverseReason

END = (100, 0)


def gate(seq, number, value, threshold, **more):
    said = {"gate": number, "gate_value": value, "gate_threshold": threshold}
    return made(Kind.INTENT, seq, 1, (seq, 0), action=IntentAction.NONE, outcome=IntentOutcome.GATED, **said, **more)


def wish(seq, outcome=IntentOutcome.TAKEN, **more):
    return made(Kind.INTENT, seq, 1, (seq, 0), side=Side.BUY, outcome=outcome, **more)


def told(*rows, place=END, number=0):
    answer = refusals(MadeRows(*rows), place, 1, TELLER)[number]
    return [(step.role, step.seq) for step in answer.findings]


def test_the_last_gate_that_refuses_with_what_it_saw():
    rows = (
        gate(10, 1, 9.0, 9.5),
        gate(20, 2, 80.0, 40.0),
        gate(30, 2, 90.0, 40.0),
        gate(25, 1, 1.0, 2.0, instrument_id=2),
    )
    answer, other = refusals(MadeRows(*rows), (30, 0), 1, TELLER)
    (found,) = answer.findings
    assert (found.role, found.seq, found.says) == ("gate", 20, "gate spread refuses: 80, limit 40")
    assert (other.strategy, other.findings) == ("other", [])


def test_a_wish_since_says_that_the_gates_let_pass():
    assert told(gate(10, 1, 9.0, 9.5), wish(20)) == [("gate, passed since", 10), ("wished", 20)]
    assert told(gate(10, 1, 9.0, 9.5), wish(20), gate(30, 2, 1.0, 0.0)) == [("gate", 30), ("wished", 20)]
    exit_ = made(Kind.INTENT, 20, 1, (20, 0), action=IntentAction.EXIT)
    assert told(gate(10, 1, 9.0, 9.5), exit_) == [("gate", 10)], "an exit has passed no gate of an entry"


def test_a_loser_names_its_winner():
    rows = wish(20, instrument_id=2, rank_score=3.0), wish(21, IntentOutcome.LOST, winner_seq=20, winner_ord=1)
    (lost,) = refusals(MadeRows(*rows), END, 1, TELLER)[0].findings
    assert (lost.role, lost.says) == ("not taken", "intent to enter buy; lost to (20, 1)")
    assert [(step.role, step.place, step.says) for step in lost.beside] == [
        ("winner", (20, 1), "probe EFGH: intent to enter buy, rank score 3")
    ]


def test_rules_states_phases_and_stops():
    refused = {"verdict": RiskVerdict.REFUSED, "rule": RiskRule.DAILY_LOSS, "value": -600.0, "limit": -500.0}
    rows = [
        made(Kind.TRANSITION, 5, 1, (5, 0), from_phase=0, to_phase=1),
        wish(20),
        made(Kind.RISK, 20, 2, (20, 1), **refused),
        made(Kind.RISK, 21, 1, (21, 0), verdict=RiskVerdict.APPROVED),
        made(Kind.ORDER, 22, 1, (22, 0), order_id=4, state=OrderState.REJECTED),
        made(Kind.ORDER, 23, 1, (23, 0), order_id=5, state=OrderState.FILLED),
        made(Kind.POSITION, 24, 1, (24, 0)),
        made(
            Kind.SESSION, 25, 1, (25, 0), action=SessionAction.STOPPED, key="probe", text="it failed", instrument_id=0
        ),
        made(Kind.SESSION, 26, 0, action=SessionAction.SETTING, key="probe", text="no stop", instrument_id=0),
    ]
    answer = refusals(MadeRows(*rows), END, 1, TELLER)[0]
    assert answer.phase == "long"
    assert [(step.role, step.seq) for step in answer.findings] == [
        ("phase", 5), ("risk", 20), ("order", 22), ("wished", 20), ("position", 24), ("stopped", 25),
    ]  # fmt: skip
    assert answer.findings[1].says == "risk refused by daily loss: -600, limit -500"


def candidate(seq, ord_, evaluation, *, field=0, filter_=0, value=math.nan, threshold=math.nan, passed=-1, **more):
    said = {"field_id": field, "filter_id": filter_, "value": value, "threshold": threshold, "is_passed": passed}
    of = {"scanner_id": 1, "evaluation": evaluation, "verdict": CandidateVerdict.NEAR_MISS} | more
    return made(Kind.CANDIDATE, seq, ord_, (seq, 0), **said, **of)


def test_a_scanner_tells_every_filter_of_its_last_evaluation_of_the_symbol():
    rows = [
        candidate(10, 1, 1, filter_=1, field=1, value=9.0, threshold=5.0, passed=1),
        candidate(20, 1, 2, filter_=1, field=1, value=4.0, threshold=5.0, passed=0),
        candidate(20, 2, 2, filter_=2, field=2, passed=0),
        candidate(20, 3, 2, field=3, value=7.0),
        candidate(20, 4, 2, filter_=1, field=1, value=1.0, instrument_id=2),
        candidate(90, 1, 9, filter_=1, field=1, value=1.0, threshold=5.0, passed=0),
        made(
            Kind.UNIVERSE, 12, 1, (12, 0), action=UniverseAction.DROPPED, scanner_id=1, reason=UniverseReason.FILTER + 1
        ),
    ]
    scanner = {"name": "gappers", "fields": ["gap", "float", "price"], "filters": ["gap > 5", "float < 1"]}
    teller = Teller(TELLER.strategies, TELLER.symbols, [scanner])
    (found,) = verdicts(MadeRows(*rows), (90, 0), 1, teller)
    assert (found.scanner, found.seq, found.evaluation, found.verdict) == ("gappers", 20, 2, "near miss")
    assert [(each.filter, each.value, each.threshold, each.passed) for each in found.filters] == [
        ("gap > 5", 4.0, 5.0, False), ("float < 1", None, None, False), ("price", 7.0, None, None),
    ]  # fmt: skip
    assert found.listed is not None
    assert found.listed.says == "ABCD dropped by scanner gappers: failed gap > 5"
    assert verdicts(MadeRows(*rows), (5, 0), 1, teller) == []
