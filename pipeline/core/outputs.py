"""Outputs that are no wishes: transitions, gates, messages and shown values, as rows on the tape."""

from pipeline.codes import IntentAction, IntentOutcome, Kind, MessageLevel
from pipeline.core.cells import Running
from pipeline.core.context import GATE, MESSAGE, TRANSITION, Output
from pipeline.core.tape import ROWS, Place
from pipeline.core.world import World


def write_output(world: World, running: Running, instrument_id: int, output: Output, cause: Place) -> None:
    """Put one output of a strategy on the tape."""
    strategy_id = running.strategy_id
    if output.kind == TRANSITION:
        kind, row = Kind.TRANSITION, ROWS[Kind.TRANSITION](
            strategy_id=strategy_id, from_phase=output.from_phase, to_phase=output.to_phase, reason=output.code
        )  # fmt: skip
    elif output.kind == GATE:
        kind, row = Kind.INTENT, ROWS[Kind.INTENT](
            strategy_id=strategy_id,
            action=IntentAction.NONE,
            outcome=IntentOutcome.GATED,
            gate=output.code,
            gate_value=output.a,
            gate_threshold=output.b,
        )  # fmt: skip
    elif output.kind == MESSAGE:
        kind, row = Kind.MESSAGE, ROWS[Kind.MESSAGE](
            strategy_id=strategy_id,
            level=running.levels.get(output.code, MessageLevel.INFO),
            code=output.code,
            a=output.a,
            b=output.b,
            c=output.c,
        )  # fmt: skip
    else:
        kind, row = Kind.INDICATOR, ROWS[Kind.INDICATOR](
            strategy_id=strategy_id, output_id=output.code, value=output.a
        )  # fmt: skip
    world.tape.write(kind, instrument_id, cause, row)
