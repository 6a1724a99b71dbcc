"""What entries share besides places: who is near whom, who loses to whom, and what is told of it."""

import pytest
from core_day import Day
from core_probe import probe

from pipeline.codes import IntentOutcome, Kind, RiskRule, Side
from pipeline.core.chunk import bearing_on
from pipeline.core.instrument import number_of
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import cancel, enter

SECTORS = ("Technology", " technology", "Energy", "", "")
THEMES = ("quantum", "", "Quantum ", "bitcoin", "")
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
"""By instrument, from 1: the first two are of one sector, the first and the third of one theme, of the last nothing is known."""


def day_of():
    day = Day(SYMBOLS)
    for field, texts in (("sector", SECTORS), ("theme", THEMES)):
        for instrument_id, text in enumerate(texts, 1):
            if text:
                day.add(Kind.REFERENCE, 0.5, instrument_id, field=field, text=text)
    for instrument_id in range(1, len(SYMBOLS) + 1):
        day.quote(1, 9.99, 10.01, instrument_id=instrument_id)
    return day


def wisher(name, scores, **what):
    """Enters on the timer wherever it has a score, best first."""

    def on_timer(s, event, p, ctx):
        if ctx.instrument_id in scores:
            enter(ctx, what.get("side", Side.BUY), quantity=what.get("quantity", 100), score=scores[ctx.instrument_id])

    return probe(name=name, on_quote=None, on_timer=on_timer)


def told(derived):
    """(strategy, instrument, outcome, rule, value, limit, strategy and instrument of the winner) of every entry, in the order of their rank."""
    risks = {(r["cause_seq"], r["cause_ord"]): r for r in derived[Kind.RISK]}
    intents = {(r["seq"], r["ord"]): r for r in derived[Kind.INTENT]}
    rows = []
    for place, intent in sorted(intents.items()):
        winner, risk = intents.get((intent["winner_seq"], intent["winner_ord"])), risks[place]
        rows.append(
            (
                (intent["strategy_id"], intent["instrument_id"]),
                IntentOutcome(intent["outcome"]).name,
                RiskRule(risk["rule"]).name,
                *(() if risk["rule"] == RiskRule.PASSED else (risk["value"], risk["limit"])),
                *([(winner["strategy_id"], winner["instrument_id"])] if winner else []),
            )
        )
    return rows


TAKEN = ("TAKEN", "PASSED")


def test_so_many_strategies_are_in_one_instrument():
    plans = [wisher("a", {1: 1}), wisher("b", {1: 3, 2: 2}), wisher("c", {1: 2})]
    _, derived = day_of().timer(2).run(plans, EngineSettings(instrument_strategies_max=2))
    assert told(derived) == [
        ((2, 1), *TAKEN),
        ((2, 2), *TAKEN),
        ((3, 1), *TAKEN),
        ((1, 1), "LOST", "INSTRUMENT_STRATEGIES", 3.0, 2.0, (3, 1)),
    ]


def test_instruments_of_one_sector_are_counted_once_each_and_those_of_none_together():
    plans = [wisher("a", {1: 9, 2: 7, 3: 6, 4: 5, 5: 4}), wisher("b", {1: 8})]
    _, derived = day_of().timer(2).run(plans, EngineSettings(sector_instruments_max=1))
    assert told(derived) == [
        ((1, 1), *TAKEN),
        ((2, 1), *TAKEN),
        ((1, 2), "LOST", "SECTOR_INSTRUMENTS", 2.0, 1.0, (2, 1)),
        ((1, 3), *TAKEN),
        ((1, 4), *TAKEN),
        ((1, 5), "LOST", "SECTOR_INSTRUMENTS", 2.0, 1.0, (1, 4)),
    ]


def test_what_runs_together_is_one_bet_and_what_has_no_theme_runs_alone():
    plans = [wisher("a", {1: 5, 2: 4, 3: 3, 4: 2, 5: 1}), wisher("b", {3: 0}, side=Side.SELL)]
    _, derived = day_of().timer(2).run(plans, EngineSettings(theme_instruments_max=1))
    lost = "LOST", "THEME_INSTRUMENTS", 2.0, 1.0, (1, 1)
    assert told(derived) == [
        ((1, 1), *TAKEN),
        ((1, 2), *TAKEN),
        ((1, 3), *lost),
        ((1, 4), *TAKEN),
        ((1, 5), *TAKEN),
        ((2, 3), *lost),
    ]


@pytest.mark.parametrize(
    ("rule", "value", "most", "other", "where", "winner"),
    [
        ("instrument_notional", 2_001.0, 1_990.0, 2, 1, (1, 1)),
        ("sector_notional", 2_001.0, 1_990.0, 5, 2, (1, 1)),
        ("theme_notional", 2_001.0, 1_990.0, 2, 3, (1, 1)),
        ("total_notional", 3_001.0, 3_000.0, 2, 1, (1, 2)),
    ],
)
def test_amounts_are_of_all_that_is_held_and_asked_for(rule, value, most, other, where, winner):
    """A thousand in the first instrument, a thousand in another that has nothing to do with it, then one more where it is too much."""
    plans = [wisher("a", {1: 3, other: 2}), wisher("b", {where: 1})]
    _, derived = day_of().timer(2).run(plans, EngineSettings(**{f"{rule}_max": most}, latency_ns=0))
    assert told(derived) == [
        ((1, 1), *TAKEN),
        ((1, other), *TAKEN),
        ((2, where), "LOST", rule.upper(), pytest.approx(value), most, winner),
    ]


def test_what_was_filled_before_counts_as_well_and_then_nobody_of_this_round_is_named():
    day = day_of().timer(2).quote(3, 9.99, 10.01).timer(4)
    _, derived = day.run([wisher("a", {1: 1})], EngineSettings(instrument_notional_max=1_990.0, latency_ns=0))
    assert told(derived) == [
        ((1, 1), *TAKEN),
        ((1, 1), "LOST", "INSTRUMENT_NOTIONAL", pytest.approx(2_001.0), 1_990.0),
    ]


def test_nothing_is_entered_twice():
    def on_timer(s, event, p, ctx):
        s.calls += 1
        if ctx.instrument_id == 1:
            enter(ctx, Side.BUY, quantity=1, limit=9.0, score=2)
            enter(ctx, Side.BUY, quantity=2, limit=9.5, score=1)
            enter(ctx, Side.SELL, quantity=1, limit=11.0)

    day = day_of().timer(2).timer(3)
    again = probe(name="a", on_quote=None, on_timer=on_timer)
    _, derived = day.run([again, wisher("b", {1: 0})], EngineSettings(open_entries_max=1))
    twice = "DUPLICATE", "DUPLICATE", 2.0, 1.0
    assert told(derived) == [
        ((1, 1), *TAKEN),
        ((1, 1), *twice, (1, 1)),
        ((2, 1), *TAKEN),
        ((1, 1), *TAKEN),
        *[((1, 1), *twice)] * 2,
        ((2, 1), *TAKEN),
        ((1, 1), *twice),
    ]
    assert [r["winner_ord"] for r in derived[Kind.INTENT]][1] == derived[Kind.INTENT][0]["ord"]


def test_an_entry_that_is_being_cancelled_stands_until_it_is_gone():
    def on_timer(s, event, p, ctx):
        if ctx.instrument_id == 1:
            cancel(ctx)
            enter(ctx, Side.BUY, quantity=1, limit=9.0)

    day = day_of().timer(2).timer(2.1).timer(3).timer(4)
    plan = probe(name="a", on_quote=None, on_timer=on_timer)
    _, derived = day.run([plan], EngineSettings(open_entries_max=1, latency_ns=500_000_000))
    entries = [RiskRule(r["rule"]).name for r in derived[Kind.RISK]]
    assert entries == ["PASSED", "DUPLICATE", "PASSED", "DUPLICATE"]


def test_what_is_told_last_of_a_sector_counts_and_without_a_limit_nobody_looks():
    day = day_of().add(Kind.REFERENCE, 1.5, 2, field="sector", text="Energy")
    day.add(Kind.REFERENCE, 1.5, 9, field="sector", text="of nobody").timer(2)
    plans = [wisher("a", {1: 3, 2: 2, 3: 1})]
    engine, derived = day.run(plans, EngineSettings(sector_instruments_max=1))
    assert [row[1] for row in told(derived)] == ["TAKEN", "TAKEN", "LOST"]
    assert engine.world.instruments[2].sector == engine.world.instruments[3].sector == number_of("energy") > 0
    assert engine.world.instruments[3].theme == number_of("") == 0
    engine, derived = day.run(plans, EngineSettings())
    assert {row[1] for row in told(derived)} == {"TAKEN"}
    assert {row.sector for row in engine.world.instruments} == {0}


def test_only_facts_that_a_limit_asks_for_are_looked_into():
    assert bearing_on(EngineSettings()) == {"easy_to_borrow", "shortable"}
    assert bearing_on(EngineSettings(sector_notional_max=1.0)) == {"easy_to_borrow", "shortable", "sector"}
    assert bearing_on(EngineSettings(theme_instruments_max=1)) == {"easy_to_borrow", "shortable", "theme"}
