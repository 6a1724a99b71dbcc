"""Places: how many pairs hold one is counted as it changes, and is what a look at every position finds."""

import pytest
from core_streams import SETTINGS, plans, stream

from pipeline.block import Block
from pipeline.codes import Kind, SessionAction
from pipeline.core.carrying import carried
from pipeline.core.engine import Engine
from pipeline.core.portfolio import holds
from pipeline.core.settings import EngineSettings


def held(world):
    return sum(holds(position) for position in world.positions[1:])


def named(world):
    """Whether each position is among those that are listed as held; each is listed once."""
    listed = [row.slot for row in world.held[1 : world.counts.places + 1]]
    assert len(set(listed)) == len(listed)
    return [index in listed for index in range(1, len(world.positions))]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("places", [1, 3, 1_000])
def test_the_count_is_that_of_the_positions_behind_every_input(seed, places):
    engine = Engine(plans(), EngineSettings(**{**SETTINGS.as_dict(), "positions_max": places}))
    most = 0
    for batch in stream(seed, 600).batches(1):
        engine.reduce(batch)
        assert engine.world.counts.places == held(engine.world) <= places
        assert named(engine.world) == [holds(position) for position in engine.world.positions[1:]]
        most = max(most, engine.world.counts.places)
    assert most >= 1


def test_a_session_that_goes_on_counts_what_it_took_over():
    engine = Engine(plans(), SETTINGS)
    for batch in stream(2, 400).batches(7):
        engine.reduce(batch)
        if held(engine.world) >= 2:
            break
    rows = list(carried(engine.snapshot(), plans()))
    again = Engine(plans(), SETTINGS)
    notices = [notice(rank, key, text) for rank, (key, text) in enumerate(rows, 1)]
    again.reduce(joined(notices))
    assert again.world.counts.places == held(again.world) == held(engine.world) >= 2


def notice(seq, key, text):
    return {"seq": seq, "ts_recv_ns": 1, "action": int(SessionAction.STATE), "key": key, "text": text}


def joined(rows):
    return [Block.from_rows(Kind.SESSION, rows)]
