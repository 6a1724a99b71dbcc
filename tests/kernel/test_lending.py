"""What the interpreter touches goes back into the arrays, and nothing else: the bytes are those of the interpreter alone, the cost is that of the change."""

import random
from enum import IntEnum

import pytest
from two_speeds import BARS, Day, Derived, packed

from pipeline.block import concat
from pipeline.codes import Kind, RequestAction, Side
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import params
from pipeline.core.settings import EngineSettings
from pipeline.core.state import FloatArray, array, state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, go, leave, say
from pipeline.kernel.engine import CompiledEngine
from pipeline.kernel.memory import QUEUE_ROWS
from pipeline.units import NANO

SYMBOLS = 70
LOUD = QUEUE_ROWS // SYMBOLS + 1
SETTINGS = EngineSettings(latency_ns=NANO // 4, bar_lateness_ns=NANO, checkpoint_every=50, fee_bps=0.5)


class Phase(IntEnum):
    IDLE = 0
    BUSY = 1


class Code(IntEnum):
    ONE = 1


@params
class Params:
    pass


@state
class Shared:
    fills: int


@state
class State:
    phase: Phase = Phase.IDLE
    quotes: int
    middles: FloatArray = array(float, 4)


def on_quote(s, quote, p, ctx):
    s.middles[s.quotes % 4] = (quote.bid + quote.ask) * 0.5
    s.quotes += 1
    if s.phase == Phase.IDLE and s.quotes % 3 == 0:
        enter(ctx, Side.BUY, quantity=10.0, stop=quote.bid - 0.2, limit=quote.ask)
        go(s, ctx, Phase.BUSY, Code.ONE)
    elif s.phase == Phase.BUSY and s.quotes % 4 == 0:
        leave(ctx)
        go(s, ctx, Phase.IDLE, Code.ONE)


def on_fill(s, fill, p, ctx):
    ctx.shared.fills += 1
    say(ctx, Code.ONE, fill.price, float(ctx.shared.fills), s.middles[0])


def on_timer(s, timer, p, ctx):
    if ctx.now_ns % (60 * NANO) == 0:  # more than the kernel's queue holds, when all of them do it
        for i in range(LOUD):
            say(ctx, Code.ONE, float(i), 0.0, 0.0)


def plans():
    quick = Strategy("quick", Params, State, shared=Shared, bars=BARS[:2], on_quote=on_quote, on_fill=on_fill)
    loud = Strategy("loud", Params, State, on_timer=on_timer, on_quote=on_quote)
    return [Plan(quick, Params()), Plan(loud, Params())]


def day(seed, count=2_000):
    """Instruments are defined, defined anew, quoted; accounts are stated; the operator flattens one or all."""
    chance, made, at_s, known = random.Random(seed), Day(("S1",)), 0.0, 1
    for _ in range(count):
        at_s += chance.choice((0.0, 0.05, 0.2))
        roll, one = chance.random(), chance.randint(1, known)
        if roll < 0.06 and known < SYMBOLS:
            known += 1
            made.add(Kind.INSTRUMENT, at_s, known, symbol=f"S{known}", tick_nano=10**7, size_step_nano=NANO)
        elif roll < 0.08:
            made.add(Kind.INSTRUMENT, at_s, one, symbol=f"S{one}", tick_nano=10**6, size_step_nano=NANO)
        elif roll < 0.09:
            made.add(Kind.REQUEST, at_s, 0, action=int(RequestAction.FLATTEN), target=chance.choice(("", f"S{one}")))
        elif roll < 0.10:
            made.add(Kind.ACCOUNT, at_s, 0, cash_nano=chance.randint(10**13, 10**14))
        elif roll < 0.20:
            made.print(at_s, 10 + chance.random(), instrument_id=one)
        elif roll < 0.22:
            at_s = float(int(at_s) + 1)
            made.timer(at_s)
        else:
            made.quote(at_s, bid := round(10 + chance.random(), 2), bid + 0.02, instrument_id=one)
    made.timer(float(60 * (int(at_s) // 60 + 1)))
    return made.quote(at_s + 61, 10.0, 10.02)


def run(engine, batches):
    derived = Derived()
    for batch in batches:
        derived.take(engine.reduce(batch))
    return packed(derived), engine.state_hash()


@pytest.mark.parametrize(("seed", "size"), [(1, None), (2, 1), (3, 13)])
def test_what_was_lent_and_given_back_is_what_the_interpreter_has(seed, size):
    made = day(seed)
    expected = run(Engine(plans(), SETTINGS), made.batches())
    assert run(CompiledEngine(plans(), SETTINGS), made.batches(size)) == expected


def test_it_is_the_state_of_any_moment_that_is_lent():
    """A snapshot is looked at, gone on from at either speed, and put back over whatever was lent in between."""
    made = day(4, count=600)
    batches = [*made.batches(40)]
    expected = run(Engine(plans(), SETTINGS), batches)
    engine, derived = CompiledEngine(plans(), SETTINGS), Derived()
    for number, batch in enumerate(batches):
        derived.take(engine.reduce(batch))
        if number % 4 == 0:
            engine.put_back(engine.snapshot())
        elif number % 4 == 1:
            other = CompiledEngine(plans(), SETTINGS)
            other.put_back(engine.snapshot())
            assert other.state_hash() == engine.state_hash()
    assert (packed(derived), engine.state_hash()) == expected


def test_a_checkpoint_behind_an_interpreted_input_takes_nothing_out():
    """The hash of the state behind a definition is the interpreter's, and rows that the definition does not concern stay where they are."""
    made = Day([f"S{i}" for i in range(1, 46)])
    for i in range(1, 5):
        made.quote(1, 10.0, 10.02, instrument_id=i)
    made.add(Kind.INSTRUMENT, 2, 46, symbol="S46", tick_nano=10**7, size_step_nano=NANO)  # the fiftieth input
    *before, last = made.batches(1)
    engine, plain = CompiledEngine(plans(), SETTINGS), Engine(plans(), SETTINGS)
    for batch in (concat(block for part in before for block in part), last):
        assert [packed_block(block) for block in engine.reduce(batch)] == [packed_block(b) for b in plain.reduce(batch)]
    assert engine.state_hash() == plain.state_hash()
    patch = engine._loan.taken_back()
    assert sum(len(rows) for _, _, rows in patch._changes) < 40


def packed_block(block):
    return block.kind, [tuple(map(str, row.values())) for row in block.rows()]


def test_one_definition_among_thousands_costs_what_it_changes():
    count = 3_000
    engine = CompiledEngine(plans(), SETTINGS)
    made = Day([f"S{i}" for i in range(1, count + 1)])
    for i in range(1, count + 1):
        made.quote(1, 10.0, 10.02, instrument_id=i)
    made.add(Kind.INSTRUMENT, 2, count + 1, symbol="NEW", tick_nano=10**7, size_step_nano=NANO)
    *before, last = made.batches(1)
    engine.reduce(concat(block for batch in before for block in batch))
    engine.reduce(last)
    patch = engine._loan.taken_back()
    assert sum(len(rows) for _, _, rows in patch._changes) < 40
