"""Parameters are words of their own to compiled code: each type, each sign and each end of its range arrives as it was set."""

import math

import pytest
from two_speeds import Derived, stream

from pipeline.core.engine import Engine, Plan
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.kernel.engine import CompiledEngine


@params
class Params:
    is_on: bool = param(True, help="the first word")
    count: int = param(-7, help="an integer")
    is_off: bool = param(False, help="between two numbers")
    level: float = param(-0.5, help="a float")


@state
class Seen:
    is_on: bool
    is_off: bool
    count: int
    level: float
    sum: float


def on_quote(s, quote, p, ctx):
    s.is_on = p.is_on
    s.is_off = p.is_off
    s.count = p.count
    s.level = p.level
    s.sum += 1.0 if p.is_on and not p.is_off else p.level


STRATEGY = Strategy("seen", Params, Seen, on_quote=on_quote)
GIVEN = [
    {},
    {"is_on": False, "is_off": True, "count": 2**63 - 1, "level": 1e308},
    {"count": -(2**63), "level": -0.0},
    {"is_off": True, "count": 0, "level": 5e-324},
]


@pytest.mark.parametrize("given", GIVEN)
def test_parameters_of_every_type_arrive_as_they_were_set(given):
    states = []
    for engine_class in (Engine, CompiledEngine):
        engine, derived = engine_class([Plan(STRATEGY, Params(**given))]), Derived()
        for batch in stream(3, 60).batches(20):
            derived.take(engine.reduce(batch))
        states.append(engine.snapshot().states[0])
    assert states[0].tobytes() == states[1].tobytes()
    wanted = Params(**given)
    seen = states[1][0]
    assert (seen["is_on"], seen["is_off"], seen["count"]) == (wanted.is_on, wanted.is_off, wanted.count)
    assert seen["level"].tobytes() == states[0][0]["level"].tobytes()
    assert math.copysign(1.0, seen["level"]) == math.copysign(1.0, wanted.level)
