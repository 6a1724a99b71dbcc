"""What is subscribed whole: what some scanner has in its list, and what its strategies hold still."""

import json

from pipeline.block import Block
from pipeline.codes import Kind, OrderState, SessionAction
from pipeline.run.picks import Picks
from pipeline.scanner_codes import UniverseAction

ADDED, DROPPED = int(UniverseAction.ADDED), int(UniverseAction.DROPPED)


def known():
    picks = Picks(["massive", "coinbase"], ["one", "two"])
    symbols = {"seq": [1, 2, 3], "instrument_id": [1, 2, 3], "source": [1, 2, 0], "symbol": ["A", "B-USD", "C"]}
    picks.add([Block.of(Kind.INSTRUMENT, 3, **symbols)], [])
    return picks


def change(picks, scanner_id, instrument_id, action):
    picks.add(
        [], [Block.of(Kind.UNIVERSE, 1, seq=9, scanner_id=scanner_id, instrument_id=instrument_id, action=action)]
    )


def hold(picks, strategy_id, instrument_id, steps):
    columns = {"strategy_id": strategy_id, "instrument_id": instrument_id, "quantity_steps": steps}
    picks.add([], [Block.of(Kind.POSITION, 1, seq=9, **columns)])


def order(picks, order_id, instrument_id, *states):
    for state in states:
        columns = {"order_id": order_id, "instrument_id": instrument_id, "state": int(state), "strategy_id": 1}
        picks.add([], [Block.of(Kind.ORDER, 1, seq=9, **columns)])


def test_a_symbol_is_picked_as_long_as_one_scanner_has_it():
    picks = known()
    for scanner_id, instrument_id in ((1, 1), (2, 1), (2, 2), (1, 3)):
        change(picks, scanner_id, instrument_id, ADDED)
    assert picks.symbols == {"massive:A", "coinbase:B-USD", "C"}
    change(picks, 1, 1, DROPPED)
    assert "massive:A" in picks.symbols
    change(picks, 2, 1, DROPPED)
    assert picks.symbols == {"coinbase:B-USD", "C"}


def test_what_is_held_or_ordered_stays_until_it_is_flat():
    picks = known()
    change(picks, 1, 1, ADDED)
    order(picks, 5, 1, OrderState.APPROVED, OrderState.SUBMITTED)
    change(picks, 1, 1, DROPPED)
    assert picks.symbols == {"massive:A"}
    hold(picks, 2, 1, 100)
    order(picks, 5, 1, OrderState.FILLED)
    assert picks.symbols == {"massive:A"}
    hold(picks, 2, 1, 0)
    assert picks.symbols == frozenset()


def test_what_was_never_picked_is_nobodys_business_here():
    picks = known()
    hold(picks, 1, 2, 100)
    change(picks, 1, 1, ADDED)
    assert picks.symbols == {"massive:A"}


def test_what_the_session_before_left_is_held():
    picks = known()
    rows = [
        ("position/two/1", {"quantity_steps": -3}),
        ("position/one/2", {"quantity_steps": 0}),
        ("order/one/17", {"instrument_id": 3}),
    ]
    told = [
        {"seq": seq, "action": int(SessionAction.STATE), "key": key, "text": json.dumps(text)}
        for seq, (key, text) in enumerate(rows, 1)
    ]
    picks.recall([[Block.from_rows(Kind.SESSION, told)]])
    assert picks.symbols == {"massive:A", "C"}
    hold(picks, 2, 1, 0)
    order(picks, 17, 3, OrderState.CANCELLED)
    assert picks.symbols == frozenset()
