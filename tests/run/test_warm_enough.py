"""From which warm-up on a strategy decides as over the whole session: found where it is known, and told when it is never."""

import math
import textwrap

import numpy as np
import pytest
from commands import tape

from pipeline.block import Block
from pipeline.codes import IntentAction, Kind, OrderState, Side
from pipeline.errors import ConfigError
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.begun_late import Wishes, compared
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.warm_enough import warm_enough
from pipeline.simulator.handwritten import Day

MINUTES = 150


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A session of bars by the minute, received as they end, and a quote behind each; the closes go up and down."""
    store = Store(tmp_path_factory.mktemp("warm"))
    day = Day("ABCD")
    random = np.random.Generator(np.random.PCG64(11))
    closes = 10.0 + np.cumsum(random.integers(-3, 4, MINUTES)) * 0.01
    for minute, close in enumerate(closes.tolist()):
        day.quote(60 * minute + 30, round(close - 0.01, 2), round(close + 0.01, 2))
        day.bar(60 * minute + 60.2, 60 * minute, (close, close, close, close))
        day.quote(60 * minute + 61, round(close - 0.01, 2), round(close + 0.01, 2))
    made = store.create_session("minutes", mode=Mode.IMPORT, created_ns=1)
    folder = store.folder(made.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id)) as journal:
        for batch in day.batches():
            journal.append(FrameKind.INPUTS, batch)
    manifests.update(folder, state="ended", inputs=len(day.rows), first_ts_ns=day.starts_ns)
    return store


CROSS = """
    from pipeline.codes import Side
    from pipeline.core.params import params
    from pipeline.core.state import group, state
    from pipeline.core.strategy import Bars, Strategy
    from pipeline.core.verbs import enter, leave
    from pipeline.indicators import {indicator}
    from pipeline.indicators.{indicator} import {group}

    @params
    class Params:
        pass

    @state
    class State:
        average: {group}{capacity}
        bars: int

    def on_bar(s, bar, p, ctx):
        s.bars += 1
        {indicator}.update(s.average, bar.close, 8)
        if not {indicator}.ready(s.average, 8) or ctx.open_orders > 0:
            return
        if ctx.position == 0.0 and bar.close > s.average.value:
            enter(ctx, Side.BUY, quantity=10)
        elif ctx.position > 0.0 and bar.close < s.average.value:
            leave(ctx)

    strategy = Strategy("{name}", Params, State, on_bar=on_bar, bars=Bars("1m"), warm_up="{warm_up}")
"""


def written(folder, name, warm_up="", indicator="sma", text=CROSS):
    path = folder / f"{name}.py"
    capacity = " = group(capacity=8)" if indicator == "sma" else ""
    words = {"indicator": indicator, "group": indicator.title(), "capacity": capacity}
    path.write_text(textwrap.dedent(text.format(name=name, warm_up=warm_up, **words)))
    return path


def checked(store, file, *lengths, **more):
    return warm_enough(
        store, "minutes", plan_of([file], [], []), [file], seed=2, lengths=lengths, **{"points": 5, **more}
    )


def by_length(found):
    return {tried.length: tried.same for tried in found.tried}


def test_an_average_of_eight_bars_needs_a_warm_up_of_eight(store, tmp_path):
    file = written(tmp_path, "eight")
    found = checked(store, file, "0", "3 bars", "6 bars", "7 bars", "8 bars", "20 bars", "400 bars")
    assert by_length(found) == {
        "0": False, "3 bars": False, "6 bars": False, "7 bars": False, "8 bars": True, "20 bars": True, "400 bars": None,
    }  # fmt: skip
    assert (found.needed, found.declared, found.is_enough) == ("8 bars", "0", False)
    cold = found.tried[1]
    assert (cold.points, cold.length_s) == (5, 180)
    assert cold.parting.whole["action"] == IntentAction.ENTER
    assert cold.parting.late is None
    assert cold.apart[0].name == "average.value"
    assert found.tried[4].wishes >= 5
    assert not found.tried[-1].points, "the session is no longer"


@pytest.mark.parametrize(("warm_up", "is_enough"), [("8 bars", True), ("3 bars", False), ("10m", True), ("2m", False)])
def test_what_is_declared_is_tried_and_held_against_what_was_found(store, tmp_path, warm_up, is_enough):
    found = checked(store, written(tmp_path, "eight", warm_up), "8 bars")
    assert found.declared == warm_up
    assert found.is_enough is is_enough
    assert len(found.tried) == 1 + (warm_up != "8 bars")


def test_an_average_that_never_forgets_comes_closer(store, tmp_path):
    found = checked(store, written(tmp_path, "endless", indicator="ema"), "10 bars", "20 bars", "40 bars")
    shares = [next(each.share for each in tried.apart if each.name == "average.value") for tried in found.tried[1:]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[-1] < shares[0] < 1
    assert found.needed == "20 bars"


EVERY_SEVENTH = """
    from pipeline.codes import Side
    from pipeline.core.params import params
    from pipeline.core.state import state
    from pipeline.core.strategy import Bars, Strategy
    from pipeline.core.verbs import enter, leave

    @params
    class Params:
        pass

    @state
    class State:
        bars: int

    def on_bar(s, bar, p, ctx):
        s.bars += 1
        if ctx.position == 0.0 and s.bars % 7 == 0:
            enter(ctx, Side.BUY, quantity=10)
        elif ctx.position > 0.0:
            leave(ctx)

    strategy = Strategy("{name}", Params, State, on_bar=on_bar, bars=Bars("1m"), warm_up="{warm_up}")
"""


def test_what_counts_from_the_first_bar_on_is_never_warm(store, tmp_path):
    found = checked(store, written(tmp_path, "sevenths", "10 bars", text=EVERY_SEVENTH), "0", "20 bars", "60 bars")
    assert set(by_length(found).values()) == {False}
    assert (found.needed, found.is_enough) == (None, False)


def test_what_needs_nothing_declares_enough(store):
    found = checked(store, strategy_file("hold"))
    assert (found.needed, found.is_enough) == ("0", True)


def test_bars_are_for_who_has_them_and_wishes_there_must_be(store, tmp_path):
    with pytest.raises(
        ConfigError, match="--length 5 bars: hold has no bars by the clock; accepted is a time, like 5m"
    ):
        checked(store, strategy_file("hold"), "5 bars")
    with pytest.raises(ConfigError, match="minutes: nothing is wished in it"):
        checked(store, strategy_file("opening_range"))


def test_the_command_says_it_in_a_line(store, tmp_path):
    words = ["--over", "minutes", "--seed", 2, "--points", 3, "--length", "3 bars", "--length", "8 bars"]
    sound = tape(store.home, "warmup-check", written(tmp_path, "eight", "8 bars"), *words)
    assert sound.returncode == 0
    assert sound.stdout.splitlines()[0] == (
        "eight over minutes: warm enough: it decides as over the whole session from a warm-up of 8 bars on; "
        "it declares 8 bars (seed 2)"
    )
    short = tape(store.home, "warmup-check", written(tmp_path, "eight"), *words)
    assert short.returncode == 1
    assert "eight over minutes: DECLARES TOO LITTLE" in short.stdout.splitlines()[0]
    assert "no enter buy" in short.stdout
    assert "average.value nan for" in short.stdout


def rows(kind, *rows):
    return Block.from_rows(kind, [{"instrument_id": 1, "strategy_id": 1, **row} for row in rows])


def wish(seq, action=IntentAction.ENTER, size=10):
    return {"seq": seq, "ord": 1, "action": action, "side": Side.BUY, "quantity_steps": size}


def traded(*wishes, held=(), orders=()):
    return Wishes(
        [
            rows(Kind.INTENT, *wishes),
            rows(Kind.POSITION, *({"seq": seq, "ord": 2, "quantity_steps": steps} for seq, steps in held)),
            rows(Kind.ORDER, *({"seq": seq, "ord": 3, "order_id": id_, "state": state} for seq, id_, state in orders)),
        ]
    )


def test_what_is_carried_is_not_compared_until_both_are_flat():
    whole = traded(wish(10), wish(50), wish(70), held=[(11, 10), (60, 0)])
    late = traded(wish(70))
    found = compared(whole, late, 40, 100, ())
    assert (found.wishes, found.parting, found.held) == (1, None, 0)
    kept = traded(wish(10), wish(70), held=[(11, 10)])
    assert compared(kept, late, 40, 100, ()).held == 1, "it holds to the end"
    assert compared(late, kept, 40, 100, ()) == compared(kept, late, 40, 100, ())
    parting = compared(late, kept, 40, 100, {1}).parting
    assert (parting.holds, parting.seq) == (True, 40)


def test_an_order_that_works_is_carried_too():
    working = traded(wish(10), wish(50), orders=[(10, 1, OrderState.SUBMITTED), (60, 1, OrderState.CANCELLED)])
    assert working.free_from(1, 40) == 60
    assert working.free_from(1, 5) == 5
    assert working.free_from(2, 40) == 40
    assert traded(wish(10), orders=[(10, 1, OrderState.SUBMITTED)]).free_from(1, 40) is None


@pytest.mark.parametrize(
    ("late", "seq", "differs"),
    [
        ([wish(50), wish(70)], None, None),
        ([wish(50)], 70, ()),
        ([wish(50), wish(65), wish(70)], 65, ()),
        ([wish(50), wish(71)], 70, ()),
        ([wish(50, size=11), wish(70)], 50, ("quantity_steps",)),
    ],
)
def test_wishes_are_compared_by_place_and_terms(late, seq, differs):
    parting = compared(traded(wish(50), wish(70)), traded(*late), 40, 100, ()).parting
    assert (None if parting is None else parting.seq) == seq
    assert (None if parting is None else parting.differs) == differs


def test_an_absent_value_is_infinitely_far(store, tmp_path):
    found = checked(store, written(tmp_path, "eight"), "0", points=1)
    assert [math.isinf(each.share) for each in found.tried[0].apart] == [True]
