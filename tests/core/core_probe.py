"""Strategies that do what a test tells them: a script of (seq of the input, what to do)."""

from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Plan, Strategy


@params
class ProbeParams:
    size: float = param(100.0, low=0.0)


@state
class ProbeState:
    calls: int
    last: float


def probe(script=None, name="probe", **handlers):
    """A plan whose on_quote (and on_bar...) runs `script[n]` at its n-th call, n from 1; `handlers` replace or add."""
    script = script or {}

    def act(s, event, p, ctx):
        s.calls += 1
        if s.calls in script:
            script[s.calls](s, event, ctx)

    made = {"on_quote": act, **handlers}
    return Plan(Strategy(name, ProbeParams, ProbeState, **made), ProbeParams())
