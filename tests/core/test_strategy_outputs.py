"""What a strategy puts out that is no wish: gates, messages, values shown, moves of its phase."""

import math
from enum import IntEnum

import core_streams
from core_day import Day
from core_probe import probe

from pipeline.codes import IntentAction, IntentOutcome, Kind, MessageLevel
from pipeline.core.strategy import Messages
from pipeline.core.verbs import at_least, go, passes, say, show


class Gate(IntEnum):
    WIDE = 1
    THIN = 2


def test_a_gate_leaves_a_row_when_its_verdict_changes():
    def gates(s, event, p, ctx):
        if passes(ctx, Gate.WIDE, event.ask - event.bid, 0.15):
            at_least(ctx, Gate.THIN, event.ask_size, 50.0)

    day = (
        Day()
        .quote(1, 10, 10.2)
        .quote(2, 10, 10.3)
        .quote(3, 10, 10.1, ask_size=10)
        .quote(4, 10, 10.1)
        .quote(5, 10, 10.2)
    )
    _, derived = day.quote(6, 10, 10.1, ask_size=49).run([probe(on_quote=gates)])
    rows = [(r["seq"], r["gate"], round(r["gate_value"], 6), r["gate_threshold"]) for r in derived[Kind.INTENT]]
    assert rows == [(2, 1, 0.2, 0.15), (4, 2, 10.0, 50.0), (6, 1, 0.2, 0.15), (7, 2, 49.0, 50.0)]
    assert set(derived.column(Kind.INTENT, "action")) == {IntentAction.NONE}
    assert set(derived.column(Kind.INTENT, "outcome")) == {IntentOutcome.GATED}


def test_what_is_not_a_number_passes_no_gate():
    verdicts = []

    def gates(s, event, p, ctx):
        verdicts.append(passes(ctx, Gate.WIDE, math.nan, 1.0))
        verdicts.append(at_least(ctx, Gate.THIN, math.nan, 1.0))

    Day().quote(1, 10, 10.1).run([probe(on_quote=gates)])
    assert verdicts == [False, False]


def test_messages_shown_values_and_moves_are_rows():
    class Words(Messages):
        LOUD = 7, "it is {a}", MessageLevel.WARNING

    def act(s, event, p, ctx):
        say(ctx, Words.LOUD, 1.5)
        show(ctx, Gate.THIN, 2.5)
        go(s, ctx, core_streams.Phase.BUSY, Gate.WIDE)

    made = core_streams.Strategy(
        "talks", core_streams.Params, core_streams.State, on_quote=act, messages=Words, phases=core_streams.Phase
    )
    _, derived = Day().quote(1, 10, 10.1).run([core_streams.Plan(made, core_streams.Params())])
    (message,), (shown,), (moved,) = derived[Kind.MESSAGE], derived[Kind.INDICATOR], derived[Kind.TRANSITION]
    assert (message["code"], message["level"], message["a"]) == (7, MessageLevel.WARNING, 1.5)
    assert (shown["output_id"], shown["value"]) == (2, 2.5)
    assert (moved["from_phase"], moved["to_phase"], moved["reason"]) == (0, 1, 1)
