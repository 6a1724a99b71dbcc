"""Outputs that are no wishes: transitions, gates, messages and shown values, as rows on the tape.

How loud a message is stands with its enum: the engine fills it in when it empties the tape.
"""

from pipeline.codes import IntentAction, IntentOutcome
from pipeline.core.context import GATE, MESSAGE, TRANSITION, Output
from pipeline.core.tape import Place, new_row, put
from pipeline.core.world import World


def write_output(world: World, output: Output) -> None:
    """Put one output of a strategy on the tape."""
    if output.kind == TRANSITION:
        _write_transition(world, output)
    elif output.kind == GATE:
        _write_gate(world, output)
    elif output.kind == MESSAGE:
        _write_message(world, output)
    else:
        _write_indicator(world, output)


def origin_of(output: Output) -> Place:
    """The place of the event whose handler put it out."""
    return Place(output.cause_seq, output.cause_ord)


def _write_transition(world: World, output: Output) -> None:
    row = new_row(world.tape, world.tape.transitions)
    row.strategy_id = output.strategy_id
    row.from_phase = output.from_phase
    row.to_phase = output.to_phase
    row.reason = output.code
    put(world.clock, row, output.instrument_id, origin_of(output))


def _write_gate(world: World, output: Output) -> None:
    row = new_row(world.tape, world.tape.intents)
    row.strategy_id = output.strategy_id
    row.action = IntentAction.NONE
    row.outcome = IntentOutcome.GATED
    row.gate = output.code
    row.gate_value = output.a
    row.gate_threshold = output.b
    put(world.clock, row, output.instrument_id, origin_of(output))


def _write_message(world: World, output: Output) -> None:
    row = new_row(world.tape, world.tape.messages)
    row.strategy_id = output.strategy_id
    row.code = output.code
    row.a = output.a
    row.b = output.b
    row.c = output.c
    put(world.clock, row, output.instrument_id, origin_of(output))


def _write_indicator(world: World, output: Output) -> None:
    row = new_row(world.tape, world.tape.indicators)
    row.strategy_id = output.strategy_id
    row.output_id = output.code
    row.value = output.a
    put(world.clock, row, output.instrument_id, origin_of(output))
