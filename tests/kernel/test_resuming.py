"""A state frozen behind any input, at either speed, and thawed at either, goes on to the same rows and the same state."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from two_speeds import Derived, packed, stream

from pipeline.block import between, concat
from pipeline.core.engine import Engine, Plan
from pipeline.core.frozen import freeze, parts_of, thaw
from pipeline.core.params import params
from pipeline.core.settings import EngineSettings
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.kernel.engine import CompiledEngine
from strategies import STRATEGIES

SETTINGS = EngineSettings(checkpoint_every=64, latency_ns=20_000_000, fee_bps=1.0)
PLANS = tuple(Plan(strategy, strategy.Params()) for strategy in STRATEGIES.values())
SPEEDS = {"interpreted": Engine, "compiled": CompiledEngine}
INPUTS = 420


@cache
def whole(seed):
    """A day as one batch, and what the interpreter makes of it without a pause."""
    batch = concat([block for part in stream(seed, INPUTS).batches(None) for block in part])
    return batch, resumed(batch, [], ["interpreted"])


def resumed(batch, cuts, speeds):
    """The day with a new engine behind each cut, that knows only the frozen state of the one before."""
    derived, state = Derived(), None
    for first, end, speed in zip([0, *cuts], [*cuts, 10**6], speeds, strict=False):
        engine = SPEEDS[speed](PLANS, SETTINGS)
        if state is not None:
            engine.put_back(thaw(state, [plan.strategy.record for plan in PLANS]))
        derived.take(engine.reduce(between(batch, first + 1, end + 1)))
        state = freeze(engine.snapshot())
    return packed(derived), engine.state_hash(), state


@given(
    seed=st.integers(1, 12),
    cuts=st.lists(st.integers(1, INPUTS - 1), min_size=1, max_size=4, unique=True).map(sorted),
    speeds=st.lists(st.sampled_from(sorted(SPEEDS)), min_size=5, max_size=5),
)
@settings(max_examples=25)
def test_going_on_from_any_state_changes_nothing(seed, cuts, speeds):
    batch, expected = whole(seed)
    assert resumed(batch, cuts, speeds) == expected


@pytest.mark.parametrize("every", [7, 64, 200])
@pytest.mark.parametrize("speed", sorted(SPEEDS))
def test_going_on_every_so_many_inputs_changes_nothing(every, speed):
    batch, expected = whole(4)
    cuts = range(every, INPUTS, every)
    assert resumed(batch, cuts, [speed] * (len(cuts) + 1)) == expected


def test_a_state_without_members_is_thawed_too():
    @params
    class Params:
        pass

    @state
    class State:
        pass

    def on_quote(s, quote, p, ctx):
        pass

    plan = Plan(Strategy("blank", Params, State, on_quote=on_quote), Params())
    engine = Engine([plan])
    for batch in stream(1, 40).batches(None):
        engine.reduce(batch)
    again = Engine([plan])
    again.put_back(thaw(freeze(engine.snapshot()), [plan.strategy.record]))
    assert again.state_hash() == engine.state_hash()


def test_what_is_no_state_of_this_form_is_refused():
    content = freeze(Engine(PLANS).snapshot())
    for damaged in (content[:-1], content + b"x", content.replace(b'"version": 1', b'"version": 2', 1)):
        with pytest.raises(ValueError, match="a state of"):
            parts_of(damaged)
